//! The result: what each tool takes, how much less than the best of the others, and which limits are kept.

use benchmarks::comparison::{median, shown};
use benchmarks::error::Result;
use benchmarks::process::Usage;
use benchmarks::quantity::Quantity;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use crate::measure::{Run, Scenario, Taken};
use crate::tool::Tool;

/// Beside the tools themselves.
const BEFORE: [&str; 2] = ["Scenario", "Median"];
const AFTER: [&str; 2] = ["deployer, of the best peer's", "--no-verify, of the best peer's"];
/// A value that is the limit keeps it, however the division comes out.
const ROUNDING: f64 = 1e-9;
/// What the deployer may use of memory, in bytes.
const MEMORY: u64 = 32 << 20;

/// What is measured of each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Wall,
    Cpu,
    PeakMemory,
    Calls,
    Chain,
}

impl Measure {
    const ALL: [Self; 5] = [Self::Wall, Self::Cpu, Self::PeakMemory, Self::Calls, Self::Chain];

    fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall time",
            Self::Cpu => "CPU time",
            Self::PeakMemory => "peak memory",
            Self::Calls => "calls",
            Self::Chain => "answers in a row",
        }
    }

    fn of(self, run: &Run) -> Option<Quantity> {
        match (self, run.taken) {
            (Self::Chain, Taken::Far { chain }) => Some(Quantity::Count(chain)),
            (Self::Chain, Taken::Near { .. }) | (_, Taken::Far { .. }) => None,
            (measure, Taken::Near { usage, calls }) => {
                let Usage { wall, cpu, peak_memory } = usage;
                Some(match measure {
                    Self::Wall => Quantity::Time(wall),
                    Self::Cpu => Quantity::Time(cpu),
                    Self::PeakMemory => Quantity::Size(peak_memory),
                    Self::Calls | Self::Chain => Quantity::Count(calls),
                })
            }
        }
    }

    fn limit(self, scenario: Scenario, tool: Tool) -> Option<Limit> {
        match (self, scenario, tool) {
            (Self::PeakMemory, ..) => Some(Limit::AtMost(Quantity::Size(MEMORY))),
            (Self::Wall, Scenario::Fresh, Tool::Deployer) => Some(Limit::Part(7)),
            (Self::Wall, Scenario::Same, Tool::Deployer) => Some(Limit::Part(12)),
            // There is no proof in it: both are the same command.
            (Self::Wall, Scenario::Down, _) => Some(Limit::Part(40)),
            (Self::Wall, Scenario::Fresh, Tool::DeployerNoVerify) => Some(Limit::Part(12)),
            (Self::Wall, Scenario::Same, Tool::DeployerNoVerify) => Some(Limit::Part(40)),
            _ => None,
        }
    }
}

/// What a value should not exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    /// So small a part of the best peer's: one, divided by this.
    Part(u32),
    AtMost(Quantity),
}

/// The runs, as a table.
///
/// # Errors
/// Nothing was measured.
pub(crate) fn table(runs: &[Run]) -> Result<Table> {
    let mut table = Table::new();
    let tools = Tool::ALL.map(Tool::name);
    let header = BEFORE.iter().chain(&tools).chain(&AFTER);
    table.load_style(ASCII_MARKDOWN).set_header(header);
    for scenario in Scenario::ALL {
        for measure in Measure::ALL {
            table.add_row(row(scenario, measure, runs)?);
        }
    }
    Ok(table)
}

fn row(scenario: Scenario, measure: Measure, runs: &[Run]) -> Result<Vec<String>> {
    let median_of = |tool: Tool| {
        let runs = runs.iter().filter(|run| run.tool == tool && run.scenario == scenario);
        median(runs.filter_map(|run| measure.of(run)).collect())
    };
    let medians = Tool::ALL
        .into_iter()
        .map(|tool| Ok((tool, median_of(tool)?)))
        .collect::<Result<Vec<_>>>()?;
    let best = medians
        .iter()
        .filter(|(tool, _)| tool.is_peer())
        .filter_map(|(_, value)| *value)
        .min();
    let mut cells = vec![scenario.name().to_owned(), measure.name().to_owned()];
    cells.extend(medians.iter().map(|(_, value)| shown(*value)));
    let ours = medians.iter().filter(|(tool, _)| !tool.is_peer());
    cells.extend(ours.map(|(tool, value)| compared(*value, best, measure.limit(scenario, *tool))));
    Ok(cells)
}

/// The part of the best peer's value that a value is, and whether it keeps its limit.
fn compared(value: Option<Quantity>, best: Option<Quantity>, limit: Option<Limit>) -> String {
    let Some(value) = value else {
        return shown(None);
    };
    let ratio = best.map(|best| value.times(best));
    let part = ratio.map_or_else(|| shown(None), part);
    let verdict = |is_kept| if is_kept { "yes" } else { "no" };
    match (limit, ratio) {
        (Some(Limit::Part(of)), Some(ratio)) => {
            format!("{part}; ≤ 1/{of}: {}", verdict(ratio * f64::from(of) <= 1.0 + ROUNDING))
        }
        (Some(Limit::AtMost(most)), _) => format!("{part}; ≤ {most}: {}", verdict(value <= most)),
        (Some(Limit::Part(_)) | None, _) => part,
    }
}

/// A ratio as people say it.
fn part(ratio: f64) -> String {
    if ratio < 0.95 {
        format!("1/{:.1}", 1.0 / ratio)
    } else {
        format!("{ratio:.1}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn near(tool: Tool, millis: u64) -> Run {
        let usage = Usage {
            wall: Duration::from_millis(millis),
            cpu: Duration::ZERO,
            peak_memory: 33 << 20,
        };
        Run {
            tool,
            scenario: Scenario::Fresh,
            taken: Taken::Near { usage, calls: 5 },
        }
    }

    #[test]
    fn medians_are_compared_with_the_best_peer() {
        let mut runs = Vec::from([90, 100, 2000].map(|wall| near(Tool::Deployer, wall)));
        runs.extend([
            near(Tool::DeployerNoVerify, 60),
            near(Tool::Aws, 900),
            near(Tool::Cdk, 700),
        ]);
        let cells = row(Scenario::Fresh, Measure::Wall, &runs).expect("measured");
        let expected = [
            "fresh",
            "wall time",
            "100.00 ms",
            "60.00 ms",
            "900.00 ms",
            "–",
            "700.00 ms",
            "–",
            "1/7.0; ≤ 1/7: yes",
            "1/11.7; ≤ 1/12: no",
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn memory_has_a_limit_of_its_own() {
        let runs = [near(Tool::Deployer, 1), near(Tool::Sam, 1)];
        let cells = row(Scenario::Fresh, Measure::PeakMemory, &runs).expect("measured");
        assert_eq!(cells[8..], ["1.0; ≤ 32.00 MiB: no", "–"]);
    }

    #[test]
    fn answers_in_a_row_are_those_from_afar() {
        let mut runs = vec![near(Tool::Deployer, 1), near(Tool::Aws, 1)];
        runs.extend([(Tool::Deployer, 20), (Tool::Aws, 60)].map(|(tool, chain)| Run {
            tool,
            scenario: Scenario::Fresh,
            taken: Taken::Far { chain },
        }));
        let cells = row(Scenario::Fresh, Measure::Chain, &runs).expect("measured");
        assert_eq!((&*cells[2], &*cells[4], &*cells[8]), ("20", "60", "1/3.0"));
        let cells = row(Scenario::Fresh, Measure::Calls, &runs).expect("measured");
        assert_eq!((&*cells[2], &*cells[4]), ("5", "5"));
    }

    #[test]
    fn without_peers_nothing_is_compared() {
        let cells = row(Scenario::Fresh, Measure::Wall, &[near(Tool::Deployer, 1)]).expect("measured");
        assert_eq!(cells[8..], ["–", "–"]);
    }
}
