//! `deployer policy function`: what the functions' programs can ask of AWS, as statements for their roles.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cli::PolicyFunctionArgs;
use crate::commands::package::wanted;
use crate::commands::up::packages::{Packages, Place};
use crate::context::Session;
use crate::error::Result;
use crate::permissions::{Operation, Operations};
use crate::project::Project;
use crate::project::functions::Function;
use crate::project::roles::{self, Role};
use crate::project::statements::{Statement, indented, statements};
use crate::report::{CommandResult, Paint};

/// Runs the command.
pub(super) async fn run(args: &PolicyFunctionArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = crate::commands::open(global, reporter)?;
    let wanted = wanted(&project, &args.functions)?;
    let packages = Packages::of_functions(&project, &wanted, &args.function_package, reporter).await?;
    reporter.working("function", "building");
    let built = packages.build(&project, Place::Lambda, reporter).await?;
    reporter.finished("function", "built", false);
    let mut functions = Vec::new();
    for function in wanted {
        if let Some(package) = built.get(&(function.stack.clone(), function.key_parameter.clone())) {
            functions.push(Permissions::of(&project, function, package.operations().await?));
        }
    }
    reporter.result(&Policies { functions })
}

/// What each of several functions needs.
#[derive(Debug, Serialize)]
struct Policies {
    functions: Vec<Permissions>,
}

/// What one function needs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Permissions {
    /// The binary, or the folder, that it is made of.
    function: String,
    /// `stack.LogicalId`.
    resource: String,
    /// Whether it is known what it asks for.
    is_known: bool,
    /// What it surely asks for.
    operations: Vec<Asked>,
    /// What it may ask for.
    perhaps: Vec<Asked>,
    /// The SDK's crates in it that nothing is known of.
    strange: Vec<String>,
    /// What its role needs.
    statements: Vec<Statement>,
    /// The same role, as `stack.LogicalId`; none if it isn't one of the templates'.
    role: Option<String>,
    /// Whether the templates tell all that the role is allowed.
    is_role_known: bool,
    /// The actions that the role doesn't allow.
    missing: Vec<String>,
    /// What the role allows, and nobody asks for.
    unused: Vec<Unused>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    service: &'static str,
    operation: &'static str,
    /// None if that isn't known.
    actions: Option<Vec<String>>,
    /// One of the actions would do.
    is_choice: bool,
    /// The SDK calls it itself to get credentials.
    is_of_credentials: bool,
}

#[derive(Debug, Serialize)]
struct Unused {
    action: String,
    place: String,
}

impl Permissions {
    fn of(project: &Project, function: &Function, operations: Option<Operations>) -> Self {
        let operations = operations.filter(|operations| operations.has_sdk);
        let is_known = operations.is_some();
        let operations = operations.unwrap_or_default();
        let role = roles::of_function(project, function);
        let missing = role.iter().flat_map(|role| role.missing(&operations));
        // Of a role that several functions share the others' programs would have to be looked at as well.
        let is_shared = |role: &Role<'_>| roles::sharing(project, role).count() > 1;
        let unused = role
            .iter()
            .filter(|role| !is_shared(role))
            .flat_map(|role| role.unused(project, std::slice::from_ref(&operations)));
        Self {
            function: function.code.name(),
            resource: format!("{}.{}", function.stack, function.logical_id),
            is_known,
            statements: statements(project, function, &roles::asked(&operations)),
            missing: missing
                .flat_map(|missing| missing.actions)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            unused: unused
                .map(|unused| Unused {
                    action: unused.action,
                    place: unused.place.to_string(),
                })
                .collect(),
            role: role.as_ref().map(Role::id),
            is_role_known: role.as_ref().is_some_and(|role| !role.is_open()),
            operations: operations.called.iter().map(Asked::of).collect(),
            perhaps: operations.perhaps.iter().map(Asked::of).collect(),
            strange: operations.strange.into_iter().collect(),
        }
    }

    fn describe(&self, paint: &Paint) -> String {
        let mut text = format!("{} ({})\n", paint.bold(&self.function), self.resource);
        if !self.is_known {
            text.push_str("  not known: no AWS SDK for Rust is in it\n");
            return text;
        }
        for asked in &self.operations {
            text.push_str(&format!("  {asked}\n"));
        }
        for asked in &self.perhaps {
            text.push_str(&format!(
                "  perhaps {asked}: there is a trace of it, and not enough to be sure\n"
            ));
        }
        for name in &self.strange {
            text.push_str(&format!("  aws-sdk-{name}: not known, what that asks for\n"));
        }
        match &self.role {
            None => text.push_str("  its role isn't one of the templates': what that allows isn't known\n"),
            Some(role) if !self.is_role_known => {
                text.push_str(&format!(
                    "  what the role {role} allows the templates alone don't tell\n"
                ));
            }
            Some(role) if self.missing.is_empty() => text.push_str(&format!("  the role {role} allows all of it\n")),
            Some(role) => {
                text.push_str(&format!(
                    "  the role {role} doesn't allow {}\n",
                    self.missing.join(", ")
                ));
            }
        }
        for unused in &self.unused {
            text.push_str(&format!("  {}: nobody asks for {}\n", unused.place, unused.action));
        }
        if !self.statements.is_empty() {
            text.push_str("  what its role needs, beside its logs and what Lambda polls for it:\n");
        }
        text.push_str(&indented(&self.statements, "    "));
        text
    }
}

impl Asked {
    fn of(operation: &Operation) -> Self {
        let actions = roles::actions_of(operation);
        Self {
            service: operation.service,
            operation: operation.name,
            is_choice: actions.as_ref().is_some_and(|(_, is_choice)| *is_choice),
            actions: actions.map(|(actions, _)| actions),
            is_of_credentials: operation.is_of_credentials(),
        }
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of aws-sdk-{}", self.operation, self.service)?;
        match &self.actions {
            _ if self.is_of_credentials => f.write_str(": the SDK's own, for credentials"),
            None => f.write_str(": not known, what that asks for"),
            Some(actions) if actions.is_empty() => f.write_str(": needs no permission"),
            Some(actions) if self.is_choice => write!(f, ": {}, by what it is given", actions.join(" or ")),
            Some(actions) => write!(f, ": {}", actions.join(", ")),
        }
    }
}

impl CommandResult for Policies {
    fn text(&self, paint: &Paint) -> String {
        self.functions.iter().map(|function| function.describe(paint)).collect()
    }
}
