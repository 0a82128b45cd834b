//! What a measured value should not exceed.

use std::fmt;

use crate::quantity::Quantity;

/// A limit; a value that is the limit reaches it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// So many times the value of something else.
    Times {
        /// How many times.
        factor: f64,
        /// What the other thing is called.
        of: &'static str,
    },
    /// A value.
    AtMost(Quantity),
}

impl Target {
    /// Whether `value` reaches this, where `other` is the value of the other thing; none if there is no other.
    #[must_use]
    pub fn is_reached(self, value: Quantity, other: Option<Quantity>) -> Option<bool> {
        match self {
            Self::Times { factor, .. } => other.map(|other| value.times(other) <= factor),
            Self::AtMost(limit) => Some(value <= limit),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times { factor, of } => write!(f, "≤ {factor} × {of}"),
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_up_to_its_limit() {
        let other = Some(Quantity::Size(100));
        let times = Target::Times {
            factor: 1.5,
            of: "floor",
        };
        for target in [times, Target::AtMost(Quantity::Size(150))] {
            assert_eq!(target.is_reached(Quantity::Size(150), other), Some(true), "{target}");
            assert_eq!(target.is_reached(Quantity::Size(151), other), Some(false), "{target}");
        }
        assert_eq!(times.is_reached(Quantity::Size(1), None), None);
        assert_eq!(times.to_string(), "≤ 1.5 × floor");
    }
}
