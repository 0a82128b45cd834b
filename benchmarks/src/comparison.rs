//! A measured value beside another and its target, as a table shows them.

use crate::error::Result;
use crate::quantity::Quantity;
use crate::sample::Sample;
use crate::target::Target;

/// For what there is none of.
const NOTHING: &str = "–";

/// Which of two deployers it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one that is measured.
    This,
    /// The one that it is measured against.
    Before,
}

/// The median of values; none of no values, as of what was left out.
///
/// # Errors
/// They have no order.
pub fn median(values: Vec<Quantity>) -> Result<Option<Quantity>> {
    if values.is_empty() {
        return Ok(None);
    }
    Ok(Some(Sample::new(values)?.median()))
}

/// A value as it is shown.
#[must_use]
pub fn shown(value: Option<Quantity>) -> String {
    value.map_or(NOTHING.to_owned(), |value| value.to_string())
}

/// How many times the other's value it is, the target, and whether that is reached.
#[must_use]
pub fn cells(value: Option<Quantity>, other: Option<Quantity>, target: Option<Target>) -> [String; 3] {
    let ratio = value
        .zip(other)
        .map(|(value, other)| format!("{:.2}", value.times(other)));
    let reached = value
        .zip(target)
        .and_then(|(value, target)| target.is_reached(value, other));
    [
        ratio.unwrap_or_else(|| NOTHING.to_owned()),
        target.map_or(NOTHING.to_owned(), |target| target.to_string()),
        reached
            .map_or(NOTHING, |reached| if reached { "yes" } else { "no" })
            .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_none_of_is_a_dash() {
        let (five, ten) = (Some(Quantity::Count(5)), Some(Quantity::Count(10)));
        let target = Some(Target::AtMost(Quantity::Count(7)));
        assert_eq!(cells(five, ten, target), ["0.50", "≤ 7", "yes"]);
        assert_eq!(cells(ten, None, target), ["–", "≤ 7", "no"]);
        assert_eq!(cells(five, ten, None), ["0.50", "–", "–"]);
        assert_eq!(median(Vec::new()).expect("none"), None);
        assert_eq!(shown(None), "–");
    }
}
