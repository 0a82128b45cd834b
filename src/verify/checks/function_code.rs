//! Each function runs the package that lies under the deployed key and that the key names, and the one that this run built.

use crate::package::sum_named_by;
use crate::project::functions::{Code, Function};
use crate::verify::known::Stored;
use crate::verify::layer::Layer;
use crate::verify::shared::Round;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, live};

pub(super) struct FunctionCode;

impl Check for FunctionCode {
    fn id(&self) -> &'static str {
        "function-code"
    }

    fn layer(&self) -> Layer {
        Layer::Function
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let functions = stage.project.functions().iter();
        let looks = functions.filter_map(|function| {
            let resource = stage.stack(&function.stack)?.resource(&function.logical_id)?;
            let key = resource.stack.deployed.stack.parameters.get(&function.key_parameter)?;
            if is_somebody_elses(function, resource, key) {
                return None;
            }
            let stacks = vec![function.stack.clone()];
            Some(Look::new(resource.id(), stacks, move |round| {
                code(stage, function, resource, key, round)
            }))
        });
        looks.collect()
    }
}

/// What the parameter's default names nobody here has packed.
fn is_somebody_elses(function: &Function, resource: Resource<'_>, key: &str) -> bool {
    matches!(function.code, Code::Binary { optional: true, .. })
        && resource.stack.template().default_of(&function.key_parameter).as_deref() == Some(key)
}

async fn code(stage: &Stage<'_>, function: &Function, resource: Resource<'_>, key: &str, round: Round) -> Finding {
    let name = resource.name;
    let built = stage
        .packages
        .get(&(function.stack.clone(), function.key_parameter.clone()));
    if let Some(built) = built.filter(|built| *built != key) {
        return Err(Problem::failed(
            format!("{name} runs {key}, and the package that was just built is {built}"),
            resource.restore(),
        ));
    }
    let is_built = if built.is_some() { ", which this run built" } else { "" };
    let upload = || {
        format!(
            "`deployer up --only {}` uploads it again if it is wanted.",
            function.stack
        )
    };
    let Some(bucket) = resource.property(&["Code", "S3Bucket"]).known_text() else {
        return Err(Problem::not_proven(
            format!("which bucket the package of {name} lies in only CloudFormation knows"),
            "Let the template name the bucket by a parameter or a name.",
        ));
    };
    let (is, lies) = tokio::join!(
        live::function(stage, resource, round),
        stage.package(resource.cloud(), &bucket, key, round)
    );
    let is = is?;
    let running = is.code_sha256().unwrap_or_default();
    // Whoever may write to both the bucket and the function can have them agree, but not with the name.
    let named = sum_named_by(key).unwrap_or_else(|| running.to_owned());
    match lies? {
        Stored::There { sha256: Some(lies), .. } if lies == running && named != running => Err(Problem::failed(
            format!("{name} runs {running}, as {key} in the bucket {bucket} is, and that name is the one of {named}"),
            format!(
                "`deployer up --only {}` puts the right zip into the bucket; then `aws lambda update-function-code \
                 --function-name {name} --s3-bucket {bucket} --s3-key {key}` has the function run it. Who could write to \
                 both?",
                function.stack
            ),
        )),
        Stored::There { sha256: Some(lies), .. } if lies == running => {
            Ok(format!("{name} runs {running}: {key} in the bucket {bucket}{is_built}"))
        }
        Stored::There { sha256: Some(lies), .. } => Err(Problem::failed(
            format!("{name} runs {running}, and {key} in the bucket {bucket} is {lies}"),
            resource.restore(),
        )),
        Stored::Missing => Err(Problem::not_proven(
            format!("{key} isn't in the bucket {bucket} any more, so nothing tells what {name} should run"),
            upload(),
        )),
        Stored::There { sha256: None, .. } => Err(Problem::not_proven(
            format!("S3 has no SHA-256 of {key} in the bucket {bucket}: it was uploaded without"),
            format!("Delete it from the bucket; {}", upload()),
        )),
    }
}
