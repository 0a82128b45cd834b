//! What a value of `stages.yaml` may leave open: `${stage}`, `${project}` and `${env:NAME}`.

use std::ffi::OsString;

/// What is put in for placeholders.
pub(super) struct Values<'a> {
    pub(super) stage: &'a str,
    pub(super) project: &'a str,
    /// Looks a variable up.
    pub(super) environment: &'a dyn Fn(&str) -> Option<OsString>,
}

/// A value without placeholders.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    pub(super) text: String,
    /// The environment variables that something of it was in, with their values.
    pub(super) variables: Vec<(String, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    Stage,
    Project,
    Environment(&'t str),
}

/// Whether a value can be expanded, but for variables that aren't set.
///
/// # Errors
/// Says what isn't a placeholder.
pub(super) fn check(text: &str) -> Result<(), String> {
    pieces(text).map(drop)
}

impl Values<'_> {
    /// Puts in what placeholders stand for. What is none stays, see [`check`].
    ///
    /// # Errors
    /// The name of a variable that isn't set or is no text.
    pub(super) fn expand(&self, text: &str) -> Result<Expanded, String> {
        let mut expanded = Expanded {
            text: String::new(),
            variables: Vec::new(),
        };
        for piece in pieces(text).unwrap_or_else(|_| vec![Piece::Text(text)]) {
            match piece {
                Piece::Text(text) => expanded.text.push_str(text),
                Piece::Stage => expanded.text.push_str(self.stage),
                Piece::Project => expanded.text.push_str(self.project),
                Piece::Environment(name) => {
                    let value = (self.environment)(name).and_then(|value| value.into_string().ok());
                    let value = value.ok_or(name)?;
                    expanded.text.push_str(&value);
                    expanded.variables.push((name.to_owned(), value));
                }
            }
        }
        Ok(expanded)
    }
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let pieces = parts(text).map(|part| match part {
        Ok(Part::Text(text)) => Ok(Piece::Text(text)),
        Ok(Part::Open("stage")) => Ok(Piece::Stage),
        Ok(Part::Open("project")) => Ok(Piece::Project),
        Ok(Part::Open(name)) => match name.strip_prefix("env:").filter(|variable| is_variable(variable)) {
            Some(variable) => Ok(Piece::Environment(variable)),
            None => Err(format!(
                "`${{{name}}}` is unknown; there are `${{stage}}`, `${{project}}` and `${{env:NAME}}`"
            )),
        },
        Err(rest) => Err(format!(
            "`{rest}` has no `}}`, as in `${{stage}}`, `${{project}}` and `${{env:NAME}}`"
        )),
    });
    pieces.collect()
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// As it is.
    Text(&'t str),
    /// What stands in `${` and `}`.
    Open(&'t str),
}

/// The parts of a text, in their order; `$${` is the text `${`. The rest of it where a `${` has no `}`.
pub(super) fn parts(text: &str) -> impl Iterator<Item = Result<Part<'_>, &str>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let here = rest.take()?;
        match here.find("${") {
            None => Some(Ok(Part::Text(here))),
            Some(0) => {
                let Some(end) = here.find('}') else {
                    return Some(Err(here));
                };
                rest = Some(&here[end + 1..]);
                Some(Ok(Part::Open(&here[2..end])))
            }
            Some(start) => {
                let (before, found) = here.split_at(start);
                // The `$` in front stands for that of the `${`.
                rest = Some(
                    found
                        .strip_prefix('$')
                        .filter(|_| before.ends_with('$'))
                        .unwrap_or(found),
                );
                Some(Ok(Part::Text(before)))
            }
        }
    })
}

/// As POSIX has the names of variables.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        check(text)?;
        let values = Values {
            stage: "dev",
            project: "shop",
            environment: &|name| (name == "SET").then(|| "${stage}".into()),
        };
        values.expand(text).map(|expanded| expanded.text)
    }

    #[test]
    fn placeholders_are_filled_in_once() {
        for (text, expected) in [
            ("", ""),
            ("plain $ {x} $x", "plain $ {x} $x"),
            ("a-${stage}-${project}${stage}", "a-dev-shopdev"),
            ("${env:SET}", "${stage}"),
            ("$${stage}", "${stage}"),
            ("$$${stage}", "$${stage}"),
            ("ü$${ü${stage}", "ü${üdev"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(expand("${env:UNSET}"), Err("UNSET".to_owned()));
        for bad in [
            "${",
            "${stage",
            "${}",
            "${Stage}",
            "${ stage }",
            "${env:}",
            "${env:A-B}",
            "${env:1}",
            "${AWS::Region}",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
