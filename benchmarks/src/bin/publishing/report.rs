//! The result: every measure of every tool, and which targets are reached.

use benchmarks::comparison::{cells, median, shown};
use benchmarks::error::Result;
use benchmarks::quantity::Quantity;
use benchmarks::target::Target;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use crate::measure::{Run, Scenario};
use crate::site::Kind;
use crate::tool::Tool;
use benchmarks::process::Usage;

const COLUMNS: [&str; 9] = [
    "Site",
    "Scenario",
    "Median",
    "deployer",
    "s5cmd",
    "aws",
    "deployer ÷ s5cmd",
    "Target",
    "Reached",
];

/// What is measured of each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Wall,
    Cpu,
    PeakMemory,
    Requests,
}

impl Measure {
    const ALL: [Self; 4] = [Self::Wall, Self::Cpu, Self::PeakMemory, Self::Requests];

    fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall time",
            Self::Cpu => "CPU time",
            Self::PeakMemory => "peak memory",
            Self::Requests => "requests",
        }
    }

    fn of(self, run: &Run) -> Quantity {
        let Usage { wall, cpu, peak_memory } = run.usage;
        match self {
            Self::Wall => Quantity::Time(wall),
            Self::Cpu => Quantity::Time(cpu),
            Self::PeakMemory => Quantity::Size(peak_memory),
            Self::Requests => Quantity::Count(run.requests),
        }
    }

    fn target(self, kind: Kind, scenario: Scenario) -> Option<Target> {
        let times = |factor| Some(Target::Times { factor, of: "s5cmd" });
        match (self, kind, scenario) {
            (Self::Wall, Kind::Small(_), Scenario::FirstSync) => times(0.25),
            (Self::Wall, Kind::Large(_), Scenario::FirstSync) => times(0.8),
            (Self::Wall, Kind::Small(_), Scenario::OneFileChanged | Scenario::OneFileAdded) => times(0.3),
            (Self::Wall, Kind::Small(_), Scenario::NothingChanged) => times(0.15),
            (Self::Wall, Kind::Small(_), Scenario::NothingChangedProven) => times(1.0),
            (Self::PeakMemory, ..) => Some(Target::AtMost(Quantity::Size(48 << 20))),
            (Self::Wall | Self::Cpu | Self::Requests, ..) => None,
        }
    }
}

/// The runs with each site, as a table.
///
/// # Errors
/// Nothing was measured.
pub(crate) fn table(results: &[(Kind, Vec<Run>)]) -> Result<Table> {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(COLUMNS);
    for (kind, runs) in results {
        for scenario in Scenario::ALL {
            for measure in Measure::ALL {
                table.add_row(row(*kind, scenario, measure, runs)?);
            }
        }
    }
    Ok(table)
}

fn row(kind: Kind, scenario: Scenario, measure: Measure, runs: &[Run]) -> Result<[String; 9]> {
    let median_of = |tool: Tool| {
        let runs = runs.iter().filter(|run| run.tool == tool && run.scenario == scenario);
        median(runs.map(|run| measure.of(run)).collect())
    };
    let [deployer, s5cmd, aws] = [
        median_of(Tool::Deployer)?,
        median_of(Tool::S5cmd)?,
        median_of(Tool::Aws)?,
    ];
    let [ratio, target, reached] = cells(deployer, s5cmd, measure.target(kind, scenario));
    Ok([
        kind.name(),
        scenario.name().to_owned(),
        measure.name().to_owned(),
        shown(deployer),
        shown(s5cmd),
        shown(aws),
        ratio,
        target,
        reached,
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(tool: Tool, millis: u64) -> Run {
        let usage = Usage {
            wall: Duration::from_millis(millis),
            cpu: Duration::ZERO,
            peak_memory: 0,
        };
        Run {
            scenario: Scenario::FirstSync,
            tool,
            usage,
            requests: 0,
        }
    }

    #[test]
    fn medians_are_compared_with_the_target() {
        let runs = [20, 10, 21].map(|wall| run(Tool::Deployer, wall));
        let cells = |s5cmd: u64| {
            let runs = [runs.as_slice(), &[run(Tool::S5cmd, s5cmd)]].concat();
            row(Kind::Small(3), Scenario::FirstSync, Measure::Wall, &runs).expect("measured")
        };
        let expected = [
            "3 files",
            "first sync",
            "wall time",
            "20.00 ms",
            "80.00 ms",
            "–",
            "0.25",
            "≤ 0.25 × s5cmd",
            "yes",
        ];
        assert_eq!(cells(80), expected);
        assert_eq!(cells(79)[8], "no");
    }

    #[test]
    fn without_s5cmd_nothing_is_compared_with_it() {
        let runs = [run(Tool::Deployer, 20)];
        let cells = row(Kind::Small(3), Scenario::FirstSync, Measure::Wall, &runs).expect("measured");
        assert_eq!(cells[4..], ["–", "–", "–", "≤ 0.25 × s5cmd", "–"]);
    }
}
