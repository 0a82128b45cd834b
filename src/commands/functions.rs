//! The functions of a stage that are deployed, and which of them a name means.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::project::did_you_mean;
use crate::project::functions::FUNCTION;
use crate::project::stacks::StackId;
use crate::stack::ownership;
use crate::stack::read::Deployed;

/// A function that is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    /// The stack that it is in.
    pub(super) stack: StackId,
    /// Its key in the template.
    pub(super) id: String,
    /// Its name.
    pub(super) name: String,
}

/// The functions in the stage's own stacks.
///
/// # Errors
/// Nothing of the stage is deployed.
pub(super) fn of_stage(context: &Context<'_>, stage: &BTreeMap<StackId, Deployed>) -> Result<Vec<Function>> {
    if stage.is_empty() {
        let what = format!("nothing is deployed of the stage {}", context.project.stage.name);
        return Err(Error::new(ErrorKind::NotDeployed, what).hint("Deploy it first: `deployer up`."));
    }
    let own = stage.iter().filter(|(_, deployed)| {
        let other = ownership::owner(&deployed.stack, &context.project).other();
        if let Some(whose) = &other {
            let name = &deployed.stack.name;
            context
                .reporter
                .warn(format!("the stack {name} isn't this stage's: {whose}"));
        }
        other.is_none()
    });
    let found = own.flat_map(|(stack, deployed)| {
        deployed.resources_of(&[FUNCTION]).map(|resource| Function {
            stack: stack.clone(),
            id: resource.logical_id.clone(),
            name: resource.physical_id.clone(),
        })
    });
    // What is being created has no name yet.
    Ok(found.filter(|function| !function.name.is_empty()).collect())
}

/// The one that is meant: by its name, its logical id, or its stack and that.
///
/// # Errors
/// There is none, or there are several.
pub(super) fn named<'f>(context: &Context<'_>, functions: &'f [Function], name: &str) -> Result<&'f Function> {
    let declared = context.project.stacks().flat_map(|stack| {
        let resources = stack.template.resources_of(FUNCTION);
        resources.map(|(id, _)| (stack.id.clone(), id.to_owned()))
    });
    find(functions, &declared.collect::<Vec<_>>(), name)
}

fn find<'f>(functions: &'f [Function], declared: &[(StackId, String)], name: &str) -> Result<&'f Function> {
    if let Some(exact) = functions.iter().find(|function| function.name == name) {
        return Ok(exact);
    }
    // `stack.Id` is how stacks/verify.yaml has it.
    let parts = name.split_once(':').or_else(|| name.split_once('.'));
    let is_it = |stack: &StackId, id: &str| match parts {
        Some((wanted, rest)) => *stack == *wanted && id == rest,
        None => id == name,
    };
    let found: Vec<&Function> = functions
        .iter()
        .filter(|function| is_it(&function.stack, &function.id))
        .collect();
    match found.as_slice() {
        [only] => Ok(only),
        [first, second, ..] => Err(Error::new(
            ErrorKind::InvalidUsage,
            format!(
                "the stacks {} and {} both have a function {name}",
                first.stack, second.stack
            ),
        )
        .hint(format!(
            "Say which: `{}:{name}` or `{}:{name}`.",
            first.stack, second.stack
        ))),
        [] => {
            if let Some((stack, id)) = declared.iter().find(|(stack, id)| is_it(stack, id)) {
                let what = format!("the function {id} of the stack {stack} isn't deployed");
                return Err(
                    Error::new(ErrorKind::NotDeployed, what).hint(format!("`deployer up --only {stack}` deploys it."))
                );
            }
            let known: Vec<&str> = functions
                .iter()
                .flat_map(|function| [function.id.as_str(), function.name.as_str()])
                .collect();
            let error = Error::new(ErrorKind::InvalidUsage, format!("there is no function `{name}`"));
            Err(match did_you_mean(name, &known) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None if functions.is_empty() => error.hint("No stack of this stage has any."),
                None => {
                    let all: Vec<&str> = functions.iter().map(|function| function.id.as_str()).collect();
                    error.hint(format!("There is {}.", all.join(", ")))
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(stack: &str, id: &str, name: &str) -> Function {
        Function {
            stack: StackId::new(stack),
            id: id.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_function_is_named_by_its_id_or_its_name() {
        let all = [
            function("api", "Get", "shop-get"),
            function("worker", "Handler", "shop-work"),
            function("nightly", "Handler", "shop-sweep"),
        ];
        let declared = [(StackId::new("api"), "Put".to_owned())];
        let found = |name: &str| find(&all, &declared, name).map(|function| function.name.as_str());
        for (name, expected) in [
            ("Get", "shop-get"),
            ("shop-get", "shop-get"),
            ("worker:Handler", "shop-work"),
            ("nightly.Handler", "shop-sweep"),
        ] {
            assert_eq!(found(name).expect(name), expected);
        }
        let error = found("Handler").expect_err("two");
        assert!(
            error.next_step().is_some_and(|step| step.contains("`worker:Handler`")),
            "{error:?}"
        );
        assert_eq!(found("Put").expect_err("not yet").kind(), ErrorKind::NotDeployed);
        let error = found("Gte").expect_err("a slip");
        assert_eq!(error.next_step(), Some("Did you mean `Get`?"));
        let error = found("nonsense").expect_err("none");
        assert_eq!(error.kind(), ErrorKind::InvalidUsage);
        assert_eq!(error.next_step(), Some("There is Get, Handler, Handler."));
    }
}
