//! Reading the user's files, with errors that name file, line and key.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::suggest::did_you_mean;
use crate::error::{Error, Result};

/// Reads a text file of the project.
pub fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Error::usage(format!("could not read {}", file.display()))
            .because(error)
            .hint("Put the file there; a new project's own shows what is in it.")
    })
}

/// Parses YAML into `T`; `file` is how messages name the text.
pub fn parse_yaml<T: DeserializeOwned>(text: &str, file: &Path) -> Result<T> {
    serde_yaml::from_str(text).map_err(|error| yaml_error(&error, file))
}

/// A YAML error as `file:line:column: what`, with a suggestion when a key or value is nearly right.
pub fn yaml_error(error: &serde_yaml::Error, file: &Path) -> Error {
    let position = error
        .location()
        .map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
    let text = error.to_string();
    // The position is said in front, where editors look for it.
    let what = match text.rfind(" at line ") {
        Some(end) => &text[..end],
        None => &text,
    };
    // So is the path inside the document (".[1]: "), which a position makes superfluous.
    let what = match what.split_once(": ") {
        Some((path, rest)) if path.starts_with('.') => rest,
        _ => what,
    };
    let failure = Error::usage(format!("{}{position}: {what}", file.display()));
    match suggestion(what) {
        Some(near) => failure.hint(format!("Did you mean `{near}`?")),
        None => failure.hint(format!("Correct {} and run the command again.", file.display())),
    }
}

/// serde says "unknown field `x`, expected one of `a`, `b`"; the nearest of those, if any is near.
fn suggestion(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let word = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    did_you_mean(word, &known).map(str::to_owned)
}

/// A map whose keys each stand once: the parser takes the last of several and says nothing.
pub fn unique_keys<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    struct Unique<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Unique<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some(key) = access.next_key_seed(NewKey { known: &map })? {
                let value = access.next_value()?;
                map.insert(key, value);
            }
            Ok(map)
        }
    }
    deserializer.deserialize_map(Unique(PhantomData))
}

/// Reads a key that isn't in `known` yet; the parser puts the key's place into the error.
struct NewKey<'a, T> {
    known: &'a BTreeMap<String, T>,
}

impl<'de, T> de::DeserializeSeed<'de> for NewKey<'_, T> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T> Visitor<'_> for NewKey<'_, T> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        if self.known.contains_key(key) {
            Err(E::custom(format!("`{key}` is there twice")))
        } else {
            Ok(key.to_owned())
        }
    }
}
