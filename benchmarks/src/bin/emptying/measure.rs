//! The measurements: by turns, each tool removes a bucket of its own with the same in it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use benchmarks::command;
use benchmarks::error::{Context as _, Result};
use benchmarks::local_cloud::LocalCloud;
use benchmarks::process::{self, Usage};
use benchmarks::progress::progress;
use tempfile::TempDir;

/// How many versions each object has.
pub(crate) const VERSIONS: usize = 2;

const BUCKET: &str = "s3://emptying-versions";
const STAGES: &str = "project: emptying\nstages:\n  dev: {}\n";
const DATA: &str = r#"
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      BucketName: emptying-versions
      VersioningConfiguration: { Status: Enabled }
"#;

/// What is measured.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) deployer: PathBuf,
    pub(crate) s5cmd: PathBuf,
}

/// Which of them it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Removes the stack with its bucket.
    Deployer,
    /// Removes what is in the bucket.
    S5cmd,
}

/// One removal.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) tool: Tool,
    pub(crate) usage: Usage,
}

/// Lets each remove as many objects, `repetitions` times.
///
/// # Errors
/// The cloud can't be started, a tool fails, or it leaves something.
pub(crate) async fn runs(programs: &Programs, objects: usize, repetitions: usize) -> Result<Vec<Run>> {
    let files = tempfile::tempdir().context("could not make a folder for the project")?;
    fs::create_dir(files.path().join("stacks"))?;
    fs::write(files.path().join("stacks/stages.yaml"), STAGES)?;
    fs::write(files.path().join("stacks/data.yaml"), DATA)?;
    let content = files.path().join("objects");
    fs::create_dir(&content)?;
    for n in 0..objects {
        fs::write(content.join(format!("{n:06}.txt")), format!("object {n}\n"))?;
    }
    progress("Starting a local cloud…");
    let cloud = LocalCloud::start(&programs.deployer).await?;
    let scene = Scene { programs, cloud, files };
    let mut runs = Vec::new();
    for repetition in 0..repetitions {
        let tools = match repetition % 2 {
            0 => [Tool::Deployer, Tool::S5cmd],
            _ => [Tool::S5cmd, Tool::Deployer],
        };
        for tool in tools {
            progress(format_args!("{} of {repetitions}: {tool:?}…", repetition + 1));
            scene.fill(objects)?;
            let usage = match tool {
                Tool::Deployer => scene.deployer(&["down", "--yes"])?,
                Tool::S5cmd => {
                    let usage = scene.s5cmd(&["rm", "--all-versions", &format!("{BUCKET}/*")])?;
                    scene.assert_empty()?;
                    scene.deployer(&["down", "--yes"])?;
                    usage
                }
            };
            runs.push(Run { tool, usage });
        }
    }
    Ok(runs)
}

struct Scene<'a> {
    programs: &'a Programs,
    cloud: LocalCloud,
    files: TempDir,
}

impl Scene<'_> {
    /// Deploys the bucket, and puts everything into it as often as there are versions.
    fn fill(&self, objects: usize) -> Result<()> {
        self.deployer(&["up", "--yes", "--no-verify"])?;
        let all = self.files.path().join("objects").join("*");
        for _ in 0..VERSIONS {
            self.s5cmd(&["cp", &all.to_string_lossy(), &format!("{BUCKET}/")])?;
        }
        let there = self.listed()?;
        if there == objects * VERSIONS {
            Ok(())
        } else {
            Err(format!("{BUCKET} has {there} versions").into())
        }
    }

    fn deployer(&self, args: &[&str]) -> Result<Usage> {
        let mut command = command::measured(&self.programs.deployer, self.cloud.state())?;
        command
            .args(args)
            .args(["--stage", "dev", "--project-dir"])
            .arg(self.files.path())
            .envs(self.cloud.variables());
        process::run(&mut command)
    }

    fn with(&self, mut s5cmd: Command, args: &[&str]) -> Command {
        s5cmd
            .env_clear()
            .env("HOME", self.cloud.state())
            .envs(self.cloud.variables())
            // It knows no variable for it.
            .args(["--endpoint-url", &format!("http://127.0.0.1:{}", self.cloud.port())])
            .args(args)
            .stdin(Stdio::null());
        s5cmd
    }

    fn s5cmd(&self, args: &[&str]) -> Result<Usage> {
        process::run(&mut self.with(process::command(&self.programs.s5cmd)?, args))
    }

    /// How many versions and delete markers the bucket has.
    fn listed(&self) -> Result<usize> {
        let s5cmd = Command::new(&self.programs.s5cmd);
        let mut list = self.with(s5cmd, &["ls", "--all-versions", &format!("{BUCKET}/*")]);
        let output = list.output().context("could not list the bucket")?;
        // Of nothing it says that it found none.
        Ok(String::from_utf8_lossy(&output.stdout).lines().count())
    }

    fn assert_empty(&self) -> Result<()> {
        match self.listed()? {
            0 => Ok(()),
            left => Err(format!("s5cmd left {left} versions in {BUCKET}").into()),
        }
    }
}
