//! Times, as they are written.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// RFC 3339, in UTC.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    DateTime::from(time).fmt(Format::DateTime).unwrap_or_default()
}

/// The same of milliseconds since 1970, always with three digits behind the second: what stands below one another is then
/// as long.
pub(crate) fn rfc3339_with_millis(ms: i64) -> String {
    let text = DateTime::from_millis(ms - ms.rem_euclid(1000))
        .fmt(Format::DateTime)
        .unwrap_or_default();
    format!("{}.{:03}Z", text.trim_end_matches('Z'), ms.rem_euclid(1000))
}

/// "14:05:09Z": what time it is, in UTC, for lines of one day.
pub(crate) fn time_of_day(time: SystemTime) -> String {
    // Behind the day and the `T`, and without parts of a second.
    format!("{}Z", rfc3339(time).get(11..19).unwrap_or_default())
}

/// What [`rfc3339`] has written.
pub(crate) fn of_rfc3339(text: &str) -> Option<SystemTime> {
    DateTime::from_str(text, Format::DateTime).ok()?.try_into().ok()
}

/// "3 minutes ago": the largest unit alone is what one wants to know.
pub(crate) fn age(then: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(then).map_or(0, |age| age.as_secs());
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// "in 3 days": the largest unit alone.
pub(crate) fn ahead(then: SystemTime, now: SystemTime) -> String {
    let seconds = then.duration_since(now).map_or(0, |left| left.as_secs());
    let (count, unit) = match seconds {
        0..60 => return "now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("in {count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_time_of_day_has_seconds() {
        let at = |millis| time_of_day(UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(at(3_661_000), "01:01:01Z");
        assert_eq!(at(86_399_999), "23:59:59Z");
    }

    #[test]
    fn ages_are_said_in_their_largest_unit() {
        let now = SystemTime::now();
        for (seconds, expected) in [
            (3, "just now"),
            (60, "1 minute ago"),
            (3_700, "1 hour ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(age(now - Duration::from_secs(seconds), now), expected);
        }
    }

    #[test]
    fn what_is_ahead_is_said_alike() {
        let now = SystemTime::now();
        for (seconds, expected) in [
            (3, "now"),
            (60, "in 1 minute"),
            (7_300, "in 2 hours"),
            (600_000, "in 6 days"),
        ] {
            assert_eq!(ahead(now + Duration::from_secs(seconds), now), expected);
        }
        assert_eq!(ahead(now - Duration::from_secs(60), now), "now");
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        let time = UNIX_EPOCH + Duration::from_secs(1_764_165_000);
        assert_eq!(rfc3339(time), "2025-11-26T13:50:00Z");
        assert_eq!(of_rfc3339(&rfc3339(time)), Some(time));
        assert_eq!(of_rfc3339("yesterday"), None);
        assert_eq!(rfc3339_with_millis(1_764_165_000_000), "2025-11-26T13:50:00.000Z");
        assert_eq!(rfc3339_with_millis(1_764_165_000_070), "2025-11-26T13:50:00.070Z");
    }
}
