//! Values that one part of the work promises and others depend on: the edges of the graph.

use tokio::sync::watch;

/// The side that sets the value, once. Dropped without having set it, it lets those who wait know that there will be none.
#[derive(Debug)]
pub(crate) struct Promise<T>(watch::Sender<Option<T>>);

/// The side that waits for the value; any number of parts may have one.
#[derive(Debug, Clone)]
pub(crate) struct Dependency<T>(watch::Receiver<Option<T>>);

/// The value will never be known: the part that was to produce it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducerFailed;

/// A value that isn't known yet, from both sides.
pub(crate) fn promise<T>() -> (Promise<T>, Dependency<T>) {
    let (sender, receiver) = watch::channel(None);
    (Promise(sender), Dependency(receiver))
}

impl<T> Promise<T> {
    /// Sets it. The first value counts.
    pub(crate) fn set(&self, value: T) {
        self.0.send_if_modified(|known| {
            let new = known.is_none();
            if new {
                *known = Some(value);
            }
            new
        });
    }
}

impl<T: Clone> Dependency<T> {
    /// Waits until it is known.
    pub(crate) async fn wait(&mut self) -> Result<T, ProducerFailed> {
        match self.0.wait_for(Option::is_some).await {
            Ok(known) => known.clone().ok_or(ProducerFailed),
            Err(_) => Err(ProducerFailed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_known_to_all_who_wait_even_after_the_promise_is_gone() {
        let (promise, mut one) = promise();
        let mut two = one.clone();
        promise.set(1);
        promise.set(2);
        assert_eq!(one.wait().await, Ok(1));
        drop(promise);
        assert_eq!(two.wait().await, Ok(1));
    }

    #[tokio::test]
    async fn a_producer_that_fails_ends_the_waiting() {
        let (promise, mut dependency) = promise::<u8>();
        drop(promise);
        assert_eq!(dependency.wait().await, Err(ProducerFailed));
    }
}
