//! `deployer openapi`: the deployed contract of an API as an OpenAPI document.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::address;
use crate::cli::{OpenapiArgs, OpenapiFormat, OpenapiNotation, Output};
use crate::clock::rfc3339;
use crate::cloud::Cloud;
use crate::context::{Context, Session};
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::openapi::export::{self, Exported};
use crate::openapi::{self, Asked, Contract, yaml};
use crate::project::apis::{self, Api, ApiKind, HTTP_API, REST_API};
use crate::project::stacks::StackId;
use crate::project::template::{Scope, Template};
use crate::report::{CommandResult, Paint};
use crate::stack::ownership;
use crate::stack::read::{self, Deployed};

/// Runs the command. It reads, and changes nothing but the file that it is to write.
pub(crate) async fn run(args: &OpenapiArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let notation = args.notation.unwrap_or_else(|| notation_of(args.out.as_deref()));
    if global.output == Output::Json && args.out.is_none() && notation == OpenapiNotation::Yaml {
        return Err(Error::new(
            ErrorKind::InvalidUsage,
            "stdout is JSON with --output json, and the document is to be YAML",
        )
        .hint("Leave out one of both, or say with --out where the document is to be written."));
    }
    let context = Context::connect(super::open(global, reporter)?, session).await?;
    let stage = context.survey().await?;
    let found = chosen(&context, &stage, args.api.as_deref())?;
    let cloud = context.cloud_of(found.stack);
    let template = read::deployed_template(cloud, &found.deployed.stack.arn).await?;
    let scope = scope(cloud, &template, found.deployed);
    let api = apis::of_template(&template, &scope)
        .into_iter()
        .find(|api| api.logical_id == found.logical_id)
        // What a macro or a loop makes stands in the template under another name.
        .unwrap_or_else(|| Api {
            logical_id: found.logical_id.to_owned(),
            kind: found.kind,
            stage: None,
            routes: Vec::new(),
            complete: false,
        });
    let served = match &api.stage {
        Some(stage) => stage.clone(),
        None => {
            let stages = export::stages(cloud, api.kind, found.id).await?;
            let named = stages.iter().find(|name| **name == context.project.stage.name);
            let served = named.or_else(|| stages.first()).cloned();
            served.ok_or_else(|| {
                let error = Error::new(
                    ErrorKind::NotDeployed,
                    format!(
                        "the API {} ({}) has no stage: nobody can reach it",
                        found.logical_id, found.id
                    ),
                );
                error.hint("Give it one in its template, and run `deployer up`.")
            })?
        }
    };
    let export = match export::of_stage(cloud, api.kind, found.id, &served, args.extensions).await? {
        Exported::Document(document) => Some(document),
        Exported::Nothing(why) => {
            reporter.warn(format!(
                "API Gateway doesn't export {}: {why}. The document is made from the deployed template alone.",
                found.logical_id
            ));
            None
        }
    };
    let url = address::of_api(cloud, &template, found.deployed, &api, found.id, &served);
    let version = found.deployed.stack.changed.map_or_else(|| "1".to_owned(), rfc3339);
    let contract = openapi::contract(&Asked {
        template: &template,
        scope: &scope,
        api: &api,
        url: &url,
        version: &version,
        export,
        extensions: args.extensions,
    });
    let Contract { document, warnings } = match args.format {
        OpenapiFormat::Oas30 => contract,
        OpenapiFormat::Swagger => contract.into_swagger(),
    };
    for warning in warnings {
        reporter.warn(warning);
    }
    let text = match notation {
        OpenapiNotation::Json => {
            let text = serde_json::to_string_pretty(&document);
            text.or_fail(|| "could not write the document".to_owned())? + "\n"
        }
        OpenapiNotation::Yaml => yaml::written(&document),
    };
    let Some(file) = &args.out else {
        return reporter.print(text);
    };
    write(file, &text)?;
    reporter.result(&Written {
        stack: found.stack.clone(),
        api: found.logical_id.to_owned(),
        id: found.id.to_owned(),
        url,
        format: match args.format {
            OpenapiFormat::Oas30 => "oas30",
            OpenapiFormat::Swagger => "swagger",
        },
        operations: operations(&document),
        file: file.clone(),
    })
}

/// The notation that a file's name asks for.
fn notation_of(file: Option<&Path>) -> OpenapiNotation {
    let ending = file.and_then(|file| file.extension()?.to_str());
    match ending {
        Some(ending) if ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml") => {
            OpenapiNotation::Yaml
        }
        _ => OpenapiNotation::Json,
    }
}

/// An API that is deployed.
struct Found<'a> {
    stack: &'a StackId,
    deployed: &'a Deployed,
    logical_id: &'a str,
    /// API Gateway's id.
    id: &'a str,
    kind: ApiKind,
}

/// The API that is meant: the only one, or the one of this name.
fn chosen<'a>(context: &Context<'_>, stage: &'a BTreeMap<StackId, Deployed>, name: Option<&str>) -> Result<Found<'a>> {
    let own = stage
        .iter()
        .filter(|(_, deployed)| ownership::owner(&deployed.stack, &context.project).other().is_none());
    let all = own.flat_map(|(stack, deployed)| {
        let resources = deployed.resources_of(&[REST_API, HTTP_API]);
        resources.map(move |resource| Found {
            stack,
            deployed,
            logical_id: &resource.logical_id,
            id: &resource.physical_id,
            kind: if resource.resource_type == REST_API {
                ApiKind::Rest
            } else {
                ApiKind::Http
            },
        })
    });
    let all: Vec<Found<'a>> = all.collect();
    let full = |found: &Found<'_>| format!("{}.{}", found.stack, found.logical_id);
    if all.is_empty() {
        let declared = context.project.stacks().any(|stack| {
            let apis = apis::of_template(&stack.template, &Scope::new());
            !apis.is_empty()
        });
        let stage = &context.project.stage.name;
        return Err(if declared {
            Error::new(
                ErrorKind::NotDeployed,
                format!("the stage {stage} has no API yet: no stack of it has one"),
            )
            .hint("Deploy it: `deployer up`.")
        } else {
            Error::new(
                ErrorKind::InvalidUsage,
                format!("the stage {stage} has no API, and no template in stacks/ has one"),
            )
            .hint("`deployer status` shows what the stage has.")
        });
    }
    let names = || {
        let names: Vec<String> = all.iter().map(&full).collect();
        names.join(", ")
    };
    let mut fitting: Vec<&Found<'a>> = match name {
        None => all.iter().collect(),
        Some(name) => all
            .iter()
            .filter(|found| found.logical_id == name || full(found) == name || found.id == name)
            .collect(),
    };
    let found = match (fitting.pop(), name) {
        (Some(one), _) if fitting.is_empty() => one,
        (None, Some(name)) => {
            let error = Error::new(ErrorKind::InvalidUsage, format!("the stage has no API `{name}`"));
            return Err(error.hint(format!("There are: {}.", names())));
        }
        _ => {
            let error = Error::new(
                ErrorKind::InvalidUsage,
                format!("the stage has {} APIs, and one can be written", all.len()),
            );
            return Err(error.hint(format!(
                "Name one: `deployer openapi {}`. There are: {}.",
                full(&all[0]),
                names()
            )));
        }
    };
    Ok(Found { ..*found })
}

/// What names in a deployed template mean: what the stack was given, and what it made.
fn scope(cloud: &Cloud, template: &Template, deployed: &Deployed) -> Scope {
    let mut scope = cloud.pseudo_parameters();
    scope.insert("AWS::StackName".to_owned(), deployed.stack.name.clone());
    scope.insert("AWS::StackId".to_owned(), deployed.stack.arn.clone());
    let parameters = template.known_parameters(&deployed.stack.parameters);
    // What nobody is shown isn't to stand in a document.
    scope.extend(parameters.into_iter().filter(|(name, _)| !template.is_secret(name)));
    for resource in &deployed.resources {
        scope.insert(resource.logical_id.clone(), resource.physical_id.clone());
    }
    scope
}

/// Writes the whole file or none: who reads it meanwhile has the one before.
fn write(file: &Path, text: &str) -> Result<()> {
    let what = || format!("could not write {}", file.display());
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // It is nobody's secret: as any file that a program writes.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut new = builder.permissions(permissions).tempfile_in(folder).or_fail(what)?;
    new.write_all(text.as_bytes()).or_fail(what)?;
    new.persist(file).map_err(|error| error.error).or_fail(what)?;
    Ok(())
}

fn operations(document: &Value) -> usize {
    let paths = document.get("paths").and_then(Value::as_object);
    let items = paths.into_iter().flatten().filter_map(|(_, item)| item.as_object());
    items
        .map(|item| item.values().filter(|operation| operation.is_object()).count())
        .sum()
}

#[derive(Serialize)]
struct Written {
    stack: StackId,
    api: String,
    /// API Gateway's id.
    id: String,
    url: String,
    format: &'static str,
    operations: usize,
    file: PathBuf,
}

impl CommandResult for Written {
    fn text(&self, paint: &Paint) -> String {
        let operations = match self.operations {
            1 => "1 operation".to_owned(),
            some => format!("{some} operations"),
        };
        format!(
            "{} has {}.{} at {}: {operations}\n",
            paint.bold(&self.file.display().to_string()),
            self.stack,
            self.api,
            self.url
        )
    }
}
