//! What there is of both programs.

use benchmarks::error::Result;

/// Something of the floor and the same of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair<T> {
    pub(crate) floor: T,
    pub(crate) function: T,
}

impl<T> Pair<T> {
    /// The same, derived from each.
    pub(crate) fn map<U>(&self, mut derive: impl FnMut(&T) -> U) -> Pair<U> {
        Pair {
            floor: derive(&self.floor),
            function: derive(&self.function),
        }
    }

    /// The same, derived from each, the floor first.
    ///
    /// # Errors
    /// The first one.
    pub(crate) fn try_map<U>(&self, mut derive: impl FnMut(&T) -> Result<U>) -> Result<Pair<U>> {
        Ok(Pair {
            floor: derive(&self.floor)?,
            function: derive(&self.function)?,
        })
    }
}
