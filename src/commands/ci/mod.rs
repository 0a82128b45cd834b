//! `deployer ci github`: a workflow that deploys from GitHub Actions, and the roles that it does so with.
//!
//! Both are files of the project, to be read and edited; nothing is asked of anybody.

mod subject;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{CiCommand, CiGithubArgs};
use crate::context::Session;
use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::report::{CommandResult, Paint};
pub(super) use subject::{Subject, managed_policy};

const WORKFLOW: &str = include_str!("deploy.yml");
const ROLES: &str = include_str!("github-oidc.yaml");

/// actions/checkout v7.0.1
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";
/// aws-actions/configure-aws-credentials v6.2.3
const CREDENTIALS: &str = "aws-actions/configure-aws-credentials@e6de054238d6b7531b4efff3b6587d9aade6a06c # v6.2.3";

/// Where they are written.
const WORKFLOW_FILE: &str = ".github/workflows/deploy.yml";
const ROLES_FILE: &str = "ci/github-oidc.yaml";

/// Runs the command.
pub(crate) fn run(command: &CiCommand, session: Session<'_>) -> Result<()> {
    match command {
        CiCommand::Github(args) => github(args, session),
    }
}

fn github(args: &CiGithubArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = super::open(global, reporter)?;
    check_words(args)?;
    let subjects = Subject::both(&project, &args.preview, reporter)?;
    let main = &project.stage.name;
    let files = [
        (WORKFLOW_FILE, workflow(args, main)),
        (ROLES_FILE, roles(args, &project.name, main, &subjects)?),
    ];
    let written = write(project.path(), &files, args.force)?;
    reporter.result(&Written { files: written })
}

/// What becomes part of files is a plain word.
fn check_words(args: &CiGithubArgs) -> Result<()> {
    let is_branch = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_preview = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let environment = args.environment.as_deref().unwrap_or("x");
    for (option, word, is_fit) in [
        ("--branch", args.branch.as_str(), args.branch.chars().all(is_branch)),
        ("--environment", environment, environment.chars().all(is_name)),
        ("--preview", args.preview.as_str(), args.preview.chars().all(is_preview)),
    ] {
        if word.is_empty() || !is_fit {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                format!("{option} {word}: that can't be a part of these files"),
            )
            .hint("Take one of letters, digits and hyphens."));
        }
    }
    Ok(())
}

fn workflow(args: &CiGithubArgs, stage: &str) -> String {
    let checkout = |and: &str| {
        format!(
            "      - name: Check out\n        uses: {CHECKOUT}\n        with:\n          persist-credentials: false{and}"
        )
    };
    let credentials = |variable: &str| {
        format!(
            "      - name: Take the role\n        uses: {CREDENTIALS}\n        with:\n          role-to-assume: ${{{{ vars.{variable} \
             }}}}\n          aws-region: ${{{{ vars.AWS_REGION }}}}"
        )
    };
    let environment = args
        .environment
        .as_ref()
        .map_or(String::new(), |name| format!("    environment: {name}\n"));
    let parts = [
        (
            "@CHECKOUT_BASE@",
            checkout("\n          ref: ${{ github.event.pull_request.base.sha }}"),
        ),
        ("@CHECKOUT@", checkout("")),
        ("@DEPLOYER@", INSTALL.to_owned()),
        ("@DEPLOY_ROLE@", credentials("DEPLOYER_DEPLOY_ROLE")),
        ("@PREVIEW_ROLE@", credentials("DEPLOYER_PREVIEW_ROLE")),
        ("@ENVIRONMENT@", environment),
        ("@BRANCH@", args.branch.clone()),
        ("@PREVIEW@", args.preview.clone()),
        ("@STAGE@", stage.to_owned()),
    ];
    parts
        .iter()
        .fold(WORKFLOW.to_owned(), |text, (mark, part)| text.replace(mark, part))
}

/// The archive that `release/archive` makes, from wherever the repository's owner keeps it.
const INSTALL: &str = r#"      - name: Install deployer
        env:
          ARCHIVE: ${{ vars.DEPLOYER_ARCHIVE }}
          SHA256: ${{ vars.DEPLOYER_SHA256 }}
        run: |
          archive=$RUNNER_TEMP/deployer.tar.gz
          curl --fail --silent --show-error --location --proto '=https' --proto-redir '=https' --output "$archive" -- "$ARCHIVE"
          echo "$SHA256  $archive" | sha256sum --check --strict
          mkdir "$RUNNER_TEMP/deployer"
          tar --extract --gzip --file "$archive" --directory "$RUNNER_TEMP/deployer" --strip-components 1"#;

fn roles(args: &CiGithubArgs, project: &str, stage: &str, subjects: &[Subject]) -> Result<String> {
    let mut policies = String::new();
    for subject in subjects {
        policies.push_str(&subject.resources()?);
    }
    let subject = match &args.environment {
        Some(environment) => format!("environment:{environment}"),
        None => format!("ref:refs/heads/{}", args.branch),
    };
    let parts = [
        ("@POLICIES@\n", policies.as_str()),
        ("@DEPLOY_SUBJECT@", &subject),
        ("@BRANCH@", &args.branch),
        ("@PROJECT@", project),
        ("@STAGE@", stage),
    ];
    Ok(parts
        .iter()
        .fold(ROLES.to_owned(), |text, (mark, part)| text.replace(mark, part)))
}

/// Writes the files into the project's folder; none if one is there and isn't to be replaced.
fn write(folder: &Path, files: &[(&str, String)], force: bool) -> Result<Vec<PathBuf>> {
    let folder = if folder == Path::new(".") {
        Path::new("")
    } else {
        folder
    };
    for (file, text) in files {
        let path = folder.join(file);
        let is_same = fs::read(&path).is_ok_and(|there| there == text.as_bytes());
        if path.symlink_metadata().is_ok() && !is_same && !force {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                format!("{} is there, and is another one", path.display()),
            )
            .hint("Nothing was written. Move it away, or say --force to replace it."));
        }
    }
    let mut written = Vec::new();
    for (file, text) in files {
        let path = folder.join(file);
        let what = || format!("could not write {}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).or_fail(what)?;
        }
        fs::write(&path, text).or_fail(what)?;
        written.push(path);
    }
    Ok(written)
}

/// What was written.
#[derive(Serialize)]
struct Written {
    files: Vec<PathBuf>,
}

impl CommandResult for Written {
    fn text(&self, _paint: &Paint) -> String {
        let mut text = String::new();
        for file in &self.files {
            text.push_str(&format!("wrote {}\n", file.display()));
        }
        text.push_str(
            "Read both. Their first lines say how the roles are made, and which variables the repository needs. Whoever edits a \
             template in a pull request deploys it, as the preview role.\n",
        );
        text
    }
}
