//! Tables that `build.rs` has packed into the binary.

use std::io::Read as _;

use flate2::read::DeflateDecoder;

/// The text of one.
pub(super) fn unpacked(packed: &[u8]) -> String {
    let mut text = String::new();
    // The build has packed it: it can be unpacked.
    let _ = DeflateDecoder::new(packed).read_to_string(&mut text);
    text
}
