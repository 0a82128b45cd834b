//! What a run has begun: whether something was changed, what goes on without it, and what has to be undone should it end
//! halfway.
//!
//! A run may end at any moment, by an error or a signal; its futures are dropped then, wherever they are. What they leave
//! on AWS is known here, and undone from here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{LocalBoxFuture, join_all};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::{Error, Phase, Result};

/// How long undoing may take altogether, once the run has ended.
pub const UNDOING: Duration = Duration::from_secs(5);

/// The journal of one run; clones write into the same.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    interrupted: watch::Sender<bool>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests that changed something, or may have.
    changes: usize,
    last: u64,
    undos: BTreeMap<u64, Undo>,
    operations: BTreeMap<u64, String>,
}

/// How something that was begun is undone. It is done in the thread that runs the command.
struct Undo(Box<dyn FnOnce() -> LocalBoxFuture<'static, Result<()>> + Send>);

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Undo")
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self(Arc::new(Inner {
            interrupted: watch::Sender::new(false),
            state: Mutex::default(),
        }))
    }
}

impl Journal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that may change something, as it is sent.
    pub fn note_change(&self) {
        self.state().changes += 1;
    }

    /// Notes that such a request was refused, and so changed nothing.
    pub fn note_refusal(&self) {
        let mut state = self.state();
        state.changes = state.changes.saturating_sub(1);
    }

    /// Whether something was changed yet.
    pub fn phase(&self) -> Phase {
        if self.state().changes > 0 {
            Phase::Changing
        } else {
            Phase::Reading
        }
    }

    /// Notes, before it is begun, how something is undone that must not stay when the run ends halfway. Once the run is
    /// interrupted this never returns: nothing more is begun.
    pub async fn undoable<F>(&self, undo: impl FnOnce() -> F + Send + 'static) -> Entry
    where
        F: Future<Output = Result<()>> + 'static,
    {
        let undo = Undo(Box::new(move || Box::pin(undo())));
        let number = self.begin(|state, number| state.undos.insert(number, undo)).await;
        Entry {
            journal: self.clone(),
            number,
        }
    }

    /// Notes an operation that goes on by itself once it is begun, such as a stack's update. Once the run is interrupted
    /// this never returns.
    pub async fn operation(&self, what: impl Into<String>) -> Operation {
        let what = what.into();
        let number = self.begin(|state, number| state.operations.insert(number, what)).await;
        Operation(Entry {
            journal: self.clone(),
            number,
        })
    }

    /// Writes something into the journal under a number of its own, unless the run was interrupted.
    async fn begin<T>(&self, note: impl FnOnce(&mut State, u64) -> T) -> u64 {
        {
            // Whether it is interrupted is asked while the state is held, as it is for an interruption: what is begun
            // before one is in the journal when it looks.
            let mut state = self.state();
            if !*self.0.interrupted.borrow() {
                state.last += 1;
                let number = state.last;
                note(&mut state, number);
                return number;
            }
        }
        std::future::pending().await
    }

    /// Interrupts the run: nothing more is begun.
    pub fn interrupt(&self) {
        let _state = self.state();
        self.0.interrupted.send_replace(true);
    }

    /// Returns once the run is interrupted.
    pub async fn interrupted(&self) {
        let mut interrupted = self.0.interrupted.subscribe();
        // The sender lives as long as this.
        let _ = interrupted.wait_for(|interrupted| *interrupted).await;
    }

    /// Whether something has to be undone.
    pub fn has_undos(&self) -> bool {
        !self.state().undos.is_empty()
    }

    /// What goes on without this run, in words.
    pub fn operations(&self) -> Vec<String> {
        self.state().operations.values().cloned().collect()
    }

    /// Undoes what was begun and not ended, all at once, within [`UNDOING`].
    ///
    /// # Errors
    /// What couldn't be undone.
    pub async fn undo(&self) -> Result<(), Vec<Error>> {
        let undos = std::mem::take(&mut self.state().undos);
        let undone = join_all(undos.into_values().map(|undo| (undo.0)()));
        match timeout(UNDOING, undone).await {
            Ok(ended) => {
                let failures: Vec<Error> = ended.into_iter().filter_map(Result::err).collect();
                if failures.is_empty() { Ok(()) } else { Err(failures) }
            }
            Err(_) => Err(vec![Error::failed("there was no answer in time")]),
        }
    }
}

/// Something that is undone at the end of the run, unless it is [done](Self::done).
#[derive(Debug)]
#[must_use = "it is undone unless it is said to be done"]
pub struct Entry {
    journal: Journal,
    number: u64,
}

impl Entry {
    /// It stays as it is, or is undone already.
    pub fn done(self) {
        self.journal.state().undos.remove(&self.number);
    }
}

/// An operation that goes on by itself, until this is dropped; one that is dropped since its run was interrupted stays in
/// the journal.
#[derive(Debug)]
#[must_use = "the operation counts as ended when this is dropped"]
pub struct Operation(Entry);

impl Drop for Operation {
    fn drop(&mut self) {
        let journal = &self.0.journal;
        if !*journal.0.interrupted.borrow() {
            journal.state().operations.remove(&self.0.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_is_not_done_is_undone_once() {
        let (journal, undone) = (Journal::default(), Arc::new(AtomicUsize::new(0)));
        let begin = async || {
            let undone = Arc::clone(&undone);
            journal
                .undoable(move || async move {
                    undone.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })
                .await
        };
        begin().await.done();
        drop(begin().await);
        assert!(journal.has_undos());
        journal.undo().await.expect("undone");
        journal.undo().await.expect("nothing left");
        assert_eq!(undone.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn after_an_interruption_nothing_begins_and_what_was_begun_is_known() {
        let journal = Journal::default();
        drop(journal.operation("ended").await);
        let going_on = journal.operation("the update of a").await;
        assert!(journal.interrupted().now_or_never().is_none());
        journal.interrupt();
        journal.interrupted().await;
        drop(going_on);
        assert_eq!(journal.operations(), ["the update of a"]);
        assert!(journal.operation("late").now_or_never().is_none());
        assert!(journal.undoable(async || Ok(())).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn undoing_ends_in_time() {
        let journal = Journal::default();
        drop(journal.undoable(std::future::pending).await);
        let failures = journal.undo().await.expect_err("it hangs");
        assert_eq!(failures.len(), 1);
    }
}
