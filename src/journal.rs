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
pub(crate) const UNDOING: Duration = Duration::from_secs(5);

/// The journal of one run; clones write into the same.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Inner>);

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
    /// How many are being undone.
    undoing: usize,
    operations: BTreeMap<u64, Underway>,
    /// Whether nothing but a signal ends it.
    is_endless: bool,
    /// A function that was called, and whose answer hasn't come.
    called: Option<String>,
}

/// An operation that somebody else carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Underway {
    /// Which, in words.
    pub what: String,
    /// Whether it is known to have begun: its request was answered.
    pub has_begun: bool,
}

/// What became of something that was to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undone {
    /// It is gone.
    Gone,
    /// It is too late: this operation, in words, goes on.
    GoesOn(String),
}

/// How something that was begun is undone. It is done in the thread that runs the command.
struct Undo(Box<dyn FnOnce() -> LocalBoxFuture<'static, Result<Undone>> + Send>);

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
    pub(crate) fn note_change(&self) {
        self.state().changes += 1;
    }

    /// Notes that such a request was refused, and so changed nothing.
    pub(crate) fn note_refusal(&self) {
        let mut state = self.state();
        state.changes = state.changes.saturating_sub(1);
    }

    /// Notes that nothing but a signal ends what is done from now on: one is then no interruption.
    pub(crate) fn note_endless(&self) {
        self.state().is_endless = true;
    }

    /// Whether nothing but a signal ends it.
    pub(crate) fn is_endless(&self) -> bool {
        self.state().is_endless
    }

    /// Notes the function that is being called, or that its answer has come.
    pub(crate) fn note_call(&self, function: Option<&str>) {
        self.state().called = function.map(str::to_owned);
    }

    /// The function that is being called.
    pub(crate) fn called(&self) -> Option<String> {
        self.state().called.clone()
    }

    /// Whether something was changed yet.
    pub(crate) fn phase(&self) -> Phase {
        if self.state().changes > 0 {
            Phase::Changing
        } else {
            Phase::Reading
        }
    }

    /// Notes, before it is begun, how something is undone that must not stay when the run ends halfway. Once the run is
    /// interrupted this never returns: nothing more is begun.
    pub(crate) async fn undoable<F>(&self, undo: impl FnOnce() -> F + Send + 'static) -> Entry
    where
        F: Future<Output = Result<Undone>> + 'static,
    {
        let undo = Undo(Box::new(move || Box::pin(undo())));
        let number = self.begin(|state, number| state.undos.insert(number, undo)).await;
        Entry {
            journal: self.clone(),
            number,
        }
    }

    /// Notes, before it is asked for, an operation that goes on by itself once it is begun, such as a stack's update. Once
    /// the run is interrupted this never returns.
    pub(crate) async fn operation(&self, what: impl Into<String>) -> Operation {
        let operation = Underway {
            what: what.into(),
            has_begun: false,
        };
        let number = self
            .begin(|state, number| state.operations.insert(number, operation))
            .await;
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
    pub(crate) fn interrupt(&self) {
        let _state = self.state();
        self.0.interrupted.send_replace(true);
    }

    /// Returns once the run is interrupted.
    pub(crate) async fn interrupted(&self) {
        let mut interrupted = self.0.interrupted.subscribe();
        // The sender lives as long as this.
        let _ = interrupted.wait_for(|interrupted| *interrupted).await;
    }

    /// Whether something has to be undone, or is being undone.
    pub(crate) fn has_undos(&self) -> bool {
        let state = self.state();
        state.undoing + state.undos.len() > 0
    }

    /// What goes on without this run.
    pub(crate) fn operations(&self) -> Vec<Underway> {
        self.state().operations.values().cloned().collect()
    }

    /// Undoes what was begun and not ended, all at once, within [`UNDOING`].
    ///
    /// # Errors
    /// What couldn't be undone.
    pub(crate) async fn undo(&self) -> Result<(), Vec<Error>> {
        let undos = {
            let mut state = self.state();
            state.undoing = state.undos.len();
            std::mem::take(&mut state.undos)
        };
        let undone = join_all(undos.into_values().map(|undo| (undo.0)()));
        match timeout(UNDOING, undone).await {
            Ok(ended) => {
                let mut state = self.state();
                state.undoing = 0;
                let mut failures = Vec::new();
                for undone in ended {
                    match undone {
                        Ok(Undone::Gone) => {}
                        Ok(Undone::GoesOn(what)) => {
                            state.last += 1;
                            let number = state.last;
                            state.operations.insert(number, Underway { what, has_begun: true });
                        }
                        Err(failure) => failures.push(failure),
                    }
                }
                if failures.is_empty() { Ok(()) } else { Err(failures) }
            }
            Err(_) => Err(vec![Error::failed("there was no answer in time")]),
        }
    }
}

/// Something that is undone at the end of the run, unless it is [done](Self::done).
#[derive(Debug)]
#[must_use = "it is undone unless it is said to be done"]
pub(crate) struct Entry {
    journal: Journal,
    number: u64,
}

impl Entry {
    /// It stays as it is, or is undone already.
    pub(crate) fn done(self) {
        self.journal.state().undos.remove(&self.number);
    }
}

/// An operation that goes on by itself, until this is dropped; one that is dropped since its run was interrupted stays in
/// the journal.
#[derive(Debug)]
#[must_use = "the operation counts as ended when this is dropped"]
pub(crate) struct Operation(Entry);

impl Operation {
    /// Its request was answered.
    pub(crate) fn has_begun(&self) {
        if let Some(operation) = self.0.journal.state().operations.get_mut(&self.0.number) {
            operation.has_begun = true;
        }
    }
}

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
                    Ok(Undone::Gone)
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
        going_on.has_begun();
        drop(
            journal
                .undoable(async || Ok(Undone::GoesOn("the creation of b".into())))
                .await,
        );
        assert!(journal.interrupted().now_or_never().is_none());
        journal.interrupt();
        journal.interrupted().await;
        drop(going_on);
        journal.undo().await.expect("known");
        let going_on = journal.operations().into_iter();
        let going_on: Vec<_> = going_on.map(|one| (one.what, one.has_begun)).collect();
        let expected = ["the update of a", "the creation of b"].map(|what| (what.to_owned(), true));
        assert_eq!(going_on, expected);
        assert!(journal.operation("late").now_or_never().is_none());
        let late = journal.undoable(async || Ok(Undone::Gone));
        assert!(late.now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn undoing_ends_in_time() {
        let journal = Journal::default();
        drop(journal.undoable(std::future::pending).await);
        let failures = journal.undo().await.expect_err("it hangs");
        assert_eq!(failures.len(), 1);
    }
}
