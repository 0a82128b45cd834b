//! Answers that several checks need in the same moment.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Problem;

/// Checks begin together, so whoever waited for another's answer comes right after it. A later look asks anew.
const RECENT: Duration = Duration::from_millis(40);

/// An answer that is asked for once by all who want it at the same time.
#[derive(Debug)]
pub(super) struct Recent<T>(Mutex<Option<(Instant, Result<T, Problem>)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Recent<T> {
    /// The answer, by `ask` unless there is one that has only just come.
    pub(super) async fn get(&self, ask: impl AsyncFnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
        let mut last = self.0.lock().await;
        if let Some((when, answer)) = last.as_ref()
            && when.elapsed() < RECENT
        {
            return answer.clone();
        }
        let answer = ask().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}
