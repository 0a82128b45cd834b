//! Each stage of an API serves what its template has: of a REST API the snapshot that was taken of it, of an HTTP API
//! what is deployed by itself, or the deployment that the template names.

use crate::project::stacks::StackId;
use crate::text::quoted_for_shell;
use crate::verify::apis::{DEPLOYMENT, HTTP_STAGE, REST_STAGE, declared, stage_name};
use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::shared::Round;
use crate::verify::stage::{Resource, Stack, Stage};
use crate::verify::{Check, Finding, Look, Problem, asked};

pub(super) struct ApiDeployment;

impl Check for ApiDeployment {
    fn id(&self) -> &'static str {
        "api-deployment"
    }

    fn layer(&self) -> Layer {
        Layer::Api
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let mut looks = Vec::new();
        for stack in &stage.stacks {
            let mut add = |id: &'a str, kind: Made| {
                let resource = format!("{}.{id}", stack.definition.id);
                let stacks: Vec<StackId> = vec![stack.definition.id.clone()];
                looks.push(Look::new(resource, stacks, move |round| {
                    served(stage, stack, id, kind, round)
                }));
            };
            declared(stack, REST_STAGE).for_each(|(id, _)| add(id, Made::Rest));
            declared(stack, HTTP_STAGE).for_each(|(id, _)| add(id, Made::Http));
            for (id, resource) in declared(stack, DEPLOYMENT) {
                if resource
                    .get("Properties")
                    .is_some_and(|properties| properties.get("StageName").is_some())
                {
                    add(id, Made::ByDeployment);
                }
            }
        }
        looks
    }
}

/// What makes a stage.
#[derive(Debug, Clone, Copy)]
enum Made {
    /// A resource of its own, of a REST API or of an HTTP API.
    Rest,
    Http,
    /// A deployment that names it.
    ByDeployment,
}

async fn served(stage: &Stage<'_>, stack: &Stack<'_>, id: &str, made: Made, round: Round) -> Finding {
    let missing = || {
        Problem::failed(
            format!("the stack has no {id}"),
            format!("`deployer up --only {}` makes it.", stack.definition.id),
        )
    };
    match made {
        Made::Rest => {
            let found = stack.resource(id).ok_or_else(missing)?;
            let (api, name) = (found.property(&["RestApiId"]).known_text(), stage_name(&found));
            let wanted = wanted(stack, id);
            rest(stage, stack, api.as_deref(), &name, wanted, round).await
        }
        Made::ByDeployment => {
            let said = |property: &str| {
                let value = stack.template().resource(id)?.get("Properties")?.get(property)?;
                stack.expected(value).known_text()
            };
            let name = said("StageName").unwrap_or_default();
            rest(
                stage,
                stack,
                said("RestApiId").as_deref(),
                &name,
                DesiredStack::Snapshot(id.to_owned()),
                round,
            )
            .await
        }
        Made::Http => http(stack.resource(id).ok_or_else(missing)?).await,
    }
}

/// Which deployment a stage is to serve.
enum DesiredStack {
    /// The one of the template that is called so there.
    Snapshot(String),
    /// One that the template names otherwise.
    Said(Expected),
}

fn wanted(stack: &Stack<'_>, id: &str) -> DesiredStack {
    let said = stack
        .template()
        .resource(id)
        .and_then(|stage| stage.get("Properties")?.get("DeploymentId"));
    let Some(said) = said else {
        return DesiredStack::Said(Expected::Absent);
    };
    let named = said
        .get("Ref")
        .or_else(|| said.get("Fn::GetAtt")?.get(0))
        .and_then(serde_json::Value::as_str);
    match named.filter(|name| declared(stack, DEPLOYMENT).any(|(id, _)| id == *name)) {
        Some(name) => DesiredStack::Snapshot(name.to_owned()),
        None => DesiredStack::Said(stack.expected(said)),
    }
}

async fn rest(
    stage: &Stage<'_>,
    stack: &Stack<'_>,
    api: Option<&str>,
    name: &str,
    wanted: DesiredStack,
    round: Round,
) -> Finding {
    let file = stack.definition.file.display();
    let api = api.ok_or_else(|| {
        Problem::not_proven(
            format!("which API the stage {name} is of can't be told from {file}"),
            "Refer to the API by `!Ref` or by a parameter.",
        )
    })?;
    let live = stage
        .served(stack.cloud, api, name, round)
        .await?
        .unwrap_or_else(|| "none".to_owned());
    let redeploy = format!("`deployer up --only {}` deploys it.", stack.definition.id);
    let other_definition = format!("the stage {name} serves another definition of the API than {file} has");
    let newest = match &wanted {
        DesiredStack::Said(Expected::Absent) => {
            return Ok(format!(
                "the stage {name} serves {live}; {file} doesn't say which deployment it is to serve"
            ));
        }
        DesiredStack::Said(said) if said.matches_text(&live) => {
            return Ok(format!("the stage {name} serves {live}, as {file} says"));
        }
        DesiredStack::Said(said) => {
            let evidence = format!("the stage {name} serves the deployment {live}, and {file} says {said}");
            return Err(Problem::failed(evidence, redeploy));
        }
        DesiredStack::Snapshot(id) => {
            // Its name ends in the hash of the definition that it is a snapshot of.
            let names = stack.wanted.deployments();
            let name = names.iter().find(|name| {
                let hash = name.strip_prefix(id.as_str());
                hash.is_some_and(|hash| hash.len() == 10 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
            });
            let resources = &stack.deployed.resources;
            name.and_then(|name| resources.iter().find(|found| found.logical_id == *name))
        }
    };
    let newest = newest.ok_or_else(|| Problem::failed(other_definition, redeploy))?;
    // The id may stand beside the API's.
    if newest.physical_id.split(['|', '/']).any(|part| part == live) {
        return Ok(format!(
            "the stage {name} serves {live}, the snapshot of what {file} has"
        ));
    }
    let newest = newest
        .physical_id
        .split(['|', '/'])
        .find(|part| *part != api)
        .unwrap_or_default();
    Err(Problem::failed(
        format!("the stage {name} serves the deployment {live}, and the newest is {newest}"),
        format!(
            "`aws apigateway update-stage --rest-api-id {api} --stage-name {} --patch-operations \
             op=replace,path=/deploymentId,value={newest}` serves it.",
            quoted_for_shell(name)
        ),
    ))
}

async fn http(found: Resource<'_>) -> Finding {
    let name = stage_name(&found);
    let api = found.property(&["ApiId"]).known_text().ok_or_else(|| {
        Problem::not_proven(
            format!("which API the stage {name} is of can't be told from the template"),
            "Refer to the API by `!Ref` or by a parameter.",
        )
    })?;
    let answer = found
        .cloud()
        .apigatewayv2
        .get_stage()
        .api_id(&api)
        .stage_name(&name)
        .send()
        .await;
    let live = asked(answer, &format!("could not look at the stage {name} of the API {api}"))?;
    let deploys_itself = found.property(&["AutoDeploy"]).known_text().as_deref() == Some("true");
    let deployment = live.deployment_id().unwrap_or("none");
    if deploys_itself {
        let message = live.last_deployment_status_message().unwrap_or_default();
        return match live.auto_deploy() {
            Some(true) if message.is_empty() || message.starts_with("Successfully") => {
                Ok(format!("the stage {name} deploys what changes by itself"))
            }
            Some(true) => Err(Problem::failed(
                format!("the stage {name} could not deploy what changed: {message}"),
                found.restore(),
            )),
            _ => Err(Problem::failed(
                format!(
                    "the stage {name} doesn't deploy by itself what changes, as its template says: it serves {deployment}"
                ),
                found.restore(),
            )),
        };
    }
    match found.property(&["DeploymentId"]) {
        Expected::Absent => Err(Problem::failed(
            format!(
                "the template gives the stage {name} neither `AutoDeploy: true` nor a `DeploymentId`, so what it serves is chance"
            ),
            "Say `AutoDeploy: true` for the stage, and run `deployer up`.",
        )),
        said if said.matches_text(deployment) => {
            Ok(format!("the stage {name} serves {deployment}, as its template says"))
        }
        said => Err(Problem::failed(
            format!("the stage {name} serves the deployment {deployment}, and its template says {said}"),
            found.restore(),
        )),
    }
}
