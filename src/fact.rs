//! Facts that one part of the work tells and others wait for: the edges of the graph.

use tokio::sync::watch;

/// Tells a fact, once. Dropped without having told it, it tells that there will be none.
#[derive(Debug)]
pub struct Teller<T>(watch::Sender<Option<T>>);

/// Waits for a fact.
#[derive(Debug, Clone)]
pub struct Fact<T>(watch::Receiver<Option<T>>);

/// The fact will never be known: the part that was to tell it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown;

/// A fact that isn't known yet.
pub fn fact<T>() -> (Teller<T>, Fact<T>) {
    let (sender, receiver) = watch::channel(None);
    (Teller(sender), Fact(receiver))
}

impl<T> Teller<T> {
    /// Tells it. The first telling counts.
    pub fn tell(&self, value: T) {
        self.0.send_if_modified(|known| {
            let new = known.is_none();
            if new {
                *known = Some(value);
            }
            new
        });
    }
}

impl<T: Clone> Fact<T> {
    /// Waits until it is known.
    pub async fn wait(&mut self) -> Result<T, Unknown> {
        match self.0.wait_for(Option::is_some).await {
            Ok(known) => known.clone().ok_or(Unknown),
            Err(_) => Err(Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_known_to_all_who_wait_even_after_the_teller_is_gone() {
        let (teller, mut one) = fact();
        let mut two = one.clone();
        teller.tell(1);
        teller.tell(2);
        assert_eq!(one.wait().await, Ok(1));
        drop(teller);
        assert_eq!(two.wait().await, Ok(1));
    }

    #[tokio::test]
    async fn a_teller_that_fails_ends_the_waiting() {
        let (teller, mut fact) = fact::<u8>();
        drop(teller);
        assert_eq!(fact.wait().await, Err(Unknown));
    }
}
