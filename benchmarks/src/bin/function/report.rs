//! The result: every measure of both programs, and which targets are reached.

use std::time::Duration;

use benchmarks::error::Result;
use benchmarks::quantity::Quantity;
use benchmarks::sample::Sample;
use benchmarks::target::Target;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use crate::measure::{PAUSE, Start, Warm};
use crate::package::Sizes;
use crate::pair::Pair;

const COLUMNS: [&str; 6] = ["Measure", "Floor", "Function", "Ratio", "Target", "Reached"];
/// For a measure without a target.
const NOTHING: &str = "–";

const FIRST_ANSWER: Target = Target::Times {
    factor: 1.5,
    of: "floor",
};
const OVERHEAD: Target = Target::AtMost(Quantity::Time(Duration::from_millis(1)));
const PEAK_MEMORY: Target = Target::AtMost(Quantity::Size(12 << 20));
const ZIP: Target = Target::AtMost(Quantity::Size(2 << 20));

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Results {
    /// The programs' sizes.
    pub(crate) sizes: Pair<Sizes>,
    /// Starts with an event waiting.
    pub(crate) starts: Pair<Vec<Start>>,
    /// First events after a pause.
    pub(crate) pauses: Pair<Vec<Duration>>,
    /// Requests after many others.
    pub(crate) warm: Warm,
}

impl Results {
    /// The results as a table.
    ///
    /// # Errors
    /// Something was measured not even once.
    pub(crate) fn table(&self) -> Result<Table> {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN).set_header(COLUMNS);
        for row in [
            self.of_starts()?,
            self.of_requests()?,
            self.of_memory()?,
            self.of_sizes(),
        ]
        .concat()
        {
            table.add_row(row.cells());
        }
        Ok(table)
    }

    fn of_starts(&self) -> Result<Vec<Row>> {
        let first_poll = medians(&self.starts, |start| start.first_poll)?;
        let first_answer = medians(&self.starts, |start| start.first_answer)?;
        let pause = medians(&self.pauses, |time| *time)?;
        Ok(vec![
            Row::new("process start to first poll, median", first_poll),
            Row::new("process start to first answer, median", first_answer).target(FIRST_ANSWER),
            Row::new(
                format!("first event, {} ms after the first poll, median", PAUSE.as_millis()),
                pause,
            ),
        ])
    }

    fn of_requests(&self) -> Result<Vec<Row>> {
        let requests = self.warm.requests.try_map(|times| Sample::new(times.clone()))?;
        let bare_calls = Sample::new(self.warm.bare_calls.clone())?;
        let rows = |name: &str, percent| {
            let times = requests.map(|sample| sample.percentile(percent));
            let bare = bare_calls.percentile(percent);
            // The floor makes no call: all of its time compares with what the function adds to its call.
            let added = Pair {
                function: times.function.saturating_sub(bare),
                ..times
            };
            let [times, added] = [times, added].map(|pair| pair.map(|time| Quantity::Time(*time)));
            let bare = Quantity::Time(bare);
            [
                Row::new(format!("warm event, {name}"), times),
                Row::new(format!("warm event less a bare DynamoDB call ({bare}), {name}"), added),
            ]
        };
        let [median, median_added] = rows("median", 50);
        let [p99, p99_added] = rows("p99", 99);
        Ok(vec![median, p99, median_added, p99_added.target(OVERHEAD)])
    }

    fn of_memory(&self) -> Result<Vec<Row>> {
        let after_start = self
            .starts
            .try_map(|starts| Sample::new(starts.iter().map(|start| start.peak_memory).collect()))?;
        let ever = Pair {
            floor: after_start.floor.max().max(self.warm.peak_memory.floor),
            function: after_start.function.max().max(self.warm.peak_memory.function),
        };
        let after_start = after_start.map(Sample::median);
        let [after_start, ever] = [after_start, ever].map(|pair| pair.map(|bytes| Quantity::Size(*bytes)));
        Ok(vec![
            Row::new("peak memory after the first answer, median", after_start),
            Row::new("peak memory, maximum", ever).target(PEAK_MEMORY),
        ])
    }

    fn of_sizes(&self) -> Vec<Row> {
        let binary = self.sizes.map(|sizes| Quantity::Size(sizes.binary));
        let zip = self.sizes.map(|sizes| Quantity::Size(sizes.zip));
        vec![Row::new("binary", binary), Row::new("zip", zip).target(ZIP)]
    }
}

/// The medians of a time that each measurement has.
fn medians<T>(measurements: &Pair<Vec<T>>, time: impl Fn(&T) -> Duration) -> Result<Pair<Quantity>> {
    measurements.try_map(|values| {
        let sample = Sample::new(values.iter().map(&time).collect())?;
        Ok(Quantity::Time(sample.median()))
    })
}

#[derive(Debug, Clone)]
struct Row {
    measure: String,
    values: Pair<Quantity>,
    target: Option<Target>,
}

impl Row {
    fn new(measure: impl Into<String>, values: Pair<Quantity>) -> Self {
        Self {
            measure: measure.into(),
            values,
            target: None,
        }
    }

    fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    fn cells(self) -> [String; 6] {
        let Pair { floor, function } = self.values;
        let reached = match self.target.and_then(|target| target.is_reached(function, Some(floor))) {
            Some(true) => "yes",
            Some(false) => "no",
            None => NOTHING,
        };
        [
            self.measure,
            floor.to_string(),
            function.to_string(),
            format!("{:.2}", function.times(floor)),
            self.target.map_or(NOTHING.to_owned(), |target| target.to_string()),
            reached.to_owned(),
        ]
    }
}
