//! The functions that the templates have, and where the code of each comes from.

use std::path::PathBuf;

use serde_json::Value;

use super::stacks::{StackId, StackTemplate};
use super::template::{Scope, Template};

/// The type of a function.
pub(crate) const FUNCTION: &str = "AWS::Lambda::Function";

/// What a parameter's name ends in that wants the key of a package.
const CODE_KEY: &str = "CodeKey";

/// The binary that a parameter without any more of a name wants.
const BOOTSTRAP: &str = "bootstrap";

/// A function whose code the deployer uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// The stack that it is in.
    pub stack: StackId,
    /// Its key in the template.
    pub logical_id: String,
    /// What is packed.
    pub code: Code,
    /// The parameter that is given the package's key.
    pub key_parameter: String,
    /// The parameter that is given the bucket it is in; none if the template says the bucket itself.
    pub bucket_parameter: Option<String>,
}

/// What a function's package is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    /// A binary of the crate in `function/`.
    Binary {
        /// What it is called, as far as the template tells: in kebab case, if it comes from a parameter's name.
        name: String,
        /// Somebody else's package is good enough: the parameter has a default.
        optional: bool,
    },
    /// A folder or a zip, relative to the project's folder.
    Path(PathBuf),
}

impl Code {
    /// What its package is called: as the binary, or the folder, that it is made of.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Binary { name, .. } => name.clone(),
            Self::Path(path) => path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default(),
        }
    }
}

/// The functions of one stack whose code the deployer uploads. Those with `ZipFile`, `ImageUri` or somebody's own key
/// aren't among them.
pub(crate) fn of_stack(stack: &StackTemplate) -> Vec<Function> {
    let functions = stack.template.resources_of(FUNCTION);
    functions
        .filter_map(|(id, resource)| of_resource(stack, id, resource))
        .collect()
}

fn of_resource(stack: &StackTemplate, id: &str, resource: &Value) -> Option<Function> {
    let code = resource.get("Properties")?.get("Code")?;
    let parameter = |property: &str| {
        let name = code.get(property)?.get("Ref")?.as_str()?;
        stack.template.parameter(name).map(|_| name.to_owned())
    };
    let key = parameter("S3Key")?;
    let metadata = resource.get("Metadata");
    let said = metadata.and_then(|metadata| metadata.get("Deployer")?.get("Code")?.as_str());
    // SAM's own words: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-rust.html
    let sams = metadata
        .filter(|metadata| {
            metadata
                .get("BuildMethod")
                .is_some_and(|method| method == "rust-cargolambda")
        })
        .and_then(|metadata| metadata.get("BuildProperties")?.get("Binary")?.as_str());
    let optional = stack
        .template
        .default_of(&key)
        .is_some_and(|default| !default.is_empty());
    let code = match (said, sams) {
        (Some(path), _) => Code::Path(PathBuf::from(path)),
        (None, Some(name)) => Code::Binary {
            name: name.to_owned(),
            optional: false,
        },
        (None, None) => Code::Binary {
            name: binary_of(&key)?,
            optional,
        },
    };
    Some(Function {
        stack: stack.id.clone(),
        logical_id: id.to_owned(),
        code,
        key_parameter: key,
        bucket_parameter: parameter("S3Bucket"),
    })
}

/// The binary that a parameter's name means: `CodeKey` is `bootstrap`, `ListOrdersCodeKey` is `list-orders`.
fn binary_of(parameter: &str) -> Option<String> {
    let stem = parameter.strip_suffix(CODE_KEY)?;
    Some(if stem.is_empty() {
        BOOTSTRAP.to_owned()
    } else {
        kebab_case(stem)
    })
}

/// `ListOrders` as `list-orders`, `HTTPGet` as `http-get`, `OAuth2Token` as `o-auth2-token`: what is compared with it
/// leaves case and hyphens out.
fn kebab_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut result = String::new();
    for (index, c) in characters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| characters.get(index));
        let after = characters.get(index + 1);
        let begins = c.is_ascii_uppercase()
            && before.is_some_and(|before| !before.is_ascii_uppercase() || after.is_some_and(char::is_ascii_lowercase));
        if begins {
            result.push('-');
        }
        result.push(c.to_ascii_lowercase());
    }
    result
}

/// The processor that a function's template says it runs on, in AWS's words; none if that can't be told from `scope`.
pub(crate) fn architecture(template: &Template, logical_id: &str, scope: &Scope) -> Option<String> {
    let properties = template.resource(logical_id)?.get("Properties")?;
    match properties.get("Architectures") {
        None => Some("x86_64".to_owned()),
        Some(architectures) => template.text_of(template.chosen(architectures, scope)?.get(0)?, scope),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(text: &str) -> Vec<(String, Code)> {
        let stack = StackTemplate::of_text("api", text);
        let functions = of_stack(&stack);
        functions
            .into_iter()
            .map(|function| (function.logical_id, function.code))
            .collect()
    }

    fn binary(name: &str, optional: bool) -> Code {
        Code::Binary {
            name: name.to_owned(),
            optional,
        }
    }

    #[test]
    fn a_parameters_name_tells_the_binary() {
        for (parameter, name) in [
            ("CodeKey", "bootstrap"),
            ("ListOrdersCodeKey", "list-orders"),
            ("HTTPGetCodeKey", "http-get"),
            ("ACodeKey", "a"),
        ] {
            assert_eq!(binary_of(parameter).as_deref(), Some(name));
        }
        assert_eq!(binary_of("Key"), None);
    }

    #[test]
    fn only_what_refers_to_a_key_is_built() {
        let text = r#"
Parameters:
  CodeBucket: { Type: String }
  CodeKey: { Type: String }
  OtherCodeKey: { Type: String, Default: theirs.zip }
  Any: { Type: String }
  Where: { Type: String }
Resources:
  Own: { Type: AWS::Lambda::Function, Properties: { Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref CodeKey } } }
  Other: { Type: AWS::Lambda::Function, Properties: { Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref OtherCodeKey } } }
  Said:
    Type: AWS::Lambda::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: exactly_this } }
    Properties: { Code: { S3Bucket: !Ref CodeBucket, S3Key: !Ref Any } }
  Python:
    Type: AWS::Lambda::Function
    Metadata: { Deployer: { Code: python/report } }
    Properties: { Code: { S3Bucket: b, S3Key: !Ref Any } }
  Inline: { Type: AWS::Lambda::Function, Properties: { Code: { ZipFile: "x" } } }
  Image: { Type: AWS::Lambda::Function, Properties: { Code: { ImageUri: x } } }
  Theirs: { Type: AWS::Lambda::Function, Properties: { Code: { S3Bucket: b, S3Key: k } } }
  Unnamed: { Type: AWS::Lambda::Function, Properties: { Code: { S3Bucket: b, S3Key: !Ref Where } } }
"#;
        let expected = [
            ("Own", binary("bootstrap", false)),
            ("Other", binary("other", true)),
            ("Said", binary("exactly_this", false)),
            ("Python", Code::Path("python/report".into())),
        ];
        let found = functions(text);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (id, code) in expected {
            assert!(found.contains(&(id.to_owned(), code)), "{id}");
        }
    }
}
