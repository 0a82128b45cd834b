//! What CloudFormation reads in its caller's name while it takes a template, whatever the template's resources are: values of Systems
//! Manager's and Secrets Manager's, and macros.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names::{Names, region};
use super::{Caller, Effect, Statement, actions};

/// How a reference to a value begins that CloudFormation looks up.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>
const REFERENCE: &str = "{{resolve:";

/// The services that it looks them up in, and the action that it asks for.
const SERVICES: &[(&str, &str)] = &[
    ("secretsmanager", "secretsmanager:GetSecretValue"),
    ("ssm", "ssm:GetParameters"),
    ("ssm-secure", "ssm:GetParameters"),
];

/// The statements for what the stage's templates have read.
pub(super) fn statements(names: &Names<'_>) -> Vec<Statement> {
    let mut parameters = BTreeSet::new();
    let mut secrets = BTreeSet::new();
    let mut macros = BTreeSet::new();
    for stack in names.stacks_themselves() {
        let region = region(stack);
        for name in stack.template.looked_up_parameters() {
            parameters.insert(parameter(&region, names.given(stack, name).as_deref()));
        }
        references(&stack.template.as_value(), &mut |service, rest| match service {
            "secretsmanager" => drop(secrets.insert(secret(&region, rest))),
            _ => drop(parameters.insert(parameter(&region, Some(rest)))),
        });
        macros.extend(stack.template.transforms().map(|name| transform(&region, name)));
    }
    let asked = [
        ("ParametersThatAreLookedUp", "ssm:GetParameters", parameters),
        ("SecretsThatAreLookedUp", "secretsmanager:GetSecretValue", secrets),
        // <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html>
        ("Macros", "cloudformation:CreateChangeSet", macros),
    ];
    let asked = asked.into_iter().filter(|(.., resources)| !resources.is_empty());
    let statements = asked.map(|(sid, action, resources)| Statement {
        sid: sid.to_owned(),
        effect: Effect::Allow,
        actions: actions(&[action]),
        resources,
        condition: None,
        caller: Caller::CloudFormation(BTreeSet::new()),
    });
    statements.collect()
}

/// Each reference in a value's texts: the service, and what stands behind it.
fn references(value: &Value, found: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::String(text) => {
            for part in text.split(REFERENCE).skip(1) {
                let (inner, _) = part.split_once("}}").unwrap_or((part, ""));
                if let Some((service, rest)) = inner.split_once(':')
                    && SERVICES.iter().any(|(known, _)| *known == service)
                {
                    found(service, rest);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(map) => map.values().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// The ARN of a parameter by its name, behind which a version may stand; all, if the name can't be told.
fn parameter(region: &str, name: Option<&str>) -> String {
    if let Some(arn) = name.filter(|name| name.starts_with("arn:")) {
        return arn.to_owned();
    }
    let name = name.map(|name| name.split(':').next().unwrap_or_default());
    let name = name
        .map(|name| name.trim_start_matches('/'))
        .filter(|name| is_literal(name));
    format!(
        "arn:${{AWS::Partition}}:ssm:{region}:${{AWS::AccountId}}:parameter/{}",
        name.unwrap_or("*")
    )
}

/// That of a secret, by its name or ARN, behind which it stands what of it is wanted.
fn secret(region: &str, reference: &str) -> String {
    if reference.starts_with("arn:") {
        // An ARN of a secret has seven parts.
        return reference.splitn(8, ':').take(7).collect::<Vec<_>>().join(":");
    }
    let name = reference.split(':').next().unwrap_or_default();
    let name = if is_literal(name) {
        format!("{name}-??????")
    } else {
        "*".to_owned()
    };
    format!("arn:${{AWS::Partition}}:secretsmanager:{region}:${{AWS::AccountId}}:secret:{name}")
}

/// That of a macro: AWS's own belong to no account.
fn transform(region: &str, name: Option<&str>) -> String {
    let (account, name) = match name {
        Some(name) if name.starts_with("AWS::") => ("aws", name.trim_start_matches("AWS::")),
        Some(name) => ("${AWS::AccountId}", name),
        None => ("${AWS::AccountId}", "*"),
    };
    format!("arn:${{AWS::Partition}}:cloudformation:{region}:{account}:transform/{name}")
}

fn is_literal(name: &str) -> bool {
    !name.is_empty() && !name.contains("${")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_looked_up_is_granted_by_its_name() {
        let mut found = Vec::new();
        let template = json!({ "Properties": [
            "{{resolve:ssm:/shop/rate:3}} and {{resolve:secretsmanager:shop/token:SecretString:key}}",
            { "Fn::Sub": "{{resolve:secretsmanager:${Name}}}" },
            "{{resolve:other:x}}",
        ] });
        references(&template, &mut |service, rest| {
            found.push((service.to_owned(), rest.to_owned()));
        });
        let expected = [
            ("ssm", "/shop/rate:3"),
            ("secretsmanager", "shop/token:SecretString:key"),
            ("secretsmanager", "${Name"),
        ];
        assert_eq!(
            found,
            expected.map(|(service, rest)| (service.to_owned(), rest.to_owned()))
        );
        let here = "r:${AWS::AccountId}";
        let of = |rest: &str| format!("arn:${{AWS::Partition}}:{rest}");
        assert_eq!(
            parameter("r", Some("/shop/rate:3")),
            of(&format!("ssm:{here}:parameter/shop/rate"))
        );
        assert_eq!(parameter("r", None), of(&format!("ssm:{here}:parameter/*")));
        assert_eq!(
            secret("r", "shop/token:SecretString:key"),
            of(&format!("secretsmanager:{here}:secret:shop/token-??????"))
        );
        assert_eq!(secret("r", "${Name"), of(&format!("secretsmanager:{here}:secret:*")));
        assert_eq!(
            secret("r", "arn:aws:secretsmanager:r:1:secret:token-a1b2c3:SecretString:key"),
            "arn:aws:secretsmanager:r:1:secret:token-a1b2c3"
        );
        assert_eq!(
            transform("r", Some("AWS::Serverless-2016-10-31")),
            of("cloudformation:r:aws:transform/Serverless-2016-10-31")
        );
        assert_eq!(
            transform("r", Some("Own")),
            of(&format!("cloudformation:{here}:transform/Own"))
        );
    }
}
