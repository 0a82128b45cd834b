//! The result: what each `up` takes beside the longest chain of what AWS takes.

use benchmarks::comparison::{cells, median, shown};
use benchmarks::error::Result;
use benchmarks::quantity::Quantity;
use benchmarks::target::Target;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

use crate::measure::{Run, Scenario};

const COLUMNS: [&str; 8] = [
    "Project",
    "Scenario",
    "AWS's critical path",
    "scaled down",
    "up --no-verify",
    "up ÷ path",
    "Target",
    "Reached",
];
const TARGET: Target = Target::Times {
    factor: 1.1,
    of: "path",
};

/// The runs, as a table, and below it each critical path.
///
/// # Errors
/// Nothing was measured.
pub(crate) fn told(runs: &[Run]) -> Result<String> {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(COLUMNS);
    let mut paths = String::new();
    let mut seen: Vec<(&str, Scenario)> = Vec::new();
    for run in runs {
        if seen.contains(&(run.project, run.scenario)) {
            continue;
        }
        seen.push((run.project, run.scenario));
        table.add_row(row(run, runs)?);
        let links = run.path.links.join("; ");
        paths = format!("{paths}\n{}, {}: {links}", run.project, run.scenario.name());
    }
    Ok(format!("{table}\n{paths}"))
}

fn row(run: &Run, runs: &[Run]) -> Result<[String; 8]> {
    let same = || {
        runs.iter()
            .filter(|other| (other.project, other.scenario) == (run.project, run.scenario))
    };
    let wall = median(same().map(|run| Quantity::Time(run.wall)).collect())?;
    let least = median(same().map(|run| Quantity::Time(run.least)).collect())?;
    let [ratio, target, reached] = cells(wall, least, Some(TARGET));
    Ok([
        run.project.to_owned(),
        run.scenario.name().to_owned(),
        format!("{} s", run.path.length),
        shown(least),
        shown(wall),
        ratio,
        target,
        reached,
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::path::Path;

    #[test]
    fn a_run_is_compared_with_its_path() {
        let run = |scenario, wall| Run {
            project: "shop",
            scenario,
            path: Path {
                length: 100,
                links: vec!["page: Bucket → Edge".to_owned()],
            },
            least: Duration::from_secs(10),
            wall: Duration::from_secs(wall),
        };
        let runs = [
            run(Scenario::Fresh, 11),
            run(Scenario::Fresh, 10),
            run(Scenario::Change, 12),
        ];
        let expected = [
            "shop",
            "fresh",
            "100 s",
            "10.00 s",
            "10.00 s",
            "1.00",
            "≤ 1.1 × path",
            "yes",
        ];
        assert_eq!(row(&runs[0], &runs).expect("measured"), expected);
        assert_eq!(
            row(&runs[2], &runs).expect("measured")[5..],
            ["1.20", "≤ 1.1 × path", "no"]
        );
        let told = told(&runs).expect("measured");
        assert!(
            told.ends_with("\nshop, fresh: page: Bucket → Edge\nshop, a change: page: Bucket → Edge"),
            "{told}"
        );
    }
}
