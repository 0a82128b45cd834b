//! What a value will be, as far as it can be told before anything is deployed.

use serde_json::Value;

use super::Scope;

/// How a dynamic reference begins: what stands for a value that CloudFormation looks up elsewhere.
pub(super) const DYNAMIC: &str = "{{resolve:";

/// The text a value will be, if what is in `scope` alone decides it.
pub(super) fn resolve(value: &Value, scope: &Scope) -> Option<String> {
    as_written(value, scope).filter(|text| !text.contains(DYNAMIC))
}

fn as_written(value: &Value, scope: &Scope) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(plain_text(value)),
        Value::Object(map) if map.len() == 1 => {
            let (function, argument) = map.iter().next()?;
            match function.as_str() {
                "Ref" => scope.get(argument.as_str()?).cloned(),
                "Fn::GetAtt" => scope
                    .get(&format!(
                        "{}.{}",
                        argument.get(0)?.as_str()?,
                        argument.get(1)?.as_str()?
                    ))
                    .cloned(),
                "Fn::Sub" => match argument.as_array() {
                    None => substitute(argument.as_str()?, scope),
                    Some(parts) => {
                        // None of its own variables sees another.
                        let mut own = scope.clone();
                        for (name, value) in parts.get(1)?.as_object()? {
                            match resolve(value, scope) {
                                Some(text) => own.insert(name.clone(), text),
                                None => own.remove(name),
                            };
                        }
                        substitute(parts.first()?.as_str()?, &own)
                    }
                },
                "Fn::Select" => {
                    let index: usize = resolve(argument.get(0)?, scope)?.parse().ok()?;
                    match argument.get(1)? {
                        Value::Array(choices) => resolve(choices.get(index)?, scope),
                        split => {
                            let parts = split.get("Fn::Split")?;
                            let text = resolve(parts.get(1)?, scope)?;
                            text.split(parts.get(0)?.as_str()?).nth(index).map(str::to_owned)
                        }
                    }
                }
                "Fn::Join" => {
                    let separator = argument.get(0)?.as_str()?;
                    let parts: Option<Vec<String>> = argument
                        .get(1)?
                        .as_array()?
                        .iter()
                        .map(|part| resolve(part, scope))
                        .collect();
                    Some(parts?.join(separator))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn substitute(text: &str, scope: &Scope) -> Option<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let end = start + rest[start..].find('}')?;
        result.push_str(&rest[..start]);
        let name = &rest[start + 2..end];
        match name.strip_prefix('!') {
            Some(literal) => result.push_str(&format!("${{{literal}}}")),
            None => result.push_str(scope.get(name)?),
        }
        rest = &rest[end + 1..];
    }
    result.push_str(rest);
    Some(result)
}

/// A text of `Fn::Sub` with all that is in `scope` put into it; the rest stays.
pub(crate) fn substitute_known(text: &str, scope: &Scope) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, inner)) = rest.split_once("${") {
        let Some((name, after)) = inner.split_once('}') else {
            break;
        };
        result.push_str(before);
        match scope.get(name) {
            Some(value) => result.push_str(value),
            None => result.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    result + rest
}

/// A scalar as text; numbers as they are written.
pub(super) fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
