//! What policies grant, as far as a template tells: for each action on a resource yes, no, or that depends.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::actions;
use super::expected::{Expected, Part};
use crate::permissions::matches;

/// The statements of all policies of a role.
#[derive(Debug, Default)]
pub(super) struct Grants {
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    allows: bool,
    actions: Named,
    resources: Named,
    condition: Condition,
}

/// What a statement names, or all but that.
#[derive(Debug)]
struct Named {
    patterns: Vec<Pattern>,
    all_but: bool,
}

/// A text with `*` and `?`.
#[derive(Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    /// A part of it isn't known, and may be anything: there is a `*` for it.
    is_open: bool,
}

#[derive(Debug)]
enum Condition {
    None,
    /// It holds when these keys have these values.
    Keys(Vec<ContextKey>),
    /// It can't be told when it holds.
    Other,
}

/// A key of a condition with a value for which it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ContextKey {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) kind: ContextKind,
}

/// How the simulator is to be told a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ContextKind {
    Text,
    Texts,
    Number,
    Flag,
}

/// Whether policies grant something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    Yes,
    No,
    /// It depends on what isn't known.
    Open,
}

impl Grants {
    /// Adds the statements of a document. False if it can't be read to the end.
    pub(super) fn add(&mut self, document: &Expected) -> bool {
        let statements = document.get("Statement").map(Expected::items).unwrap_or_default();
        let read: Vec<Option<Statement>> = statements.into_iter().map(Statement::of).collect();
        let is_whole = !read.is_empty() && read.iter().all(Option::is_some);
        self.statements.extend(read.into_iter().flatten());
        is_whole
    }

    /// The same for a document that IAM tells.
    pub(super) fn add_live(&mut self, document: &Value) -> bool {
        self.add(&literal(document))
    }

    /// A resource for each that is named in what is allowed, wildcards filled in; and how many aren't known.
    pub(super) fn resources(&self) -> (Vec<String>, usize) {
        let allowed = self
            .statements
            .iter()
            .filter(|statement| statement.allows && !statement.resources.all_but);
        let (open, known): (Vec<&Pattern>, Vec<&Pattern>) = allowed
            .flat_map(|statement| &statement.resources.patterns)
            .partition(|pattern| pattern.is_open);
        let mut resources = Vec::new();
        for resource in known.into_iter().map(|pattern| one_of(&pattern.text)) {
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
        (resources, open.len())
    }

    /// Whether some conditions of what is allowed are beyond what can be simulated.
    pub(super) fn has_other_conditions(&self) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.allows && matches!(statement.condition, Condition::Other))
    }

    /// The values for which the conditions hold on what is allowed: of a resource first, and of all else, because the
    /// simulator asks for every key that any statement has.
    pub(super) fn context(&self, resource: &str) -> Vec<ContextKey> {
        let mut context: BTreeMap<String, ContextKey> = BTreeMap::new();
        let allowed = || self.statements.iter().filter(|statement| statement.allows);
        let (of_resource, others): (Vec<&Statement>, Vec<&Statement>) =
            allowed().partition(|statement| statement.resources.has(resource).is_some());
        for statement in of_resource.into_iter().chain(others) {
            if let Condition::Keys(keys) = &statement.condition {
                for key in keys {
                    // The first has its way; what wants another value stays open.
                    context.entry(key.name.to_lowercase()).or_insert_with(|| key.clone());
                }
            }
        }
        context.into_values().collect()
    }

    /// Whether an action on a resource is granted, when the keys of `context` have their values.
    pub(super) fn decide(&self, action: &str, resource: &str, context: &[ContextKey]) -> Grant {
        let (mut allowed, mut may_be_allowed, mut may_be_denied) = (false, false, false);
        for statement in &self.statements {
            let Some(is_sure) = statement.covers(action, resource) else {
                continue;
            };
            let holds = match &statement.condition {
                Condition::None => true,
                // A denial's keys may have other values as well.
                Condition::Keys(keys) => statement.allows && keys.iter().all(|key| context.contains(key)),
                Condition::Other => false,
            };
            match (statement.allows, is_sure && holds) {
                (false, true) => return Grant::No,
                (false, false) => may_be_denied = true,
                (true, true) => allowed = true,
                (true, false) => may_be_allowed = true,
            }
        }
        match (allowed, may_be_allowed) {
            (true, _) if !may_be_denied => Grant::Yes,
            (false, false) => Grant::No,
            _ => Grant::Open,
        }
    }

    /// The actions to ask about for a resource: those that are granted for it, and those of its service.
    pub(super) fn actions(&self, resource: &str) -> BTreeSet<String> {
        let named = self.statements.iter().filter(|statement| {
            statement.allows && !statement.actions.all_but && statement.resources.has(resource).is_some()
        });
        let patterns = named.flat_map(|statement| &statement.actions.patterns);
        let named: BTreeSet<&str> = patterns
            .filter(|pattern| !pattern.is_open)
            .map(|pattern| pattern.text.as_str())
            .collect();
        let prefix = |action: &&str| action.split_once(':').map(|(service, _)| service.to_lowercase());
        let services: BTreeSet<String> = match actions::service_of(resource) {
            Some(service) => BTreeSet::from([service.to_owned()]),
            None => named.iter().filter_map(prefix).collect(),
        };
        let literal = named
            .iter()
            .filter(|action| action.contains(':') && !action.contains(['*', '?']));
        let literal = literal.map(|action| (*action).to_owned());
        let mut all: BTreeSet<String> = services
            .iter()
            .flat_map(|service| actions::of_service(service))
            .collect();
        for action in literal {
            if !all.iter().any(|known| known.eq_ignore_ascii_case(&action)) {
                all.insert(action);
            }
        }
        all
    }
}

impl Statement {
    fn of(statement: &Expected) -> Option<Self> {
        let named = |positive: &str, negative: &str| {
            let (value, all_but) = match (statement.get(positive), statement.get(negative)) {
                (Some(value), _) => (value, false),
                (None, Some(value)) => (value, true),
                (None, None) => return None,
            };
            let patterns = value.items().into_iter().map(Pattern::of).collect();
            Some(Named { patterns, all_but })
        };
        Some(Self {
            allows: match statement.get("Effect")?.known_text()?.as_str() {
                "Allow" => true,
                "Deny" => false,
                _ => return None,
            },
            actions: named("Action", "NotAction")?,
            resources: named("Resource", "NotResource")?,
            condition: statement.get("Condition").map_or(Condition::None, Condition::of),
        })
    }

    /// Whether it is about an action on a resource, and whether that is sure.
    fn covers(&self, action: &str, resource: &str) -> Option<bool> {
        Some(self.actions.has_caseless(action)? & self.resources.has(resource)?)
    }
}

impl Named {
    /// Whether a text is meant; if so, whether that is sure.
    fn has(&self, text: &str) -> Option<bool> {
        let mut fitting = self
            .patterns
            .iter()
            .filter(|pattern| matches(&pattern.text, text))
            .peekable();
        let (fits, surely) = (fitting.peek().is_some(), fitting.any(|pattern| !pattern.is_open));
        match (self.all_but, fits, surely) {
            (false, true, surely) => Some(surely),
            (false, false, _) | (true, _, true) => None,
            (true, fits, false) => Some(!fits),
        }
    }

    fn has_caseless(&self, text: &str) -> Option<bool> {
        let patterns = self.patterns.iter().map(|pattern| Pattern {
            text: pattern.text.to_lowercase(),
            is_open: pattern.is_open,
        });
        let lower = Self {
            patterns: patterns.collect(),
            all_but: self.all_but,
        };
        lower.has(&text.to_lowercase())
    }
}

impl Pattern {
    fn of(value: &Expected) -> Self {
        let Expected::Text(parts) = value else {
            return Self {
                text: "*".to_owned(),
                is_open: true,
            };
        };
        let text: String = parts
            .iter()
            .map(|part| match part {
                Part::Known(text) => text,
                Part::Open => "*",
            })
            .collect();
        // A variable of the policy's own, whose value depends on who asks.
        let mut filled = String::new();
        let mut rest = text.as_str();
        while let Some((before, variable)) = rest.split_once("${") {
            let Some((_, after)) = variable.split_once('}') else {
                break;
            };
            filled.push_str(before);
            filled.push('*');
            rest = after;
        }
        filled.push_str(rest);
        Self {
            is_open: filled != text || !value.is_known(),
            text: filled,
        }
    }
}

impl Condition {
    fn of(condition: &Expected) -> Self {
        let Expected::Map(operators) = condition else {
            return Self::Other;
        };
        let mut keys = Vec::new();
        for (operator, entries) in operators {
            let Expected::Map(entries) = entries else {
                return Self::Other;
            };
            let operator = operator.to_lowercase();
            let operator = operator.strip_suffix("ifexists").unwrap_or(&operator);
            let (operator, many) = match operator.split_once(':') {
                Some(("foranyvalue" | "forallvalues", operator)) => (operator, true),
                Some(_) => return Self::Other,
                None => (operator, false),
            };
            let kind = match (operator, many) {
                ("stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike", true) => {
                    ContextKind::Texts
                }
                ("stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike", false) => {
                    ContextKind::Text
                }
                ("numericequals", false) => ContextKind::Number,
                ("bool", false) => ContextKind::Flag,
                _ => return Self::Other,
            };
            for (name, values) in entries {
                let value = values.items().first().and_then(|value| value.known_text());
                let Some(value) = value.filter(|value| !value.contains("${")) else {
                    return Self::Other;
                };
                let is_pattern = operator.ends_with("like") || operator == "arnequals";
                let value = if is_pattern { one_of(&value) } else { value };
                keys.push(ContextKey {
                    name: name.clone(),
                    value,
                    kind,
                });
            }
        }
        if keys.is_empty() { Self::None } else { Self::Keys(keys) }
    }
}

/// One of the texts that a pattern means. `*` alone stays: it is everything.
fn one_of(pattern: &str) -> String {
    if pattern == "*" {
        return pattern.to_owned();
    }
    // A log group's streams have a word of their own.
    let pattern = match pattern.strip_suffix(":*") {
        Some(group) if pattern.contains(":log-group:") => format!("{group}:log-stream:*"),
        _ => pattern.to_owned(),
    };
    pattern.replace('*', "deployer-verify").replace('?', "x")
}

/// A value as it is.
fn literal(value: &Value) -> Expected {
    match value {
        Value::Null => Expected::Absent,
        Value::String(text) => Expected::Text(vec![Part::Known(text.clone())]),
        Value::Array(items) => Expected::List(items.iter().map(literal).collect()),
        Value::Object(map) => Expected::Map(map.iter().map(|(key, value)| (key.clone(), literal(value))).collect()),
        plain => Expected::Text(vec![Part::Known(plain.to_string())]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = "arn:aws:dynamodb:r:1:table/t";

    fn grants(statements: &Value) -> Grants {
        let mut grants = Grants::default();
        assert!(grants.add_live(&json!({ "Statement": statements })));
        grants
    }

    fn decide(grants: &Grants, action: &str, resource: &str) -> Grant {
        grants.decide(action, resource, &grants.context(resource))
    }

    #[test]
    fn what_is_named_is_granted_and_nothing_else() {
        let grants = grants(&json!([
            {"Effect": "Allow", "Action": ["dynamodb:Query", "dynamodb:Update*"], "Resource": TABLE},
            {"Effect": "Allow", "Action": "logs:*", "Resource": ["arn:aws:logs:r:1:log-group:g:*"]},
        ]));
        assert_eq!(decide(&grants, "dynamodb:query", TABLE), Grant::Yes);
        assert_eq!(decide(&grants, "dynamodb:UpdateItem", TABLE), Grant::Yes);
        assert_eq!(decide(&grants, "dynamodb:PutItem", TABLE), Grant::No);
        assert_eq!(
            decide(&grants, "dynamodb:Query", &format!("{TABLE}-another")),
            Grant::No
        );
        let (resources, open) = grants.resources();
        assert_eq!(
            resources,
            [TABLE, "arn:aws:logs:r:1:log-group:g:log-stream:deployer-verify"]
        );
        assert_eq!(open, 0);
        let actions = grants.actions(TABLE);
        assert!(actions.contains("dynamodb:DeleteTable") && actions.contains("dynamodb:Query"));
        assert!(
            !actions
                .iter()
                .any(|action| action.contains('*') || action.starts_with("logs:")),
            "{actions:?}"
        );
    }

    #[test]
    fn a_denial_wins() {
        let with = |denial: Value| {
            let mut denial = denial;
            denial["Effect"] = json!("Deny");
            let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            decide(
                &grants(&json!([allow.clone(), denial.clone()])),
                "s3:GetObject",
                "arn:aws:s3:::b/k",
            )
        };
        assert_eq!(
            with(json!({"Action": "s3:*", "Resource": "arn:aws:s3:::b/*"})),
            Grant::No
        );
        assert_eq!(with(json!({"NotAction": "s3:*", "Resource": "*"})), Grant::Yes);
        assert_eq!(
            with(json!({"Action": "*", "NotResource": "arn:aws:s3:::b/*"})),
            Grant::Yes
        );
        let condition = json!({"Bool": {"aws:SecureTransport": "false"}});
        assert_eq!(
            with(json!({"Action": "*", "Resource": "*", "Condition": condition})),
            Grant::Open
        );
    }

    #[test]
    fn conditions_are_met_where_they_are_simple() {
        let with = |condition: Value| {
            grants(
                &json!([{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/r", "Condition": condition}]),
            )
        };
        let simple = with(json!({"StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com"]}}));
        assert_eq!(decide(&simple, "iam:PassRole", "arn:aws:iam::1:role/r"), Grant::Yes);
        assert_eq!(simple.context("arn:aws:iam::1:role/r")[0].value, "lambda.amazonaws.com");
        assert!(!simple.has_other_conditions());
        let other = with(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}));
        assert_eq!(decide(&other, "iam:PassRole", "arn:aws:iam::1:role/r"), Grant::Open);
        assert!(other.has_other_conditions());
    }

    #[test]
    fn what_is_not_known_is_neither_granted_nor_denied() {
        let open = Expected::Text(vec![Part::Known("arn:aws:sqs:r:1:".to_owned()), Part::Open]);
        let statement = BTreeMap::from([
            ("Effect".to_owned(), literal(&json!("Allow"))),
            ("Action".to_owned(), literal(&json!("sqs:SendMessage"))),
            ("Resource".to_owned(), open),
        ]);
        let mut grants = Grants::default();
        let document = BTreeMap::from([("Statement".to_owned(), Expected::Map(statement))]);
        assert!(grants.add(&Expected::Map(document)));
        assert_eq!(decide(&grants, "sqs:SendMessage", "arn:aws:sqs:r:1:q"), Grant::Open);
        assert_eq!(decide(&grants, "sqs:SendMessage", "arn:aws:sqs:s:1:q"), Grant::No);
        assert_eq!(grants.resources(), (Vec::new(), 1));
    }

    #[test]
    fn patterns_are_iams() {
        for (pattern, text, fits) in [
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*", "abc", true),
            ("a", "A", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
