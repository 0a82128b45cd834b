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
    /// Whether something of it was in an environment variable.
    pub(super) from_environment: bool,
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
            from_environment: false,
        };
        for piece in pieces(text).unwrap_or_else(|_| vec![Piece::Text(text)]) {
            match piece {
                Piece::Text(text) => expanded.text.push_str(text),
                Piece::Stage => expanded.text.push_str(self.stage),
                Piece::Project => expanded.text.push_str(self.project),
                Piece::Environment(name) => {
                    let value = (self.environment)(name).and_then(|value| value.into_string().ok());
                    expanded.text.push_str(&value.ok_or(name)?);
                    expanded.from_environment = true;
                }
            }
        }
        Ok(expanded)
    }
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, found) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            pieces.extend([Piece::Text(before), Piece::Text("${")]);
            rest = &found[2..];
            continue;
        }
        pieces.push(Piece::Text(before));
        let Some(end) = found.find('}') else {
            return Err(format!(
                "`{found}` has no `}}`, as in `${{stage}}`, `${{project}}` and `${{env:NAME}}`"
            ));
        };
        let name = &found[2..end];
        pieces.push(match name.strip_prefix("env:") {
            Some(variable) if is_variable(variable) => Piece::Environment(variable),
            None if name == "stage" => Piece::Stage,
            None if name == "project" => Piece::Project,
            _ => {
                return Err(format!(
                    "`${{{name}}}` is unknown; there are `${{stage}}`, `${{project}}` and `${{env:NAME}}`"
                ));
            }
        });
        rest = &found[end + 1..];
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
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
