//! The result: what each takes, and which targets are reached.

use std::time::Duration;

use benchmarks::error::Result;
use benchmarks::quantity::Quantity;
use benchmarks::sample::Sample;
use benchmarks::target::Target;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use crate::measure::{Run, Scenario, Which};

const COLUMNS: [&str; 7] = [
    "Scenario",
    "Median",
    "deployer",
    "before",
    "deployer ÷ before",
    "Target",
    "Reached",
];
/// For what there is none of.
const NOTHING: &str = "–";
/// The targets are for so many items.
const ITEMS: usize = 10_000;

/// What is measured of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Wall,
    Memory,
}

impl Measure {
    fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall time",
            Self::Memory => "memory",
        }
    }

    fn of(self, run: &Run) -> Option<Quantity> {
        match self {
            Self::Wall => Some(Quantity::Time(run.wall)),
            Self::Memory => run.memory.map(|(peak, _)| Quantity::Size(peak)),
        }
    }

    fn target(self, scenario: Scenario, file: Option<u64>) -> Option<Target> {
        let seconds = |seconds| Some(Target::AtMost(Quantity::Time(Duration::from_secs(seconds))));
        match (self, scenario) {
            (Self::Wall, Scenario::New | Scenario::Overwrite) => seconds(6),
            (Self::Wall, Scenario::ReadMore) => seconds(1),
            (Self::Memory, Scenario::ReadMore) => file.map(|size| Target::AtMost(Quantity::Size(50 * size))),
            _ => None,
        }
    }
}

/// The runs, as a table.
///
/// # Errors
/// Nothing was measured.
pub(crate) fn table(runs: &[Run], items: usize) -> Result<Table> {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(COLUMNS);
    for scenario in Scenario::ALL {
        table.add_row(row(scenario, Measure::Wall, runs, items)?);
        if matches!(scenario, Scenario::Read | Scenario::ReadMore) {
            table.add_row(row(scenario, Measure::Memory, runs, items)?);
        }
    }
    Ok(table)
}

fn row(scenario: Scenario, measure: Measure, runs: &[Run], items: usize) -> Result<[String; 7]> {
    let of_scenario = || runs.iter().filter(|run| run.scenario == scenario);
    let median = |which: Which| -> Result<Option<Quantity>> {
        let values: Vec<Quantity> = of_scenario()
            .filter(|run| run.which == which)
            .filter_map(|run| measure.of(run))
            .collect();
        if values.is_empty() {
            // There is no other deployer.
            return Ok(None);
        }
        Ok(Some(Sample::new(values)?.median()))
    };
    let (deployer, before) = (median(Which::This)?, median(Which::Before)?);
    let file = of_scenario().find_map(|run| run.memory).map(|(_, size)| size);
    let target = measure.target(scenario, file).filter(|_| items == ITEMS);
    let reached = deployer
        .zip(target)
        .and_then(|(value, target)| target.is_reached(value, before));
    let text = |value: Option<Quantity>| value.map_or(NOTHING.to_owned(), |value| value.to_string());
    Ok([
        scenario.name().to_owned(),
        measure.name().to_owned(),
        text(deployer),
        text(before),
        deployer.zip(before).map_or(NOTHING.to_owned(), |(ours, theirs)| {
            format!("{:.2}", ours.times(theirs))
        }),
        target.map_or(NOTHING.to_owned(), |target| target.to_string()),
        reached
            .map_or(NOTHING, |reached| if reached { "yes" } else { "no" })
            .to_owned(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(which: Which, seconds: u64) -> Run {
        Run {
            which,
            scenario: Scenario::New,
            wall: Duration::from_secs(seconds),
            memory: None,
        }
    }

    #[test]
    fn medians_are_compared_with_the_target_and_with_before() {
        let runs = [
            run(Which::This, 2),
            run(Which::This, 6),
            run(Which::This, 3),
            run(Which::Before, 12),
        ];
        let cells = |items| row(Scenario::New, Measure::Wall, &runs, items).expect("measured");
        assert_eq!(cells(ITEMS)[2..], ["3.00 s", "12.00 s", "0.25", "≤ 6.00 s", "yes"]);
        assert_eq!(cells(5)[5..], ["–", "–"], "the target is for another number");
    }
}
