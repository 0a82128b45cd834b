//! The one way to wait for something.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What a look at the awaited thing found.
#[derive(Debug)]
pub(crate) enum Probe<T, E> {
    /// It is there.
    Ready(T),
    /// It will never be.
    Failed(E),
    /// Not yet.
    Pending,
}

/// How waiting ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited<T, E> {
    /// It is there.
    Ready(T),
    /// It will never be.
    Failed(E),
    /// The deadline passed first.
    TimedOut,
}

impl<T, E> Waited<T, E> {
    /// What was waited for; `late` says what it means that the deadline passed first.
    pub(crate) fn in_time(self, late: impl FnOnce() -> E) -> Result<T, E> {
        match self {
            Self::Ready(value) => Ok(value),
            Self::Failed(error) => Err(error),
            Self::TimedOut => Err(late()),
        }
    }
}

/// How often to look: `first` apart at the beginning, then ever less often until `longest`; and for how long at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The first interval.
    pub first: Duration,
    /// The longest interval.
    pub longest: Duration,
    /// The deadline, from the beginning.
    pub deadline: Duration,
}

/// Looks with `probe` until it is ready or failed, or the deadline passes. The first look is at once.
///
/// Intervals vary by a quarter, so that several waits don't ask in step. Dropping the future stops the waiting.
pub(crate) async fn until<T, E>(pace: Pace, mut probe: impl AsyncFnMut() -> Probe<T, E>) -> Waited<T, E> {
    let end = Instant::now() + pace.deadline;
    let mut interval = pace.first;
    loop {
        match probe().await {
            Probe::Ready(value) => return Waited::Ready(value),
            Probe::Failed(error) => return Waited::Failed(error),
            Probe::Pending => {}
        }
        let now = Instant::now();
        if now >= end {
            return Waited::TimedOut;
        }
        sleep_until((now + interval.mul_f64(0.75 + fastrand::f64() * 0.5)).min(end)).await;
        interval = interval.mul_f64(1.5).min(pace.longest);
    }
}

/// Waits until `least` has passed since the last time that this was waited for.
pub(crate) async fn apart(last: &mut Option<Instant>, least: Duration) {
    if let Some(last) = *last {
        sleep_until(last + least).await;
    }
    *last = Some(Instant::now());
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(5),
        deadline: Duration::from_secs(60),
    };

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_not_waited_for() {
        let start = Instant::now();
        assert_eq!(until::<_, ()>(PACE, async || Probe::Ready(7)).await, Waited::Ready(7));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_ends_it() {
        let mut looks = 0;
        let end = until::<(), _>(PACE, async || {
            looks += 1;
            if looks == 3 {
                Probe::Failed("broken")
            } else {
                Probe::Pending
            }
        })
        .await;
        assert_eq!(end, Waited::Failed("broken"));
        assert_eq!(looks, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_holds_and_a_last_look_is_taken_at_it() {
        let start = Instant::now();
        let mut last_look = Duration::ZERO;
        let end = until::<(), ()>(PACE, async || {
            last_look = start.elapsed();
            Probe::Pending
        })
        .await;
        assert_eq!(end, Waited::TimedOut);
        assert_eq!(start.elapsed(), PACE.deadline);
        assert_eq!(last_look, PACE.deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_to_be_apart_is() {
        let (start, mut last) = (Instant::now(), None);
        for _ in 0..3 {
            apart(&mut last, PACE.first).await;
        }
        assert_eq!(start.elapsed(), 2 * PACE.first);
    }
}
