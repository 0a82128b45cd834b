//! Whether the functions' roles allow what their programs ask for, told before anything is uploaded.

use std::collections::BTreeSet;

use super::Built;
use crate::error::{Error, Result};
use crate::permissions::Operations;
use crate::project::Project;
use crate::project::contract::Contract;
use crate::project::roles::{self, Missing, Role};
use crate::project::statements::{indented, statements};

/// Looks at each function that was built.
///
/// # Errors
/// A program asks for something that no policy of its role allows, as bad input.
pub(super) async fn check(project: &Project, contract: &Contract, packages: &Built) -> Result<()> {
    for function in project.functions() {
        let Some(package) = packages.get(&(function.stack.clone(), function.key_parameter.clone())) else {
            continue;
        };
        let id = format!("{}.{}", function.stack, function.logical_id);
        if is_skipped(contract, &id) {
            continue;
        }
        let Some(role) = roles::of_function(project, function) else {
            continue;
        };
        let Some(operations) = package.operations().await? else {
            continue;
        };
        let missing = role.missing(&operations);
        if !missing.is_empty() {
            let actions: BTreeSet<String> = missing.iter().flat_map(|one| one.actions.clone()).collect();
            let actions: Vec<String> = actions.into_iter().collect();
            let statements = statements(project, function, &actions);
            return Err(refused(&id, &role, &missing).hint(format!(
                "Add this to the role's policy:\n{}Or, if something else allows it, skip `{}` of {id} with a reason in \
                 stacks/verify.yaml.",
                indented(&statements, "  "),
                roles::CHECK
            )));
        }
    }
    Ok(())
}

fn is_skipped(contract: &Contract, function: &str) -> bool {
    let mut skips = contract.skips.iter().filter(|skip| skip.check == roles::CHECK);
    skips.any(|skip| skip.resource.as_ref().is_none_or(|resource| resource == function))
}

/// What roles allow and none of the programs that run as them asks for, in sentences: of roles all of whose functions were built.
pub(super) async fn unused(project: &Project, contract: &Contract, packages: &Built) -> Result<BTreeSet<String>> {
    let mut sentences = BTreeSet::new();
    for function in project.functions() {
        let id = format!("{}.{}", function.stack, function.logical_id);
        let Some(role) = roles::of_function(project, function).filter(|_| !is_skipped(contract, &id)) else {
            continue;
        };
        let mut programs = Vec::new();
        for sharing in roles::sharing(project, &role) {
            let package = packages.get(&(sharing.stack.clone(), sharing.key_parameter.clone()));
            programs.push(match package {
                Some(package) => package.operations().await?,
                None => None,
            });
        }
        let programs: Option<Vec<Operations>> = programs.into_iter().collect();
        let unused = programs
            .map(|programs| role.unused(project, &programs))
            .unwrap_or_default();
        sentences.extend(unused.iter().map(|unused| unused.sentence(&role)));
    }
    Ok(sentences)
}

fn refused(function: &str, role: &Role<'_>, missing: &[Missing]) -> Error {
    let operations: Vec<String> = missing
        .iter()
        .map(|one| format!("aws-sdk-{}'s {}", one.operation.service, one.operation.name))
        .collect();
    let error = role.error(format!(
        "the function {function} asks for {}, which its role doesn't allow",
        roles::listed(missing)
    ));
    error.cause(format!("its program calls {}", operations.join(", ")))
}
