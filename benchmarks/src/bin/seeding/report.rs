//! The result: what each takes, and which targets are reached.

use std::time::Duration;

use benchmarks::comparison::{Which, cells, median, shown};
use benchmarks::error::Result;
use benchmarks::quantity::Quantity;
use benchmarks::target::Target;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use crate::measure::{Run, Scenario};

const COLUMNS: [&str; 7] = [
    "Scenario",
    "Median",
    "deployer",
    "before",
    "deployer ÷ before",
    "Target",
    "Reached",
];
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
            (Self::Wall, Scenario::Backup) => seconds(2),
            (Self::Wall, Scenario::Restore) => seconds(4),
            (Self::Memory, Scenario::Backup | Scenario::Restore) => Some(Target::AtMost(Quantity::Size(48 << 20))),
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
        let is_about_file = [Scenario::Backup, Scenario::Restore, Scenario::Read, Scenario::ReadMore];
        if is_about_file.contains(&scenario) {
            table.add_row(row(scenario, Measure::Memory, runs, items)?);
        }
    }
    Ok(table)
}

fn row(scenario: Scenario, measure: Measure, runs: &[Run], items: usize) -> Result<[String; 7]> {
    let of_scenario = || runs.iter().filter(|run| run.scenario == scenario);
    let median_of = |which: Which| {
        let runs = of_scenario().filter(|run| run.which == which);
        median(runs.filter_map(|run| measure.of(run)).collect())
    };
    let (deployer, before) = (median_of(Which::This)?, median_of(Which::Before)?);
    let file = of_scenario().find_map(|run| run.memory).map(|(_, size)| size);
    let target = measure.target(scenario, file).filter(|_| items == ITEMS);
    let [ratio, target, reached] = cells(deployer, before, target);
    Ok([
        scenario.name().to_owned(),
        measure.name().to_owned(),
        shown(deployer),
        shown(before),
        ratio,
        target,
        reached,
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
