//! Each function's role allows what its program asks for, as its templates have it, and nothing that neither it nor Lambda asks
//! for.

use futures::future::join_all;

use crate::permissions::Operations;
use crate::project::functions::Function;
use crate::project::roles::{self, Role};
use crate::verify::known::Stored;
use crate::verify::layer::Layer;
use crate::verify::shared::Round;
use crate::verify::stage::Stage;
use crate::verify::{Check, Look, Problem, Proof};

pub(super) struct FunctionPermissions;

impl Check for FunctionPermissions {
    fn id(&self) -> &'static str {
        roles::CHECK
    }

    fn layer(&self) -> Layer {
        Layer::Permissions
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let functions = stage.project.functions().iter();
        let looks = functions.filter_map(|function| {
            let resource = stage.stack(&function.stack)?.resource(&function.logical_id)?;
            if !roles::has_role(stage.project, function) {
                return None;
            }
            let stacks = vec![function.stack.clone()];
            // Nothing of it takes time to spread.
            let look = Look::new(resource.id(), stacks, move |round| permissions(stage, function, round));
            Some(look.once())
        });
        looks.collect()
    }
}

async fn permissions(stage: &Stage<'_>, function: &Function, round: Round) -> Result<Proof, Problem> {
    let name = function.logical_id.as_str();
    let (Some(role), Some(own)) = (
        roles::of_function(stage.project, function),
        operations(stage, function, round).await?,
    ) else {
        return Ok(Proof {
            evidence: format!(
                "what {name} asks of AWS isn't known: no AWS SDK for Rust was found in its package, or it was uploaded without a \
                 look at that"
            ),
            warnings: Vec::new(),
        });
    };
    let missing = role.missing(&own);
    if !missing.is_empty() {
        return Err(Problem::failed(
            format!(
                "{name} asks for {}, which its role {} doesn't allow",
                roles::listed(&missing),
                role.id()
            ),
            format!("`deployer policy function {name}` writes the statement that the role lacks."),
        ));
    }
    // Functions may share a role.
    let sharing = roles::sharing(stage.project, &role);
    let programs = join_all(sharing.map(|function| operations(stage, function, round))).await;
    let programs: Option<Vec<Operations>> = programs.into_iter().map(|one| one.ok().flatten()).collect();
    Ok(Proof {
        evidence: evidence(name, &role, &own),
        warnings: programs
            .map(|programs| warnings(stage, &role, &programs))
            .unwrap_or_default(),
    })
}

fn evidence(name: &str, role: &Role<'_>, operations: &Operations) -> String {
    let asked = roles::asked(operations);
    if asked.is_empty() {
        format!("{name} asks for nothing that IAM would have to allow")
    } else if role.is_open() {
        format!(
            "{name} asks for {}; whether its role {} allows that the templates alone don't tell",
            asked.join(", "),
            role.id()
        )
    } else {
        format!(
            "{name} asks for {}, which its role {} allows",
            asked.join(", "),
            role.id()
        )
    }
}

fn warnings(stage: &Stage<'_>, role: &Role<'_>, programs: &[Operations]) -> Vec<String> {
    let unused = role.unused(stage.project, programs);
    unused.iter().map(|unused| unused.sentence(role)).collect()
}

/// What was noted of a function's program when its package was uploaded.
async fn operations(stage: &Stage<'_>, function: &Function, round: Round) -> Result<Option<Operations>, Problem> {
    let resource = stage
        .stack(&function.stack)
        .and_then(|stack| stack.resource(&function.logical_id));
    let Some(resource) = resource else {
        return Ok(None);
    };
    let key = resource.stack.deployed.stack.parameters.get(&function.key_parameter);
    let bucket = resource.property(&["Code", "S3Bucket"]).known_text();
    let (Some(key), Some(bucket)) = (key, bucket) else {
        return Ok(None);
    };
    match stage.package(resource.cloud(), &bucket, key, round).await? {
        Stored::There { asks, .. } => Ok(asks),
        Stored::Missing => Ok(None),
    }
}
