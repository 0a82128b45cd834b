//! Measured values with their unit.

use std::fmt;
use std::time::Duration;

const MIB: f64 = 1024.0 * 1024.0;

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// A time.
    Time(Duration),
    /// A number of bytes.
    Size(u64),
    /// A number of anything.
    Count(u64),
}

impl Quantity {
    /// How many times `floor` this is.
    #[must_use]
    pub fn times(self, floor: Self) -> f64 {
        self.number() / floor.number()
    }

    fn number(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Size(number) | Self::Count(number) => number as f64,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) if *time < Duration::from_millis(1) => write!(f, "{:.0} µs", self.number() * 1e6),
            Self::Time(time) if *time < Duration::from_secs(1) => write!(f, "{:.2} ms", self.number() * 1e3),
            Self::Time(_) => write!(f, "{:.2} s", self.number()),
            Self::Size(_) => write!(f, "{:.2} MiB", self.number() / MIB),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_their_unit() {
        assert_eq!(Quantity::Time(Duration::from_micros(1_234)).to_string(), "1.23 ms");
        assert_eq!(Quantity::Time(Duration::from_nanos(22_600)).to_string(), "23 µs");
        assert_eq!(Quantity::Time(Duration::from_millis(61_204)).to_string(), "61.20 s");
        assert_eq!(Quantity::Count(10_001).to_string(), "10001");
        assert_eq!(Quantity::Size(3 << 19).to_string(), "1.50 MiB");
    }
}
