//! Identifiers that we make up.

/// A token that was never used before, fit for change sets and requests: `[a-zA-Z][-a-zA-Z0-9]*`, at most 128 characters.
pub(crate) fn fresh_token() -> String {
    format!("deployer-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
