//! How long a stage may lie unused: `expires: 7d`.

use std::fmt;
use std::time::Duration;

/// The largest number of units: years of any of them, and far from where times end.
const MOST: u32 = 9_999;

/// A time that begins anew with each use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expiry {
    count: u32,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Hours,
    Days,
    Weeks,
}

impl Unit {
    const ALL: [(Self, char, u64); 3] = [
        (Self::Hours, 'h', 3_600),
        (Self::Days, 'd', 86_400),
        (Self::Weeks, 'w', 604_800),
    ];

    fn sign(self) -> char {
        match self {
            Self::Hours => 'h',
            Self::Days => 'd',
            Self::Weeks => 'w',
        }
    }
}

impl Expiry {
    /// What is written: a number and `h`, `d` or `w`. None if it isn't that.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let sign = text.chars().last()?;
        let (unit, ..) = Unit::ALL.into_iter().find(|(_, one, _)| *one == sign)?;
        let digits = text.strip_suffix(sign)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.starts_with('0') {
            return None;
        }
        let count: u32 = digits.parse().ok()?;
        (count <= MOST).then_some(Self { count, unit })
    }

    /// How long that is.
    pub(crate) fn duration(self) -> Duration {
        let seconds = Unit::ALL
            .into_iter()
            .find(|(unit, ..)| *unit == self.unit)
            .map_or(0, |(.., seconds)| seconds);
        Duration::from_secs(seconds * u64::from(self.count))
    }
}

/// As it is written.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_time() {
        for (text, hours) in [("1h", 1), ("7d", 7 * 24), ("2w", 14 * 24), ("9999w", 9_999 * 7 * 24)] {
            let expiry = Expiry::parse(text).expect(text);
            assert_eq!(expiry.duration(), Duration::from_secs(hours * 3_600), "{text}");
            assert_eq!(expiry.to_string(), text);
        }
        for text in [
            "",
            "d",
            "7",
            "0d",
            "07d",
            "7 d",
            "7m",
            "-7d",
            "+7d",
            "7.5d",
            "7D",
            "10000d",
            "99999999999d",
            "7dd",
            "٧d",
            "never",
        ] {
            assert_eq!(Expiry::parse(text), None, "{text}");
        }
    }
}
