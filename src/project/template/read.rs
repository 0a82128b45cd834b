//! A template's text as JSON, as CloudFormation reads it: YAML 1.1 with short forms of functions, or JSON.
//!
//! YAML 1.1 and 1.2 have different types for the same text: `yes` and `0755` are a flag and 493 to one, text and 755 to the
//! other. What all that read YAML 1.1 agree on is taken so; where the readings differ and a value may silently be another
//! one, it is refused. `docs/yaml.md` says it for the users. What YAML 1.1's readers are here: PyYAML, by which the AWS CLI,
//! SAM and cfn-lint read templates. What CloudFormation has of YAML:
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html>

use std::path::Path;

use serde_json::{Map, Number, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::project::did_you_mean;
use crate::project::source::{self, Format, Place};
use crate::project::yaml::{self, Kind, Name, Node, Span};

/// The functions that have a short form.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html> and, for
/// rules, <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html>
pub(super) const FUNCTIONS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "ForEach",
    "GetAZs",
    "GetAtt",
    "GetStackOutput",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];

/// How strictly a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is about to be deployed: what readers don't agree on is refused.
    Written,
    /// It was deployed: CloudFormation has taken it for something.
    Deployed,
}

/// Reads a text; beside it what is to be warned of, a sentence each.
///
/// # Errors
/// Names file, line and column.
pub(super) fn read(text: &str, file: &Path, reading: Reading) -> Result<(Value, Vec<String>)> {
    let (node, format) = source::parsed(text, file)?;
    let mut reader = Reader {
        file,
        text,
        format,
        reading,
        aliases: None,
    };
    if format == Format::Yaml && reading == Reading::Written {
        reader.refuse_old_line_ends()?;
    }
    let value = reader.value(node)?;
    Ok((value, reader.warnings()))
}

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    format: Format,
    reading: Reading,
    /// The first alias, and how many there are.
    aliases: Option<(Span, usize)>,
}

impl Reader<'_> {
    fn refuse(&self, span: Span, what: impl Into<String>) -> Error {
        self.place(span).refuse(Error::new(ErrorKind::InvalidProject, what))
    }

    fn place(&self, span: Span) -> Place {
        source::at_span(self.file, self.text, Some(span.range()))
    }

    /// One, however many aliases there are.
    fn warnings(&self) -> Vec<String> {
        let Some((first, count)) = self.aliases.filter(|_| self.is_strict()) else {
            return Vec::new();
        };
        let place = self.place(first);
        let written = self.text.get(first.range()).unwrap_or_default();
        let more = match count {
            1 => String::new(),
            count => format!("; it is the first of {count}"),
        };
        vec![format!(
            "{place}: CloudFormation itself takes no aliases such as `{written}`; what it stands for is sent in its place{more}"
        )]
    }

    fn is_strict(&self) -> bool {
        self.reading == Reading::Written
    }

    fn looks_like_json(&self) -> bool {
        self.text.trim_start().starts_with(['{', '['])
    }

    /// To YAML 1.1 these end a line, to 1.2 they don't.
    fn refuse_old_line_ends(&self) -> Result<()> {
        match self
            .text
            .char_indices()
            .find(|(_, c)| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}'))
        {
            None => Ok(()),
            Some((at, found)) => {
                let number = u32::from(found);
                let span = source::at_span(self.file, self.text, Some(at..at + found.len_utf8()));
                let what =
                    format!("here is U+{number:04X}, which ends a line to some readers of YAML and not to others");
                Err(span.refuse(Error::new(ErrorKind::InvalidProject, what)).hint(format!(
                    "Take it out, or write it in double quotes as \"\\u{number:04X}\"."
                )))
            }
        }
    }

    fn value(&mut self, node: Node) -> Result<Value> {
        if node.is_alias {
            let (first, count) = self.aliases.unwrap_or((node.span, 0));
            self.aliases = Some((first, count + 1));
        }
        match node.tag.as_deref() {
            None => self.untagged(node),
            Some(tag) if tag.starts_with("!!") || tag == "!" => self.of_type(node),
            Some(tag) => {
                let name = tag.trim_start_matches('!').to_owned();
                self.function(&name, node)
            }
        }
    }

    fn untagged(&mut self, node: Node) -> Result<Value> {
        let span = node.span;
        Ok(match node.kind {
            Kind::Scalar { text, plain: false } => Value::String(text),
            Kind::Scalar { text, plain: true } => self.plain(&text, span)?,
            Kind::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let span = item.span;
                    let value = self.value(item)?;
                    self.refuse_null(&value, span, "an entry of this list")?;
                    list.push(value);
                }
                Value::Array(list)
            }
            Kind::Map(entries) => {
                let mut object = Map::new();
                for (name, value) in entries {
                    let key = self.key(&name)?;
                    if object.contains_key(&key) {
                        return Err(self
                            .refuse(name.span, format!("`{key}` is there twice"))
                            .hint(yaml::correct(self.file)));
                    }
                    // A scalar without a value is an empty span behind the colon: its name is what can be shown.
                    let span = if value.span.start == value.span.end {
                        name.span
                    } else {
                        value.span
                    };
                    let value = match self.value(value)? {
                        // As public templates have it; no region is this one.
                        Value::Null if key == "Fn::GetAZs" => Value::String(String::new()),
                        value => value,
                    };
                    self.refuse_null(&value, span, &format!("`{key}`"))?;
                    object.insert(key, value);
                }
                Value::Object(object)
            }
        })
    }

    /// CloudFormation's words for it are "'null' values are not allowed in templates", without a place.
    fn refuse_null(&self, value: &Value, span: Span, what: &str) -> Result<()> {
        if !value.is_null() || !self.is_strict() {
            return Ok(());
        }
        Err(self
            .refuse(span, format!("{what} has no value: `null` isn't allowed in templates"))
            .hint("Give it one or take it out. Where a condition decides, say `!Ref AWS::NoValue`."))
    }

    /// A value with a tag of YAML's own.
    fn of_type(&mut self, node: Node) -> Result<Value> {
        let (span, tag) = (node.span, node.tag.as_deref().unwrap_or_default().to_owned());
        let untagged = Node { tag: None, ..node };
        let unfit = |reader: &Self| {
            let what = format!(
                "`{}` isn't what {tag} says",
                reader.text.get(span.range()).unwrap_or_default()
            );
            Err(reader.refuse(span, what).hint(yaml::correct(reader.file)))
        };
        match (tag.as_str(), untagged.kind) {
            // Text to YAML, and to PyYAML what it would be without.
            ("!", Kind::Scalar { text, plain }) => match plain.then(|| self.plain(&text, span)).transpose()? {
                Some(value) if !value.is_string() => self.differs(&text, "text after `!` to some readers and not to others", span),
                _ => Ok(Value::String(text)),
            },
            ("!!str", Kind::Scalar { text, .. }) => Ok(Value::String(text)),
            ("!!null", Kind::Scalar { .. }) => Ok(Value::Null),
            ("!!bool", Kind::Scalar { text, .. }) => match flag(&text) {
                Some(flag) => Ok(Value::Bool(flag)),
                None => unfit(self),
            },
            ("!!float", Kind::Scalar { text, .. }) if is_whole(&text) => self.plain(&format!("{text}.0"), span),
            ("!!int" | "!!float", Kind::Scalar { text, .. }) => match number(&text) {
                Scalar::Number(number) => Ok(Value::Number(number)),
                Scalar::Differs(what) => self.differs(&text, &what, span),
                _ => unfit(self),
            },
            ("!!seq", kind @ Kind::List(_)) | ("!!map", kind @ Kind::Map(_)) => self.untagged(Node {
                position: node.position,
                span,
                tag: None,
                is_alias: false,
                kind,
            }),
            ("!!str" | "!!null" | "!!bool" | "!!int" | "!!float" | "!!seq" | "!!map", _) => unfit(self),
            (_, kind) if !self.is_strict() => self.untagged(Node {
                position: node.position,
                span,
                tag: None,
                is_alias: false,
                kind,
            }),
            _ => Err(self
                .refuse(span, format!("CloudFormation takes no `{tag}`"))
                .hint(match tag.as_str() {
                    "!!binary" => "Write the base64 as text where the property takes that, or use `!Base64`.",
                    "!!timestamp" => "Write it as text, in quotes.",
                    _ => "Write a list or a map as it is; of YAML's types templates have text, numbers, flags, lists and maps.",
                })),
        }
    }

    /// A function in its short form. A scalar after it is text, whatever it looks like.
    fn function(&mut self, name: &str, node: Node) -> Result<Value> {
        let span = node.span;
        if self.is_strict() && !matches!(name, "Ref" | "Condition") && !FUNCTIONS.contains(&name) {
            let known: Vec<&str> = ["Ref", "Condition"].iter().chain(FUNCTIONS).copied().collect();
            let error = self.refuse(span, format!("`!{name}` is no function of CloudFormation"));
            return Err(match did_you_mean(name, &known) {
                Some(near) => error.hint(format!("Did you mean `!{near}`?")),
                None => error.hint(format!(
                    "If it is one that this version doesn't know, write it in its long form, `Fn::{name}:`."
                )),
            });
        }
        let argument = match node.kind {
            Kind::Scalar { text, .. } => Value::String(text),
            kind => self.untagged(Node {
                position: node.position,
                span,
                tag: None,
                is_alias: false,
                kind,
            })?,
        };
        match (name, argument) {
            ("Ref" | "Condition", argument) => Ok(json!({ name: argument })),
            ("GetAtt", Value::String(path)) => match path.split_once('.') {
                Some((resource, attribute)) => Ok(json!({ "Fn::GetAtt": [resource, attribute] })),
                None => Err(self
                    .refuse(span, format!("`!GetAtt {path}` names no attribute"))
                    .hint(format!(
                        "Say which, as in `!GetAtt {path}.Arn`; the resource's own name or id is `!Ref {path}`."
                    ))),
            },
            (name, argument) => Ok(json!({ format!("Fn::{name}"): argument })),
        }
    }

    fn plain(&self, text: &str, span: Span) -> Result<Value> {
        match self.format {
            Format::Json => match text {
                "null" => Ok(Value::Null),
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                number => match as_number(number) {
                    Scalar::Number(number) => Ok(Value::Number(number)),
                    Scalar::Text => Ok(Value::String(number.to_owned())),
                    Scalar::Differs(what) => self.differs(number, &what, span),
                },
            },
            // JSON has none of these. Python's readers of JSON take them, and so the AWS CLI does where all else is JSON.
            Format::Yaml if matches!(text, "NaN" | "Infinity" | "-Infinity") && self.looks_like_json() => {
                self.differs(text, "no number to JSON, and one to some of its readers", span)
            }
            Format::Yaml if yaml::says_nothing(text) => Ok(Value::Null),
            // Between brackets it begins a name to YAML 1.1, with or without a blank behind it.
            Format::Yaml if text.starts_with('?') && self.begins_an_entry(span) => {
                self.differs(text, "a name to some readers and text to others", span)
            }
            Format::Yaml => match (flag(text), number(text)) {
                (Some(flag), _) => Ok(Value::Bool(flag)),
                (None, Scalar::Number(number)) => Ok(Value::Number(number)),
                (None, Scalar::Text) => Ok(Value::String(text.to_owned())),
                (None, Scalar::Differs(what)) => self.differs(text, &what, span),
            },
        }
    }

    /// Whether it stands where a list or map in brackets has an entry begin.
    fn begins_an_entry(&self, span: Span) -> bool {
        let before = self.text.get(..span.range().start).unwrap_or_default();
        before.trim_end().ends_with(['[', '{', ','])
    }

    fn differs(&self, text: &str, what: &str, span: Span) -> Result<Value> {
        if !self.is_strict() {
            return Ok(Value::String(text.to_owned()));
        }
        let number = if text.contains(|c: char| c.is_ascii_digit()) {
            "; else write the number in digits"
        } else {
            ""
        };
        Err(self.refuse(span, format!("`{text}` is {what}")).hint(format!(
            "Quote it, \"{text}\", if it is meant as it is written{number}."
        )))
    }

    /// A name is text in the end; what some readers take for a flag or another number is refused.
    fn key(&self, name: &Name) -> Result<String> {
        let text = &name.text;
        if name.merges() && self.is_strict() {
            return Err(self
                .refuse(name.span, "CloudFormation takes no merge keys (`<<`)")
                .hint("Write out what it would bring; several templates share values by `Mappings` or parameters."));
        }
        if self.format == Format::Json || !name.plain || !self.is_strict() {
            return Ok(text.clone());
        }
        let read = if yaml::says_nothing(text) {
            Some("`null`".to_owned())
        } else {
            match (flag(text), number(text)) {
                (Some(flag), _) => Some(format!("`{flag}`")),
                (None, Scalar::Number(number)) => Some(format!("`{}`", python_number(&number.to_string()))),
                (None, Scalar::Differs(what)) => {
                    let error = self.refuse(name.span, format!("the name `{text}` is {what}"));
                    return Err(error.hint(format!("Quote it: \"{text}\".")));
                }
                (None, Scalar::Text) if text.starts_with('?') && self.begins_an_entry(name.span) => {
                    Some(format!("`{}`", text.trim_start_matches('?')))
                }
                (None, Scalar::Text) => None,
            }
        };
        match read {
            Some(read) if read != format!("`{text}`") => Err(self
                .refuse(
                    name.span,
                    format!("the name `{text}` is {read} to YAML 1.1, which CloudFormation reads"),
                )
                .hint(format!("Quote it: \"{text}\"."))),
            _ => Ok(text.clone()),
        }
    }
}

/// A number as what reads YAML 1.1 writes it as a name: `1.10` is `1.1` then.
fn python_number(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(float) if text.contains(['.', 'e', 'E']) => format!("{float:?}"),
        _ if text == "-0" => "0".to_owned(),
        _ => text.to_owned(),
    }
}

/// YAML 1.1's flags, as they are read: `y` and `n` are only in its text. <https://yaml.org/type/bool.html>
fn flag(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => yaml::flag(text),
    }
}

/// What a plain scalar that is neither nothing nor a flag is to YAML 1.1.
#[derive(Debug, Clone, PartialEq)]
enum Scalar {
    Text,
    Number(Number),
    /// Readers don't agree on it; what it is to whom.
    Differs(String),
}

/// <https://yaml.org/type/int.html> and <https://yaml.org/type/float.html>, of which PyYAML has that a float needs a point,
/// and a sign in its exponent; and that `=` and `<<` mean something by themselves, which no reader takes as a value.
fn number(text: &str) -> Scalar {
    if matches!(text, "=" | "<<") {
        return Scalar::Differs("a sign of YAML 1.1's own, and no text to its readers".to_owned());
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Scalar::Differs("no number that JSON could hold".to_owned());
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Scalar::Text;
    }
    let integer = |digits: &str, radix: u32| u128::from_str_radix(digits, radix).ok();
    if matches!(unsigned.trim_end_matches('_'), "0x" | "0b") && unsigned.ends_with('_') {
        return Scalar::Differs("a number without digits to YAML 1.1".to_owned());
    }
    let differs = |value: Option<u128>, what: &str| {
        Scalar::Differs(match value {
            Some(value) => format!("{sign}{value} to YAML 1.1 ({what}) and text or another number to other readers"),
            None => format!("a number to YAML 1.1 ({what}) and text or another number to other readers"),
        })
    };
    let digits = unsigned.replace('_', "");
    let is = |text: &str, legal: fn(&char) -> bool| !text.is_empty() && text.chars().all(|c| legal(&c));
    let found = if let Some(hex) = digits.strip_prefix("0x").filter(|hex| is(hex, char::is_ascii_hexdigit)) {
        match integer(hex, 16) {
            Some(value) => as_number(&format!("{sign}{value}")),
            None => differs(None, "hexadecimal"),
        }
    } else if let Some(binary) = digits
        .strip_prefix("0b")
        .filter(|bits| is(bits, |c| matches!(c, '0' | '1')))
    {
        differs(integer(binary, 2), "binary")
    } else if is(&digits, char::is_ascii_digit) {
        match digits.strip_prefix('0') {
            Some(octal) if is(octal, |c| matches!(c, '0'..='7')) => differs(integer(octal, 8), "octal"),
            // With an 8 or a 9 in it it is no octal number, and to YAML 1.1 no other one.
            Some(rest) if !rest.is_empty() => Scalar::Text,
            _ => as_number(&format!("{sign}{digits}")),
        }
    } else if is_sexagesimal(&digits) {
        differs(sexagesimal(&digits), "to the base of 60")
    } else {
        as_float(sign, unsigned.len() < text.len(), &digits)
    };
    match found {
        Scalar::Number(_) if digits != unsigned => {
            Scalar::Differs(format!("{sign}{digits} to YAML 1.1 and text to other readers"))
        }
        found => found,
    }
}

/// `digits . digits e±digits`, with at least one digit; JSON wants some on both sides of the point.
fn as_float(sign: &str, is_signed: bool, text: &str) -> Scalar {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let Some((whole, fraction)) = mantissa.split_once('.') else {
        return Scalar::Text;
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| {
        let power = text.strip_prefix(['-', '+']);
        power.is_some_and(|power| !power.is_empty() && all_digits(power))
    };
    let is_float = all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(is_exponent);
    if !is_float {
        return Scalar::Text;
    }
    if whole.is_empty() && is_signed {
        return Scalar::Differs(
            "a number to YAML 1.1 and text to some of its readers, since no digit is before the point".to_owned(),
        );
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    let exponent = exponent.map(|power| format!("e{power}")).unwrap_or_default();
    as_number(&format!("{sign}{whole}.{fraction}{exponent}"))
}

/// The number that JSON has as `text`, digit by digit.
fn as_number(text: &str) -> Scalar {
    match serde_json::from_str(text) {
        Ok(number) if is_whole(text) || text.parse().is_ok_and(f64::is_finite) => Scalar::Number(number),
        Ok(_) => Scalar::Differs("greater than the numbers that most readers have".to_owned()),
        Err(_) => Scalar::Text,
    }
}

/// Digits, with a sign or without.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `22:22`, or `190:20:30.15`.
fn is_sexagesimal(text: &str) -> bool {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let (last, fraction) = match rest.last().and_then(|last| last.split_once('.')) {
        Some((last, fraction)) => (Some(last), Some(fraction)),
        None => (rest.last().copied(), None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_sixtieth = |part: &str| match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => matches!(ten, b'0'..=b'5') && one.is_ascii_digit(),
        _ => false,
    };
    let begins = all_digits(first) && !first.is_empty() && (fraction.is_some() || !first.starts_with('0'));
    let middle = rest.iter().rev().skip(1).all(|part| is_sixtieth(part));
    begins && middle && last.is_some_and(is_sixtieth) && fraction.is_none_or(all_digits)
}

fn sexagesimal(text: &str) -> Option<u128> {
    text.split(':').try_fold(0_u128, |sum, part| {
        sum.checked_mul(60)?.checked_add(part.parse::<u128>().ok()?)
    })
}
