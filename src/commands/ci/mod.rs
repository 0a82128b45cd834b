//! `deployer ci github`: a workflow that deploys from GitHub Actions, and the roles that it does so with.
//!
//! Both are files of the project, to be read and edited; nothing is asked of anybody.

mod policies;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{CiCommand, CiGithubArgs};
use crate::context::Session;
use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::project::Project;
use crate::project::functions::FUNCTION;
use crate::project::stages::Stages;
use crate::project::tables::TABLES;
use crate::project::template::{Scope, Template};
use crate::report::{CommandResult, Paint};
use policies::{LONGEST_CHARACTERS, Subject};

const WORKFLOW: &str = include_str!("deploy.yml");
const ROLES: &str = include_str!("github-oidc.yaml");

/// actions/checkout v7.0.1
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";
/// aws-actions/configure-aws-credentials v6.2.3
const CREDENTIALS: &str = "aws-actions/configure-aws-credentials@e6de054238d6b7531b4efff3b6587d9aade6a06c # v6.2.3";

/// Where they are written.
const WORKFLOW_FILE: &str = ".github/workflows/deploy.yml";
const ROLES_FILE: &str = "ci/github-oidc.yaml";

/// A number of a pull request that stands for all.
const EXAMPLE: &str = "00000";

/// Runs the command.
pub(crate) fn run(command: &CiCommand, session: Session<'_>) -> Result<()> {
    match command {
        CiCommand::Github(args) => github(args, session),
    }
}

fn github(args: &CiGithubArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = super::open(global, reporter)?;
    let folder = super::folder(global)?;
    let settings = Stages::read(&folder)?;
    check_words(args)?;
    let preview = &args.preview;
    let example = format!("{preview}-{EXAMPLE}");
    if !settings.lists(&example)? {
        return Err(Error::new(
            ErrorKind::InvalidUsage,
            format!("stacks/stages.yaml has no stage for pull requests: none is called `{preview}-1`, and no pattern fits it"),
        )
        .hint(format!(
            "Add `\"{preview}-*\": {{ expires: 7d }}` under `stages:`, or say how they are called with --preview NAME."
        )));
    }
    let main = &project.stage.name;
    let denied: Vec<String> = settings.protected_names();
    let all = denied.iter().chain([main]);
    if let Some(alike) = all
        .clone()
        .find(|stage| preview.starts_with(stage.as_str()) || stage.starts_with(&format!("{preview}-")))
    {
        return Err(Error::new(
            ErrorKind::InvalidUsage,
            format!("previews called `{preview}-…` and the stage `{alike}` begin alike"),
        )
        .cause("what a role may do is told by how names begin")
        .hint("Say another beginning with --preview NAME, and give it a pattern in stacks/stages.yaml."));
    }
    let denied: BTreeSet<String> = all.cloned().collect();
    let previews = Project::open(&folder, &example)?;
    let pattern = |name: String| name.replace(&example, &format!("{preview}-*"));
    let preview_names = |types: &[&str]| {
        names(&previews, types)
            .into_iter()
            .map(pattern)
            .collect::<Vec<String>>()
    };
    let (functions, tables) = (preview_names(&[FUNCTION]), preview_names(TABLES));
    if let Some(shared) = functions
        .iter()
        .chain(&tables)
        .find(|name| !name.contains(&format!("{preview}-*")))
    {
        return Err(Error::new(
            ErrorKind::InvalidProject,
            format!("each stage would have `{shared}` under the same name, previews and {main} alike"),
        )
        .cause("the role of previews couldn't be kept from what isn't theirs")
        .hint("Put the stage's name into it: `${Stage}` in the template, or `${stage}` in stacks/stages.yaml."));
    }
    let deploy = Subject {
        role: "Deploy",
        project: project.name.clone(),
        stage: main.clone(),
        boundary: format!("{}-{main}-function-boundary", project.name),
        functions: names(&project, &[FUNCTION]),
        tables: names(&project, TABLES),
        denied: Vec::new(),
    };
    let preview_subject = Subject {
        role: "Preview",
        project: project.name.clone(),
        stage: format!("{preview}-*"),
        boundary: format!("{}-preview-function-boundary", project.name),
        functions,
        tables,
        denied: denied.into_iter().collect(),
    };
    let makes_roles = project
        .stacks()
        .any(|stack| stack.template.resources_of("AWS::IAM::Role").next().is_some());
    for (stage, subject) in [(&project.stage, &deploy), (&previews.stage, &preview_subject)] {
        let is_it = stage
            .boundary
            .as_ref()
            .is_some_and(|name| name.ends_with(&subject.boundary));
        if makes_roles && !is_it {
            let name = &subject.boundary;
            reporter.warn(format!(
                "the role for {} may make functions' roles only within the boundary {name}: write `boundary: {name}` under it \
                 in stacks/stages.yaml",
                subject.stage
            ));
        }
    }
    let files = [
        (WORKFLOW_FILE, workflow(args, main)),
        (ROLES_FILE, roles(args, &project.name, &[deploy, preview_subject])?),
    ];
    let written = write(&folder, &files, args.force)?;
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

/// The names that templates give to resources of these types; a pattern for what CloudFormation names itself.
fn names(project: &Project, types: &[&str]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for stack in project.stacks() {
        let mut scope = Scope::from([("AWS::StackName".to_owned(), project.stack_name(&stack.id))]);
        scope.extend(stack.template.known_parameters(&project.known_values(&stack.id)));
        let named = stack.template.named_resources(&scope);
        for (id, resource) in stack.template.resources() {
            if !types.contains(&Template::type_of(resource)) {
                continue;
            }
            let name = named
                .iter()
                .find(|one| one.logical_id == id)
                .map(|one| one.name.clone());
            names.insert(name.unwrap_or_else(|| format!("{}*", project.stack_prefix())));
        }
    }
    if names.is_empty() {
        // Nothing is allowed on nothing; what templates add later is called so unless they say otherwise.
        names.insert(format!("{}*", project.stack_prefix()));
    }
    names.into_iter().collect()
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

fn roles(args: &CiGithubArgs, project: &str, subjects: &[Subject]) -> Result<String> {
    let mut policies = String::new();
    for subject in subjects {
        for policy in subject.policies()? {
            if policy.length() > LONGEST_CHARACTERS {
                return Err(Error::new(
                    ErrorKind::InvalidProject,
                    format!("the policy {} would be too long for IAM", policy.id),
                )
                .cause(format!(
                    "IAM takes {LONGEST_CHARACTERS} characters, and it names each function and table"
                ))
                .hint("Begin their names with `${Project}-${Stage}-`, or leave the names out of the templates."));
            }
            policies.push_str(&policy.resource()?);
        }
    }
    let subject = match &args.environment {
        Some(environment) => format!("environment:{environment}"),
        None => format!("ref:refs/heads/{}", args.branch),
    };
    let stage = subjects.first().map_or("", |subject| &subject.stage);
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
