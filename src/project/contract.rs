//! The app's own contract, `stacks/verify.yaml`: requests and invocations, and what must come back; and which checks are
//! to be skipped, and why.
//!
//! `${Name}` or `${stack.Name}` is an output, `${stage}` and `${project}` are the names that `stages.yaml` knows as well,
//! `${env:NAME}` is an environment variable, `$${` is `${` as it is. Files that it names are relative to the project's
//! folder, and are taken as they are.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};

use super::functions::FUNCTION;
use super::placeholder::{self, Part};
use super::stacks::StackId;
use super::yaml::{self, Kind, Name, Node, Position};
use super::{Project, did_you_mean, json, number, source};
use crate::error::{Error, Result};

/// What the app promises, beside what the templates say of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contract {
    /// Requests and their answers.
    pub requests: Vec<Request>,
    /// Invocations of functions and what they return.
    pub invocations: Vec<Invocation>,
    /// Checks that aren't to be made.
    pub skips: Vec<Skip>,
}

/// A request. Its texts have placeholders, see [`fill`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is called: no other is called so.
    pub name: String,
    /// Such as `GET`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// In the order of the file.
    pub headers: Vec<(String, String)>,
    /// Whether it is signed with the run's own credentials.
    pub signed: bool,
    /// An API key.
    pub api_key: Option<String>,
    /// What is sent.
    pub body: Body,
    /// Whether it may change something.
    pub changes: bool,
    /// What must come back.
    pub expect: Expectation,
}

/// What a request sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Nothing,
    /// A text, or a value as JSON, with placeholders.
    Json(Value),
    /// See [`Body::Json`].
    Text(String),
    /// What was in a file.
    Bytes(Vec<u8>),
}

/// An invocation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// What it is called: no other is called so.
    pub name: String,
    /// The stack that the function is in.
    pub stack: StackId,
    /// The function's key in the template.
    pub function: String,
    /// What it is given; with placeholders unless it comes from a file.
    pub event: Event,
    /// Whether it may change something.
    pub changes: bool,
    /// What must come back.
    pub expect: Expectation,
}

/// What a function is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It stands in the contract, with placeholders.
    Inline(Value),
    /// It comes from a file.
    File(Value),
}

/// What must come back. Of what isn't said, anything may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The status.
    pub status: Option<u16>,
    /// Headers; one without a value must not be there.
    pub headers: Vec<(String, Option<String>)>,
    /// What the body, or what a function returns, has at least.
    pub json: Option<Value>,
    /// All of it.
    pub body: Option<String>,
    /// The error that a function ends with: its type, or a part of its message.
    pub error: Option<String>,
}

/// A check that isn't to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Its id.
    pub check: String,
    /// Of what; of everything if none is said.
    pub resource: Option<String>,
    /// Why, for whoever reads the report.
    pub reason: String,
}

/// What a text leaves open that isn't known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Open {
    /// An output.
    Output(String),
    /// An environment variable that isn't set.
    Variable(String),
    /// No placeholder at all.
    Nonsense(String),
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(name) => write!(f, "there is no output `{name}`"),
            Self::Variable(name) => write!(f, "the environment variable {name} isn't set"),
            Self::Nonsense(what) => f.write_str(what),
        }
    }
}

impl Contract {
    /// Reads the contract of `project`; none is an empty one. `checks` are the ids that there are.
    ///
    /// # Errors
    /// Names file, line and column of what can't be read, isn't known, or can't be so.
    pub fn read(project: &Project, checks: &[&str]) -> Result<Self> {
        let files = project.contract_files();
        let file = match files.as_slice() {
            [] => return Ok(Self::default()),
            [only] => only,
            [first, second, ..] => {
                return Err(Error::usage(format!(
                    "{} and {} are both the app's contract",
                    first.display(),
                    second.display()
                ))
                .hint("Put all of it into one file, and remove the other."));
            }
        };
        let text = source::read(file)?;
        let reader = Reader {
            file,
            text: &text,
            project,
            checks,
        };
        let node = reader.tree(file, &text)?;
        reader.contract(&node)
    }

    /// The entries that may change something, by name.
    pub fn changing(&self) -> impl Iterator<Item = &str> {
        let requests = self
            .requests
            .iter()
            .filter(|request| request.changes)
            .map(|request| request.name.as_str());
        let invocations = self
            .invocations
            .iter()
            .filter(|one| one.changes)
            .map(|one| one.name.as_str());
        requests.chain(invocations)
    }
}

/// A text without placeholders: `output` knows the outputs, `variable` the environment.
///
/// # Errors
/// The first that isn't known.
pub fn fill(
    text: &str,
    output: &dyn Fn(&str) -> Option<String>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Open> {
    let mut filled = String::new();
    for piece in pieces(text)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Output(name) => filled.push_str(&output(name).ok_or_else(|| Open::Output(name.to_owned()))?),
            Piece::Variable(name) => filled.push_str(&variable(name).ok_or_else(|| Open::Variable(name.to_owned()))?),
        }
    }
    Ok(filled)
}

/// The same for every text in a value, but for the names in it.
///
/// # Errors
/// See [`fill`].
pub fn fill_value(value: &Value, fill: &dyn Fn(&str) -> Result<String, Open>) -> Result<Value, Open> {
    Ok(match value {
        Value::String(text) => Value::String(fill(text)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| fill_value(item, fill))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(name, value)| Ok((name.clone(), fill_value(value, fill)?)));
            Value::Object(entries.collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

/// What stands for the stage's name and the project's, as in `stages.yaml`.
pub const SETTINGS: [&str; 2] = ["stage", "project"];

/// The first output that a text names.
pub fn first_output(text: &str) -> Option<&str> {
    pieces(text).ok()?.into_iter().find_map(|piece| match piece {
        Piece::Output(name) if !SETTINGS.contains(&name) => Some(name),
        _ => None,
    })
}

enum Piece<'t> {
    Text(&'t str),
    Output(&'t str),
    Variable(&'t str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Open> {
    let pieces = placeholder::parts(text).map(|part| match part {
        Ok(Part::Text(text)) => Ok(Piece::Text(text)),
        Ok(Part::Open(name)) => Ok(name.strip_prefix("env:").map_or(Piece::Output(name), Piece::Variable)),
        Err(rest) => Err(Open::Nonsense(format!("`{rest}` has no `}}`, as in `${{ApiUrl}}`"))),
    });
    pieces.collect()
}

/// What a request may be.
const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// Those that change nothing (RFC 9110, 9.2.1).
const SAFE: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// How deep the trees go that are read here is bounded by the reader of YAML.
struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    project: &'a Project,
    checks: &'a [&'a str],
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
        source::at_column(self.file, self.text, position.line, position.column).refuse(Error::usage(what))
    }

    fn correct(&self) -> String {
        source::correct(self.file)
    }

    /// Reads YAML or JSON; what is wrong with it is shown.
    fn tree(&self, file: &Path, text: &str) -> Result<Node> {
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        let read = || {
            if is_json {
                json::read(text, file, 1)
            } else {
                yaml::read(text, file)?.merged(file)
            }
        };
        read().map_err(|error| source::shown(error, file, text))
    }

    fn contract(&self, node: &Node) -> Result<Contract> {
        if node.is_null() {
            return Ok(Contract::default());
        }
        let fields = self.fields(node, "the contract", &["requests", "invocations", "skip"])?;
        let contract = Contract {
            requests: self.list(&fields, "requests", |node| self.request(node))?,
            invocations: self.list(&fields, "invocations", |node| self.invocation(node))?,
            skips: self.list(&fields, "skip", |node| self.skip(node))?,
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
                entry(item, "name").map_or(item.position, |name| name.position)
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
                .refuse(Error::usage(
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
                place.refuse(Error::usage(what)).hint(hint)
            })?;
        }
        Ok(())
    }

    /// Where `part` stands, at a position or after it.
    fn place_of(&self, position: Position, part: &str) -> source::Place {
        let before: usize = self
            .text
            .split('\n')
            .take(position.line - 1)
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
        let path = self.project.path().join(self.text(node, name)?);
        let bytes = std::fs::read(&path).map_err(|error| {
            self.refuse(node.position, format!("could not read {}", path.display()))
                .because(error)
                .hint("Files are named as they are found from the project's folder.")
        })?;
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
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if !number::is_number(text) || number::has_leading_zero(text) => text_itself(),
        _ => {
            let as_written = serde_json::from_str::<Number>(text).ok();
            let canonical = || serde_json::from_str(&number::canonical(text)?).ok();
            as_written.or_else(canonical).map_or_else(text_itself, Value::Number)
        }
    }
}

/// An entry of a map.
fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.kind {
        Kind::Map(entries) => entries.iter().find(|(one, _)| one.text == name).map(|(_, node)| node),
        _ => None,
    }
}

fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STAGES: &str = "project: shop\nstages: { dev: {} }\n";
    const TEMPLATE: &str = "Resources:\n  Handler: { Type: AWS::Lambda::Function, Properties: { Code: { ZipFile: x } } }\n\
                            Outputs: { BaseUrl: { Value: x }, Origin: { Value: y } }\n";

    fn read(contract: &str) -> Result<Contract> {
        let dir = tempfile::tempdir().expect("a folder");
        let stacks = dir.path().join("stacks");
        std::fs::create_dir(&stacks).expect("made");
        for (name, text) in [
            ("stages.yaml", STAGES),
            ("web.yaml", TEMPLATE),
            ("verify.yaml", contract),
        ] {
            std::fs::write(stacks.join(name), text).expect("written");
        }
        std::fs::write(dir.path().join("event.json"), r#"{"a": "${NotAnOutput}"}"#).expect("written");
        let project = Project::open(dir.path(), "dev")?;
        Contract::read(&project, &["table-keys", "requests"])
    }

    fn problem(contract: &str) -> (String, String, Option<String>) {
        let error = read(contract).expect_err(contract);
        let message = error
            .message()
            .split_once("verify.yaml:")
            .map_or(error.message(), |(_, rest)| rest)
            .to_owned();
        let marked = error
            .excerpts()
            .first()
            .map(|one| one.text[one.span.clone()].to_owned());
        assert_eq!(error.exit(), crate::error::Exit::Usage);
        (message, error.next_step().unwrap_or_default().to_owned(), marked)
    }

    fn filled(text: &str) -> Result<String, Open> {
        let output = |name: &str| (name == "BaseUrl").then(|| "https://a".to_owned());
        let variable = |name: &str| (name == "TOKEN").then(|| "t".to_owned());
        fill(text, &output, &variable)
    }

    #[test]
    fn no_contract_and_an_empty_one_are_the_same() {
        for text in ["", "# nothing yet\n", "requests:\nskip: []\n"] {
            assert_eq!(read(text).expect("valid"), Contract::default());
        }
    }

    #[test]
    fn requests_and_invocations_are_read() {
        let text = r#"
requests:
  - name: read
    request: GET ${BaseUrl}/things?a=1
    headers: { X-A: "${web.Origin}" }
    expect: { status: 200, headers: { X-B: 1, X-C: }, json: { n: 1.50, s: "1", z: 007, deep: [{ on: true }] } }
  - { name: write, request: "POST ${BaseUrl}", sign: iam, body: { a: 1 }, expect: { status: 201 } }
  - { name: harmless, request: "POST ${BaseUrl}", changes: false, expect: { body: "" } }
invocations:
  - { name: call, function: Handler, event: { a: "${BaseUrl}" }, expect: { json: { b: 1 } } }
  - { name: by file, function: web.Handler, eventFile: event.json, changes: false, expect: { error: Oops } }
skip:
  - { check: table-keys, resource: web.Table, reason: it is somebody else's }
"#;
        let contract = read(text).expect("valid");
        let read = &contract.requests[0];
        assert_eq!(
            (read.method.as_str(), read.url.as_str()),
            ("GET", "${BaseUrl}/things?a=1")
        );
        assert_eq!(read.headers, [("X-A".to_owned(), "${web.Origin}".to_owned())]);
        assert_eq!(
            read.expect.headers,
            [("X-B".to_owned(), Some("1".to_owned())), ("X-C".to_owned(), None)]
        );
        let number: Value = serde_json::from_str("1.50").expect("a number");
        assert_eq!(
            read.expect.json,
            Some(json!({"n": number, "s": "1", "z": "007", "deep": [{"on": true}]}))
        );
        assert_eq!(contract.requests[1].body, Body::Json(json!({"a": 1})));
        assert!(contract.requests[1].signed);
        assert_eq!(contract.changing().collect::<Vec<_>>(), ["write", "call"]);
        assert_eq!(
            contract.invocations[1].event,
            Event::File(json!({"a": "${NotAnOutput}"}))
        );
        assert_eq!(contract.invocations[1].stack.as_str(), "web");
        assert_eq!(contract.skips[0].resource.as_deref(), Some("web.Table"));
    }

    #[test]
    fn bad_input_is_told_by_its_place_with_the_next_step() {
        let request = |rest: &str| format!("requests:\n  - name: a\n    request: GET ${{BaseUrl}}\n    {rest}\n");
        let cases = [
            (
                "request: []\n".to_owned(),
                "1:1: the contract has no `request`",
                "Did you mean `requests`?",
                "request",
            ),
            (
                request("expct: {}"),
                "4:5: a request has no `expct`",
                "Did you mean `expect`?",
                "expct",
            ),
            (
                request("expect: { status: 99 }"),
                "4:23: a status is a number",
                "Correct",
                "99",
            ),
            (request("expect: {}"), "4:13: nothing is expected", "status: 200", "{"),
            (
                request("expect: { json: { a: 1 }, body: x }"),
                "both `json` and `body`",
                "Leave one",
                "body",
            ),
            (
                request("expect: { json: }"),
                "nothing is said behind `json`",
                "leave `json` out",
                "json",
            ),
            (
                request("expect: { json: '{\"a\":1}' }"),
                "would only match a text",
                "without quotes",
                "'{\"a\":1}'",
            ),
            (
                request("expect: { status: 204, json: {} }"),
                "`json` can never match",
                "Leave",
                "json",
            ),
            (
                request("headers: { a: 1, A: 2 }"),
                "the header `A` is there twice",
                "Case",
                "A",
            ),
            (request("sign: key"), "`sign` can be `iam` only", "sign: iam", "key"),
            (
                request("headers: { a: \"x ${BasUrl}\" }"),
                "4:22: no template has an output `BasUrl`",
                "Did you mean `BaseUrl`?",
                "${BasUrl}",
            ),
            (
                request("expect: { body: \"a${env:HOME}\" }"),
                "an environment variable can't stand here",
                "Headers",
                "${env:HOME}",
            ),
            (
                request("headers: { a: \"${BaseUrl\" }"),
                "has no `}`",
                "$${",
                "\"${BaseUrl\"",
            ),
            (
                request("bodyFile: nowhere.json\n    expect: { status: 200 }"),
                "could not read",
                "project's folder",
                "nowhere.json",
            ),
            (
                "requests:\n  - { name: a, request: Get https://a.example, expect: { status: 200 } }\n".to_owned(),
                "`Get` is no method",
                "Did you mean `GET`?",
                "Get",
            ),
            (
                "requests:\n  - { name: a, request: GET /x, expect: { status: 200 } }\n".to_owned(),
                "is no whole address",
                "${ApiUrl}",
                "GET",
            ),
            (
                "requests:\n  - &a { name: a, request: GET https://a.example, expect: { status: 200 } }\n  - *a\n"
                    .to_owned(),
                "is called `a`",
                "name of its own",
                "a",
            ),
            (
                "invocations:\n  - { name: a, function: Handlr, event: {}, expect: { json: {} } }\n".to_owned(),
                "no template has a function `Handlr`",
                "Did you mean `Handler`?",
                "Handlr",
            ),
            (
                "invocations:\n  - { name: a, function: Handler, expect: { json: {} } }\n".to_owned(),
                "no `event`",
                "event: {}",
                "{",
            ),
            (
                "invocations:\n  - { name: a, function: Handler, event: !Ref x, expect: { json: {} } }\n".to_owned(),
                "`!Ref` means nothing here",
                "JSON",
                "!Ref",
            ),
            (
                "skip:\n  - { check: table-key, reason: x }\n".to_owned(),
                "there is no check `table-key`",
                "Did you mean `table-keys`?",
                "table-key",
            ),
            (
                "skip:\n  - { check: requests }\n".to_owned(),
                "has no `reason`",
                "Add `reason",
                "{",
            ),
            ("requests: [\n".to_owned(), "", "Correct", ""),
        ];
        for (text, what, next_step, word) in cases {
            let (message, hint, marked) = problem(&text);
            assert!(message.contains(what), "{what}: {message}");
            assert!(hint.contains(next_step), "{next_step}: {hint}");
            assert!(marked.is_some(), "{text}");
            assert!(marked.is_some_and(|marked| marked.starts_with(word)), "{word}: {text}");
        }
    }

    #[test]
    fn placeholders_are_outputs_and_variables() {
        assert_eq!(filled("${BaseUrl}/x").as_deref(), Ok("https://a/x"));
        assert_eq!(
            filled("Bearer ${env:TOKEN} $${BaseUrl} $x").as_deref(),
            Ok("Bearer t ${BaseUrl} $x")
        );
        assert_eq!(filled("${Other}"), Err(Open::Output("Other".to_owned())));
        assert_eq!(filled("${env:OTHER}"), Err(Open::Variable("OTHER".to_owned())));
        assert_eq!(first_output("a ${env:T} ${b.C}"), Some("b.C"));
    }

    #[test]
    fn the_contracts_of_the_examples_are_read() {
        for (folder, stage) in [(".", "dev"), ("examples/orders", "dev")] {
            let project = Project::open(Path::new(folder), stage).expect("a project");
            let contract = Contract::read(&project, &[]).expect("valid");
            assert!(!contract.requests.is_empty(), "{folder}");
        }
    }
}
