//! What CloudFormation calls in its caller's name for each type of resource, and what ARNs look like: the data of
//! `data/resources.txt`, made by `data/make_resources.py`, which names its sources.

use std::sync::LazyLock;

use super::packed::unpacked;

/// The file, packed by `build.rs` without its comments.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/resources.deflate"));

static TEXT: LazyLock<String> = LazyLock::new(|| unpacked(PACKED));

/// What begins the lines of a service's ARNs, and alone on a line those of the types.
const SECTION: char = '@';
/// What begins the line of an action that no operation asks for.
const ACTION: char = '+';

/// A type of resource, as far as CloudFormation makes it with its caller's permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResourceType {
    /// The property that names its resources; none if AWS gives them an id.
    pub naming: Option<&'static str>,
    /// Whether CloudFormation puts tags of its own on them.
    pub is_tagged: bool,
    /// By prefix, the actions.
    words: &'static str,
}

/// A type of resource; none if AWS publishes no list of what its handlers call.
pub(crate) fn resource_type(name: &str) -> Option<ResourceType> {
    let (_, types) = TEXT.split_once("\n@\n")?;
    let line = types
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let (naming, words) = line.split_once(' ')?;
    let (naming, is_tagged) = match naming.strip_suffix('!') {
        Some(naming) => (naming, false),
        None => (naming, true),
    };
    Some(ResourceType {
        naming: (naming != "-").then_some(naming),
        is_tagged,
        words,
    })
}

impl ResourceType {
    /// What its handlers call, with the services' prefixes.
    pub(crate) fn actions(self) -> impl Iterator<Item = String> {
        self.words.split(' ').flat_map(|word| {
            let (prefix, names) = word.split_once(':').unwrap_or((word, ""));
            names.split(',').map(move |name| format!("{prefix}:{name}"))
        })
    }

    /// Whether its handlers call anything of a service.
    pub(crate) fn asks(self, prefix: &str) -> bool {
        let mut prefixes = self.words.split(' ').filter_map(|word| word.split_once(':'));
        prefixes.any(|(one, _)| one == prefix)
    }
}

/// The kinds of resources that an action can be granted for, which no operation asks for. The action has its prefix.
pub(super) fn kinds(action: &str) -> Option<Vec<&'static str>> {
    let (prefix, name) = action.split_once(':')?;
    let mut lines = section(prefix)?.lines().filter_map(|line| line.strip_prefix(ACTION));
    let kinds = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(kinds.split(',').collect())
}

/// What the data has of a service, beside its name.
fn section(prefix: &str) -> Option<&'static str> {
    let (services, _) = TEXT.split_once("\n@\n")?;
    let mut sections = services.split(SECTION);
    sections.find_map(|section| section.strip_prefix(prefix)?.strip_prefix('\n'))
}

/// What the ARN of a kind of a service's resources looks like, as the Service Authorization Reference writes it: its variables are
/// `${Partition}`, `${Region}`, `${Account}`, and others that the resource fills.
pub(crate) fn arn(prefix: &str, kind: &str) -> Option<String> {
    let form = section(prefix)?
        .lines()
        .find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '))?;
    Some(match (form.strip_prefix("~~"), form.strip_prefix('~')) {
        (Some(rest), _) => format!("arn:${{Partition}}:{rest}"),
        (None, Some(rest)) => format!("arn:${{Partition}}:{prefix}:${{Region}}:${{Account}}:{rest}"),
        (None, None) => form.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_its_name_and_what_its_handlers_call() {
        let queue = resource_type("AWS::SQS::Queue").expect("a type");
        assert_eq!((queue.naming, queue.is_tagged), (Some("QueueName"), false));
        let actions: Vec<String> = queue.actions().collect();
        assert!(
            actions.contains(&"sqs:CreateQueue".to_owned()) && actions.len() == 8,
            "{actions:?}"
        );
        assert!(queue.asks("sqs") && !queue.asks("sns"));
        let api = resource_type("AWS::ApiGateway::RestApi").expect("a type");
        assert_eq!((api.naming, api.is_tagged), (None, true));
        assert_eq!(resource_type("AWS::SQS"), None);
        assert_eq!(resource_type("Custom::Thing"), None);
        assert!(PACKED.len() < 120 << 10, "{}", PACKED.len());
    }

    #[test]
    fn an_arn_is_written_as_the_reference_has_it() {
        let arn = |prefix, kind| arn(prefix, kind).expect("an ARN");
        assert_eq!(
            arn("dynamodb", "index"),
            "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}/index/${IndexName}"
        );
        assert_eq!(arn("s3", "object"), "arn:${Partition}:s3:::${BucketName}/${ObjectName}");
        assert_eq!(
            arn("lambda", "function alias"),
            "arn:${Partition}:lambda:${Region}:${Account}:function:${FunctionName}:${Alias}"
        );
        assert_eq!(super::arn("lambda", "nothing"), None);
    }
}
