//! The measurements: each deployer seeds the same items into a table of its own, by turns.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use benchmarks::command;
use benchmarks::comparison::Which;
use benchmarks::error::{Context as _, Result};
use benchmarks::local_cloud::LocalCloud;
use benchmarks::process;
use benchmarks::progress::progress;
use tempfile::TempDir;

/// So many times as many items are read as are seeded.
pub(crate) const MORE: usize = 10;

const STAGES: &str = "project: seeding\nstages:\n  dev: {}\n";
const DATA: &str = r#"
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      TableName: seeding-items
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      BillingMode: PAY_PER_REQUEST
"#;

/// What there is to do with the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// None is there.
    New,
    /// All are there.
    Same,
    /// All are there, and are replaced.
    Overwrite,
    /// All are there, and are written into a file.
    Backup,
    /// None is there, and they are that file's.
    Restore,
    /// They are only read, as many as are seeded.
    Read,
    /// They are only read, [`MORE`] times as many.
    ReadMore,
}

impl Scenario {
    pub(crate) const ALL: [Self; 7] = [
        Self::New,
        Self::Same,
        Self::Overwrite,
        Self::Backup,
        Self::Restore,
        Self::Read,
        Self::ReadMore,
    ];

    /// What it is called in the result.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::New => "seed new items",
            Self::Same => "seed again",
            Self::Overwrite => "seed --overwrite",
            Self::Backup => "backup",
            Self::Restore => "seed --file of it",
            Self::Read => "read",
            Self::ReadMore => "read ten times as many",
        }
    }
}

/// A deployer.
#[derive(Debug)]
pub(crate) struct Deployer {
    pub(crate) which: Which,
    pub(crate) program: PathBuf,
}

/// One command, run to its end.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) which: Which,
    pub(crate) scenario: Scenario,
    pub(crate) wall: Duration,
    /// The most memory at a time, and the size of the file that was read or written, in bytes; of what is about a file.
    pub(crate) memory: Option<(u64, u64)>,
}

/// The project, with the files of items.
struct Files {
    folder: TempDir,
}

impl Files {
    fn write(items: usize) -> Result<Self> {
        let folder = tempfile::tempdir().context("could not make a folder for the project")?;
        let files = Self { folder };
        fs::create_dir(files.path("stacks"))?;
        fs::write(files.path("stacks/stages.yaml"), STAGES)?;
        fs::write(files.path("stacks/data.yaml"), DATA)?;
        fs::write(files.path("items.jsonl"), lines(items))?;
        // The last line is wrong: all is read, and nothing is asked of any cloud.
        fs::write(files.path("read.jsonl"), lines(items) + "{}\n")?;
        fs::write(files.path("more.jsonl"), lines(items * MORE) + "{}\n")?;
        Ok(files)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

fn lines(items: usize) -> String {
    let mut lines = String::new();
    for n in 0..items {
        // Writing to a text doesn't fail.
        let _ = writeln!(
            lines,
            r#"{{"id":"user-{n}","name":"Name {n}","email":"user{n}@example.com","age":{},"tags":["a","b"]}}"#,
            n % 90
        );
    }
    lines
}

/// Lets each deployer go through all scenarios, `repetitions` times.
///
/// # Errors
/// The cloud can't be started, or a deployer fails.
pub(crate) async fn runs(deployers: &[Deployer], items: usize, repetitions: usize) -> Result<Vec<Run>> {
    let [first, ..] = deployers else {
        return Err("there is no deployer to measure".into());
    };
    let files = Files::write(items)?;
    progress("Starting a local cloud…");
    let cloud = LocalCloud::start(&first.program).await?;
    let mut runs = Vec::new();
    for repetition in 0..repetitions {
        for index in 0..deployers.len() {
            let deployer = &deployers[(index + repetition) % deployers.len()];
            run(deployer, &["up", "--yes", "--no-verify"], &cloud, &files).await?;
            for scenario in Scenario::ALL {
                progress(format_args!(
                    "{} of {repetitions}: {} with {}…",
                    repetition + 1,
                    scenario.name(),
                    deployer.program.display()
                ));
                let (wall, memory) = match scenario {
                    Scenario::New | Scenario::Same => (seed(deployer, &[], &cloud, &files).await?, None),
                    Scenario::Overwrite => (seed(deployer, &["--overwrite"], &cloud, &files).await?, None),
                    Scenario::Backup => {
                        let _ = fs::remove_file(files.path(BACKUP));
                        about_file(deployer, &["backup"], &cloud, &files)?
                    }
                    Scenario::Restore => {
                        run(deployer, &["down", "--yes"], &cloud, &files).await?;
                        run(deployer, &["up", "--yes", "--no-verify"], &cloud, &files).await?;
                        about_file(deployer, &["seed", "--file"], &cloud, &files)?
                    }
                    Scenario::Read => read(deployer, &files.path("read.jsonl"), &files)?,
                    Scenario::ReadMore => read(deployer, &files.path("more.jsonl"), &files)?,
                };
                runs.push(Run {
                    which: deployer.which,
                    scenario,
                    wall,
                    memory,
                });
            }
            run(deployer, &["down", "--yes"], &cloud, &files).await?;
        }
    }
    Ok(runs)
}

async fn seed(deployer: &Deployer, more: &[&str], cloud: &LocalCloud, files: &Files) -> Result<Duration> {
    let items = files.path("items.jsonl");
    let items = items.to_string_lossy();
    let args = [&["seed", "--file", &*items], more].concat();
    run(deployer, &args, cloud, files).await
}

/// Where the items are written.
const BACKUP: &str = "backup.jsonl";

/// A command on that file.
fn about_file(
    deployer: &Deployer,
    args: &[&str],
    cloud: &LocalCloud,
    files: &Files,
) -> Result<(Duration, Option<(u64, u64)>)> {
    let file = files.path(BACKUP);
    let mut command = command::measured(&deployer.program, cloud.state())?;
    command
        .args(args)
        .arg(&file)
        .args(["--stage", "dev", "--project-dir"])
        .arg(files.folder.path())
        .envs(cloud.variables());
    let usage = process::run(&mut command)?;
    let size = fs::metadata(&file)?.len();
    Ok((usage.wall, Some((usage.peak_memory, size))))
}

async fn run(deployer: &Deployer, args: &[&str], cloud: &LocalCloud, files: &Files) -> Result<Duration> {
    let mut command = command::deployer(&deployer.program, cloud.state());
    command
        .args(args)
        .args(["--stage", "dev", "--project-dir"])
        .arg(files.folder.path())
        .envs(cloud.variables());
    let started = Instant::now();
    command::run(&mut command).await?;
    Ok(started.elapsed())
}

fn read(deployer: &Deployer, file: &Path, files: &Files) -> Result<(Duration, Option<(u64, u64)>)> {
    // Only bad input ends so.
    let script = r#""$@" && exit 1; [ $? = 2 ]"#;
    let mut command = process::command(Path::new("/bin/sh"))?;
    command.args(["-c", script, "sh"]).arg(&deployer.program);
    command.args(["seed", "--stage", "dev", "--file"]).arg(file);
    command.arg("--project-dir").arg(files.folder.path());
    let usage = process::run(&mut command)?;
    let size = fs::metadata(file)?.len();
    Ok((usage.wall, Some((usage.peak_memory, size))))
}
