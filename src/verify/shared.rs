//! Answers that several checks need.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Problem;

/// Which look of a check this is: the first, the second. Each look is to see what is so then, and those of the same number
/// may share an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Round(usize);

impl Round {
    pub(super) const FIRST: Self = Self(0);

    /// The one after this.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many looks there were when this one is over.
    pub(super) fn looks(self) -> usize {
        self.0 + 1
    }
}

type Slot<T> = Arc<Mutex<Option<(Round, Result<T, Problem>)>>>;

/// Answers by what was asked about, each asked for once a round by all who want it.
#[derive(Debug)]
pub(super) struct Shared<T>(Mutex<BTreeMap<String, Slot<T>>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Shared<T> {
    /// Gives the answer of the first round, so that it isn't asked for.
    pub(super) async fn know(&self, key: &str, answer: T) {
        let slot: Slot<T> = Arc::new(Mutex::new(Some((Round::FIRST, Ok(answer)))));
        self.0.lock().await.insert(key.to_owned(), slot);
    }

    /// The answer about `key`, by `ask` unless it was given in this round or a later one.
    pub(super) async fn get(
        &self,
        key: &str,
        round: Round,
        ask: impl AsyncFnOnce() -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let slot = Arc::clone(self.0.lock().await.entry(key.to_owned()).or_default());
        let mut last = slot.lock().await;
        if let Some((when, answer)) = last.as_ref()
            && *when >= round
        {
            return answer.clone();
        }
        let answer = ask().await;
        *last = Some((round, answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_question_is_asked_once_a_round() {
        let (shared, asked) = (Shared::default(), Cell::new(0));
        let get = async |key: &str, round| {
            let answer = shared.get(key, Round(round), async || {
                asked.set(asked.get() + 1);
                Ok(asked.get())
            });
            answer.await.expect("an answer")
        };
        assert_eq!(get("a", 1).await, 1);
        assert_eq!(get("a", 1).await, 1);
        assert_eq!(get("b", 1).await, 2);
        assert_eq!(get("a", 2).await, 3);
        assert_eq!(get("a", 1).await, 3, "what was seen later is good enough");
        shared.know("c", 9).await;
        assert_eq!(get("c", 0).await, 9, "what is known isn't asked for");
        assert_eq!(get("c", 1).await, 4, "but looked at anew after that");
    }
}
