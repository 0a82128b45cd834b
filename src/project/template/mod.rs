//! CloudFormation templates as data: reading them, and answering what can be known before anything is deployed.

mod check;
#[cfg(test)]
mod differential;
mod read;
mod references;
mod resolve;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::naming::{self, NamedResource};
use super::{did_you_mean, source};
use crate::error::{Error, ErrorKind, Result};
pub(crate) use check::{Slip, slips};
use read::Reading;
pub(crate) use references::{references, rename_references};
pub(crate) use resolve::substitute_known;
use resolve::{DYNAMIC, plain_text, resolve};

/// A template, its short forms (`!Ref x`) written out (`{"Ref": "x"}`).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    root: Map<String, Value>,
}

/// What `Ref`, `Fn::GetAtt` and `Fn::Sub` mean: parameters and pseudo parameters by their names, and what is known of
/// resources: `Table`'s `Ref` by its logical id, its attributes as `Table.Arn`.
pub(crate) type Scope = BTreeMap<String, String>;

/// The macro that only adds to the template language: loops, and functions where there were none.
const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

impl Template {
    /// Parses a template file's text, YAML or JSON. Beside it what is to be warned of, a sentence each.
    ///
    /// # Errors
    /// Names file, line and column where the text is no YAML or means another thing to other readers, or says what is
    /// missing.
    pub(crate) fn parse(text: &str, file: &Path) -> Result<(Self, Vec<String>)> {
        let (value, warnings) = read::read(text, file, Reading::Written)?;
        let Value::Object(root) = value else {
            return Err(Error::new(
                ErrorKind::InvalidProject,
                format!("{} is no CloudFormation template", file.display()),
            )
            .hint("A template is a mapping with `Resources:`."));
        };
        let template = Self { root };
        match template.root.get("Resources") {
            Some(Value::Object(resources)) if !resources.is_empty() => {}
            Some(Value::Array(_)) => {
                let error = Error::new(
                    ErrorKind::InvalidProject,
                    "`Resources` is a list, and takes names with resources",
                );
                let error = source::at(file, text, &["Resources"]).refuse(error);
                return Err(error.hint("Give each resource a name: `Resources: { Topic: { Type: AWS::SNS::Topic } }`."));
            }
            found => {
                let error = Error::new(
                    ErrorKind::InvalidProject,
                    format!("{} has no `Resources:`", file.display()),
                );
                let names: Vec<&str> = template.root.keys().map(String::as_str).collect();
                return Err(match did_you_mean("Resources", &names).filter(|_| found.is_none()) {
                    Some(near) => source::at(file, text, &[near])
                        .show_in(error)
                        .hint(format!("Did you mean `Resources` where `{near}` stands?")),
                    None => error.hint("A stack needs at least one resource."),
                });
            }
        }
        for (id, resource) in template.section("Resources") {
            // A loop or a macro of the template language makes resources, and is none.
            let is_made = id.starts_with("Fn::");
            if !is_made && !resource.get("Type").is_some_and(Value::is_string) {
                return Err(source::at(file, text, &["Resources", id])
                    .refuse(Error::new(
                        ErrorKind::InvalidProject,
                        format!("resource `{id}` has no `Type:`"),
                    ))
                    .hint(match resource.get("type") {
                        Some(_) => "Did you mean `Type` where `type` stands?",
                        None => "Say what it is: `Type: AWS::…`.",
                    }));
            }
        }
        Ok((template, warnings))
    }

    /// A stack's own template, whoever wrote it: CloudFormation has taken it, so that nothing is refused that can be read.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn of_deployed(text: &str) -> Result<Self> {
        // What this deployer sends; of a name that is there twice the last counts.
        if let Ok(root) = serde_json::from_str(text) {
            return Ok(Self { root });
        }
        let (value, _) = read::read(text, Path::new("deployed template"), Reading::Deployed)?;
        let root = match value {
            Value::Object(root) => root,
            _ => Map::new(),
        };
        Ok(Self { root })
    }

    /// A template for a test.
    #[cfg(test)]
    pub(crate) fn of_text(text: &str) -> Self {
        Self::parse(text, Path::new("stacks/x.yaml"))
            .expect("a valid template")
            .0
    }

    /// The whole template as compact JSON, which CloudFormation takes as well as YAML.
    pub(crate) fn to_json(&self) -> String {
        // Its names are text, so that nothing can be wrong with it.
        serde_json::to_string(&self.root).unwrap_or_default()
    }

    /// The whole template as a value.
    pub(crate) fn as_value(&self) -> Value {
        Value::Object(self.root.clone())
    }

    /// The resources by logical id; not those that a loop or a macro will make.
    pub(crate) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.section("Resources")
            .filter(|(id, _)| !id.starts_with("Fn::"))
            .map(|(id, value)| (id.as_str(), value))
    }

    /// The same with what loops and macros are given, under the names of these functions.
    pub(crate) fn resources_and_loops(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.section("Resources").map(|(id, value)| (id.as_str(), value))
    }

    /// The resources of a type.
    pub(crate) fn resources_of<'a>(&'a self, resource_type: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.resources()
            .filter(move |(_, resource)| Self::type_of(resource) == resource_type)
    }

    /// One resource.
    pub(crate) fn resource(&self, logical_id: &str) -> Option<&Value> {
        self.root.get("Resources")?.get(logical_id)
    }

    /// What the template says to the deployer, under `Metadata: { Deployer: … }`.
    pub(crate) fn said_to_deployer(&self, key: &str) -> Option<&Value> {
        self.root.get("Metadata")?.get("Deployer")?.get(key)
    }

    /// The outputs and their values.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.section("Outputs")
            .filter_map(|(name, output)| Some((name.as_str(), output.get("Value")?)))
    }

    /// The value of one output.
    pub(crate) fn output(&self, name: &str) -> Option<&Value> {
        self.root.get("Outputs")?.get(name)?.get("Value")
    }

    /// A parameter's declaration.
    pub(crate) fn parameter(&self, name: &str) -> Option<&Value> {
        self.root.get("Parameters")?.get(name)
    }

    /// A parameter's default, as text.
    pub(crate) fn default_of(&self, parameter: &str) -> Option<String> {
        self.parameter(parameter)?.get("Default").map(plain_text)
    }

    /// The parameters that name a resource: what gives them a value decides what the resource is called.
    pub(crate) fn naming_parameters(&self) -> BTreeSet<String> {
        self.resources()
            .filter_map(|(_, resource)| naming::own_name(Self::type_of(resource), resource))
            .flat_map(references)
            .collect()
    }

    /// The resources by logical id, to be changed.
    pub(crate) fn resources_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.root.get_mut("Resources").and_then(Value::as_object_mut)
    }

    /// Adds an entry to a section, in the place of one that is there.
    pub(crate) fn add(&mut self, section: &str, name: &str, value: Value) {
        let section = self.root.entry(section).or_insert_with(|| json!({}));
        if let Some(entries) = section.as_object_mut() {
            entries.insert(name.to_owned(), value);
        }
    }

    /// Takes an entry out of a section.
    pub(crate) fn remove(&mut self, section: &str, name: &str) {
        if let Some(entries) = self.root.get_mut(section).and_then(Value::as_object_mut) {
            entries.remove(name);
        }
    }

    /// Every value below the template's root, to be rewritten.
    pub(crate) fn sections_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.root.values_mut()
    }

    fn section(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.root.get(name).and_then(Value::as_object).into_iter().flatten()
    }

    /// A resource's type, or "".
    pub(crate) fn type_of(resource: &Value) -> &str {
        resource.get("Type").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether an output is declared.
    pub(crate) fn has_output(&self, name: &str) -> bool {
        self.section("Outputs").any(|(output, _)| output == name)
    }

    /// Whether a resource will be made, as far as parameters tell: what can't be told is taken for yes.
    pub(crate) fn is_wanted(&self, resource: &Value, scope: &Scope) -> bool {
        self.is_made(resource, scope).unwrap_or(true)
    }

    /// Whether a resource will be made; none if its condition can't be told.
    fn is_made(&self, resource: &Value, scope: &Scope) -> Option<bool> {
        match resource.get("Condition") {
            None => Some(true),
            Some(name) => self.condition_holds(name.as_str()?, scope),
        }
    }

    /// What a value is where conditions choose: the branch of each `Fn::If` that holds. None if that can't be told.
    pub(crate) fn chosen<'a>(&'a self, value: &'a Value, scope: &Scope) -> Option<&'a Value> {
        let branches = value.as_object().filter(|map| map.len() == 1);
        let Some(branches) = branches.and_then(|map| map.get("Fn::If")) else {
            return Some(value);
        };
        let holds = self.condition_holds(branches.get(0)?.as_str()?, scope)?;
        self.chosen(branches.get(if holds { 1 } else { 2 })?, scope)
    }

    /// The text that a value will be, if what is in `scope`, conditions and mappings alone decide it.
    pub(crate) fn text_of(&self, value: &Value, scope: &Scope) -> Option<String> {
        let value = self.chosen(value, scope)?;
        let found = value.as_object().filter(|map| map.len() == 1);
        match found.and_then(|map| map.get("Fn::FindInMap")) {
            None => resolve(value, scope),
            Some(path) => {
                let mut found = self.root.get("Mappings")?;
                for key in path.as_array().filter(|path| path.len() == 3)? {
                    found = found.get(self.text_of(key, scope)?)?;
                }
                resolve(found, scope)
            }
        }
    }

    /// The names of other stacks' exports that it imports, as far as what is in `scope` decides them.
    pub(crate) fn imports(&self, scope: &Scope) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut values: Vec<&Value> = self.root.values().collect();
        while let Some(value) = values.pop() {
            match value {
                Value::Array(items) => values.extend(items),
                Value::Object(map) => {
                    let import = map.get("Fn::ImportValue");
                    names.extend(import.and_then(|name| self.text_of(name, scope)));
                    values.extend(map.values());
                }
                _ => {}
            }
        }
        names
    }

    /// What values of resources may depend on beside parameters' values.
    pub(crate) fn terms(&self) -> [Option<&Value>; 3] {
        ["Parameters", "Conditions", "Mappings"].map(|section| self.root.get(section))
    }

    /// The parameters whose values CloudFormation looks up elsewhere: what is given is only where.
    pub(crate) fn looked_up_parameters(&self) -> impl Iterator<Item = &str> {
        self.section("Parameters")
            .filter(|(_, declaration)| {
                let kind = declaration.get("Type").and_then(Value::as_str);
                kind.is_some_and(|kind| kind.starts_with("AWS::SSM::Parameter::Value"))
            })
            .map(|(name, _)| name.as_str())
    }

    fn condition_holds(&self, name: &str, scope: &Scope) -> Option<bool> {
        self.named_holds(name, scope, &mut BTreeMap::new())
    }

    /// A condition by its name; those that were looked at are in `known`. Where some refer to one another in a circle, which
    /// is CloudFormation's to refuse, nothing can be told.
    fn named_holds<'t>(
        &'t self,
        name: &str,
        scope: &Scope,
        known: &mut BTreeMap<&'t str, Option<bool>>,
    ) -> Option<bool> {
        let (name, condition) = self.root.get("Conditions")?.as_object()?.get_key_value(name)?;
        if let Some(holds) = known.get(name.as_str()) {
            return *holds;
        }
        known.insert(name, None);
        let holds = self.holds(condition, scope, known);
        known.insert(name, holds);
        holds
    }

    /// Whether a condition holds, as far as it can be told: of several parts one alone may decide.
    fn holds<'t>(
        &'t self,
        condition: &Value,
        scope: &Scope,
        known: &mut BTreeMap<&'t str, Option<bool>>,
    ) -> Option<bool> {
        let (function, argument) = condition.as_object()?.iter().next()?;
        match function.as_str() {
            "Condition" => self.named_holds(argument.as_str()?, scope, known),
            "Fn::Equals" => Some(self.text_of(argument.get(0)?, scope)? == self.text_of(argument.get(1)?, scope)?),
            "Fn::Not" => Some(!self.holds(argument.get(0)?, scope, known)?),
            "Fn::And" | "Fn::Or" => {
                let deciding = function == "Fn::Or";
                let mut all = Some(!deciding);
                for part in argument.as_array().into_iter().flatten() {
                    match self.holds(part, scope, known) {
                        Some(holds) if holds == deciding => return Some(deciding),
                        Some(_) => {}
                        None => all = None,
                    }
                }
                all
            }
            _ => None,
        }
    }

    /// Whether what it makes depends on what stands elsewhere and may change without it: values that CloudFormation looks
    /// up, and what macros read. Only CloudFormation can tell whether there is anything to do.
    pub(crate) fn depends_on_outside(&self) -> bool {
        self.looked_up_parameters().next().is_some()
            || self.transforms().any(|name| name != Some(LANGUAGE_EXTENSIONS))
            || self.root.values().any(reads_outside)
    }

    /// The macros that the whole template goes through, by their names as far as they are text.
    pub(crate) fn transforms(&self) -> impl Iterator<Item = Option<&str>> {
        let said = self.root.get("Transform").map(items).unwrap_or_default();
        said.iter().map(Value::as_str)
    }

    /// Whether a resource goes with its stack, as it does unless it says otherwise.
    pub(crate) fn goes_with_stack(&self, logical_id: &str) -> bool {
        let policy = self
            .resources()
            .find(|(id, _)| *id == logical_id)
            .and_then(|(_, resource)| resource.get("DeletionPolicy"));
        policy.is_none_or(|policy| policy == "Delete")
    }

    /// The definition of one condition.
    pub(crate) fn condition(&self, name: &str) -> Option<&Value> {
        self.root.get("Conditions")?.get(name)
    }

    /// Whether a parameter of this name is declared.
    pub(crate) fn declares(&self, parameter: &str) -> bool {
        self.section("Parameters").any(|(name, _)| name == parameter)
    }

    /// Whether a parameter is one that CloudFormation shows to nobody: `NoEcho`.
    pub(crate) fn is_secret(&self, parameter: &str) -> bool {
        let no_echo = self
            .parameter(parameter)
            .and_then(|declaration| declaration.get("NoEcho"));
        no_echo.is_some_and(|on| *on == true || on == "true")
    }

    /// The declared parameters.
    pub(crate) fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.section("Parameters").map(|(name, _)| name.as_str())
    }

    /// The given values plus the template's defaults: what each parameter will be.
    pub(crate) fn effective_parameters(&self, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        self.section("Parameters")
            .filter_map(|(name, declaration)| {
                let value = given
                    .get(name)
                    .cloned()
                    .or_else(|| declaration.get("Default").map(plain_text))?;
                Some((name.clone(), value))
            })
            .collect()
    }

    /// The same without those that CloudFormation looks up: what is known of them beforehand is only where.
    pub(crate) fn known_parameters(&self, given: &BTreeMap<String, String>) -> Scope {
        let mut known = self.effective_parameters(given);
        self.looked_up_parameters().for_each(|name| {
            known.remove(name);
        });
        known
    }

    /// The resources that are sure to be made and whose names the template chooses, as far as `scope` can tell either.
    pub(crate) fn named_resources(&self, scope: &Scope) -> Vec<NamedResource> {
        self.resources()
            .filter(|(_, resource)| self.is_made(resource, scope) == Some(true))
            .filter_map(|(id, resource)| {
                let resource_type = Self::type_of(resource);
                let name = naming::property_of(resource_type, resource)?;
                Some(NamedResource {
                    logical_id: id.to_owned(),
                    resource_type: resource_type.to_owned(),
                    parameters: references(name)
                        .into_iter()
                        .filter(|name| self.declares(name))
                        .collect(),
                    name: self.text_of(name, scope)?,
                })
            })
            .collect()
    }
}

/// The items of a list, or the one that stands in its place, as policies and many properties have it.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Whether CloudFormation looks up something of a value elsewhere: a dynamic reference
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html>), or a macro.
fn reads_outside(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(DYNAMIC),
        Value::Array(items) => items.iter().any(reads_outside),
        Value::Object(map) => map.contains_key("Fn::Transform") || map.values().any(reads_outside),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Stage: { Type: String }
  Days: { Type: Number, Default: 14 }
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "shop-${Stage}-${AWS::AccountId}"
  Role:
    Type: AWS::IAM::Role
    Condition: IsProd
    Properties:
      RoleName: !Join ["-", [shop, !Ref Stage]]
      Arn: !GetAtt Bucket.Arn
      Other: !If [IsProd, !Sub "${Bucket.Arn}/*", !Ref AWS::NoValue]
"#;

    fn template() -> Template {
        Template::of_text(TEMPLATE)
    }

    fn scope() -> Scope {
        Scope::from([
            ("Stage".into(), "prod".into()),
            ("AWS::AccountId".into(), "123456789012".into()),
        ])
    }

    #[test]
    fn short_forms_are_written_out() {
        let template = template();
        let value = template.as_value();
        let role = &value["Resources"]["Role"]["Properties"];
        assert_eq!(role["Arn"], json!({"Fn::GetAtt": ["Bucket", "Arn"]}));
        assert_eq!(role["Other"]["Fn::If"][1], json!({"Fn::Sub": "${Bucket.Arn}/*"}));
        assert_eq!(value["AWSTemplateFormatVersion"], "2010-09-09");
        assert_eq!(
            value["Conditions"]["IsProd"],
            json!({"Fn::Equals": [{"Ref": "Stage"}, "prod"]})
        );
    }

    #[test]
    fn names_are_known_before_anything_is_deployed() {
        let names: Vec<String> = template()
            .named_resources(&scope())
            .into_iter()
            .map(|named| format!("{} {}", named.resource_type, named.name))
            .collect();
        assert_eq!(
            names,
            ["AWS::S3::Bucket shop-prod-123456789012", "AWS::IAM::Role shop-prod"]
        );
        assert!(template().named_resources(&Scope::new()).is_empty());
    }

    #[test]
    fn a_resource_under_a_condition_is_made_when_that_holds() {
        let template = template();
        let (_, role) = template.resources().find(|(id, _)| *id == "Role").expect("there");
        assert!(template.is_wanted(role, &scope()));
        let elsewhere = Scope::from([("Stage".into(), "dev".into())]);
        assert!(!template.is_wanted(role, &elsewhere));
        assert!(template.is_wanted(role, &Scope::new()), "unknown");
    }

    #[test]
    fn what_only_cloudformation_knows_has_no_name_beforehand() {
        let template = Template::of_text(
            "Parameters: { Path: { Type: AWS::SSM::Parameter::Value<String>, Default: /a/b }, Name: { Type: String, Default: x } }\n\
             Conditions: { Never: !Equals [!Ref Name, y], Open: !Equals [!Ref Path, y], Both: !And [!Condition Open, !Condition Never],\n\
             \x20 Either: !Or [!Condition Open, !Not [!Condition Never]], Round: !Not [!Condition Round] }\n\
             Resources:\n\
             \x20 A: { Type: AWS::S3::Bucket, Properties: { BucketName: !Ref Path } }\n\
             \x20 B: { Type: AWS::S3::Bucket, Properties: { BucketName: '{{resolve:ssm:/a/b}}' } }\n\
             \x20 C: { Type: AWS::S3::Bucket, Condition: Never, Properties: { BucketName: c } }\n\
             \x20 D: { Type: AWS::S3::Bucket, Condition: Open, Properties: { BucketName: d } }\n\
             \x20 E: { Type: AWS::S3::Bucket, Condition: Both, Properties: { BucketName: e } }\n\
             \x20 F: { Type: AWS::S3::Bucket, Condition: Either, Properties: { BucketName: f } }\n\
             \x20 G: { Type: AWS::S3::Bucket, Condition: Round, Properties: { BucketName: g } }\n\
             \x20 H: { Type: AWS::S3::Bucket, Properties: { BucketName: !Sub 'h-${Name}' } }\n",
        );
        let scope = template.known_parameters(&BTreeMap::new());
        let names: Vec<String> = template
            .named_resources(&scope)
            .into_iter()
            .map(|named| named.name)
            .collect();
        assert_eq!(names, ["f", "h-x"]);
        let made: Vec<&str> = template
            .resources()
            .filter(|(_, resource)| template.is_wanted(resource, &scope))
            .map(|(id, _)| id)
            .collect();
        assert_eq!(made, ["A", "B", "D", "F", "G", "H"], "what can't be told may be made");
        assert!(template.depends_on_outside());
        assert!(
            !Template::of_text("Transform: AWS::LanguageExtensions\nResources: { A: { Type: X } }")
                .depends_on_outside()
        );
        for outside in [
            "Transform: [AWS::LanguageExtensions, Own]\nResources: { A: { Type: X } }",
            "Resources: { A: { Type: X, Properties: { P: [{ Q: 'a{{resolve:secretsmanager:x}}' }] } } }",
            "Resources: { A: { Type: X, Properties: { Fn::Transform: { Name: AWS::Include } } } }",
        ] {
            assert!(Template::of_text(outside).depends_on_outside(), "{outside}");
        }
    }

    #[test]
    fn conditions_that_stand_on_one_another_are_looked_at_once() {
        let mut text = "Conditions:\n  C0: !Equals [a, a]\n".to_owned();
        for n in 1..60 {
            let before = n - 1;
            text.push_str(&format!(
                "  C{n}: !And [!Condition C{before}, !Not [!Not [!Condition C{before}]]]\n"
            ));
        }
        text.push_str("  A: !Or [!Condition B, !Condition C]\n  B: !Or [!Condition A, !Condition C]\n  C: !Or [!Condition A, !Condition B]\n");
        text.push_str("Resources: { R: { Type: X, Condition: C59 }, Round: { Type: X, Condition: A } }\n");
        let template = Template::of_text(&text);
        let made = |id: &str| template.is_made(template.resource(id).expect("there"), &Scope::new());
        assert_eq!(made("R"), Some(true));
        assert_eq!(made("Round"), None);
    }

    #[test]
    fn a_substitutions_own_variables_do_not_see_one_another() {
        let template = template();
        let value = json!({"Fn::Sub": ["${A}-${B}", {"A": "x", "B": {"Ref": "A"}}]});
        let scope = Scope::from([("A".to_owned(), "outer".to_owned())]);
        assert_eq!(template.text_of(&value, &scope).as_deref(), Some("x-outer"));
    }

    #[test]
    fn references_are_found_in_every_form() {
        let template = template();
        let (_, role) = template.resources().find(|(id, _)| *id == "Role").expect("there");
        let found = references(role);
        for name in ["Stage", "Bucket", "IsProd", "AWS::NoValue"] {
            assert!(found.contains(name), "{name} in {found:?}");
        }
    }

    #[test]
    fn what_is_no_template_is_said_so_with_its_place() {
        let parse = |text: &str| {
            Template::parse(text, Path::new("stacks/x.yaml"))
                .expect_err("bad")
                .to_string()
        };
        assert!(
            parse("Resources:\n  A: [\n").contains("stacks/x.yaml:"),
            "{}",
            parse("Resources:\n  A: [\n")
        );
        assert!(parse("- 1").contains("no CloudFormation template"));
        assert!(parse("Outputs: {}").contains("no `Resources:`"));
        assert!(parse("Resources: { A: {} }").contains("resource `A` has no `Type:`"));
    }
}
