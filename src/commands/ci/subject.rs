//! Whom a pipeline deploys as: one identity for the stage that the main branch is, and one for all previews of pull requests.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::identity::{Identity, Policy, never};
use crate::project::Project;
use crate::project::functions::FUNCTION;
use crate::project::stages::Stages;
use crate::project::tables::TABLES;
use crate::project::template::{Scope, Template};
use crate::report::Reporter;

/// A number of a pull request that stands for all.
const EXAMPLE: &str = "00000";

/// One of the two.
#[derive(Debug)]
pub(in crate::commands) struct Subject {
    /// What the logical ids begin with, and the role's: `Deploy`, `Preview`.
    pub role: &'static str,
    /// What it may do, the boundary of its functions' roles, and what it may never do.
    pub policies: Vec<Policy>,
    /// What can't be told.
    pub notes: Vec<String>,
}

impl Subject {
    /// Both, for this stage, and for previews that are called so before a hyphen and a number.
    ///
    /// # Errors
    /// The stages aren't there, or names don't tell them from others.
    pub(in crate::commands) fn both(project: &Project, preview: &str, reporter: &Reporter) -> Result<[Self; 2]> {
        let settings = Stages::read(project.path())?;
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
        let denied: BTreeSet<String> = settings.protected_names().into_iter().chain([main.clone()]).collect();
        if let Some(alike) = denied
            .iter()
            .find(|stage| preview.starts_with(stage.as_str()) || stage.starts_with(&format!("{preview}-")))
        {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                format!("previews called `{preview}-…` and the stage `{alike}` begin alike"),
            )
            .cause("what a role may do is told by how names begin")
            .hint("Say another beginning with --preview NAME, and give it a pattern in stacks/stages.yaml."));
        }
        let previews = Project::open(project.path(), &example)?;
        let all = format!("{preview}-*");
        let types = [&[FUNCTION], TABLES].concat();
        if let Some(shared) = names(&previews, &types).iter().find(|name| !name.contains(&example)) {
            return Err(Error::new(
                ErrorKind::InvalidProject,
                format!("each stage would have `{shared}` under the same name, previews and {main} alike"),
            )
            .cause("the role of previews couldn't be kept from what isn't theirs")
            .hint("Put the stage's name into it: `${Stage}` in the template, or `${stage}` in stacks/stages.yaml."));
        }
        let boundaries = [
            format!("{}-{main}-function-boundary", project.name),
            format!("{}-preview-function-boundary", project.name),
        ];
        let [deploy, preview] = [
            Identity::of(project, &boundaries[0]),
            Identity::of(&previews, &boundaries[1]).for_all(&example, &all),
        ];
        let stages = [
            (&project.stage, main, &boundaries[0]),
            (&previews.stage, &all, &boundaries[1]),
        ];
        for (stage, name, boundary) in stages {
            let is_it = stage
                .boundary
                .as_ref()
                .is_some_and(|given| given.ends_with(boundary.as_str()));
            if deploy.has_boundary() && !is_it {
                reporter.warn(format!(
                    "the role for {name} may make functions' roles only within the boundary {boundary}: write `boundary: {boundary}` \
                     under it in stacks/stages.yaml"
                ));
            }
        }
        let notes = |identity: &Identity| identity.notes.iter().map(str::to_owned).collect();
        let mut of_previews = preview.policies()?;
        of_previews.push(never(&project.name, &preview.prefix, &denied));
        Ok([
            Self {
                role: "Deploy",
                notes: notes(&deploy),
                policies: deploy.policies()?,
            },
            Self {
                role: "Preview",
                notes: notes(&preview),
                policies: of_previews,
            },
        ])
    }

    /// Its policies as resources of a template; each document is JSON within the YAML.
    pub(super) fn resources(&self) -> Result<String> {
        let mut text = String::new();
        let role = self.role;
        for (index, policy) in self.policies.iter().enumerate() {
            let (id, more) = if policy.is_boundary {
                let name = &policy.name;
                (
                    format!("{role}FunctionBoundary"),
                    format!("      ManagedPolicyName: {name}\n"),
                )
            } else {
                (
                    format!("{role}Policy{}", index + 1),
                    format!("      Roles: [!Ref {role}Role]\n"),
                )
            };
            text.push_str(&managed_policy(&id, &more, &policy.document)?);
        }
        Ok(text)
    }
}

/// A policy as a resource of a template, with `more` lines of properties; its document is JSON within the YAML.
///
/// # Errors
/// None: what it is made of is text.
pub(in crate::commands) fn managed_policy(id: &str, more: &str, document: &Value) -> Result<String> {
    let document = serde_json::to_string_pretty(&substituted(document));
    let document = document.or_fail(|| "could not write a policy".to_owned())?;
    let document = document.replace('\n', "\n        ");
    Ok(format!(
        "  {id}:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n{more}      PolicyDocument:\n        {document}\n\n"
    ))
}

/// A document with what the account decides put in by CloudFormation.
fn substituted(document: &Value) -> Value {
    match document {
        Value::String(text) if text.contains("${AWS::") => json!({ "Fn::Sub": text }),
        Value::Array(items) => items.iter().map(substituted).collect(),
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| (key.clone(), substituted(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// The names that templates give to resources of these types; a pattern for what CloudFormation names itself.
fn names(project: &Project, types: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for stack in project.stacks() {
        let mut scope = Scope::from([("AWS::StackName".to_owned(), project.stack_name(&stack.id))]);
        scope.extend(stack.template.known_parameters(&project.known_values(&stack.id)));
        let named = stack.template.named_resources(&scope);
        for (id, resource) in stack.template.resources() {
            if types.contains(&Template::type_of(resource)) {
                let name = named
                    .iter()
                    .find(|one| one.logical_id == id)
                    .map(|one| one.name.clone());
                names.insert(name.unwrap_or_else(|| format!("{}*", project.stack_prefix())));
            }
        }
    }
    names
}
