//! Each function lets in exactly whom the templates let in: by its resource policy and by its URL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_lambda::types::FunctionUrlAuthType;
use futures::future::try_join_all;
use serde_json::Value;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::found;
use crate::project::functions::FUNCTION;
use crate::project::stacks::StackId;
use crate::text::quoted_for_shell;
use crate::verify::documents::{account_of, pairs, several};
use crate::verify::expected::Expected;
use crate::verify::functions::Target;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem};

pub(super) struct FunctionAccess;

const PERMISSION: &str = "AWS::Lambda::Permission";
const URL: &str = "AWS::Lambda::Url";
const ALIAS: &str = "AWS::Lambda::Alias";

impl Check for FunctionAccess {
    fn id(&self) -> &'static str {
        "function-access"
    }

    fn layer(&self) -> Layer {
        Layer::Function
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let functions = stage.resources_of(&[FUNCTION]);
        let looks = functions.map(|function| {
            let wanted = DesiredStack::of(stage, function);
            let stacks = wanted.stacks(function);
            let wanted = Arc::new(wanted);
            Look::new(function.id(), stacks, move |_| access(function, Arc::clone(&wanted)))
        });
        looks.collect()
    }
}

/// Whom the templates let in to a function.
struct DesiredStack<'s> {
    /// By version or alias; none is the function itself.
    qualified: BTreeMap<Option<String>, Qualified<'s>>,
    /// Whether there may be permissions that can't be told apart here.
    is_open: bool,
}

#[derive(Default)]
struct Qualified<'s> {
    permissions: Vec<Permission<'s>>,
    url: Option<Resource<'s>>,
}

impl<'s> DesiredStack<'s> {
    fn of(stage: &'s Stage<'_>, function: Resource<'s>) -> Self {
        let mut wanted = Self {
            qualified: BTreeMap::from([(None, Qualified::default())]),
            is_open: stage.has_made(&[PERMISSION, URL]),
        };
        let mut qualifier = |resource: Resource<'_>, property: &str| {
            let value = resource.property(&[property]);
            let target = Target::of(&value, resource.cloud());
            wanted.is_open |= target.is_none();
            let target = target.filter(|target| target.is(function.name, function.cloud()))?;
            Some(
                target
                    .qualifier
                    .or_else(|| resource.property(&["Qualifier"]).known_text()),
            )
        };
        let mut found: Vec<(Option<String>, Option<Resource<'s>>)> = Vec::new();
        for alias in stage.resources_of(&[ALIAS]) {
            if qualifier(alias, "FunctionName").is_some() {
                found.push((alias.property(&["Name"]).known_text(), None));
            }
        }
        for permission in stage.resources_of(&[PERMISSION]) {
            found.extend(qualifier(permission, "FunctionName").map(|name| (name, Some(permission))));
        }
        let urls: Vec<(Option<String>, Resource<'s>)> = stage
            .resources_of(&[URL])
            .filter_map(|url| Some((qualifier(url, "TargetFunctionArn")?, url)))
            .collect();
        for (qualifier, permission) in found {
            let of = wanted.qualified.entry(qualifier).or_default();
            of.permissions.extend(permission.map(Permission::of));
        }
        for (qualifier, url) in urls {
            wanted.qualified.entry(qualifier).or_default().url = Some(url);
        }
        wanted
    }

    fn stacks(&self, function: Resource<'_>) -> Vec<StackId> {
        let of_permissions = self
            .qualified
            .values()
            .flat_map(|of| of.permissions.iter().map(|one| one.resource));
        let all = of_permissions
            .chain(self.qualified.values().filter_map(|of| of.url))
            .chain([function]);
        let ids: BTreeSet<_> = all.map(|resource| resource.stack.definition.id.clone()).collect();
        ids.into_iter().collect()
    }
}

/// A permission of a template.
struct Permission<'s> {
    resource: Resource<'s>,
    principal: Expected,
    action: Expected,
    /// By the lowercase name of the key.
    conditions: BTreeMap<String, Expected>,
}

/// What a permission's properties become in the policy: the conditions' keys.
const CONDITIONS: &[(&str, &str)] = &[
    ("SourceArn", "aws:sourcearn"),
    ("SourceAccount", "aws:sourceaccount"),
    ("PrincipalOrgID", "aws:principalorgid"),
    ("FunctionUrlAuthType", "lambda:functionurlauthtype"),
    ("EventSourceToken", "lambda:eventsourcetoken"),
    ("InvokedViaFunctionUrl", "lambda:invokedviafunctionurl"),
];

impl<'s> Permission<'s> {
    fn of(resource: Resource<'s>) -> Self {
        let conditions = CONDITIONS
            .iter()
            .map(|(property, key)| ((*key).to_owned(), resource.property(&[property])));
        Self {
            resource,
            principal: resource.property(&["Principal"]),
            action: resource.property(&["Action"]),
            conditions: conditions.filter(|(_, value)| *value != Expected::Absent).collect(),
        }
    }

    /// Whether a statement lets in whom this does, and nobody else.
    fn is(&self, statement: &Value) -> bool {
        let principals = principals(&statement["Principal"]);
        let actions = several(&statement["Action"]);
        let ([principal], [Value::String(action)]) = (principals.as_slice(), actions.as_slice()) else {
            return false;
        };
        let is_principal = self.principal.matches_text(principal)
            || account_of(principal).is_some_and(|account| self.principal.matches_text(&account));
        let Some(conditions) = conditions(&statement["Condition"]) else {
            return false;
        };
        statement["Effect"] == "Allow"
            && is_principal
            && self.action.matches_text(action)
            && self.conditions.len() == conditions.len()
            && self
                .conditions
                .iter()
                .all(|(key, value)| conditions.get(key).is_some_and(|live| value.matches_text(live)))
    }
}

fn principals(principal: &Value) -> Vec<String> {
    let texts = |value: &Value| -> Vec<String> {
        several(value)
            .into_iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    match principal {
        Value::Object(kinds) => kinds.values().flat_map(texts).collect(),
        anybody => texts(anybody),
    }
}

/// The values of a statement's conditions by their keys; none if one isn't of the kinds that Lambda itself writes.
fn conditions(condition: &Value) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        if !matches!(
            operator.as_str(),
            "ArnLike" | "ArnEquals" | "StringLike" | "StringEquals" | "Bool"
        ) {
            return None;
        }
        for (key, values) in keys.as_object()? {
            let [value] = several(values)[..] else { return None };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if found.insert(key.to_lowercase(), text).is_some() {
                return None;
            }
        }
    }
    Some(found)
}

async fn access(function: Resource<'_>, wanted: Arc<DesiredStack<'_>>) -> Finding {
    let looks = wanted.qualified.iter().map(async |(qualifier, of)| {
        let qualifier = qualifier.as_deref();
        let (policy, url) = tokio::try_join!(
            statements(function.cloud(), function.name, qualifier),
            url(function.cloud(), function.name, qualifier)
        )?;
        judge(function, qualifier, of, &policy, url.as_ref(), wanted.is_open)
    });
    Ok(try_join_all(looks).await?.join("; "))
}

fn judge(
    function: Resource<'_>,
    qualifier: Option<&str>,
    wanted: &Qualified<'_>,
    policy: &[Value],
    url: Option<&FunctionUrlAuthType>,
    is_open: bool,
) -> Finding {
    let name = qualifier.map_or_else(
        || function.name.to_owned(),
        |qualifier| format!("{}:{qualifier}", function.name),
    );
    let permissions: Vec<&Permission<'_>> = wanted.permissions.iter().collect();
    let live: Vec<&Value> = policy.iter().collect();
    let (missing, more) = pairs(&permissions, &live, |permission, statement| permission.is(statement));
    if let Some(statement) = more.first() {
        let sid = statement["Sid"].as_str().unwrap_or("without a name");
        let evidence = format!("the policy of {name} has a statement that no template has, {sid}: {statement}");
        if is_open {
            return Err(Problem::not_proven(
                evidence,
                "Some permissions' functions only CloudFormation knows: look whether it is one of those.",
            ));
        }
        let next = format!(
            "`aws lambda remove-permission --function-name {name} --statement-id {}` takes it away.",
            quoted_for_shell(sid)
        );
        return Err(Problem::failed(evidence, next));
    }
    if let Some(permission) = missing.first() {
        return Err(Problem::failed(
            format!(
                "{name} doesn't let {} in, as {} says: its policy has no such statement",
                permission.principal,
                permission.resource.id()
            ),
            permission.resource.restore(),
        ));
    }
    let auth = wanted.url.map(|url| url.property(&["AuthType"]));
    match (&auth, url) {
        (None, Some(live)) if is_open => Err(Problem::not_proven(
            format!("{name} has a URL (AuthType {live}), and which functions have one only CloudFormation knows"),
            "Let the templates name the functions of URLs by `Ref`, `Fn::GetAtt` or a name.",
        )),
        (None, Some(live)) => Err(Problem::failed(
            format!("{name} has a URL, which no template has, with the AuthType {live}"),
            format!(
                "`aws lambda delete-function-url-config --function-name {}` takes it away.",
                function.name
            ),
        )),
        (Some(_), None) => Err(Problem::failed(
            format!("{name} has no URL, and the template has one"),
            function.restore(),
        )),
        (Some(wanted), Some(live)) if !wanted.matches_text(live.as_str()) => Err(Problem::failed(
            format!("the URL of {name} has the AuthType {live}, and the template says {wanted}"),
            function.restore(),
        )),
        _ => {
            let lets_in: Vec<String> = permissions
                .iter()
                .map(|permission| permission.principal.to_string())
                .collect();
            let lets_in = if lets_in.is_empty() {
                "nobody".to_owned()
            } else {
                lets_in.join(", ")
            };
            let url = auth.map_or_else(String::new, |auth| format!(", and has a URL with {auth}"));
            Ok(format!("{name} lets in {lets_in}{url}, as the templates say"))
        }
    }
}

/// The statements of a function's policy; it has none before the first permission.
async fn statements(cloud: &Cloud, name: &str, qualifier: Option<&str>) -> Result<Vec<Value>, Problem> {
    let request = cloud.lambda.get_policy().function_name(name);
    let answer = request.set_qualifier(qualifier.map(str::to_owned)).send().await;
    let what = || format!("could not read the policy of the function {name}");
    let policy = found(answer, |error| error.is_resource_not_found_exception(), what)?;
    let text = policy
        .and_then(|policy| policy.policy)
        .unwrap_or_else(|| "{}".to_owned());
    let policy: Value = serde_json::from_str(&text).map_err(|error| {
        let next = "Run `deployer verify` again.";
        Problem::not_proven(format!("the policy of the function {name} isn't JSON: {error}"), next)
    })?;
    Ok(several(&policy["Statement"]).into_iter().cloned().collect())
}

async fn url(cloud: &Cloud, name: &str, qualifier: Option<&str>) -> Result<Option<FunctionUrlAuthType>, Problem> {
    // Versions have none.
    if qualifier.is_some_and(|qualifier| qualifier.chars().all(|c| c.is_ascii_digit())) {
        return Ok(None);
    }
    let request = cloud.lambda.get_function_url_config().function_name(name);
    let answer = request.set_qualifier(qualifier.map(str::to_owned)).send().await;
    let what = || format!("could not look at the URL of the function {name}");
    let url = found(answer, |error| error.is_resource_not_found_exception(), what)?;
    Ok(url.map(|url| url.auth_type))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::conditions;
    use super::principals;

    #[test]
    fn principals_and_conditions_come_in_many_forms() {
        assert_eq!(principals(&json!("*")), ["*"]);
        assert_eq!(principals(&json!({"Service": "a", "AWS": ["b", "c"]})).len(), 3);
        let found =
            conditions(&json!({"ArnLike": {"AWS:SourceArn": "x"}, "StringEquals": {"AWS:SourceAccount": ["1"]}}));
        let found = found.expect("Lambda's own");
        assert_eq!(found["aws:sourcearn"], "x");
        assert_eq!(found["aws:sourceaccount"], "1");
        assert_eq!(conditions(&json!(null)).expect("none").len(), 0);
        for other in [
            json!({"StringNotEquals": {"AWS:SourceAccount": "1"}}),
            json!({"StringEquals": {"AWS:SourceAccount": ["1", "2"]}}),
            json!({"StringEquals": {"aws:SourceArn": "1"}, "ArnLike": {"AWS:SourceArn": "1"}}),
        ] {
            assert_eq!(conditions(&other), None, "{other}");
        }
    }
}
