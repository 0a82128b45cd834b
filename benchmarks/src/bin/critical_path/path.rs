//! The critical path of a run: the longest chain of resources' times, within stacks and across them, whoever deploys them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::template::{Schedule, Template, length};
use crate::times::Seconds;

/// What feeds what, as `deployer graph` tells.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Edge {
    pub(crate) producer: String,
    pub(crate) output: String,
    pub(crate) consumer: String,
    /// Whether the consumer is made before it, and gets it by an update.
    pub(crate) late: bool,
}

/// An operation on a stack.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// What it brings the stack to.
    pub(crate) template: Template,
    pub(crate) schedule: Schedule,
}

/// By stack, the operations on it, one after the other. Those that aren't changed aren't in it.
pub(crate) type Operations = BTreeMap<String, Vec<Operation>>;

/// The longest chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) length: Seconds,
    /// Its links, for people.
    pub(crate) links: Vec<String>,
}

/// The critical path of these operations: a stack begins as soon as it has what it needs, and gets what is late as soon as
/// that is there. More than one update for what is late is nobody's need.
pub(crate) fn critical(operations: &Operations, edges: &[Edge]) -> Path {
    let graph = Graph { operations, edges };
    let longest = operations
        .keys()
        .map(|stack| graph.settled(stack))
        .max_by_key(|path| path.length);
    longest.unwrap_or_default()
}

struct Graph<'a> {
    operations: &'a Operations,
    edges: &'a [Edge],
}

impl Graph<'_> {
    /// The way to all that a stack needs, late or not.
    fn needs(&self, stack: &str, late: bool) -> Path {
        let edges = self
            .edges
            .iter()
            .filter(|edge| edge.consumer == stack && edge.late == late);
        let told = edges.map(|edge| self.told(&edge.producer, &edge.output));
        told.max_by_key(|path| path.length).unwrap_or_default()
    }

    /// The way to an output.
    fn told(&self, stack: &str, output: &str) -> Path {
        let Some(Operation { template, schedule }) = self.first(stack) else {
            return Path::default();
        };
        match template.early(output, schedule) {
            Some(0) => Path::default(),
            Some(at) => {
                let mut path = self.needs(stack, false);
                path.length += at;
                path.links.push(format!("{stack} tells {output}"));
                path
            }
            None => self.complete(stack),
        }
    }

    fn first(&self, stack: &str) -> Option<&Operation> {
        self.operations.get(stack)?.first()
    }

    /// The way to a stack's first end.
    fn complete(&self, stack: &str) -> Path {
        match self.first(stack) {
            Some(operation) => after(self.needs(stack, false), stack, operation),
            None => Path::default(),
        }
    }

    /// The way to a stack with all that it gets.
    fn settled(&self, stack: &str) -> Path {
        let complete = self.complete(stack);
        let Some([_, update, ..]) = self.operations.get(stack).map(Vec::as_slice) else {
            return complete;
        };
        if !self.edges.iter().any(|edge| edge.consumer == stack && edge.late) {
            return complete;
        }
        let late = self.needs(stack, true);
        let begun = if late.length > complete.length { late } else { complete };
        after(begun, stack, update)
    }
}

fn after(mut path: Path, stack: &str, operation: &Operation) -> Path {
    path.length += length(&operation.schedule);
    let chain = operation.template.chain(&operation.schedule);
    path.links.push(format!("{stack}: {}", chain.join(" → ")));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str, parameters: &[(&str, &str)]) -> Template {
        let given = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
        Template::read(text, &given.collect(), None).expect("a template")
    }

    fn new(template: &Template) -> Operation {
        Operation {
            template: template.clone(),
            schedule: template.schedule(None),
        }
    }

    fn change(template: &Template, before: &Template) -> Operation {
        Operation {
            template: template.clone(),
            schedule: template.schedule(Some(before)),
        }
    }

    fn edge(producer: &str, output: &str, consumer: &str, late: bool) -> Edge {
        Edge {
            producer: producer.to_owned(),
            output: output.to_owned(),
            consumer: consumer.to_owned(),
            late,
        }
    }

    /// A page that names the API once it is known, and a queue and an API that let in the page.
    const PAGE: &str = r#"{
        "Parameters": { "Api": { "Default": "" } },
        "Resources": {
            "Headers": { "Type": "AWS::CloudFront::ResponseHeadersPolicy", "Properties": { "Policy": { "Ref": "Api" } } },
            "Edge": { "Type": "AWS::CloudFront::Distribution", "Properties": { "Headers": { "Ref": "Headers" } } } },
        "Outputs": { "Origin": { "Value": { "Fn::GetAtt": ["Edge", "DomainName"] } }, "Id": { "Value": { "Ref": "Edge" } } }
    }"#;
    const API: &str = r#"{
        "Parameters": { "Origin": {} },
        "Resources": { "Queue": { "Type": "AWS::SQS::Queue", "Properties": { "For": { "Ref": "Origin" } } } },
        "Outputs": { "Api": { "Value": { "Ref": "Queue" } } }
    }"#;

    #[test]
    fn what_is_told_early_is_not_waited_for() {
        let (page, api) = (template(PAGE, &[]), template(API, &[("Origin", "x")]));
        let operations: Operations = [
            ("page".to_owned(), vec![new(&page)]),
            ("api".to_owned(), vec![new(&api)]),
        ]
        .into();
        // The page takes 2 + 5 + 240 + 2 seconds, and tells its origin after 2 + 5 + 2; the API takes 2 + 65 + 2.
        let path = critical(&operations, &[edge("page", "Origin", "api", false)]);
        assert_eq!(
            (path.length, path.links),
            (249, vec!["page: Headers → Edge".to_owned()])
        );
        let path = critical(&operations, &[edge("page", "Id", "api", false)]);
        assert_eq!(path.length, 249 + 69);
        assert_eq!(path.links, ["page: Headers → Edge", "api: Queue"]);
    }

    #[test]
    fn a_late_value_adds_an_update() {
        let (page, api) = (template(PAGE, &[]), template(API, &[("Origin", "x")]));
        let late = template(PAGE, &[("Api", "https://api")]);
        let mut operations: Operations = [
            ("page".to_owned(), vec![new(&page), change(&late, &page)]),
            ("api".to_owned(), vec![new(&api)]),
        ]
        .into();
        let edges = [edge("page", "Origin", "api", false), edge("api", "Api", "page", true)];
        let path = critical(&operations, &edges);
        assert_eq!(path.length, 249 + 9);
        assert_eq!(path.links, ["page: Headers → Edge", "page: Headers"]);
        assert_eq!(critical(&operations, &edges[..1]).length, 249, "nothing is late");
        // Where the stack is done long before, the value is what is waited for.
        let changed = template(PAGE, &[("Api", "https://other")]);
        operations.insert("page".to_owned(), vec![change(&page, &page), change(&changed, &page)]);
        let path = critical(&operations, &edges);
        assert_eq!(path.length, 69 + 9);
        assert_eq!(path.links, ["api: Queue", "page: Headers"]);
    }

    #[test]
    fn where_nothing_is_done_there_is_no_path() {
        assert_eq!(critical(&Operations::new(), &[]), Path::default());
    }
}
