//! Reading the contract's file, with the place of whatever is wrong with it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};

use super::fill::{Piece, SETTINGS, pieces};
use super::{Body, Contract, Event, Expectation, Invocation, Request, Skip};
use crate::error::{Error, ErrorKind, Result};
use crate::project::functions::FUNCTION;
use crate::project::stacks::StackId;
use crate::project::yaml::{self, Kind, Name, Node, Position};
use crate::project::{Project, did_you_mean, number, source};

/// What a request may be.
const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// Those that change nothing (RFC 9110, 9.2.1).
const SAFE: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// How deep the trees go that are read here is bounded by the reader of YAML.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    pub(super) project: &'a Project,
    /// The ids of checks.
    pub(super) checks: &'a [&'a str],
    /// What was read of other files, by their paths in the project's folder.
    pub(super) files: &'a RefCell<BTreeMap<String, Vec<u8>>>,
}

/// A map whose names are all known.
struct Fields<'n> {
    what: &'static str,
    position: Position,
    entries: Vec<(&'n Name, &'n Node)>,
}

impl<'n> Fields<'n> {
    fn get(&self, name: &str) -> Option<&'n Node> {
        let found = self.entries.iter().find(|(one, _)| one.text == name);
        // Nothing behind a name is as if it weren't there.
        found.map(|(_, node)| *node).filter(|node| !node.is_null())
    }

    fn name(&self, name: &str) -> Position {
        let found = self.entries.iter().find(|(one, _)| one.text == name);
        found.map_or(self.position, |(name, _)| name.position)
    }
}

impl Reader<'_> {
    fn refuse(&self, position: Position, what: impl Into<String>) -> Error {
        source::at_column(self.file, self.text, position.line, position.column)
            .refuse(Error::new(ErrorKind::InvalidProject, what))
    }

    fn correct(&self) -> String {
        yaml::correct(self.file)
    }

    /// Reads YAML or JSON; what is wrong with it is shown.
    pub(super) fn tree(&self, file: &Path, text: &str) -> Result<Node> {
        source::tree(text, file)?
            .merged(file)
            .map_err(|error| source::shown(error, file, text))
    }

    /// What the whole file says.
    pub(super) fn contract(&self, node: &Node) -> Result<Contract> {
        if node.is_null() {
            return Ok(Contract::default());
        }
        let fields = self.fields(node, "the contract", &["requests", "invocations", "skip"])?;
        let contract = Contract {
            requests: self.list(&fields, "requests", |node| self.request(node))?,
            invocations: self.list(&fields, "invocations", |node| self.invocation(node))?,
            skips: self.list(&fields, "skip", |node| self.skip(node))?,
            files: BTreeMap::new(),
        };
        self.distinct(
            &fields,
            "requests",
            contract.requests.iter().map(|one| one.name.as_str()),
        )?;
        self.distinct(
            &fields,
            "invocations",
            contract.invocations.iter().map(|one| one.name.as_str()),
        )?;
        Ok(contract)
    }

    /// Refuses a name that is there twice.
    fn distinct<'n>(&self, fields: &Fields<'_>, list: &str, names: impl Iterator<Item = &'n str>) -> Result<()> {
        let mut seen = BTreeSet::new();
        for (index, name) in names.enumerate() {
            if seen.insert(name) {
                continue;
            }
            let item = fields.get(list).and_then(|node| match &node.kind {
                Kind::List(items) => items.get(index),
                _ => None,
            });
            let position = item.map_or(fields.position, |item| {
                item.entry("name").map_or(item.position, |(_, name)| name.position)
            });
            return Err(self
                .refuse(position, format!("another of the {list} is called `{name}`"))
                .hint("Give it a name of its own: by it the report says which it is."));
        }
        Ok(())
    }

    fn list<T>(&self, fields: &Fields<'_>, name: &str, item: impl Fn(&Node) -> Result<T>) -> Result<Vec<T>> {
        match fields.get(name) {
            None => Ok(Vec::new()),
            Some(node) => match &node.kind {
                Kind::List(items) => items.iter().map(item).collect(),
                _ => Err(self
                    .refuse(node.position, format!("`{name}` must be a list"))
                    .hint("Begin each of its entries with `- `.")),
            },
        }
    }

    fn fields<'n>(&self, node: &'n Node, what: &'static str, known: &[&str]) -> Result<Fields<'n>> {
        let Kind::Map(entries) = &node.kind else {
            return Err(self
                .refuse(node.position, format!("{what} must be a map"))
                .hint(format!("It may have {}.", listed(known))));
        };
        if let Some((name, _)) = entries.iter().find(|(name, _)| !known.contains(&name.text.as_str())) {
            let error = self.refuse(name.position, format!("{what} has no `{}`", name.text));
            return Err(match did_you_mean(&name.text, known) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error.hint(format!("It may have {}.", listed(known))),
            });
        }
        Ok(Fields {
            what,
            position: node.position,
            entries: entries.iter().map(|(name, node)| (name, node)).collect(),
        })
    }

    fn required<'n>(&self, fields: &Fields<'n>, name: &str) -> Result<&'n Node> {
        fields.get(name).ok_or_else(|| {
            self.refuse(fields.name(name), format!("{} has no `{name}`", fields.what))
                .hint(format!("Add `{name}: …`."))
        })
    }

    /// A text that isn't empty.
    fn text(&self, node: &Node, name: &str) -> Result<String> {
        match node
            .text()
            .filter(|_| matches!(node.tag.as_deref(), None | Some("!!str")))
        {
            Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
            _ => Err(self
                .refuse(node.position, format!("`{name}` must be a text"))
                .hint(self.correct())),
        }
    }

    /// A text whose placeholders are all known.
    fn template(&self, node: &Node, name: &str) -> Result<String> {
        let text = match node
            .text()
            .filter(|_| matches!(node.tag.as_deref(), None | Some("!!str")))
        {
            Some(text) => text.to_owned(),
            None => {
                return Err(self
                    .refuse(node.position, format!("`{name}` must be a text"))
                    .hint(self.correct()));
            }
        };
        self.check(node, &text)?;
        Ok(text)
    }

    /// A text that reports show: no variable's value is to be seen in them.
    fn shown(&self, node: &Node, name: &str) -> Result<String> {
        let text = self.template(node, name)?;
        self.check_shown(node, &text)?;
        Ok(text)
    }

    fn check_shown(&self, node: &Node, text: &str) -> Result<()> {
        let all = pieces(text).unwrap_or_default();
        match all.iter().find_map(|piece| {
            if let Piece::Variable(name) = piece {
                Some(*name)
            } else {
                None
            }
        }) {
            None => Ok(()),
            Some(variable) => Err(self
                .place_of(node.position, &format!("${{env:{variable}}}"))
                .refuse(Error::new(
                    ErrorKind::InvalidProject,
                    "an environment variable can't stand here, where reports would show it",
                ))
                .hint("Headers, `apiKey`, bodies and events may have one.")),
        }
    }

    /// Refuses placeholders that stand for nothing.
    fn check(&self, node: &Node, text: &str) -> Result<()> {
        let pieces = pieces(text).map_err(|open| {
            self.refuse(node.position, open.to_string())
                .hint("Write `$${` for a `${` that is meant as it is.")
        })?;
        for piece in pieces {
            let Piece::Output(name) = piece else { continue };
            if SETTINGS.contains(&name) {
                continue;
            }
            self.project.output_called(name).map_err(|(what, hint)| {
                let place = self.place_of(node.position, &format!("${{{name}}}"));
                place.refuse(Error::new(ErrorKind::InvalidProject, what)).hint(hint)
            })?;
        }
        Ok(())
    }

    /// Where `part` stands, at a position or after it.
    fn place_of(&self, position: Position, part: &str) -> source::Place {
        let before: usize = self
            .text
            .split('\n')
            .take(position.line as usize - 1)
            .map(|line| line.len() + 1)
            .sum();
        let found = self.text.get(before..).and_then(|rest| rest.find(part));
        match found {
            Some(found) => {
                let start = before + found;
                source::at_span(self.file, self.text, Some(start..start + part.len()))
            }
            None => source::at_column(self.file, self.text, position.line, position.column),
        }
    }

    fn flag(&self, fields: &Fields<'_>, name: &str) -> Result<Option<bool>> {
        let Some(node) = fields.get(name) else { return Ok(None) };
        match node.text().filter(|_| node.tag.is_none()) {
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            _ => Err(self
                .refuse(node.position, format!("`{name}` is `true` or `false`"))
                .hint(self.correct())),
        }
    }

    /// One of two that exclude one another.
    fn either<'n>(&self, fields: &Fields<'n>, one: &str, other: &str) -> Result<(Option<&'n Node>, Option<&'n Node>)> {
        let found = (fields.get(one), fields.get(other));
        if let (Some(_), Some(_)) = found {
            return Err(self
                .refuse(
                    fields.name(other),
                    format!("{} has both `{one}` and `{other}`", fields.what),
                )
                .hint("Leave one of the two out."));
        }
        Ok(found)
    }

    /// What is in a file of the project.
    fn file(&self, node: &Node, name: &str) -> Result<(PathBuf, Vec<u8>)> {
        let inner = self.text(node, name)?;
        let path = self.project.path().join(&inner);
        let bytes = std::fs::read(&path).map_err(|error| {
            self.refuse(node.position, format!("could not read {}", path.display()))
                .cause(error)
                .hint("Files are named as they are found from the project's folder.")
        })?;
        self.files.borrow_mut().insert(inner, bytes.clone());
        Ok((path, bytes))
    }

    fn request(&self, node: &Node) -> Result<Request> {
        const KEYS: &[&str] = &[
            "name", "request", "headers", "sign", "apiKey", "body", "bodyFile", "changes", "expect",
        ];
        let fields = self.fields(node, "a request", KEYS)?;
        let name = self.text(self.required(&fields, "name")?, "name")?;
        let line = self.required(&fields, "request")?;
        let (method, url) = self.line(line)?;
        let headers = match fields.get("headers") {
            None => Vec::new(),
            Some(node) => self.headers(node)?,
        };
        let headers = headers
            .into_iter()
            .map(|(name, node)| Ok((name.text.clone(), self.template(node, &name.text)?)));
        let signed = match fields.get("sign") {
            None => false,
            Some(node) if node.text() == Some("iam") => true,
            Some(node) => {
                return Err(self
                    .refuse(node.position, "`sign` can be `iam` only")
                    .hint("Write `sign: iam`."));
            }
        };
        let body = match self.either(&fields, "body", "bodyFile")? {
            (Some(node), _) if node.text().is_some() => Body::Text(self.template(node, "body")?),
            (Some(node), _) => Body::Json(self.value(node)?),
            (None, Some(file)) => Body::Bytes(self.file(file, "bodyFile")?.1),
            (None, None) => Body::Nothing,
        };
        Ok(Request {
            name,
            headers: headers.collect::<Result<_>>()?,
            signed,
            api_key: fields
                .get("apiKey")
                .map(|node| self.template(node, "apiKey"))
                .transpose()?,
            body,
            changes: self
                .flag(&fields, "changes")?
                .unwrap_or(!SAFE.contains(&method.as_str())),
            expect: self.expected_answer(self.required(&fields, "expect")?, &method)?,
            method,
            url,
        })
    }

    /// `GET ${ApiUrl}/x`.
    fn line(&self, node: &Node) -> Result<(String, String)> {
        let text = self.shown(node, "request")?;
        let (method, url) = text.split_once(' ').unwrap_or((text.as_str(), ""));
        if !METHODS.contains(&method) {
            let error = self.refuse(node.position, format!("`{method}` is no method"));
            return Err(match did_you_mean(method, METHODS) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error.hint("A request is a method and an address, as in `GET ${ApiUrl}/path`."),
            });
        }
        let url = url.trim();
        let is_address = ["${", "https://", "http://"].iter().any(|begin| url.starts_with(begin));
        if !is_address {
            return Err(self
                .refuse(node.position, format!("`{url}` is no whole address"))
                .hint("Begin it with an output, as in `GET ${ApiUrl}/path`, or with https://."));
        }
        Ok((method.to_owned(), url.to_owned()))
    }

    fn headers<'n>(&self, node: &'n Node) -> Result<Vec<(&'n Name, &'n Node)>> {
        let Kind::Map(entries) = &node.kind else {
            return Err(self
                .refuse(node.position, "`headers` must be a map of names to values")
                .hint(self.correct()));
        };
        let mut seen = BTreeSet::new();
        for (name, _) in entries {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.text.is_empty() || !name.text.chars().all(is_name) {
                return Err(self
                    .refuse(name.position, format!("`{}` can be no header's name", name.text))
                    .hint(self.correct()));
            }
            if !seen.insert(name.text.to_ascii_lowercase()) {
                return Err(self
                    .refuse(name.position, format!("the header `{}` is there twice", name.text))
                    .hint("Case makes no difference in headers' names. Leave one of the two out."));
            }
        }
        Ok(entries.iter().map(|(name, node)| (name, node)).collect())
    }

    fn expected_answer(&self, node: &Node, method: &str) -> Result<Expectation> {
        let fields = self.fields(
            node,
            "what is expected of an answer",
            &["status", "headers", "json", "body"],
        )?;
        let status = fields.get("status").map(|node| self.status(node)).transpose()?;
        let headers = match fields.get("headers") {
            None => Vec::new(),
            Some(node) => self.headers(node)?,
        };
        let headers = headers.into_iter().map(|(name, node)| {
            let value = if node.is_null() {
                None
            } else {
                Some(self.shown(node, &name.text)?)
            };
            Ok((name.text.clone(), value))
        });
        let headers: Vec<_> = headers.collect::<Result<_>>()?;
        let (json, body) = self.expected_content(&fields)?;
        let has_content = json.is_some() || body.as_ref().is_some_and(|body| !body.is_empty());
        let bodiless = match status {
            _ if method == "HEAD" => Some("an answer to HEAD".to_owned()),
            Some(status @ (100..=199 | 204 | 304)) => Some(format!("an answer with status {status}")),
            _ => None,
        };
        if let Some(answer) = bodiless.filter(|_| has_content) {
            let name = if json.is_some() { "json" } else { "body" };
            return Err(self
                .refuse(
                    fields.name(name),
                    format!("{answer} has no body, so `{name}` can never match"),
                )
                .hint(format!("Leave `{name}` out.")));
        }
        if status.is_none() && headers.is_empty() && json.is_none() && body.is_none() {
            return Err(self
                .refuse(fields.position, "nothing is expected of the answer")
                .hint("Say at least `status: 200`."));
        }
        Ok(Expectation {
            status,
            headers,
            json,
            body,
            error: None,
        })
    }

    fn status(&self, node: &Node) -> Result<u16> {
        let status = node
            .text()
            .and_then(|text| text.parse::<u16>().ok())
            .filter(|status| (100..600).contains(status));
        status.ok_or_else(|| {
            self.refuse(node.position, "a status is a number from 100 to 599")
                .hint(self.correct())
        })
    }

    fn expected_content(&self, fields: &Fields<'_>) -> Result<(Option<Value>, Option<String>)> {
        let said = fields.entries.iter().find(|(name, _)| name.text == "json");
        if let Some((name, _)) = said.filter(|(_, node)| node.is_null()) {
            return Err(self
                .refuse(name.position, "nothing is said behind `json`")
                .hint("Say what the JSON has, or leave `json` out; for the JSON null alone say `body: \"null\"`."));
        }
        let (json, body) = self.either(fields, "json", "body")?;
        if let Some(node) = json
            && let Some(text) = node.text()
            && matches!(serde_json::from_str(text), Ok(Value::Object(_) | Value::Array(_)))
        {
            return Err(self
                .refuse(node.position, "this is a text, and would only match a text")
                .hint("Write it without quotes, as a map or a list; or say `body` if it must be exactly so."));
        }
        Ok((
            json.map(|node| self.shown_value(node)).transpose()?,
            body.map(|node| self.shown(node, "body")).transpose()?,
        ))
    }

    fn invocation(&self, node: &Node) -> Result<Invocation> {
        const KEYS: &[&str] = &["name", "function", "event", "eventFile", "changes", "expect"];
        let fields = self.fields(node, "an invocation", KEYS)?;
        let name = self.text(self.required(&fields, "name")?, "name")?;
        let (stack, function) = self.function(self.required(&fields, "function")?)?;
        let event = match self.either(&fields, "event", "eventFile")? {
            (Some(node), _) => Event::Inline(self.value(node)?),
            (None, Some(node)) => Event::File(self.event_file(node)?),
            (None, None) => {
                return Err(self
                    .refuse(fields.position, "an invocation has no `event` and no `eventFile`")
                    .hint("Say `event: {}` if the function needs nothing."));
            }
        };
        Ok(Invocation {
            name,
            stack,
            function,
            event,
            changes: self.flag(&fields, "changes")?.unwrap_or(true),
            expect: self.expected_result(self.required(&fields, "expect")?)?,
        })
    }

    fn event_file(&self, node: &Node) -> Result<Value> {
        let (path, bytes) = self.file(node, "eventFile")?;
        let text = String::from_utf8(bytes).map_err(|_| {
            self.refuse(node.position, format!("{} isn't UTF-8", path.display()))
                .hint("Save it as UTF-8.")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let tree = self.tree(&path, text)?;
        let of_file = Reader {
            file: &path,
            text,
            ..*self
        };
        of_file.plain_value(&tree)
    }

    fn expected_result(&self, node: &Node) -> Result<Expectation> {
        let fields = self.fields(node, "what is expected of a function", &["json", "body", "error"])?;
        let (json, body) = self.expected_content(&fields)?;
        let error = fields.get("error").map(|node| self.text(node, "error")).transpose()?;
        if error.is_some() && body.is_some() {
            return Err(self
                .refuse(
                    fields.name("body"),
                    "a function that ends with an error returns nothing, so `body` can never match",
                )
                .hint("Leave `body` or `error` out."));
        }
        if json.is_none() && body.is_none() && error.is_none() {
            return Err(self
                .refuse(fields.position, "nothing is expected of the function")
                .hint("Say at least `json: {}`, which any map has."));
        }
        Ok(Expectation {
            json,
            body,
            error,
            ..Expectation::default()
        })
    }

    /// A function by its logical id, or `stack.LogicalId`.
    fn function(&self, node: &Node) -> Result<(StackId, String)> {
        let name = self.text(node, "function")?;
        let all: Vec<(StackId, String)> = self
            .project
            .stacks()
            .flat_map(|stack| {
                stack
                    .template
                    .resources_of(FUNCTION)
                    .map(|(id, _)| (stack.id.clone(), id.to_owned()))
            })
            .collect();
        let full = |(stack, id): &(StackId, String)| format!("{stack}.{id}");
        let found: Vec<_> = all.iter().filter(|one| one.1 == name || full(one) == name).collect();
        match found.as_slice() {
            [only] => Ok((*only).clone()),
            [] => {
                let short: Vec<&str> = all.iter().map(|(_, id)| id.as_str()).collect();
                let error = self.refuse(node.position, format!("no template has a function `{name}`"));
                let wanted = name.rsplit('.').next().unwrap_or_default();
                Err(match (did_you_mean(wanted, &short), short.as_slice()) {
                    (Some(near), _) => error.hint(format!("Did you mean `{near}`?")),
                    (None, []) => error.hint("Declare an AWS::Lambda::Function in a template in stacks/."),
                    (None, all) => error.hint(format!("There is {}.", all.join(", "))),
                })
            }
            [first, second, ..] => Err(self
                .refuse(
                    node.position,
                    format!("{} and {} both have a function `{name}`", first.0, second.0),
                )
                .hint(format!("Say which: `{}` or `{}`.", full(first), full(second)))),
        }
    }

    fn skip(&self, node: &Node) -> Result<Skip> {
        let fields = self.fields(node, "what is skipped", &["check", "resource", "reason"])?;
        let check = self.required(&fields, "check")?;
        let id = self.text(check, "check")?;
        if !self.checks.contains(&id.as_str()) {
            let error = self.refuse(check.position, format!("there is no check `{id}`"));
            return Err(match did_you_mean(&id, self.checks) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error.hint(format!("There is {}.", self.checks.join(", "))),
            });
        }
        Ok(Skip {
            check: id,
            resource: fields
                .get("resource")
                .map(|node| self.text(node, "resource"))
                .transpose()?,
            reason: self.text(self.required(&fields, "reason")?, "reason")?,
        })
    }

    /// A value as JSON, the placeholders in it known.
    fn value(&self, node: &Node) -> Result<Value> {
        self.walk(node, &|node, text| self.check(node, text))
    }

    /// The same for what reports show.
    fn shown_value(&self, node: &Node) -> Result<Value> {
        self.walk(node, &|node, text| {
            self.check(node, text).and_then(|()| self.check_shown(node, text))
        })
    }

    /// The same where nothing is a placeholder.
    fn plain_value(&self, node: &Node) -> Result<Value> {
        self.walk(node, &|_, _| Ok(()))
    }

    fn walk(&self, node: &Node, check: &dyn Fn(&Node, &str) -> Result<()>) -> Result<Value> {
        if let Some(tag) = node
            .tag
            .as_deref()
            .filter(|tag| !matches!(*tag, "!!str" | "!!map" | "!!seq"))
        {
            return Err(self
                .refuse(node.position, format!("`{tag}` means nothing here"))
                .hint("Values are JSON's: text, numbers, true, false, null, lists and maps."));
        }
        Ok(match &node.kind {
            Kind::Scalar { text, plain } => {
                let value = scalar(text, *plain && node.tag.is_none());
                if let Value::String(text) = &value {
                    check(node, text)?;
                }
                value
            }
            Kind::List(items) => Value::Array(items.iter().map(|item| self.walk(item, check)).collect::<Result<_>>()?),
            Kind::Map(entries) => {
                let mut map = Map::new();
                for (name, value) in entries {
                    map.insert(name.text.clone(), self.walk(value, check)?);
                }
                Value::Object(map)
            }
        })
    }
}

/// What a plain scalar is by YAML 1.2's core schema; a number with a leading zero is text, as it is among seed items.
fn scalar(text: &str, plain: bool) -> Value {
    let text_itself = || Value::String(text.to_owned());
    if !plain {
        return text_itself();
    }
    match yaml::flag(text) {
        Some(flag) => Value::Bool(flag),
        None if yaml::says_nothing(text) => Value::Null,
        None if !number::is_number(text) || number::has_leading_zero(text) => text_itself(),
        None => {
            let as_written = serde_json::from_str::<Number>(text).ok();
            let canonical = || serde_json::from_str(&number::canonical(text)?).ok();
            as_written.or_else(canonical).map_or_else(text_itself, Value::Number)
        }
    }
}

fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
