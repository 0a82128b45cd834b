//! Identifiers that we make up.

/// A token that was never used before, fit for change sets and requests: `[a-zA-Z][-a-zA-Z0-9]*`, at most 128 characters.
pub(crate) fn fresh_token() -> String {
    format!("deployer-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hex`] made; none of anything else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}
