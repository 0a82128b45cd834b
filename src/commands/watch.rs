//! `deployer watch`: what is saved is deployed, that alone, as long as nothing ends it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::up::{self, Origin, Prepared};
use crate::cli::{SeedArgs, UpArgs, WatchArgs};
use crate::commands::seed;
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, Exit, Result};
use crate::local;
use crate::project::Project;
use crate::watching::{Part, Saved, Sources, Watcher};

/// What the reporter calls it.
const WATCH: &str = "watch";

/// Runs the command, until a signal ends it.
pub(crate) async fn run(args: &WatchArgs, session: Session<'_>) -> Result<()> {
    let Session {
        global,
        reporter,
        journal,
    } = session;
    let project = super::open(global, reporter)?;
    let is_local = global.local || project.stage.local;
    if project.stage.protected && !is_local {
        return Err(protected(&project));
    }
    // From here on nothing that is saved is missed.
    let mut watcher = Watcher::new(Sources::of(&project)?)?;
    let context = Context::connect(project, session).await?;
    let stage = context.survey().await?;
    if context.is_protected(&stage) && !is_local {
        return Err(protected(&context.project));
    }
    journal.note_endless();
    let pages = is_local.then(local::Pages::open).transpose()?;
    let mut rounds = Rounds {
        args,
        session,
        context: &context,
        has_failed: false,
    };
    let mut saved = None;
    loop {
        let is_done = rounds.next(saved.as_ref()).await;
        if let Some(pages) = pages.as_ref().filter(|_| is_done) {
            pages.reload()?;
        }
        if saved.is_none() {
            reporter.finished(WATCH, "waits for what is saved; Ctrl-C ends it", false);
        }
        saved = Some(watcher.saved().await?);
    }
}

fn protected(project: &Project) -> Error {
    Error::new(
        ErrorKind::Protected,
        format!(
            "the stage {} is protected: what is saved isn't deployed to it unasked",
            project.stage.name
        ),
    )
    .hint("Watch another stage, or the local cloud: `deployer watch --local`.")
}

struct Rounds<'a> {
    args: &'a WatchArgs,
    session: Session<'a>,
    context: &'a Context<'a>,
    /// Whether the last one failed.
    has_failed: bool,
}

impl Rounds<'_> {
    /// Deploys what was saved; everything at first, and after something went wrong. Returns whether that went well.
    async fn next(&mut self, saved: Option<&Saved>) -> bool {
        let Session { reporter, journal, .. } = self.session;
        let parts = saved.filter(|_| !self.has_failed).map(|saved| &saved.parts);
        let outcome = self.deploy(parts, saved.is_none()).await;
        if let Err(error) = outcome {
            // What was only planned is taken back now, not at the end of the day.
            for failure in journal.undo().await.err().unwrap_or_default() {
                reporter.warn(format!("what was only planned may stay: {failure}"));
            }
            reporter.error(&error, Exit::of(error.kind(), journal.phase()));
            reporter.stopped(WATCH, "waits for what is saved to mend it");
            self.has_failed = true;
            return false;
        }
        if let Some(saved) = saved {
            let took = SystemTime::now().duration_since(saved.at).unwrap_or(Duration::ZERO);
            let mended = if self.has_failed { "mended; " } else { "" };
            let live = format!("{mended}live {:.2} s after it was saved", took.as_secs_f64());
            reporter.finished(WATCH, live, true);
        }
        self.has_failed = false;
        true
    }

    /// Deploys these parts, or everything.
    async fn deploy(&self, parts: Option<&BTreeSet<Part>>, is_first: bool) -> Result<()> {
        let Session { global, reporter, .. } = self.session;
        let project = super::open(global, reporter)?;
        let (only, seeds) = parts.map_or((Some(Vec::new()), false), |parts| only(parts, &project));
        let project = match only {
            Some(only) => {
                self.up(project, only, is_first).await?;
                seeds.then(|| super::open(global, reporter)).transpose()?
            }
            None => Some(project),
        };
        if let Some(project) = project {
            // Whoever saves an item wants to see it, whatever the table has.
            let args = SeedArgs {
                overwrite: true,
                ..SeedArgs::default()
            };
            seed::seeded(&args, project, async |project| self.context.again(project)).await?;
        }
        Ok(())
    }

    /// Deploys what `only` names, or everything.
    async fn up(&self, project: Project, only: Vec<String>, is_first: bool) -> Result<()> {
        let reporter = self.session.reporter;
        let args = UpArgs {
            only,
            function_package: self.args.function_package.clone(),
            no_verify: !self.args.verify,
            ..UpArgs::default()
        };
        let prepared = Prepared::of(&project, &args, Origin::Folder, reporter).await?;
        let context = self.context.again(project)?;
        let (outcome, failure) = up::deployed(context, prepared, &args).await?;
        if is_first {
            reporter.result(&outcome)?;
        }
        failure.map_or(Ok(()), Err)
    }
}

/// What `--only` is to name for these parts, nothing for all; none if nothing but items is to be put. And whether they are.
fn only(parts: &BTreeSet<Part>, project: &Project) -> (Option<Vec<String>>, bool) {
    let seeds = parts.contains(&Part::Seed);
    let step = |part: &Part| match part {
        Part::Function => (!project.functions().is_empty()).then(|| "function".to_owned()),
        Part::Site => project.site_stack().map(|_| "site".to_owned()),
        // What a template or a setting changes only a plan of all tells.
        Part::Stacks | Part::Seed => None,
    };
    let others = parts.iter().filter(|part| **part != Part::Seed);
    // What the project has no use for is said by a run of all, too.
    let steps: Option<Vec<String>> = others.clone().map(step).collect();
    let is_any = others.count() > 0;
    (is_any.then(|| steps.unwrap_or_default()), seeds)
}
