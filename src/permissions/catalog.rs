//! What IAM asks for each operation of the AWS SDKs: the data of `data/operations.txt`, made by `data/make.py`, which names its
//! sources. What they don't tell isn't known here either.

use std::sync::LazyLock;

use super::packed::unpacked;

/// The file, packed by `build.rs` without its comments.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/operations.deflate"));

/// What begins a service's lines.
const SERVICE: char = '@';
/// What begins the line of an action that no operation is called by.
const ACTION: char = '+';

static TEXT: LazyLock<String> = LazyLock::new(|| unpacked(PACKED));

/// A service of the SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service {
    /// The SDK's crate without `aws-sdk-`.
    pub name: &'static str,
    /// What IAM's actions begin with, before the colon.
    pub prefix: &'static str,
    /// What the SDKs call it by in what they write, such as `CloudWatch Logs`.
    pub id: &'static str,
    /// A line an operation, and those of further actions.
    lines: &'static str,
}

/// What an operation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asks {
    /// All of these actions, without the service's prefix. There may be none.
    All(Vec<&'static str>),
    /// One of these or more, depending on what it is given.
    Some(Vec<&'static str>),
    /// Nobody has written it down.
    Unknown,
}

/// All services, in the order of their names.
pub(crate) fn services() -> impl Iterator<Item = Service> {
    TEXT.split(SERVICE).filter_map(|section| {
        let (first, lines) = section.split_once('\n')?;
        let mut words = first.splitn(3, ' ');
        Some(Service {
            name: words.next()?,
            prefix: words.next()?,
            id: words.next()?,
            lines,
        })
    })
}

/// The service that a crate of the SDK is for; `name` is the crate's without `aws-sdk-`.
pub(crate) fn service(name: &str) -> Option<Service> {
    services().find(|service| service.name == name)
}

/// The services whose actions begin with this.
#[cfg(test)]
pub(crate) fn service_with(prefix: &str) -> impl Iterator<Item = Service> {
    services().filter(move |service| service.prefix == prefix)
}

/// The kinds of resources that an action can be granted for; none if no operation asks for it. The action has its prefix.
pub(super) fn kinds(action: &str) -> Option<Vec<&'static str>> {
    let (prefix, name) = action.split_once(':')?;
    // Several services share a prefix, and not each has all of its actions.
    services()
        .filter(|service| service.prefix == prefix)
        .find_map(|service| service.kinds(name))
}

impl Service {
    /// The names of its operations.
    pub(crate) fn operations(self) -> impl Iterator<Item = &'static str> {
        self.entries().map(|(name, _)| name)
    }

    /// What an operation asks for.
    pub(crate) fn asks(self, operation: &str) -> Asks {
        let found = self.entries().find(|(name, _)| *name == operation);
        let list = |names: &'static str| names.split(',').filter(|name| !name.is_empty()).collect();
        match found {
            None => Asks::Unknown,
            Some((name, rule)) => match rule.split_at_checked(1) {
                Some(("=", names)) => Asks::All(list(names)),
                Some(("|", names)) => Asks::Some(list(names)),
                Some(("?", _)) => Asks::Unknown,
                _ => Asks::All(vec![name]),
            },
        }
    }

    /// Whether any of its actions is granted for resources of this kind.
    #[cfg(test)]
    pub(crate) fn has_kind(self, kind: &str) -> bool {
        let kinds = |line: &'static str| line.split_once(' ').map_or("", |(_, kinds)| kinds).split(',');
        self.lines.lines().any(|line| kinds(line).any(|one| one == kind))
    }

    fn kinds(self, action: &str) -> Option<Vec<&'static str>> {
        let own = self.lines.lines().find_map(|line| {
            let line = line.strip_prefix(ACTION).unwrap_or(line);
            let (name, kinds) = line.split_once(' ').unwrap_or((line, ""));
            (name == action && !kinds.starts_with(['=', '|', '?'])).then_some(kinds)
        });
        own.map(|kinds| kinds.split(',').filter(|kind| !kind.is_empty()).collect())
    }

    fn entries(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = self.lines.lines().filter(|line| !line.starts_with(ACTION));
        lines.map(|line| line.split_once(' ').unwrap_or((line, "")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn asks(name: &str, operation: &str) -> Asks {
        service(name).expect("a service").asks(operation)
    }

    #[test]
    fn what_an_operation_asks_for_is_known_also_where_names_differ() {
        assert_eq!(asks("dynamodb", "GetItem"), Asks::All(vec!["GetItem"]));
        assert_eq!(asks("s3", "HeadBucket"), Asks::All(vec!["ListBucket"]));
        assert_eq!(asks("s3", "CopyObject"), Asks::All(vec!["GetObject", "PutObject"]));
        assert_eq!(asks("lambda", "Invoke"), Asks::All(vec!["InvokeFunction"]));
        assert_eq!(asks("sts", "GetCallerIdentity"), Asks::All(Vec::new()));
        assert_eq!(asks("apigatewayv2", "GetApis"), Asks::All(vec!["GET"]));
        assert!(matches!(asks("dynamodb", "TransactWriteItems"), Asks::Some(some) if some.contains(&"PutItem")));
        assert_eq!(asks("s3", "RenameObject"), Asks::Unknown);
        assert_eq!(asks("s3", "NoSuchOperation"), Asks::Unknown);
    }

    /// Those that this project's own crates are of: the rule that makes a crate's name of a service's id is right for them.
    #[test]
    fn services_are_called_as_the_crates_are() {
        let manifest = concat!(
            include_str!("../../Cargo.toml"),
            include_str!("../../function/Cargo.toml")
        );
        let crates = manifest.lines().filter_map(|line| {
            let rest = line.strip_prefix("aws-sdk-")?;
            rest.split([' ', '.', '=']).next()
        });
        let crates: BTreeSet<&str> = crates.collect();
        assert!(crates.len() > 8, "{crates:?}");
        for name in crates {
            assert!(service(name).is_some(), "{name}");
        }
    }

    #[test]
    fn all_that_is_asked_for_is_an_action() {
        for service in services() {
            for operation in service.operations() {
                let (Asks::All(actions) | Asks::Some(actions)) = service.asks(operation) else {
                    continue;
                };
                for action in actions {
                    assert!(service.kinds(action).is_some(), "{} {operation} {action}", service.name);
                }
            }
        }
        // Beside what `resources` has.
        assert!(PACKED.len() < 180 << 10, "{}", PACKED.len());
    }
}
