//! What memory a process has had, as Linux tells it.

use std::fs;

use crate::error::{Context as _, Result};

/// The most memory that the process `id` has had so far, in bytes.
///
/// # Errors
/// It has ended.
pub fn peak(id: &str) -> Result<u64> {
    let path = format!("/proc/{id}/status");
    let status = fs::read_to_string(&path).context(format_args!("could not read {path}"))?;
    parse(&status).ok_or_else(|| format!("{path} has no VmHWM").into())
}

/// The peak of the resident memory, from the text of `/proc/<pid>/status`.
fn parse(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        let status = "Name:\tbootstrap\nVmPeak:\t   90000 kB\nVmHWM:\t   11264 kB\nVmRSS:\t   11000 kB\n";
        assert_eq!(parse(status), Some(11 << 20));
        assert_eq!(parse("Name:\tbootstrap\nState:\tZ (zombie)\n"), None);
    }
}
