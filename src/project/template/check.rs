//! Slips that a template can be seen to have before anything is asked of AWS: references to what isn't there, and types,
//! properties and attributes that are nearly others.
//!
//! What AWS may know and this version doesn't is never refused: a property that is near to no known one may be new.

use serde_json::{Map, Value};

use super::read::FUNCTIONS;
use super::references::{placeholders, resource_of};
use super::schema::{ResourceSchema, Schemas};
use super::{LANGUAGE_EXTENSIONS, Template};
use crate::project::did_you_mean;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slip {
    /// Where in the template, from its root: keys, and indexes of lists.
    pub(crate) path: Vec<String>,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) next_step: String,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html>
const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-creationpolicy.html> and those
/// beside it.
const RESOURCE_KEYS: &[&str] = &[
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/pseudo-parameter-reference.html>
const PSEUDO_PARAMETERS: &[&str] = &[
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Looks for slips, in the order of the template.
pub(crate) fn slips(template: &Template) -> Vec<Slip> {
    let mut check = Check {
        template,
        schemas: Schemas::new(),
        path: Vec::new(),
        found: Vec::new(),
    };
    // What a macro makes of it nobody knows here; a loop, a module and SAM make resources and names of their own.
    let makes_more = |kind: &str| kind.ends_with("::MODULE") || kind.starts_with("AWS::Serverless::");
    let is_all_there = template.transforms().all(|name| name == Some(LANGUAGE_EXTENSIONS))
        && !template
            .resources()
            .any(|(_, resource)| makes_more(Template::type_of(resource)));
    if is_all_there && !is_expanded(&template.root) {
        check.sections();
        check.references();
    }
    if template
        .transforms()
        .all(|name| name.is_some_and(|name| name.starts_with("AWS::")))
    {
        check.resources();
    }
    check.found
}

/// Whether a loop or a macro stands anywhere in it.
fn is_expanded(map: &Map<String, Value>) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(within),
            Value::Object(map) => is_expanded(map),
            _ => false,
        }
    }
    map.iter()
        .any(|(key, value)| key == "Fn::Transform" || key.starts_with("Fn::ForEach") || within(value))
}

struct Check<'t> {
    template: &'t Template,
    schemas: Schemas,
    path: Vec<String>,
    found: Vec<Slip>,
}

impl<'t> Check<'t> {
    fn at<T>(&mut self, key: impl Into<String>, look: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(key.into());
        let result = look(self);
        self.path.pop();
        result
    }

    fn refuse(&mut self, what: impl Into<String>, next_step: impl Into<String>) {
        self.found.push(Slip {
            path: self.path.clone(),
            what: what.into(),
            next_step: next_step.into(),
        });
    }

    fn names(&self, section: &str) -> Vec<&'t str> {
        self.template.section(section).map(|(name, _)| name.as_str()).collect()
    }

    fn has(&self, section: &str, name: &str) -> bool {
        let entries = self.template.root.get(section);
        entries.is_some_and(|entries| entries.get(name).is_some())
    }

    fn sections(&mut self) {
        let template = self.template;
        for name in template.root.keys() {
            if !SECTIONS.contains(&name.as_str()) {
                let what = format!("a template has no section `{name}`");
                let next_step = match did_you_mean(name, SECTIONS) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => "Take it out, or put it under `Metadata:`.".to_owned(),
                };
                self.at(name, |check| check.refuse(what, next_step));
            }
        }
    }

    /// Everything that refers to something is followed.
    fn references(&mut self) {
        let template = self.template;
        for (section, value) in &template.root {
            match section.as_str() {
                "Conditions" | "Rules" => self.at(section, |check| check.walk(value, true)),
                "Resources" | "Outputs" => {
                    for (name, entry) in value.as_object().into_iter().flatten() {
                        self.at(section, |check| check.at(name, |check| check.entry(entry)));
                    }
                }
                "Hooks" => self.at(section, |check| check.walk(value, false)),
                _ => {}
            }
        }
    }

    /// A resource or an output.
    fn entry(&mut self, entry: &Value) {
        for (key, value) in entry.as_object().into_iter().flatten() {
            self.at(key, |check| match (key.as_str(), value) {
                ("Condition", Value::String(name)) => check.condition(name),
                ("Condition", _) => check.refuse(
                    "`Condition` takes the name of a condition",
                    "Write the name that it has under `Conditions:`.",
                ),
                ("DependsOn", Value::String(name)) => check.resource(name, "depends on"),
                ("DependsOn", Value::Array(names)) => {
                    for (index, name) in names.iter().enumerate() {
                        let name = name.as_str().unwrap_or_default();
                        check.at(index.to_string(), |check| check.resource(name, "depends on"));
                    }
                }
                // Nobody evaluates it but who put it there.
                ("Metadata", _) => {}
                _ => check.walk(value, false),
            });
        }
    }

    /// A value; where `is_condition`, `Condition` refers to another.
    fn walk(&mut self, value: &Value, is_condition: bool) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.at(index.to_string(), |check| check.walk(item, is_condition));
                }
            }
            Value::Object(map) => {
                for (key, inner) in map {
                    self.at(key, |check| check.function(key, inner, map.len() == 1, is_condition));
                }
            }
            _ => {}
        }
    }

    /// A key of a map, which may be a function.
    fn function(&mut self, key: &str, argument: &Value, is_alone: bool, is_condition: bool) {
        match (key, argument) {
            ("Ref", Value::String(name)) if is_alone => self.reference(name),
            ("Condition", Value::String(name)) if is_condition => self.condition(name),
            ("Fn::GetAtt", _) => {
                let attribute = match argument {
                    Value::String(path) => path.split_once('.').map(|(_, attribute)| attribute),
                    list => list
                        .get(1)
                        .map(|attribute| attribute.as_str().unwrap_or("a function's")),
                };
                match resource_of(argument) {
                    Some(name) if attribute.is_none_or(str::is_empty) => self.refuse(
                        "`Fn::GetAtt` names no attribute",
                        format!(
                            "Say which, as in `!GetAtt {name}.Arn`; the resource's own name or id is `!Ref {name}`."
                        ),
                    ),
                    Some(name) => self.resource(name, "asks for an attribute of"),
                    None => {}
                }
                self.walk(argument, false);
            }
            ("Fn::Sub", _) => {
                for name in placeholders(argument).map(str::to_owned).collect::<Vec<_>>() {
                    self.placeholder(&name);
                }
                self.walk(argument, false);
            }
            ("Fn::If", Value::Array(parts)) => {
                if let Some(Value::String(name)) = parts.first() {
                    self.at("0", |check| check.condition(name));
                }
                self.walk(argument, false);
            }
            ("Fn::And" | "Fn::Or" | "Fn::Not", _) => self.walk(argument, true),
            ("Fn::FindInMap", Value::Array(parts)) => {
                // With a default as its fourth part it may look in vain.
                if let [Value::String(name), _, _] = parts.as_slice()
                    && !self.has("Mappings", name)
                {
                    self.unknown(format!("there is no mapping `{name}`"), name, &["Mappings"]);
                }
                self.walk(argument, false);
            }
            (key, _) => {
                if let Some(near) = misspelt_function(key).filter(|_| is_alone) {
                    self.refuse(
                        format!("`{key}` is no function of CloudFormation"),
                        format!("Did you mean `{near}`?"),
                    );
                }
                self.walk(argument, is_condition);
            }
        }
    }

    fn reference(&mut self, name: &str) {
        if name.starts_with("AWS::") {
            self.pseudo_parameter(name);
        } else if self.path.first().is_some_and(|section| section == "Conditions") {
            // They are decided before there are any resources.
            if !self.has("Parameters", name) {
                self.unknown(format!("there is no parameter `{name}`"), name, &["Parameters"]);
            }
        } else if !self.has("Parameters", name) && !self.has("Resources", name) {
            let what = format!("there is neither a parameter nor a resource `{name}`");
            match name.split_once('.') {
                Some((resource, _)) if self.has("Resources", resource) => {
                    self.refuse(what, format!("Did you mean `!GetAtt {name}`?"));
                }
                _ => self.unknown(what, name, &["Parameters", "Resources"]),
            }
        }
    }

    fn pseudo_parameter(&mut self, name: &str) {
        if let Some(near) = did_you_mean(name, PSEUDO_PARAMETERS).filter(|near| *near != name) {
            self.refuse(
                format!("there is no pseudo parameter `{name}`"),
                format!("Did you mean `{near}`?"),
            );
        }
    }

    /// What stands between `${` and `}`.
    fn placeholder(&mut self, name: &str) {
        // "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods,
        // and colons" is what CloudFormation says.
        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
        if name.is_empty() || !name.chars().all(is_legal) {
            self.refuse(
                format!("`${{{name}}}` can be no reference: it has other signs than letters, digits, `_`, `.` and `:`"),
                format!("Write `${{!{name}}}` if `${{{name}}}` is meant as it is."),
            );
            return;
        }
        let before = self.found.len();
        match name.split_once('.') {
            Some((resource, _)) => self.resource(resource, "asks for an attribute of"),
            None => self.reference(name),
        }
        for slip in self.found.iter_mut().skip(before) {
            // Variables of IAM policies, of API Gateway's stages and of shells look the same.
            slip.next_step
                .push_str(&format!(" If `${{{name}}}` is meant as it is, write `${{!{name}}}`."));
        }
    }

    fn resource(&mut self, name: &str, how: &str) {
        if !self.has("Resources", name) {
            let what = format!("this {how} `{name}`, and there is no such resource");
            self.unknown(what, name, &["Resources"]);
        }
    }

    fn condition(&mut self, name: &str) {
        if !self.has("Conditions", name) {
            self.unknown(format!("there is no condition `{name}`"), name, &["Conditions"]);
        }
    }

    /// Refuses a name that none of the sections has.
    fn unknown(&mut self, what: String, name: &str, sections: &[&str]) {
        let known: Vec<&str> = sections.iter().flat_map(|section| self.names(section)).collect();
        let next_step = match did_you_mean(name, &known) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Declare it under `{}:`, or correct the name.", sections.join(":` or `")),
        };
        self.refuse(what, next_step);
    }

    fn resources(&mut self) {
        let template = self.template;
        let resources: Vec<(&str, &Value)> = template.resources().collect();
        for (id, resource) in resources {
            self.path = vec!["Resources".to_owned(), id.to_owned()];
            let kind = Template::type_of(resource);
            for key in resource.as_object().into_iter().flat_map(Map::keys) {
                let near = did_you_mean(key, RESOURCE_KEYS).filter(|_| !RESOURCE_KEYS.contains(&key.as_str()));
                if let Some(near) = near.filter(|near| resource.get(*near).is_none()) {
                    let what = format!("a resource has no `{key}`");
                    self.at(key, |check| check.refuse(what, format!("Did you mean `{near}`?")));
                }
            }
            // Whoever says so takes the responsibility.
            if is_unchecked(resource) {
                continue;
            }
            let mut schemas = std::mem::take(&mut self.schemas);
            match schemas.of_type(kind) {
                Some(schema) => {
                    if let Some(properties) = resource.get("Properties") {
                        self.at("Properties", |check| check.properties(properties, schema, "", kind));
                    }
                }
                None => self.unknown_type(kind, &mut schemas),
            }
            self.schemas = schemas;
        }
        self.path.clear();
        self.attributes();
    }

    fn unknown_type(&mut self, kind: &str, schemas: &mut Schemas) {
        let parts: Vec<&str> = kind.split(':').filter(|part| !part.is_empty()).collect();
        let is_aws = parts.first().is_some_and(|first| first.eq_ignore_ascii_case("AWS"));
        let is_custom = kind.starts_with("Custom::") && parts.len() > 1;
        if !is_custom
            && kind
                .split("::")
                .filter(|part| !part.is_empty() && !part.contains(':'))
                .count()
                < 3
        {
            let next_step = match parts.as_slice() {
                [_, service, resource] => format!("A type is like `AWS::{service}::{resource}`, with two colons."),
                _ => "A type is like `AWS::SNS::Topic`.".to_owned(),
            };
            self.at("Type", |check| {
                check.refuse(format!("there is no resource type `{kind}`"), next_step);
            });
            return;
        }
        // Of AWS's own alone it is known which there are.
        let Some(service) = parts.get(1).copied().filter(|_| is_aws && parts.len() == 3) else {
            return;
        };
        let services = schemas.service_names();
        let known: Vec<&str> = services.iter().map(String::as_str).collect();
        let service = if known.contains(&service) {
            Some(service)
        } else {
            slip_of(service, &known)
        };
        let Some(service) = service else { return };
        let types: Vec<String> = schemas.of_service(service).keys().cloned().collect();
        let known: Vec<&str> = types.iter().map(String::as_str).collect();
        if let Some(near) = slip_of(kind, &known) {
            let next_step = format!("Did you mean `{near}`?{}", newer());
            self.at("Type", |check| {
                check.refuse(format!("there is no resource type `{kind}`"), next_step);
            });
        }
    }

    /// An object, or the entries of a list of such.
    fn properties(&mut self, value: &Value, schema: &ResourceSchema, object: &str, kind: &str) {
        let Some(known) = schema.properties(object) else { return };
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.at(index.to_string(), |check| check.properties(item, schema, object, kind));
                }
            }
            Value::Object(map) => {
                // A function gives it; of one that chooses, what it chooses from is seen.
                if let Some(Value::Array(parts)) = map.get("Fn::If") {
                    self.at("Fn::If", |check| {
                        for (index, part) in parts.iter().enumerate().skip(1) {
                            check.at(index.to_string(), |check| check.properties(part, schema, object, kind));
                        }
                    });
                }
                if map.keys().any(|key| key.starts_with("Fn::") || key == "Ref") {
                    return;
                }
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                for (key, inner) in map {
                    match known.get(key) {
                        Some(Some(object)) => self.at(key, |check| check.properties(inner, schema, object, kind)),
                        Some(None) => {}
                        // Beside the one that it resembles it is another.
                        None => {
                            if let Some(near) = slip_of(key, &names).filter(|near| !map.contains_key(*near)) {
                                let what = format!("{kind} has no property `{}`", self.shown(key));
                                let next_step = format!("Did you mean `{near}`?{}", newer());
                                self.at(key, |check| check.refuse(what, next_step));
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// A property as it stands in its resource's: `KeySchema.AttributeName`.
    fn shown(&self, key: &str) -> String {
        let within = self
            .path
            .iter()
            .skip(3)
            .filter(|part| part.parse::<usize>().is_err() && *part != "Fn::If");
        let mut shown: Vec<&str> = within.map(String::as_str).collect();
        shown.push(key);
        shown.join(".")
    }

    /// What `Fn::GetAtt` asks of resources whose attributes are known.
    fn attributes(&mut self) {
        let template = self.template;
        for section in ["Resources", "Outputs"] {
            if let Some(value) = template.root.get(section) {
                self.at(section, |check| check.attributes_in(value));
            }
        }
    }

    fn attributes_in(&mut self, value: &Value) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.at(index.to_string(), |check| check.attributes_in(item));
                }
            }
            Value::Object(map) => {
                for (key, inner) in map {
                    self.at(key, |check| match (key.as_str(), inner) {
                        ("Fn::GetAtt", Value::String(path)) => {
                            if let Some((resource, attribute)) = path.split_once('.') {
                                check.attribute(resource, attribute);
                            }
                        }
                        ("Fn::GetAtt", Value::Array(path)) => {
                            if let [Value::String(resource), Value::String(attribute)] = path.as_slice() {
                                check.attribute(resource, attribute);
                            }
                        }
                        ("Fn::Sub", _) => {
                            for name in placeholders(inner).map(str::to_owned).collect::<Vec<_>>() {
                                if let Some((resource, attribute)) = name.split_once('.') {
                                    check.attribute(resource, attribute);
                                }
                            }
                            check.attributes_in(inner);
                        }
                        ("Metadata", _) => {}
                        _ => check.attributes_in(inner),
                    });
                }
            }
            _ => {}
        }
    }

    fn attribute(&mut self, resource: &str, attribute: &str) {
        let Some(asked) = self.template.resource(resource) else {
            return;
        };
        let kind = Template::type_of(asked);
        // A custom resource's are its provider's own. Whether a part of an attribute has dots in its name differs from type to
        // type.
        if is_unchecked(asked) || kind == "AWS::CloudFormation::CustomResource" || attribute.contains('.') {
            return;
        }
        let Some(schema) = self.schemas.of_type(kind) else {
            return;
        };
        // Of some types properties can be asked for as well.
        let is_known = schema.attributes.iter().any(|known| known == attribute)
            || schema.properties("").is_some_and(|known| known.contains_key(attribute));
        let known: Vec<&str> = schema.attributes.iter().map(String::as_str).collect();
        if let Some(near) = slip_of(attribute, &known).filter(|_| !is_known).map(str::to_owned) {
            self.refuse(
                format!("{kind} has no attribute `{attribute}`"),
                format!("Did you mean `{near}`?{}", newer()),
            );
        }
    }
}

/// What was meant by a key that looks like a function's, in its long form or with the mark of the short one.
fn misspelt_function(key: &str) -> Option<String> {
    let long = key.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("fn:"));
    let stem = if long {
        key[3..].trim_start_matches(':')
    } else {
        key.strip_prefix('!')?
    };
    let is_known = |stem: &str| FUNCTIONS.contains(&stem) || stem.starts_with("ForEach::");
    if key.strip_prefix("Fn::").is_some_and(is_known) {
        return None;
    }
    let known: Vec<&str> = ["Ref", "Condition"].iter().chain(FUNCTIONS).copied().collect();
    Some(match did_you_mean(stem, &known)? {
        near @ ("Ref" | "Condition") => near.to_owned(),
        near => format!("Fn::{near}"),
    })
}

/// Whether its template says that AWS has had something of it since this version.
fn is_unchecked(resource: &Value) -> bool {
    let said = resource.get("Metadata").and_then(|said| said.get("Deployer"));
    said.and_then(|said| said.get("Unchecked")) == Some(&Value::Bool(true))
}

/// How to have it sent all the same.
fn newer() -> &'static str {
    " If AWS has it since this version of deployer, say `Metadata: { Deployer: { Unchecked: true } }` in the resource."
}

/// The known name of which this one is a slip, surely enough to refuse it: the same but for case, or with a letter or, where
/// there are more, two of them wrong.
fn slip_of<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if known.contains(&name) {
        return None;
    }
    if let Some(same) = known.iter().find(|one| one.eq_ignore_ascii_case(name)) {
        return Some(same);
    }
    let most = if name.chars().count() < 8 { 1 } else { 2 };
    known
        .iter()
        .map(|one| (strsim::damerau_levenshtein(name, one), *one))
        .min()
        .filter(|(distance, _)| *distance <= most)
        .map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where and what, with what to do.
    fn found(text: &str) -> Vec<String> {
        slips(&Template::of_text(text))
            .into_iter()
            .map(|slip| {
                let first = slip.next_step.split_inclusive('?').next().unwrap_or_default();
                format!("{}: {} {first}", slip.path.join("/"), slip.what)
            })
            .collect()
    }

    const RIGHT: &str = r#"
Parameters: { Stage: { Type: String } }
Mappings: { Sizes: { dev: { Mb: 128 } } }
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Either: !Or [{Condition: IsProd}, !Condition IsDev]
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Condition: IsProd
    Metadata: { anything: !Ref Nobody }
    Properties:
      TableName: !Sub "${Stage}-${AWS::StackName}-${!literal}"
      AttributeDefinitions: !If [IsDev, [{ AttributeName: id, AttributeType: S }], !Ref AWS::NoValue]
      SSESpecification: { SSEEnabled: yes }
  Function:
    Type: AWS::Lambda::Function
    DependsOn: [Table]
    Properties:
      MemorySize: !FindInMap [Sizes, !Ref Stage, Mb]
      Role: !Sub ["${own}-${Stage}", { own: !GetAtt Table.Arn }]
      Environment: { Variables: { Anyting: x, tablename: !Ref Table } }
      Brandnew: true
  Made: { Type: Custom::Thing, Properties: { Whatever: 1 } }
  Resource: { Type: AWS::CloudFormation::CustomResource, Properties: { ServiceToken: !GetAtt Resource.Ip } }
  Found: { Type: AWS::SNS::Topic, Properties: { DisplayName: !FindInMap [Nowhere, a, b, { DefaultValue: c }] } }
  Other: { Type: Datadog::Monitors::Monitor, Properties: { Whatever: !GetAtt Made.Anything } }
  Newest: { Type: AWS::Quantum::Teleporter, Properties: { To: !GetAtt Table.StreamArn } }
Outputs:
  Id: { Condition: IsProd, Value: !Join ["-", [!Ref Table, !GetAtt [Function, Arn]]] }
"#;

    #[test]
    fn what_is_right_or_may_be_is_left_alone() {
        assert_eq!(found(RIGHT), Vec::<String>::new());
    }

    #[test]
    fn references_to_nothing_are_found_in_every_form() {
        for (from, to, expected) in [
            (
                "!Ref Stage, prod",
                "!Ref Stge, prod",
                "Conditions/IsProd/Fn::Equals/0/Ref: there is no parameter `Stge` Did you mean `Stage`?",
            ),
            (
                "!Condition IsProd]",
                "!Condition IsProed]",
                "Conditions/IsDev/Fn::Not/0/Condition: there is no condition `IsProed` Did you mean `IsProd`?",
            ),
            (
                "Condition: IsProd\n",
                "Condition: Isprod\n",
                "Resources/Table/Condition: there is no condition `Isprod` Did you mean `IsProd`?",
            ),
            (
                "${Stage}-${AWS::StackName}",
                "${Stages}",
                "Resources/Table/Properties/TableName/Fn::Sub: there is neither a parameter nor a resource `Stages` Did you mean `Stage`?",
            ),
            (
                "${AWS::StackName}",
                "${AWS::Stackname}",
                "Resources/Table/Properties/TableName/Fn::Sub: there is no pseudo parameter `AWS::Stackname` Did you mean `AWS::StackName`?",
            ),
            (
                "${AWS::StackName}",
                "${Table.x}-${Tabel.Arn}",
                "Resources/Table/Properties/TableName/Fn::Sub: this asks for an attribute of `Tabel`, and there is no such resource Did you mean `Table`?",
            ),
            (
                "${!literal}",
                "${lit-eral}",
                "Resources/Table/Properties/TableName/Fn::Sub: `${lit-eral}` can be no reference: it has other signs than letters, digits, `_`, `.` and `:` Write `${!lit-eral}` if `${lit-eral}` is meant as it is.",
            ),
            (
                "[Table]",
                "[Tables]",
                "Resources/Function/DependsOn/0: this depends on `Tables`, and there is no such resource Did you mean `Table`?",
            ),
            (
                "[Sizes,",
                "[Size,",
                "Resources/Function/Properties/MemorySize/Fn::FindInMap: there is no mapping `Size` Did you mean `Sizes`?",
            ),
            (
                "${own}-",
                "${owm}-",
                "Resources/Function/Properties/Role/Fn::Sub: there is neither a parameter nor a resource `owm` Declare it under `Parameters:` or `Resources:`, or correct the name. If `${owm}` is meant as it is, write `${!owm}`.",
            ),
            (
                "!GetAtt [Function, Arn]",
                "!GetAtt [Funtion, Arn]",
                "Outputs/Id/Value/Fn::Join/1/1/Fn::GetAtt: this asks for an attribute of `Funtion`, and there is no such resource Did you mean `Function`?",
            ),
            (
                "!If [IsDev,",
                "!If [IsDve,",
                "Resources/Table/Properties/AttributeDefinitions/Fn::If/0: there is no condition `IsDve` Did you mean `IsDev`?",
            ),
            (
                "!Equals [!Ref Stage, prod]",
                "!Equals [!Ref Table, prod]",
                "Conditions/IsProd/Fn::Equals/0/Ref: there is no parameter `Table` Declare it under `Parameters:`, or correct the name.",
            ),
            (
                "!Join [\"-\", [!Ref Table",
                "!Join [\"-\", [!Ref Table.Arn",
                "Outputs/Id/Value/Fn::Join/1/0/Ref: there is neither a parameter nor a resource `Table.Arn` Did you mean `!GetAtt Table.Arn`?",
            ),
            (
                "!Join [\"-\", [!Ref Table",
                "!Join [\"-\", [{\"Fn::Ref\": Table}",
                "Outputs/Id/Value/Fn::Join/1/0/Fn::Ref: `Fn::Ref` is no function of CloudFormation Did you mean `Ref`?",
            ),
            (
                "!Join [\"-\", [!Ref Table",
                "!Join [\"-\", [{\"FN:Sub\": Table}",
                "Outputs/Id/Value/Fn::Join/1/0/FN:Sub: `FN:Sub` is no function of CloudFormation Did you mean `Fn::Sub`?",
            ),
            (
                "!GetAtt [Function, Arn]",
                "!GetAtt [Function]",
                "Outputs/Id/Value/Fn::Join/1/1/Fn::GetAtt: `Fn::GetAtt` names no attribute Say which, as in `!GetAtt Function.Arn`; the resource's own name or id is `!Ref Function`.",
            ),
            (
                "Outputs:",
                "Output:",
                "Output: a template has no section `Output` Did you mean `Outputs`?",
            ),
            (
                "!Join [\"-\", [!Ref Table",
                "!Join [\"-\", [{\"Fn::Jion\": []}",
                "Outputs/Id/Value/Fn::Join/1/0/Fn::Jion: `Fn::Jion` is no function of CloudFormation Did you mean `Fn::Join`?",
            ),
        ] {
            assert!(RIGHT.contains(from), "{from}");
            assert_eq!(found(&RIGHT.replace(from, to)), [expected]);
        }
    }

    #[test]
    fn types_properties_and_attributes_that_are_nearly_others_are_found() {
        for (from, to, expected) in [
            (
                "AWS::DynamoDB::Table\n",
                "AWS::DynamoDb::Table\n",
                "Resources/Table/Type: there is no resource type `AWS::DynamoDb::Table` Did you mean `AWS::DynamoDB::Table`?",
            ),
            (
                "AWS::Lambda::Function\n",
                "AWS::Lambda::Functoin\n",
                "Resources/Function/Type: there is no resource type `AWS::Lambda::Functoin` Did you mean `AWS::Lambda::Function`?",
            ),
            (
                "      MemorySize",
                "      MemorySzie",
                "Resources/Function/Properties/MemorySzie: AWS::Lambda::Function has no property `MemorySzie` Did you mean `MemorySize`?",
            ),
            (
                "{ AttributeName: id, AttributeType",
                "{ AtributeName: id, AttributeType",
                "Resources/Table/Properties/AttributeDefinitions/Fn::If/1/0/AtributeName: AWS::DynamoDB::Table has no property `AttributeDefinitions.AtributeName` Did you mean `AttributeName`?",
            ),
            (
                "SSEEnabled",
                "SseEnabled",
                "Resources/Table/Properties/SSESpecification/SseEnabled: AWS::DynamoDB::Table has no property `SSESpecification.SseEnabled` Did you mean `SSEEnabled`?",
            ),
            (
                "AWS::DynamoDB::Table\n",
                "AWS:DynamoDB:Table\n",
                "Resources/Table/Type: there is no resource type `AWS:DynamoDB:Table` A type is like `AWS::DynamoDB::Table`, with two colons.",
            ),
            (
                "AWS::DynamoDB::Table\n",
                "aws::dynamodb::table\n",
                "Resources/Table/Type: there is no resource type `aws::dynamodb::table` Did you mean `AWS::DynamoDB::Table`?",
            ),
            (
                "AWS::DynamoDB::Table\n",
                "AWS::DynamoDBTable\n",
                "Resources/Table/Type: there is no resource type `AWS::DynamoDBTable` A type is like `AWS::SNS::Topic`.",
            ),
            (
                "DependsOn:",
                "DependOn:",
                "Resources/Function/DependOn: a resource has no `DependOn` Did you mean `DependsOn`?",
            ),
            (
                "Table.StreamArn",
                "Table.StreamARN",
                "Resources/Newest/Properties/To/Fn::GetAtt: AWS::DynamoDB::Table has no attribute `StreamARN` Did you mean `StreamArn`?",
            ),
        ] {
            assert!(RIGHT.contains(from), "{from}");
            assert_eq!(found(&RIGHT.replace(from, to)), [expected]);
        }
    }

    #[test]
    fn what_a_macro_or_a_loop_makes_is_not_judged() {
        let wrong = RIGHT.replace("!Ref Stage, prod", "!Ref Nobody, prod");
        assert_eq!(found(&wrong).len(), 1);
        assert_eq!(
            found(&format!(
                "Transform: Own\n{}",
                wrong.replace("MemorySize", "MemorySzie")
            )),
            Vec::<String>::new()
        );
        let sam = format!(
            "Transform: AWS::Serverless-2016-10-31\n{}",
            wrong.replace("MemorySize", "MemorySzie")
        );
        assert_eq!(found(&sam).len(), 1, "properties alone");
        let include = wrong.replace("Resources:", "Resources:\n  Fn::Transform: { Name: AWS::Include }");
        assert_eq!(found(&include), Vec::<String>::new());
        let module = wrong.replace("Made: { Type: Custom::Thing", "Made: { Type: My::Own::Thing::MODULE");
        assert_eq!(found(&module), Vec::<String>::new());
        let unchecked = RIGHT
            .replace(
                "    DependsOn:",
                "    Metadata: { Deployer: { Unchecked: true } }\n    DependsOn:",
            )
            .replace("MemorySize", "MemorySzie");
        assert_eq!(found(&unchecked), Vec::<String>::new());
    }

    #[test]
    fn valid_templates_have_no_slips() {
        let mut judged = 0;
        for entry in std::fs::read_dir("tests/corpus/templates").expect("the corpus") {
            let file = entry.expect("a file").path();
            let text = std::fs::read_to_string(&file).expect("text");
            if let Ok((template, _)) = Template::parse(&text, &file) {
                assert_eq!(slips(&template), [], "{}", file.display());
                judged += 1;
            }
        }
        assert!(judged >= 90, "{judged}");
    }
}
