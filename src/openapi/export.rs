//! Asking API Gateway for what a stage serves.

use aws_sdk_apigateway::error::ProvideErrorMetadata;
use serde_json::Value;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain, is_denied, message};
use crate::error::{Error, ErrorKind, Result};
use crate::project::apis::ApiKind;

/// What API Gateway says.
#[derive(Debug)]
pub(crate) enum Exported {
    /// A document of OpenAPI 3.
    Document(Value),
    /// It exports nothing, and why.
    Nothing(String),
}

/// The names of an API's stages, as API Gateway has them.
///
/// # Errors
/// It can't be asked; `None` says that there is no such API any more.
pub(crate) async fn stages(cloud: &Cloud, kind: ApiKind, id: &str) -> Result<Vec<String>> {
    let what = || format!("could not list the stages of the API {id}");
    match kind {
        ApiKind::Rest => {
            let answer = cloud.apigateway.get_stages().rest_api_id(id).send().await;
            let answer = answer.map_err(|error| refused(error, &what(), &format!("/restapis/{id}/stages"), cloud))?;
            let stages = answer.item.unwrap_or_default().into_iter();
            Ok(stages.filter_map(|stage| stage.stage_name).collect())
        }
        ApiKind::Http => {
            let mut names = Vec::new();
            let mut next = None;
            loop {
                let request = cloud.apigatewayv2.get_stages().api_id(id).set_next_token(next);
                let answer = request.send().await;
                let answer = answer.map_err(|error| refused(error, &what(), &format!("/apis/{id}/stages"), cloud))?;
                let stages = answer.items.unwrap_or_default().into_iter();
                names.extend(stages.filter_map(|stage| stage.stage_name));
                next = answer.next_token.filter(|next| !next.is_empty());
                if next.is_none() {
                    return Ok(names);
                }
            }
        }
    }
}

/// What a stage of an API serves, as OpenAPI 3: Swagger 2 is made of it here, so that both say the same, and HTTP APIs have both.
///
/// # Errors
/// The stage isn't there, or may not be looked at.
pub(crate) async fn of_stage(
    cloud: &Cloud,
    kind: ApiKind,
    id: &str,
    stage: &str,
    extensions: bool,
) -> Result<Exported> {
    let what = format!("could not export the stage {stage} of the API {id}");
    let not_there = || {
        let error = Error::new(
            ErrorKind::NotDeployed,
            format!("the API {id} has no deployed stage {stage}"),
        );
        error.hint("Deploy it: `deployer up`.")
    };
    let bytes = match kind {
        ApiKind::Rest => {
            let request = cloud.apigateway.get_export().rest_api_id(id).stage_name(stage);
            let request = request.export_type("oas30").accepts("application/json");
            let request = if extensions {
                request.parameters("extensions", "integrations,authorizers")
            } else {
                request
            };
            match request.send().await {
                Ok(answer) => answer.body.map(aws_sdk_apigateway::primitives::Blob::into_inner),
                Err(error) => match code(&error) {
                    "NotFoundException" => return Err(not_there()),
                    // Such as one whose bodies aren't JSON.
                    "BadRequestException" => return Ok(Exported::Nothing(message(&error).to_owned())),
                    _ => {
                        let path = format!("/restapis/{id}/stages/{stage}/exports/oas30");
                        return Err(refused(error, &what, &path, cloud));
                    }
                },
            }
        }
        ApiKind::Http => {
            let request = cloud.apigatewayv2.export_api().api_id(id).stage_name(stage);
            let request = request.specification("OAS30").output_type("JSON");
            match request.include_extensions(extensions).send().await {
                Ok(answer) => answer.body.map(aws_sdk_apigatewayv2::primitives::Blob::into_inner),
                Err(error) => {
                    // Emulators know the API, and not that it can be exported.
                    if !cloud.endpoint.is_aws() && !is_denied(&error) && error.as_service_error().is_some() {
                        return Ok(Exported::Nothing("this emulator doesn't export HTTP APIs".to_owned()));
                    }
                    match code(&error) {
                        "NotFoundException" => return Err(not_there()),
                        "BadRequestException" => return Ok(Exported::Nothing(message(&error).to_owned())),
                        _ => {
                            let path = format!("/apis/{id}/exports/OAS30");
                            return Err(refused(error, &what, &path, cloud));
                        }
                    }
                }
            }
        }
    };
    let bytes = bytes.unwrap_or_default();
    match serde_json::from_slice(&bytes) {
        Ok(document @ Value::Object(_)) => Ok(Exported::Document(document)),
        Ok(_) => Err(Error::new(ErrorKind::ServiceError, what).cause("the answer is no OpenAPI document")),
        Err(error) => Err(Error::new(ErrorKind::ServiceError, what).cause(error)),
    }
}

/// The SDK's error as ours; of a missing permission it says which one, and for what.
fn refused<E, R>(
    error: aws_smithy_runtime_api::client::result::SdkError<E, R>,
    what: &str,
    path: &str,
    cloud: &Cloud,
) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let denied = is_denied(&error);
    let error = explain(error, what);
    if denied {
        let arn = format!("arn:{}:apigateway:{}::{path}", cloud.partition, cloud.region);
        error.hint_first(format!("It takes the action apigateway:GET on {arn} ."))
    } else {
        error
    }
}
