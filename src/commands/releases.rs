//! `deployer releases`: what was deployed when, by whom, and what changed with it.

use std::time::SystemTime;

use serde::Serialize;

use super::up::artifacts_of;
use crate::clock::{age, of_rfc3339};
use crate::context::{Context, Session};
use crate::error::Result;
use crate::releases::{self, Release};
use crate::report::{CommandResult, Paint};
use crate::stack::ownership::Adoption;
use crate::text::all_visible;

/// Runs the command. It reads, and changes nothing.
pub(crate) async fn run(session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let context = Context::connect(super::open(global, reporter)?, session).await?;
    let stacks = context.own_stacks(Adoption::default()).await?;
    let releases = match artifacts_of(&context, |id| stacks.get(id)) {
        Some((cloud, bucket)) => releases::all(cloud, &bucket).await?,
        None => Vec::new(),
    };
    reporter.result(&Releases {
        stage: context.project.stage.name.clone(),
        releases,
    })
}

#[derive(Serialize)]
struct Releases {
    stage: String,
    /// The oldest first.
    releases: Vec<Release>,
}

impl CommandResult for Releases {
    fn text(&self, paint: &Paint) -> String {
        if self.releases.is_empty() {
            return format!(
                "No release of the stage {} is recorded. Each `deployer up` that changes something records one.\n",
                self.stage
            );
        }
        let now = SystemTime::now();
        let mut lines = Vec::new();
        for release in self.releases.iter().rev() {
            let when = of_rfc3339(&release.at).map_or_else(|| release.at.clone(), |then| age(then, now));
            let back = release.rolled_back_to.map(|to| format!("back to {to}: "));
            let what = back.unwrap_or_default() + &release.changed.describe();
            // Others may write to the bucket.
            let [when, who, what] = [when.as_str(), release.who(), &what].map(all_visible);
            lines.push((release.number.to_string(), when, who, what));
        }
        let width = |of: fn(&(String, String, String, String)) -> &String| {
            lines
                .iter()
                .map(|line| of(line).chars().count())
                .max()
                .unwrap_or_default()
        };
        let (number, when, who) = (width(|line| &line.0), width(|line| &line.1), width(|line| &line.2));
        let text = lines.iter().map(|line| {
            let at = format!("{:when$}  {:who$}", line.1, line.2);
            let number = format!("{:>number$}", line.0);
            format!("  {}  {}  {}\n", paint.bold(&number), paint.dim(&at), line.3)
        });
        text.collect()
    }
}
