//! The result: what each takes, and whether the targets are reached.

use benchmarks::comparison::{cells, median, shown};
use benchmarks::error::Result;
use benchmarks::quantity::Quantity;
use benchmarks::target::Target;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use crate::measure::{Run, Tool};

const COLUMNS: [&str; 6] = ["Median", "deployer", "s5cmd", "deployer ÷ s5cmd", "Target", "Reached"];

/// The runs, as a table.
///
/// # Errors
/// Nothing was measured.
pub(crate) fn table(runs: &[Run]) -> Result<Table> {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(COLUMNS);
    let times = Target::Times {
        factor: 1.5,
        of: "s5cmd",
    };
    let wall = |run: &Run| Quantity::Time(run.usage.wall);
    let memory = |run: &Run| Quantity::Size(run.usage.peak_memory);
    table.add_row(row("wall time", runs, wall, Some(times))?);
    let least = Target::AtMost(Quantity::Size(48 << 20));
    table.add_row(row("peak memory", runs, memory, Some(least))?);
    Ok(table)
}

fn row(name: &str, runs: &[Run], of: impl Fn(&Run) -> Quantity, target: Option<Target>) -> Result<[String; 6]> {
    let median_of = |tool: Tool| median(runs.iter().filter(|run| run.tool == tool).map(&of).collect());
    let (deployer, s5cmd) = (median_of(Tool::Deployer)?, median_of(Tool::S5cmd)?);
    let [ratio, target, reached] = cells(deployer, s5cmd, target);
    Ok([name.to_owned(), shown(deployer), shown(s5cmd), ratio, target, reached])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use benchmarks::process::Usage;

    use super::*;

    #[test]
    fn medians_are_compared_with_s5cmd() {
        let run = |tool, millis| Run {
            tool,
            usage: Usage {
                wall: Duration::from_millis(millis),
                cpu: Duration::ZERO,
                peak_memory: 1 << 20,
            },
        };
        let runs = [
            run(Tool::Deployer, 100),
            run(Tool::Deployer, 150),
            run(Tool::Deployer, 900),
            run(Tool::S5cmd, 100),
        ];
        let target = Target::Times {
            factor: 1.5,
            of: "s5cmd",
        };
        let cells = row("wall time", &runs, |run| Quantity::Time(run.usage.wall), Some(target)).expect("measured");
        assert_eq!(cells[1..], ["150.00 ms", "100.00 ms", "1.50", "≤ 1.5 × s5cmd", "yes"]);
    }
}
