//! In which order the stacks of a stage go, as they are deployed: what gets something from another goes before it.
//!
//! No checkout is asked: the stage may have been deployed from another.

use std::collections::{BTreeMap, BTreeSet};

use crate::project::stacks::StackId;

/// What of a stack tells how it hangs together with others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    /// The values that its parameters have, each with whether the parameter has a default, which it could go on with.
    pub given: Vec<(String, bool)>,
    /// The values of its outputs.
    pub outputs: BTreeSet<String>,
    /// The names that it exports.
    pub exports: BTreeSet<String>,
    /// The names that it imports.
    pub imports: BTreeSet<String>,
}

/// Why a stack goes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    /// It has one of its outputs, and could do without: the edge that goes first where there is a circle.
    Default,
    /// It has one of its outputs.
    Value,
    /// It imports from it: CloudFormation itself insists.
    Import,
}

/// For each stack those that are to be gone before it. There are no circles.
pub(crate) fn before(shapes: &BTreeMap<StackId, Shape>) -> BTreeMap<StackId, BTreeSet<StackId>> {
    let mut edges: BTreeMap<(&StackId, &StackId), Edge> = BTreeMap::new();
    for (producer, made) in shapes {
        for (consumer, used) in shapes.iter().filter(|(consumer, _)| *consumer != producer) {
            let values = used.given.iter().filter(|(value, _)| made.outputs.contains(value));
            let values = values.map(|(_, has_default)| if *has_default { Edge::Default } else { Edge::Value });
            let imports = (!made.exports.is_disjoint(&used.imports)).then_some(Edge::Import);
            if let Some(strongest) = values.chain(imports).max() {
                edges.insert((producer, consumer), strongest);
            }
        }
    }
    // The weakest edges of circles go, until there are none.
    for weakest in [Edge::Default, Edge::Value, Edge::Import] {
        let circular: Vec<_> = edges
            .iter()
            .filter(|((producer, consumer), edge)| **edge == weakest && leads(&edges, consumer, producer))
            .map(|(ends, _)| *ends)
            .collect();
        for ends in circular {
            edges.remove(&ends);
        }
    }
    let mut before: BTreeMap<StackId, BTreeSet<StackId>> = BTreeMap::new();
    for (producer, consumer) in edges.into_keys() {
        before.entry(producer.clone()).or_default().insert(consumer.clone());
    }
    before
}

/// Whether edges lead from one stack to another.
fn leads(edges: &BTreeMap<(&StackId, &StackId), Edge>, from: &StackId, to: &StackId) -> bool {
    let (mut seen, mut next) = (BTreeSet::from([from]), vec![from]);
    while let Some(stack) = next.pop() {
        if stack == to {
            return true;
        }
        let onward = edges.keys().filter(|(producer, _)| *producer == stack);
        next.extend(
            onward
                .map(|(_, consumer)| *consumer)
                .filter(|consumer| seen.insert(consumer)),
        );
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(given: &[(&str, bool)], outputs: &[&str]) -> Shape {
        Shape {
            given: given.iter().map(|(value, has)| ((*value).to_owned(), *has)).collect(),
            outputs: outputs.iter().map(|value| (*value).to_owned()).collect(),
            ..Shape::default()
        }
    }

    fn told(shapes: &[(&str, Shape)]) -> Vec<(String, Vec<String>)> {
        let shapes = shapes
            .iter()
            .map(|(id, shape)| (StackId::new(id), shape.clone()))
            .collect();
        before(&shapes)
            .into_iter()
            .map(|(id, first)| (id.to_string(), first.iter().map(StackId::to_string).collect()))
            .collect()
    }

    fn expected(rows: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let text = |text: &&str| (*text).to_owned();
        rows.iter()
            .map(|(id, first)| (text(id), first.iter().map(text).collect()))
            .collect()
    }

    #[test]
    fn what_uses_an_output_goes_before_what_has_it() {
        let stacks = [
            ("cert", shape(&[], &["arn:cert"])),
            ("data", shape(&[], &["arn:table", "table"])),
            ("logic", shape(&[("arn:table", false), ("table", true)], &["url"])),
            ("web", shape(&[("arn:cert", true), ("url", false)], &[])),
            ("alone", shape(&[("other", false)], &["unused"])),
        ];
        let rows: &[(&str, &[&str])] = &[("cert", &["web"]), ("data", &["logic"]), ("logic", &["web"])];
        assert_eq!(told(&stacks), expected(rows));
    }

    #[test]
    fn a_circle_is_opened_where_a_parameter_has_a_default() {
        let stacks = [
            ("bucket", shape(&[], &["name"])),
            ("logic", shape(&[("site", false)], &["api"])),
            ("web", shape(&[("api", true), ("name", true)], &["site"])),
        ];
        let rows: &[(&str, &[&str])] = &[("bucket", &["web"]), ("web", &["logic"])];
        assert_eq!(told(&stacks), expected(rows), "what isn't in the circle stays");
        let both = [
            ("a", shape(&[("b", false)], &["a"])),
            ("b", shape(&[("a", false)], &["b"])),
        ];
        assert_eq!(told(&both), expected(&[]), "neither waits for ever");
    }

    #[test]
    fn an_import_is_the_strongest() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut exporter = shape(&[("x", false)], &[]);
        exporter.exports = names(&["shop-table"]);
        let mut importer = shape(&[], &["x"]);
        importer.imports = names(&["shop-table", "another"]);
        let rows: &[(&str, &[&str])] = &[("exporter", &["importer"])];
        assert_eq!(told(&[("exporter", exporter), ("importer", importer)]), expected(rows));
    }
}
