//! From when on a log is wanted.

use std::time::{Duration, SystemTime};

use crate::clock::of_rfc3339;
use crate::error::{Error, ErrorKind, Result};

/// Units of time, in seconds.
const UNITS: &[(char, u64)] = &[('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];

/// The moment that `10m`, `2h` or a time of RFC 3339 means, in milliseconds since 1970.
///
/// # Errors
/// It means none, or one that is still to come.
pub(crate) fn since(text: &str, now: SystemTime) -> Result<i64> {
    let wrong = |why: &str| {
        Error::new(ErrorKind::InvalidUsage, format!("--since {text}: {why}"))
            .hint("Say how long ago, as in 90s, 10m, 2h, 3d or 1w, or when, as in 2026-01-31T09:30:00Z.")
    };
    let ago = || {
        let (number, seconds) = UNITS
            .iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, seconds)))?;
        number
            .parse::<u64>()
            .ok()?
            .checked_mul(*seconds)
            .map(Duration::from_secs)
    };
    let then = match of_rfc3339(text) {
        Some(then) if then > now => return Err(wrong("that is still to come")),
        Some(then) => then,
        None => now
            .checked_sub(ago().ok_or_else(|| wrong("this is no time"))?)
            .unwrap_or(SystemTime::UNIX_EPOCH),
    };
    let then = then.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(then.as_millis()).map_err(|_| wrong("this is no time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_by_their_age_or_as_they_are() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let of = |text: &str| since(text, now).map(|ms| 1_800_000_000_000 - ms);
        assert_eq!(of("90s").expect("valid"), 90_000);
        assert_eq!(of("10m").expect("valid"), 600_000);
        assert_eq!(of("2h").expect("valid"), 7_200_000);
        assert_eq!(of("1d").expect("valid"), 86_400_000);
        assert_eq!(of("1w").expect("valid"), 604_800_000);
        assert_eq!(of("2027-01-15T07:59:59.500Z").expect("valid"), 500);
        assert_eq!(since("9999999d", now).expect("since ever"), 0);
        for bad in [
            "",
            "10",
            "m",
            "-1m",
            "1.5h",
            "yesterday",
            "2030-01-01T00:00:00Z",
            "99999999999999999999d",
        ] {
            let error = of(bad).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::InvalidUsage, "{bad}");
            assert!(error.next_step().is_some_and(|step| step.contains("10m")));
        }
    }
}
