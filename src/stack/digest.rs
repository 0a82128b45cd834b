//! A short digest of what a stack was made from. It is kept in the stack itself, as a parameter that an output shows,
//! so that the next run needs one read to see that there is nothing to do.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::project::template::Template;

/// The parameter, and the output, that carry the digest.
pub(crate) const DIGEST: &str = "DeployerDigest";

/// The digest of a template and the values of its parameters.
///
/// The order of keys doesn't count, nor do comments or the way the YAML is written; the digest's own parameter neither.
pub(crate) fn of_stack(template: &Template, parameters: &BTreeMap<String, String>) -> String {
    let mut parameters = template.effective_parameters(parameters);
    parameters.remove(DIGEST);
    of(&json!([template.as_value(), parameters]))
}

/// What a stack has in the place of a digest while the first of two updates is deployed: no stack's digest, so that the
/// next run sees that there is more to do.
pub(crate) fn half(digest: &str) -> String {
    format!("{digest}{HALF}")
}

const HALF: &str = "-half";

/// What a stack has in the place of a digest when its protections were lifted for its deletion.
pub(crate) const RELEASED: &str = "released";

/// Whether `text` is what this deployer gives a stack as its digest, of whatever it was made.
pub(crate) fn is_one(text: &str) -> bool {
    let digest = text.strip_suffix(HALF).unwrap_or(text);
    text == RELEASED || digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// 16 hexadecimal digits of SHA-256 over the canonical form of `value`.
pub(crate) fn of(value: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(value, &mut canonical);
    hex::encode(&Sha256::digest(canonical.as_bytes())[..8])
}

/// Keys sorted, whatever order the map kept them in.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (key, inner) in sorted {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(inner, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str, parameters: &[(&str, &str)]) -> String {
        let template = Template::of_text(text);
        let parameters = parameters
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        of_stack(&template, &parameters)
    }

    #[test]
    fn comments_and_order_do_not_count_but_values_do() {
        let one = "Parameters: { A: { Type: String, Default: x }, DeployerDigest: { Type: String } }\nResources: { R: { Type: T, P: [1, 2] } }";
        let same = "# hello\nResources:\n  R:\n    P: [1, 2]\n    Type: T\nParameters:\n  DeployerDigest: { Type: String }\n  A: { Default: x, Type: String }\n";
        let other = one.replace("[1, 2]", "[2, 1]");
        assert_eq!(
            digest(one, &[]),
            digest(same, &[("DeployerDigest", "anything"), ("Unknown", "z")])
        );
        assert_eq!(
            digest(one, &[]),
            digest(one, &[("A", "x")]),
            "a default given is a default"
        );
        assert_ne!(digest(one, &[]), digest(&other, &[]));
        assert_ne!(digest(one, &[]), digest(one, &[("A", "y")]));
        assert_eq!(digest(one, &[]).len(), 16);
    }
}
