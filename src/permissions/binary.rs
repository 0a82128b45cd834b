//! Which operations of the AWS SDK for Rust a program can ask for, read from the program itself.
//!
//! The SDK is generic code: an operation gets into a program only where it is called, and takes with it up to three texts, also
//! when the program is optimized, linked as a whole and stripped:
//!
//! - the name of its span, `DynamoDB.GetItem`, unless the `tracing` crate was told to leave out spans of that level;
//! - the path of its source, `aws-sdk-dynamodb-1.136.0/src/operation/get_item.rs`, which a panic would name, unless the compiler
//!   was told to leave out locations;
//! - the name of one of its interceptors, `GetItemEndpointParamsInterceptor`.
//!
//! Texts lie end to end in a program, so that each alone can be a mere beginning or end of another, or be somebody else's. An
//! operation of which there are two is believed; one of which there is one only, which nothing else explains, may be asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Result as IoResult};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::catalog::{self, Service};

/// What a program can ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Operations {
    /// What it surely asks for, by service and operation.
    pub called: BTreeSet<Operation>,
    /// What it may ask for: there is a trace, and not enough to be sure.
    pub perhaps: BTreeSet<Operation>,
    /// The crates of the SDK in it, without `aws-sdk-`, that nothing is known of here.
    pub strange: BTreeSet<String>,
    /// Whether any of the SDK is in it. If not, nothing can be said of it.
    pub has_sdk: bool,
}

/// An operation of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Operation {
    /// The SDK's crate without `aws-sdk-`.
    pub service: &'static str,
    /// Such as `GetItem`.
    pub name: &'static str,
}

/// What the SDK itself calls to get credentials, or a session for S3's directory buckets. Whether a program calls these as well
/// can't be told: <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/credproviders.html>.
const OF_CREDENTIALS: &[(&str, &str)] = &[
    ("s3", "CreateSession"),
    ("signin", "CreateOAuth2Token"),
    ("sso", "GetRoleCredentials"),
    ("ssooidc", "CreateToken"),
    ("sts", "AssumeRole"),
    ("sts", "AssumeRoleWithWebIdentity"),
];

/// The most that one of S3's metadata has here, in bytes, of the 2 KB that all of an object's may have.
const MOST_METADATA_BYTES: usize = 1_800;

impl Operation {
    fn of(service: &str, name: &str) -> Option<Self> {
        let service = catalog::service(service)?;
        Some(Self {
            service: service.name,
            name: service.operations().find(|known| *known == name)?,
        })
    }

    /// Whether the SDK calls it on its own.
    pub(crate) fn is_of_credentials(&self) -> bool {
        OF_CREDENTIALS.contains(&(self.service, self.name))
    }
}

/// Changes with all that decides what is found in the same program.
const FORMAT: &str = concat!(env!("CARGO_PKG_VERSION"), " 2");

impl Operations {
    /// All of it as text, for [`Operations::from_text`].
    pub(crate) fn to_text(&self) -> String {
        format!("{FORMAT} {} {}", self.has_sdk, self.words())
    }

    /// What was written by the same version of this program; none of anything else.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let (has_sdk, words) = text.strip_prefix(FORMAT)?.trim_start().split_once(' ')?;
        Some(Self {
            has_sdk: has_sdk.parse().ok()?,
            ..Self::of_words(words)?
        })
    }

    /// All of it as S3 keeps it with an object; none if that is more than S3 keeps, or there is nothing to say.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata>
    pub(crate) fn to_metadata(&self) -> Option<String> {
        let text = self.words();
        (self.has_sdk && text.len() <= MOST_METADATA_BYTES).then_some(text)
    }

    /// The same back; none of what no version of this program wrote.
    pub(crate) fn from_metadata(text: &str) -> Option<Self> {
        Some(Self {
            has_sdk: true,
            ..Self::of_words(text)?
        })
    }

    /// A word an operation; of those that aren't sure, and of what isn't known, the first letter says so.
    fn words(&self) -> String {
        let called = self.called.iter().map(|one| format!("{}.{}", one.service, one.name));
        let perhaps = self.perhaps.iter().map(|one| format!("?{}.{}", one.service, one.name));
        let strange = self.strange.iter().map(|name| format!("!{name}"));
        called.chain(perhaps).chain(strange).collect::<Vec<_>>().join(" ")
    }

    fn of_words(text: &str) -> Option<Self> {
        let mut read = Self::default();
        for word in text.split_whitespace() {
            if let Some(name) = word.strip_prefix('!') {
                read.strange.insert(name.to_owned());
                continue;
            }
            let (into, word) = match word.strip_prefix('?') {
                Some(word) => (&mut read.perhaps, word),
                None => (&mut read.called, word),
            };
            let (service, name) = word.split_once('.')?;
            into.insert(Operation::of(service, name)?);
        }
        Some(read)
    }
}

/// How much is looked through at once, in bytes.
const WINDOW_BYTES: usize = 1 << 20;
/// How far around a trace what belongs to it may lie, in bytes: an operation's name, or the path behind a crate's.
const REACH_BYTES: usize = 256;

/// Paths of the SDK's sources, and the names of its modules.
const CRATE: &str = "aws-sdk-";
const MODULE: &str = "aws_sdk_";
/// What the name of each operation's interceptor ends in.
const INTERCEPTOR: &str = "EndpointParamsInterceptor";
/// How many patterns there are before those of services.
const FIRST_SERVICE: usize = 3;

/// What is looked for.
struct Search {
    patterns: AhoCorasick,
    services: Vec<Service>,
}

static SEARCH: LazyLock<Option<Search>> = LazyLock::new(|| {
    let services: Vec<Service> = catalog::services().collect();
    let spans = services.iter().map(|service| format!("{}.", service.id));
    let fixed = [CRATE, MODULE, INTERCEPTOR].map(str::to_owned);
    let patterns = AhoCorasick::new(fixed.into_iter().chain(spans)).ok()?;
    Some(Search { patterns, services })
});

/// The traces that were found.
#[derive(Debug, Default)]
struct Traces {
    /// The crates that are there, and of each its operations' modules, without underscores.
    modules: BTreeMap<String, BTreeSet<String>>,
    /// What stands before the interceptors' common end.
    interceptors: BTreeSet<String>,
    /// By service what stands behind its id and the dot.
    spans: BTreeMap<usize, BTreeSet<String>>,
}

/// Looks through a program: those of its bytes that are loaded when it runs.
///
/// # Errors
/// They can't be read.
pub(crate) fn operations(program: impl Read) -> IoResult<Operations> {
    let Some(search) = SEARCH.as_ref() else {
        return Ok(Operations::default());
    };
    let mut traces = Traces::default();
    windows(program, |window, is_new| {
        for found in search.patterns.find_overlapping_iter(window) {
            // What lies near the end is looked at again at the beginning of the next one.
            if is_new.contains(&found.start()) {
                traces.add(found.pattern().as_usize(), window, found.start(), found.end());
            }
        }
    })?;
    Ok(traces.operations(&search.services))
}

/// Reads all in overlapping windows; each place is new in one of them, with [`REACH_BYTES`] before and behind it, as far as there
/// are so many.
fn windows(mut from: impl Read, mut look: impl FnMut(&[u8], std::ops::Range<usize>)) -> IoResult<()> {
    let mut window = Vec::with_capacity(WINDOW_BYTES);
    let mut first_new = 0;
    loop {
        let room = WINDOW_BYTES - window.len();
        let read = (&mut from).take(room as u64).read_to_end(&mut window)?;
        let is_last = read < room;
        let end = if is_last {
            window.len()
        } else {
            window.len() - REACH_BYTES
        };
        look(&window, first_new..end);
        if is_last {
            return Ok(());
        }
        let kept = end - REACH_BYTES;
        window.drain(..kept);
        first_new = REACH_BYTES;
    }
}

impl Traces {
    fn add(&mut self, pattern: usize, window: &[u8], start: usize, end: usize) {
        let behind = || text_at(window.get(end..).unwrap_or_default());
        match pattern {
            0 => self.add_path(behind()),
            1 => {
                // A type's path: which crate it is of.
                if let Some((name, _)) = behind().split_once("::")
                    && is_crate_name(name)
                {
                    self.modules.entry(name.to_owned()).or_default();
                }
            }
            2 => {
                let before = window.get(start.saturating_sub(REACH_BYTES)..start).unwrap_or_default();
                let letters = before
                    .iter()
                    .rev()
                    .take_while(|byte| byte.is_ascii_alphanumeric())
                    .count();
                let name = before.get(before.len() - letters..).unwrap_or_default();
                self.interceptors.insert(String::from_utf8_lossy(name).into_owned());
            }
            service => {
                let name = behind().chars().take_while(char::is_ascii_alphanumeric).collect();
                self.spans.entry(service - FIRST_SERVICE).or_default().insert(name);
            }
        }
    }

    /// What is behind `aws-sdk-`: the crate, perhaps its version, and its file.
    fn add_path(&mut self, text: &str) {
        let Some((package, path)) = text.split_once("/src/") else {
            return;
        };
        // `dynamodb-1.136.0` where cargo has unpacked it, `dynamodb` where somebody else has.
        let name = package.split('-').next().unwrap_or_default();
        if !is_crate_name(name) || package.contains('/') {
            return;
        }
        let modules = self.modules.entry(name.to_owned()).or_default();
        if let Some(file) = path.strip_prefix("operation/") {
            let module: String = file
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if file[module.len()..].starts_with(['.', '/']) {
                modules.insert(module.replace('_', ""));
            }
        }
    }

    fn operations(&self, services: &[Service]) -> Operations {
        let mut found = Operations {
            has_sdk: !self.modules.is_empty(),
            ..Operations::default()
        };
        for name in self.modules.keys() {
            // What the SDK and its crates have in common isn't a service.
            if !services.iter().any(|service| service.name == name) {
                found.strange.insert(name.clone());
            }
        }
        let nothing = BTreeSet::new();
        for (index, service) in services.iter().enumerate() {
            let spans = self.spans.get(&index).unwrap_or(&nothing);
            let Some(modules) = self.modules.get(service.name) else {
                continue;
            };
            let mut perhaps = BTreeSet::new();
            for name in service.operations() {
                let operation = Operation {
                    service: service.name,
                    name,
                };
                let has_module = modules.contains(&name.to_lowercase());
                let has_span = spans.iter().any(|span| span.starts_with(name));
                let has_interceptor = self.interceptors.iter().any(|text| text.ends_with(name));
                match u8::from(has_module) + u8::from(has_span) + u8::from(has_interceptor) {
                    0 => {}
                    1 if has_interceptor => {}
                    1 => {
                        perhaps.insert(operation);
                    }
                    _ => {
                        found.called.insert(operation);
                    }
                }
            }
            // The beginning of another's name is no trace of its own.
            let called = &found.called;
            perhaps.retain(|one| {
                let is_explained = |other: &Operation| other.service == one.service && other.name.starts_with(one.name);
                modules.contains(&one.name.to_lowercase()) || !called.iter().any(is_explained)
            });
            found.perhaps.extend(perhaps);
        }
        found
    }
}

/// The text that begins here, as far as it is one.
fn text_at(bytes: &[u8]) -> &str {
    let bytes = bytes.get(..REACH_BYTES).unwrap_or(bytes);
    let end = bytes
        .iter()
        .position(|byte| !byte.is_ascii_graphic())
        .unwrap_or(bytes.len());
    std::str::from_utf8(bytes.get(..end).unwrap_or_default()).unwrap_or_default()
}

fn is_crate_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of an operation, as they are in programs.
    fn traces(service: &str, id: &str, name: &str, module: &str) -> String {
        format!(
            "{id}.{name}signing aws-sdk-{service}-1.136.0/src/operation/{module}.rs Ems{name}EndpointParamsInterceptor\0"
        )
    }

    fn of(text: &str) -> Operations {
        operations(text.as_bytes()).expect("read")
    }

    fn names(found: &BTreeSet<Operation>) -> Vec<String> {
        found
            .iter()
            .map(|one| format!("{}.{}", one.service, one.name))
            .collect()
    }

    #[test]
    fn an_operation_is_found_by_two_of_its_three_texts() {
        let module = "aws-sdk-dynamodb-1.136.0/src/operation/get_item/builders.rs\0";
        let (span, interceptor) = ("xDynamoDB.GetItemsigning\0", "EmsGetItemEndpointParamsInterceptorUns\0");
        let here = "aws-sdk-dynamodb/src/config.rs\0";
        for two in [
            [module, span],
            [module, interceptor],
            [&format!("{here}{span}"), interceptor],
        ] {
            assert_eq!(names(&of(&two.concat()).called), ["dynamodb.GetItem"], "{two:?}");
        }
        for one in [module, &format!("{here}{span}")] {
            let found = of(one);
            assert!(found.called.is_empty(), "{one}");
            assert_eq!(names(&found.perhaps), ["dynamodb.GetItem"], "{one}");
        }
        let nothing = of(&format!("{here}{interceptor}"));
        assert!(nothing.has_sdk && nothing.called.is_empty() && nothing.perhaps.is_empty());
    }

    #[test]
    fn names_within_names_are_told_apart() {
        let one = traces("s3", "S3", "GetObjectAcl", "get_object_acl");
        assert_eq!(names(&of(&one).called), ["s3.GetObjectAcl"]);
        assert!(of(&one).perhaps.is_empty());
        let both = traces("s3", "S3", "GetObject", "get_object") + &one;
        assert_eq!(names(&of(&both).called), ["s3.GetObject", "s3.GetObjectAcl"]);
        let batch = traces("dynamodb", "DynamoDB", "BatchGetItem", "batch_get_item");
        assert_eq!(names(&of(&batch).called), ["dynamodb.BatchGetItem"]);
        // The same name in two services.
        let tags = |service, id| traces(service, id, "TagResource", "tag_resource");
        let of_logs = tags("cloudwatchlogs", "CloudWatch Logs");
        assert_eq!(names(&of(&of_logs).called), ["cloudwatchlogs.TagResource"]);
        let other = format!("{of_logs}aws-sdk-sqs-1.0.0/src/config.rs\0");
        assert_eq!(names(&of(&other).called), ["cloudwatchlogs.TagResource"]);
    }

    #[test]
    fn what_is_no_sdk_tells_nothing() {
        let users = "S3.GetObject failed; aws-sdk-js-v3 src/operation/get_object.rs aws_sdk_::x";
        assert_eq!(of(users), Operations::default());
        let unknown = of("aws-sdk-nosuchservice-1.0.0/src/operation/do_it.rs\0");
        assert!(unknown.has_sdk);
        assert_eq!(unknown.strange.into_iter().collect::<Vec<_>>(), ["nosuchservice"]);
    }

    #[test]
    fn nothing_is_lost_between_two_windows() {
        let text = traces("dynamodb", "DynamoDB", "PutItem", "put_item");
        for begin in [
            WINDOW_BYTES - REACH_BYTES - 40,
            WINDOW_BYTES - 130,
            WINDOW_BYTES - 1,
            2 * WINDOW_BYTES - 600,
        ] {
            let mut program = vec![0; begin];
            program.extend_from_slice(text.as_bytes());
            program.resize(3 * WINDOW_BYTES, 0);
            let found = operations(program.as_slice()).expect("read");
            assert_eq!(names(&found.called), ["dynamodb.PutItem"], "{begin}");
        }
    }

    #[test]
    fn what_was_found_is_written_and_read() {
        let found = Operations {
            perhaps: of("aws-sdk-s3-1.0.0/src/operation/get_object.rs\0").perhaps,
            strange: BTreeSet::from(["other".to_owned()]),
            ..of(&traces("dynamodb", "DynamoDB", "GetItem", "get_item"))
        };
        assert_eq!(Operations::from_text(&found.to_text()).as_ref(), Some(&found));
        let metadata = found.to_metadata().expect("short");
        assert_eq!(metadata, "dynamodb.GetItem ?s3.GetObject !other");
        assert_eq!(Operations::from_metadata(&metadata), Some(found));
        for text in ["", "0.0.0 1 true", "something else"] {
            assert_eq!(Operations::from_text(text), None, "{text}");
        }
        for text in ["word", "dynamodb.NoSuchOperation", "nosuchservice.GetItem"] {
            assert_eq!(Operations::from_metadata(text), None, "{text}");
        }
        assert_eq!(Operations::default().to_metadata(), None);
    }
}
