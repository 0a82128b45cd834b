//! Reading policy documents, a role's or a bucket's: they spell one and many alike.

use serde_json::Value;

/// A policy's statements: a single one needn't be in a list.
pub(super) fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    several(&policy["Statement"])
}

/// A string, or those of a list. Anything else is no string, and shows as "".
pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    several(value).map(|one| one.as_str().unwrap_or_default())
}

fn several(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.iter(),
        Value::Null => [].iter(),
        one => std::slice::from_ref(one).iter(),
    }
}
