//! Statistics of repeated measurements.

use crate::error::Result;

/// The values of one measurement, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample<T> {
    sorted: Vec<T>,
    largest: T,
}

impl<T: Ord + Copy> Sample<T> {
    /// A sample of these values, in any order.
    ///
    /// # Errors
    /// There are none.
    pub fn new(mut values: Vec<T>) -> Result<Self> {
        values.sort_unstable();
        let largest = *values.last().ok_or("nothing was measured")?;
        Ok(Self {
            sorted: values,
            largest,
        })
    }

    /// The smallest value that `percent` of all values don't exceed ("nearest rank"): always one that was measured.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> T {
        let rank = (self.sorted.len() * percent).div_ceil(100);
        self.sorted.get(rank.saturating_sub(1)).copied().unwrap_or(self.largest)
    }

    /// The value in the middle.
    #[must_use]
    pub fn median(&self) -> T {
        self.percentile(50)
    }

    /// The largest value.
    #[must_use]
    pub fn max(&self) -> T {
        self.largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_sample() {
        let sample = Sample::new((1..=200).rev().collect()).expect("not empty");
        assert_eq!(sample.percentile(0), 1);
        assert_eq!(sample.percentile(1), 2);
        assert_eq!(sample.median(), 100);
        assert_eq!(sample.percentile(99), 198);
        assert_eq!(sample.percentile(100), 200);
        assert_eq!(sample.max(), 200);
    }

    #[test]
    fn one_value_is_every_percentile() {
        let sample = Sample::new(vec![7]).expect("not empty");
        assert_eq!(
            (sample.percentile(1), sample.median(), sample.percentile(99)),
            (7, 7, 7)
        );
    }

    #[test]
    fn no_values_are_no_sample() {
        assert!(Sample::<u64>::new(vec![]).is_err());
    }
}
