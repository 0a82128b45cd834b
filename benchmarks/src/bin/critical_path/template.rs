//! A template with its parameters: which resources it makes, what needs what, and when each is made and done.

use std::collections::{BTreeMap, BTreeSet};

use benchmarks::error::{Context as _, Result};
use serde_json::{Map, Value};

use crate::times::{self, AROUND, Seconds, UNTIL_ID};

const DISTRIBUTION: &str = "AWS::CloudFront::Distribution";

/// A template, and its parameters' values.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    conditions: Map<String, Value>,
    outputs: Map<String, Value>,
    parameters: BTreeMap<String, String>,
    /// Those whose condition holds, with their properties' parameters and conditions worked out.
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Clone, PartialEq)]
struct Resource {
    kind: String,
    properties: Value,
    needs: BTreeSet<String>,
}

/// When a resource is worked on, in an operation on its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) kind: String,
    pub(crate) is_new: bool,
    pub(crate) from: Seconds,
    pub(crate) to: Seconds,
}

/// What an operation on a stack does, by logical id; what it leaves alone isn't in it.
pub(crate) type Schedule = BTreeMap<String, Span>;

/// How long an operation takes.
pub(crate) fn length(schedule: &Schedule) -> Seconds {
    schedule.values().map(|span| span.to).max().unwrap_or(AROUND) + AROUND
}

impl Template {
    /// What was submitted: JSON, and values of parameters, where `None` keeps the one of `before`.
    ///
    /// # Errors
    /// It isn't such a template.
    pub(crate) fn read(text: &str, given: &BTreeMap<String, Option<String>>, before: Option<&Self>) -> Result<Self> {
        let mut template: Value = serde_json::from_str(text).context("a template that isn't JSON")?;
        let mut section = |name: &str| match template[name].take() {
            Value::Object(section) => section,
            _ => Map::new(),
        };
        let mut parameters = BTreeMap::new();
        for (name, declared) in section("Parameters") {
            let value = match given.get(&name) {
                Some(Some(value)) => Some(value.clone()),
                Some(None) => before.and_then(|before| before.parameters.get(&name).cloned()),
                None => scalar(&declared["Default"]),
            };
            parameters.extend(value.map(|value| (name, value)));
        }
        let mut read = Self {
            conditions: section("Conditions"),
            outputs: section("Outputs"),
            parameters,
            resources: BTreeMap::new(),
        };
        for (id, resource) in section("Resources") {
            if resource["Condition"].as_str().is_some_and(|name| !read.holds(name)) {
                continue;
            }
            let properties = read.worked_out(&resource["Properties"]);
            let mut needs = BTreeSet::new();
            references(&properties, &mut |id, _| {
                needs.insert(id.to_owned());
            });
            let after = match &resource["DependsOn"] {
                Value::Array(several) => several.clone(),
                one => vec![one.clone()],
            };
            needs.extend(after.iter().filter_map(Value::as_str).map(str::to_owned));
            let kind = resource["Type"].as_str().unwrap_or_default().to_owned();
            let resource = Resource {
                kind,
                properties,
                needs,
            };
            read.resources.insert(id, resource);
        }
        Ok(read)
    }

    fn holds(&self, name: &str) -> bool {
        self.conditions
            .get(name)
            .is_some_and(|condition| self.is_true(condition))
    }

    fn is_true(&self, condition: &Value) -> bool {
        let Some((function, value)) = condition.as_object().and_then(|object| object.iter().next()) else {
            return false;
        };
        let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
        match (function.as_str(), all) {
            ("Condition", _) => value.as_str().is_some_and(|name| self.holds(name)),
            ("Fn::Not", [one]) => !self.is_true(one),
            ("Fn::And", all) => all.iter().all(|one| self.is_true(one)),
            ("Fn::Or", all) => all.iter().any(|one| self.is_true(one)),
            ("Fn::Equals", [left, right]) => self.worked_out(left) == self.worked_out(right),
            _ => false,
        }
    }

    /// A value with what parameters and conditions make of it.
    fn worked_out(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) => match object.iter().next() {
                Some((name, inner)) if object.len() == 1 => self.function(name, inner),
                _ => object
                    .iter()
                    .map(|(name, value)| (name.clone(), self.worked_out(value)))
                    .collect(),
            },
            Value::Array(all) => all.iter().map(|one| self.worked_out(one)).collect(),
            // A template may write a number where a parameter has a text.
            scalar_value => scalar(scalar_value).map_or_else(|| scalar_value.clone(), Value::String),
        }
    }

    fn function(&self, name: &str, inner: &Value) -> Value {
        match (name, inner) {
            ("Ref", Value::String(parameter)) if self.parameters.contains_key(parameter) => {
                Value::String(self.parameters[parameter].clone())
            }
            ("Fn::If", Value::Array(all)) => match all.as_slice() {
                [Value::String(condition), yes, no] => self.worked_out(if self.holds(condition) { yes } else { no }),
                _ => inner.clone(),
            },
            ("Fn::Sub", Value::String(text)) => {
                let text = self.parameters.iter().fold(text.clone(), |text, (name, value)| {
                    text.replace(&format!("${{{name}}}"), value)
                });
                Value::Object([(name.to_owned(), Value::String(text))].into_iter().collect())
            }
            _ => Value::Object([(name.to_owned(), self.worked_out(inner))].into_iter().collect()),
        }
    }

    /// What bringing a stack from `before` to this does, and when.
    pub(crate) fn schedule(&self, before: Option<&Self>) -> Schedule {
        let mut schedule = Schedule::new();
        for id in self.resources.keys() {
            self.done(id, before, &mut schedule, &mut BTreeMap::new());
        }
        schedule
    }

    /// When a resource is done, at the beginning if nothing is done to it.
    fn done(
        &self,
        id: &str,
        before: Option<&Self>,
        schedule: &mut Schedule,
        unchanged: &mut BTreeMap<String, Seconds>,
    ) -> Seconds {
        if let Some(span) = schedule.get(id) {
            return span.to;
        }
        if let Some(done) = unchanged.get(id) {
            return *done;
        }
        // What has no such resource is a parameter, AWS's own, or a resource that a condition leaves out.
        let Some(resource) = self.resources.get(id) else {
            return AROUND;
        };
        // A circle, which no template has, ends here.
        unchanged.insert(id.to_owned(), AROUND);
        let needs = resource.needs.iter();
        let from = needs
            .map(|id| self.done(id, before, schedule, unchanged))
            .max()
            .unwrap_or(AROUND);
        let there = before.and_then(|before| before.resources.get(id));
        if there.is_some_and(|there| (&there.kind, &there.properties) == (&resource.kind, &resource.properties)) {
            unchanged.insert(id.to_owned(), from);
            return from;
        }
        unchanged.remove(id);
        let span = Span {
            kind: resource.kind.clone(),
            is_new: there.is_none(),
            from,
            to: from + times::of(&resource.kind, there.is_none()),
        };
        let to = span.to;
        schedule.insert(id.to_owned(), span);
        to
    }

    /// The resources that the last one to be done waited for, each for the one before it.
    pub(crate) fn chain(&self, schedule: &Schedule) -> Vec<String> {
        let mut chain = Vec::new();
        let mut next = schedule
            .iter()
            .max_by_key(|(_, span)| span.to)
            .map(|(id, _)| id.as_str());
        while let Some(id) = next {
            chain.push(id.to_owned());
            let Some(resource) = self.resources.get(id) else { break };
            let begins = schedule.get(id).map(|span| span.from);
            next = resource.needs.iter().map(String::as_str).find(|need| {
                let is_last = schedule.get(*need).map(|span| span.to) == begins;
                is_last && !chain.iter().any(|link| link == need)
            });
        }
        chain.reverse();
        chain
    }

    /// When an output is told in an operation, if that is before its end: one that names nothing but a distribution's domain,
    /// which it has as soon as it has an id. A distribution from before has it all along.
    pub(crate) fn early(&self, output: &str, schedule: &Schedule) -> Option<Seconds> {
        let value = self.worked_out(&self.outputs.get(output)?["Value"]);
        let mut told = None;
        let mut is_early = true;
        references(&value, &mut |id, attribute| match self.resources.get(id) {
            Some(resource) if resource.kind == DISTRIBUTION && attribute == Some("DomainName") => {
                let at = match schedule.get(id) {
                    Some(span) if span.is_new => span.from + UNTIL_ID,
                    _ => 0,
                };
                told = Some(told.unwrap_or(0).max(at));
            }
            Some(_) => is_early = false,
            None => {}
        });
        told.filter(|_| is_early)
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Tells each name that a value refers to, with the attribute.
fn references(value: &Value, tell: &mut impl FnMut(&str, Option<&str>)) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| references(one, tell)),
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), value) {
                    ("Ref", Value::String(id)) => tell(id, None),
                    ("Fn::GetAtt", Value::String(path)) => of_path(path, tell),
                    ("Fn::GetAtt", Value::Array(parts)) => {
                        let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
                        of_path(&parts.join("."), tell);
                    }
                    ("Fn::Sub", Value::String(text)) => of_text(text, tell),
                    ("Fn::Sub", Value::Array(parts)) => {
                        parts
                            .iter()
                            .filter_map(Value::as_str)
                            .for_each(|text| of_text(text, tell));
                        references(value, tell);
                    }
                    _ => references(value, tell),
                }
            }
        }
        _ => {}
    }
}

fn of_path(path: &str, tell: &mut impl FnMut(&str, Option<&str>)) {
    match path.split_once('.') {
        Some((id, attribute)) => tell(id, Some(attribute)),
        None => tell(path, None),
    }
}

fn of_text(text: &str, tell: &mut impl FnMut(&str, Option<&str>)) {
    for part in text.split("${").skip(1) {
        if let Some((name, _)) = part.split_once('}')
            && !name.starts_with('!')
        {
            of_path(name, tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page in front of which is a distribution, with a policy that names an API if that is known.
    const PAGE: &str = r#"{
        "Parameters": { "Api": { "Type": "String", "Default": "" }, "Class": { "Type": "String", "Default": "100" } },
        "Conditions": { "HasApi": { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "Api" }, ""] }] } },
        "Resources": {
            "Bucket": { "Type": "AWS::S3::Bucket" },
            "Headers": { "Type": "AWS::CloudFront::ResponseHeadersPolicy", "Properties": {
                "Policy": { "Fn::If": ["HasApi", { "Fn::Sub": "self ${Api}" }, "self"] } } },
            "Distribution": { "Type": "AWS::CloudFront::Distribution", "Properties": {
                "Origin": { "Fn::GetAtt": ["Bucket", "RegionalDomainName"] }, "Headers": { "Ref": "Headers" },
                "Class": { "Ref": "Class" } } },
            "Policy": { "Type": "AWS::S3::BucketPolicy", "DependsOn": "Bucket", "Properties": {
                "Arn": { "Fn::Sub": "arn:${AWS::Partition}:${Distribution}" } } },
            "Alarm": { "Type": "AWS::CloudWatch::Alarm", "Condition": "HasApi" }
        },
        "Outputs": {
            "Origin": { "Value": { "Fn::Sub": "https://${Distribution.DomainName}" } },
            "Site": { "Value": { "Ref": "Bucket" } },
            "Both": { "Value": { "Fn::Sub": "${Bucket} ${Distribution.DomainName}" } }
        }
    }"#;

    fn page(parameters: &[(&str, &str)], before: Option<&Template>) -> Template {
        let given = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
        Template::read(PAGE, &given.collect(), before).expect("a template")
    }

    fn spans(schedule: &Schedule) -> Vec<(&str, Seconds, Seconds)> {
        schedule
            .iter()
            .map(|(id, span)| (id.as_str(), span.from, span.to))
            .collect()
    }

    #[test]
    fn a_resource_begins_when_all_that_it_needs_is_done() {
        let page = page(&[], None);
        let schedule = page.schedule(None);
        let expected = [
            ("Bucket", 2, 22),
            ("Distribution", 22, 262),
            ("Headers", 2, 7),
            ("Policy", 262, 265),
        ];
        assert_eq!(spans(&schedule), expected);
        assert_eq!(length(&schedule), 267);
        assert_eq!(page.chain(&schedule), ["Bucket", "Distribution", "Policy"]);
    }

    #[test]
    fn an_update_takes_what_changes_alone() {
        let before = page(&[], None);
        let late = page(&[("Api", "https://api")], Some(&before));
        let schedule = late.schedule(Some(&before));
        assert_eq!(spans(&schedule), [("Alarm", 2, 7), ("Headers", 2, 7)]);
        assert_eq!(length(&schedule), 9);
        let other = page(&[("Class", "200")], Some(&before));
        let schedule = other.schedule(Some(&before));
        assert_eq!(spans(&schedule), [("Distribution", 2, 242)]);
        assert!(!schedule["Distribution"].is_new);
        assert!(before.schedule(Some(&before)).is_empty());
    }

    #[test]
    fn a_parameter_keeps_the_value_from_before_where_it_is_told_to() {
        let before = page(&[("Api", "https://api")], None);
        let given = [("Api".to_owned(), None)].into();
        let kept = Template::read(PAGE, &given, Some(&before)).expect("a template");
        assert!(kept.schedule(Some(&before)).is_empty());
    }

    #[test]
    fn only_a_domain_is_told_early() {
        let new = page(&[], None);
        let schedule = new.schedule(None);
        assert_eq!(new.early("Origin", &schedule), Some(24));
        assert_eq!(new.early("Site", &schedule), None);
        assert_eq!(new.early("Both", &schedule), None);
        assert_eq!(new.early("Missing", &schedule), None);
        let changed = page(&[("Class", "200")], Some(&new));
        assert_eq!(changed.early("Origin", &changed.schedule(Some(&new))), Some(0));
    }
}
