//! `deployer policy deploy`: what the identity that deploys a stage has to be allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::place::Place;
use crate::cli::{Output, PolicyDeployArgs, PolicyFormat, PolicySubject};
use crate::commands::ci::{Subject, managed_policy};
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::identity::{Caller, Identity, Policy, boundary_name};
use crate::project::Project;
use crate::report::{CommandResult, Paint};

/// So many managed policies an identity may have, unless its account's quota was raised.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST: usize = 10;

/// Runs the command.
pub(super) async fn run(args: &PolicyDeployArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    if global.output == Output::Json && args.format != PolicyFormat::Json && args.out.is_none() {
        return Err(Error::new(
            ErrorKind::InvalidUsage,
            "stdout is JSON with --output json, and the policies are to be in another format",
        )
        .hint("Leave out one of both, or say with --out where they are to be written."));
    }
    let is_account = |text: &String| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(account) = args.account.as_ref().filter(|account| !is_account(account)) {
        return Err(Error::new(
            ErrorKind::InvalidUsage,
            format!("--account {account}: an account's number has twelve digits"),
        )
        .hint("`aws sts get-caller-identity` tells that of the credentials; leave --account out, and it is asked."));
    }
    let project = crate::commands::open(global, reporter)?;
    project.check()?;
    let (groups, notes) = match args.r#for {
        PolicySubject::Stage => {
            let boundary = boundary_name(&project);
            let identity = Identity::of(&project, &boundary);
            if identity.has_boundary() && project.stage.boundary.is_none() {
                reporter.warn(format!(
                    "whoever has these policies may make roles only within the boundary {boundary}: write `boundary: {boundary}` under \
                     {} in stacks/stages.yaml",
                    project.stage.name
                ));
            }
            let notes: Vec<String> = identity.notes.iter().map(str::to_owned).collect();
            (vec![("Deploy", identity.policies()?)], notes)
        }
        PolicySubject::Ci => {
            let subjects = Subject::both(&project, &args.preview, reporter)?;
            let notes = subjects.iter().flat_map(|subject| subject.notes.clone()).collect();
            let groups = subjects.into_iter().map(|subject| (subject.role, subject.policies));
            (groups.collect(), notes)
        }
    };
    for note in &notes {
        reporter.warn(note.clone());
    }
    for (_, policies) in &groups {
        let count = policies.iter().filter(|policy| !policy.is_boundary).count();
        if count > MOST {
            reporter.warn(format!(
                "these are {count} policies, and an identity has {MOST} at most unless its account's quota is raised"
            ));
        }
    }
    // Of the other formats the account is found out where they are used.
    let place = match args.format {
        PolicyFormat::Json => Some(place(args, &project, session).await?),
        PolicyFormat::Cloudformation | PolicyFormat::Terraform => None,
    };
    let policies: Vec<Written> = groups
        .into_iter()
        .flat_map(|(role, policies)| policies.into_iter().map(move |policy| (role, policy)))
        .map(|(role, policy)| Written::of(role, policy, place.as_ref()))
        .collect();
    let result = Policies {
        text: match args.format {
            PolicyFormat::Json => as_json(&policies)?,
            PolicyFormat::Cloudformation => as_template(&policies)?,
            PolicyFormat::Terraform => as_terraform(&policies)?,
        },
        files: match &args.out {
            Some(out) => write(out, args.format, &policies)?,
            None => Vec::new(),
        },
        notes,
        policies,
    };
    reporter.result(&result)
}

/// Which account and region they are for.
async fn place(args: &PolicyDeployArgs, project: &Project, session: Session<'_>) -> Result<Place> {
    let account = args.account.clone().or_else(|| project.stage.account.clone());
    let region = session.global.region.clone().or_else(|| project.stage.region.clone());
    match (account, region) {
        (Some(account), Some(region)) => Ok(Place::of(account, region)),
        (account, _) => {
            let context = Context::connect(Project::open(project.path(), &project.stage.name)?, session).await;
            let context = context.map_err(|error| {
                error.hint(
                    "Say --account and --region: then nobody is asked. Or say --format cloudformation or terraform, which find out \
                     both where they are used.",
                )
            })?;
            let cloud = &context.cloud;
            if let Some(account) = account.filter(|account| *account != cloud.account) {
                return Ok(Place::of(account, cloud.region.clone()));
            }
            Ok(Place {
                partition: cloud.partition.clone(),
                region: cloud.region.clone(),
                account: cloud.account.clone(),
            })
        }
    }
}

/// What the command tells.
#[derive(Debug, Serialize)]
struct Policies {
    policies: Vec<Written>,
    /// What can't be told, a sentence each.
    notes: Vec<String>,
    /// What was written.
    files: Vec<PathBuf>,
    #[serde(skip)]
    text: String,
}

/// A policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    name: String,
    /// `Deploy`, or `Preview`.
    role: &'static str,
    is_boundary: bool,
    document: Value,
    statements: Vec<Because>,
}

/// Why a statement is there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Because {
    sid: String,
    /// `deployer`, or `CloudFormation` in the caller's name.
    asked_by: &'static str,
    /// The types of resources that it is for.
    types: BTreeSet<String>,
}

impl Written {
    fn of(role: &'static str, policy: Policy, place: Option<&Place>) -> Self {
        let document = match place {
            Some(place) => place.fill(&policy.document),
            None => policy.document,
        };
        Self {
            name: policy.name,
            role,
            is_boundary: policy.is_boundary,
            document,
            statements: policy.callers.into_iter().map(Because::of).collect(),
        }
    }

    /// Its name as a logical id, or a resource's in Terraform.
    fn id(&self, separator: &str) -> String {
        let words = self.name.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty()).map(|word| match separator {
            "" => {
                let (first, rest) = word.split_at(1);
                first.to_uppercase() + rest
            }
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(separator)
    }
}

impl Because {
    fn of((sid, caller): (String, Caller)) -> Self {
        let asked_by = caller.name();
        let types = match caller {
            Caller::Deployer => BTreeSet::new(),
            Caller::CloudFormation(types) => types,
        };
        Self { sid, asked_by, types }
    }
}

fn pretty(value: &Value) -> Result<String> {
    serde_json::to_string_pretty(value).or_fail(|| "could not write a policy".to_owned())
}

/// One object, with each policy under its name.
fn as_json(policies: &[Written]) -> Result<String> {
    let all: BTreeMap<&str, &Value> = policies.iter().map(|one| (one.name.as_str(), &one.document)).collect();
    Ok(pretty(&json!(all))? + "\n")
}

/// A template; each document is JSON within the YAML.
fn as_template(policies: &[Written]) -> Result<String> {
    let mut text = "AWSTemplateFormatVersion: \"2010-09-09\"\nDescription: What the identity that deploys may do, and its functions' \
                    boundary.\n\nResources:\n"
        .to_owned();
    let mut outputs = "Outputs:\n".to_owned();
    for policy in policies {
        let id = policy.id("");
        let name = format!("      ManagedPolicyName: {}\n", policy.name);
        text.push_str(&managed_policy(&id, &name, &policy.document)?);
        outputs.push_str(&format!("  {id}: {{ Value: !Ref {id} }}\n"));
    }
    Ok(text + &outputs)
}

/// Resources of Terraform's AWS provider.
fn as_terraform(policies: &[Written]) -> Result<String> {
    let mut text =
        "data \"aws_partition\" \"current\" {}\n\ndata \"aws_region\" \"current\" {}\n\ndata \"aws_caller_identity\" \
                    \"current\" {}\n"
            .to_owned();
    let account = |text: &str| {
        text.replace("${AWS::Partition}", "${data.aws_partition.current.partition}")
            .replace("${AWS::Region}", "${data.aws_region.current.id}")
            .replace("${AWS::AccountId}", "${data.aws_caller_identity.current.account_id}")
    };
    for policy in policies {
        let (id, name) = (policy.id("_"), &policy.name);
        // JSON is an expression of Terraform's language as it is, and what is in its texts is put in.
        let document = account(&pretty(&policy.document)?.replace('\n', "\n  "));
        text.push_str(&format!(
            "\nresource \"aws_iam_policy\" \"{id}\" {{\n  name   = \"{name}\"\n  policy = jsonencode({document})\n}}\n"
        ));
    }
    Ok(text)
}

/// Writes them: a file for each into a folder, or one file of the other formats.
fn write(out: &Path, format: PolicyFormat, policies: &[Written]) -> Result<Vec<PathBuf>> {
    let files: Vec<(PathBuf, String)> = match format {
        PolicyFormat::Json => {
            let each = policies.iter().map(|policy| {
                let text = pretty(&policy.document)? + "\n";
                Ok((out.join(format!("{}.json", policy.name)), text))
            });
            each.collect::<Result<_>>()?
        }
        PolicyFormat::Cloudformation => vec![(out.to_owned(), as_template(policies)?)],
        PolicyFormat::Terraform => vec![(out.to_owned(), as_terraform(policies)?)],
    };
    for (file, text) in &files {
        let what = || format!("could not write {}", file.display());
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).or_fail(what)?;
        }
        fs::write(file, text).or_fail(what)?;
    }
    Ok(files.into_iter().map(|(file, _)| file).collect())
}

impl CommandResult for Policies {
    fn text(&self, _paint: &Paint) -> String {
        if self.files.is_empty() {
            return self.text.clone();
        }
        let files = self.files.iter().map(|file| format!("wrote {}\n", file.display()));
        files.collect()
    }
}
