//! The result: how many calls each command makes, how many of them wait for one another, and which targets are reached.

use std::io::{self, Write};
use std::time::Duration;

use benchmarks::call;
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

/// What is measured of each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Calls,
    Chain,
    Wall,
}

impl Measure {
    const ALL: [Self; 3] = [Self::Calls, Self::Chain, Self::Wall];

    fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Chain => "longest chain",
            Self::Wall => "wall time",
        }
    }

    fn of(self, run: &Run) -> Quantity {
        match self {
            Self::Calls => Quantity::Count(run.calls.len() as u64),
            Self::Chain => Quantity::Count(run.chain()),
            Self::Wall => Quantity::Time(run.wall),
        }
    }

    /// For the project that this package belongs to.
    fn target(self, scenario: Scenario) -> Option<Target> {
        let (calls, chain) = match scenario {
            Scenario::FreshUp => (110, 27),
            Scenario::SameUp => (55, 5),
            Scenario::SameUpUnverified => (14, 3),
            Scenario::Verify => (52, 4),
            Scenario::Status => (10, 2),
            Scenario::Down => (40, 13),
        };
        match self {
            Self::Calls => Some(Target::AtMost(Quantity::Count(calls))),
            Self::Chain => Some(Target::AtMost(Quantity::Count(chain))),
            Self::Wall => None,
        }
    }
}

/// The runs, as a table.
///
/// # Errors
/// Nothing was measured.
pub(crate) fn table(runs: &[Run], has_targets: bool) -> Result<Table> {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(COLUMNS);
    for scenario in Scenario::ALL {
        for measure in Measure::ALL {
            table.add_row(row(scenario, measure, runs, has_targets)?);
        }
    }
    Ok(table)
}

fn row(scenario: Scenario, measure: Measure, runs: &[Run], has_targets: bool) -> Result<[String; 7]> {
    let median_of = |which: Which| {
        let runs = runs.iter().filter(|run| run.which == which && run.scenario == scenario);
        median(runs.map(|run| measure.of(run)).collect())
    };
    let (deployer, before) = (median_of(Which::This)?, median_of(Which::Before)?);
    let target = measure.target(scenario).filter(|_| has_targets);
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

/// Writes each call of each run, in the order in which they began: when it began and ended, in milliseconds since the
/// first one of its run began, whether it is in the longest chain, and what it was.
///
/// # Errors
/// It can't be written.
pub(crate) fn write_calls(runs: &[Run], out: &mut impl Write) -> io::Result<()> {
    for run in runs {
        let of_which = match run.which {
            Which::This => "",
            Which::Before => " before",
        };
        writeln!(out, "# {}{of_which}", run.scenario.name())?;
        let chain = call::longest_chain(&run.calls);
        let mut calls: Vec<&call::Call> = run.calls.iter().collect();
        calls.sort_by_key(|call| call.began);
        let Some(first) = calls.first().map(|call| call.began) else {
            continue;
        };
        for call in calls {
            let [began, ended] = [call.began, call.ended].map(|at| at.duration_since(first));
            let mark = if chain.contains(&call) { "*" } else { " " };
            writeln!(out, "{} {} {mark} {}", millis(began), millis(ended), call.name)?;
        }
    }
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:>6}", time.as_millis())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use benchmarks::call::Call;

    /// A run with so many calls, one after the other.
    fn run(which: Which, calls: u32) -> Run {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let calls = (0..calls).map(|number| Call {
            name: format!("Call{number}"),
            began: start + second * number,
            ended: start + second * (number + 1),
        });
        Run {
            which,
            scenario: Scenario::SameUp,
            calls: calls.collect(),
            wall: second,
        }
    }

    #[test]
    fn medians_are_compared_with_the_target_and_with_before() {
        let runs = [5, 6, 4, 5].map(|calls| run(Which::This, calls));
        let mut runs = Vec::from(runs);
        let cells = |runs: &[Run]| row(Scenario::SameUp, Measure::Chain, runs, true).expect("measured");
        assert_eq!(cells(&runs)[2..], ["5", "–", "–", "≤ 5", "yes"]);
        runs.push(run(Which::Before, 20));
        assert_eq!(cells(&runs)[2..], ["5", "20", "0.25", "≤ 5", "yes"]);
        let late = [run(Which::This, 6)];
        assert_eq!(cells(&late)[2..], ["6", "–", "–", "≤ 5", "no"]);
        let other = row(Scenario::SameUp, Measure::Chain, &late, false).expect("measured");
        assert_eq!(other[2..], ["6", "–", "–", "–", "–"]);
    }

    #[test]
    fn calls_are_written_with_their_times() {
        let mut text = Vec::new();
        write_calls(&[run(Which::Before, 2)], &mut text).expect("written");
        let text = String::from_utf8(text).expect("UTF-8");
        assert_eq!(
            text,
            "# no-op up before\n     0   1000 * Call0\n  1000   2000 * Call1\n"
        );
    }
}
