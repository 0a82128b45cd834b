//! Where each parameter of each stack gets its value from, and so which stack needs which.
//!
//! What is said beats what is inferred. A parameter gets its value from the first of: the template's own
//! `Metadata: { Deployer: { Inputs: { Parameter: stack.Output } } }`; the stage's `parameters:`; the package of a function
//! whose code's key it is; the site's files, for the few names of [`SITE_PARAMETERS`] in the template that makes the
//! site's place; the one other template that has an output of that name; a setting of the stage; its default.
//! By an output's name alone only a parameter is filled that has no default or an empty one, and none that names a
//! resource or a parameter of Systems Manager: a copied template renames nothing by accident.
//!
//! Stacks that need one another can be deployed where one of the parameters has a default: that edge is *late*. The stack
//! is deployed with what is known, and updated once the value is there.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Serialize;

use super::did_you_mean;
use super::functions::Function;
use super::stacks::{CODE_BUCKET, StackId, StackTemplate};
use crate::error::{Error, ErrorKind, Result};

/// Where a parameter's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `parameters:` of the stage.
    Parameters(String),
    /// The stage itself: its name, the project's, whether it is protected.
    Stage(String),
    /// Another stack.
    Output(Edge),
    /// The key of a function's package, once it is uploaded.
    Package,
    /// What the site's files tell, by the parameter's name: see [`SITE_PARAMETERS`].
    Site,
    /// The template.
    Default(String),
}

/// The Content-Security-Policy, up to what scripts may call.
pub(crate) const SITE_POLICY: &str = "SitePolicy";
/// Whether the site's pages may be in its own frames, as `X-Frame-Options` says it.
pub(crate) const SITE_FRAMES: &str = "SiteFrames";
/// Whether there are addresses that lead to others, and edges that make redirects of them.
pub(crate) const SITE_REDIRECTS: &str = "SiteRedirects";
/// How paths that nobody published show `index.html`.
pub(crate) const SITE_FALLBACK: &str = "SiteFallback";
/// The paths without an extension that are published, where others show `index.html`.
pub(crate) const SITE_APP_PATHS: &str = "SiteAppPaths";

/// The parameters that the site's files give, where the template that makes its place declares them. One that doesn't is
/// left alone.
pub(crate) const SITE_PARAMETERS: [&str; 5] = [SITE_POLICY, SITE_FRAMES, SITE_REDIRECTS, SITE_FALLBACK, SITE_APP_PATHS];

impl Source {
    /// Whether a run finds the value out: of what is deployed it is what was given.
    pub(crate) fn is_found_out(&self) -> bool {
        match self {
            Self::Output(_) | Self::Package | Self::Site => true,
            Self::Parameters(_) | Self::Stage(_) | Self::Default(_) => false,
        }
    }
}

/// What a stack gets from another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Edge {
    /// The stack that has the output.
    pub producer: StackId,
    /// The output.
    pub output: String,
    /// The stack that has the parameter.
    pub consumer: StackId,
    /// The parameter.
    pub parameter: String,
    /// Why.
    pub rule: Rule,
    /// The consumer doesn't wait for the value, but is updated once it is there.
    pub late: bool,
}

/// Why an output becomes a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Rule {
    /// The template says so, under `Inputs`.
    Inputs,
    /// They have the same name.
    Name,
    /// It is the bucket that packages are in.
    CodeBucket,
}

/// What the wiring is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    /// The stacks.
    pub stacks: &'a BTreeMap<StackId, StackTemplate>,
    /// The functions whose code is uploaded.
    pub functions: &'a [Function],
    /// What the stage says under `parameters:`.
    pub parameters: &'a BTreeMap<String, String>,
    /// What the stage is, by the names that parameters have for it.
    pub settings: &'a BTreeMap<String, String>,
}

/// The graph of a project's stacks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wiring {
    sources: BTreeMap<StackId, BTreeMap<String, Source>>,
    order: Vec<StackId>,
    problems: Vec<Error>,
}

impl Wiring {
    /// Finds out what feeds what. What is wrong with it is kept until it matters: a stage that can't be deployed can still
    /// be looked at and removed.
    pub(crate) fn of(given: Given<'_>) -> Self {
        let mut wiring = Self::default();
        for stack in given.stacks.values() {
            let sources = wiring.sources_of(stack, given);
            wiring.sources.insert(stack.id.clone(), sources);
        }
        wiring.break_cycles(given);
        wiring.order = wiring.sorted(given);
        wiring
    }

    /// The first thing that is wrong.
    ///
    /// # Errors
    /// Names the template and the parameter, as bad input.
    pub(crate) fn check(&self) -> Result<()> {
        match self.problems.first() {
            None => Ok(()),
            Some(problem) => Err(problem.clone()),
        }
    }

    /// The stacks, each after those that it waits for.
    pub(crate) fn order(&self) -> &[StackId] {
        &self.order
    }

    /// Where a stack's parameters get their values from; one that gets none is left out.
    pub(crate) fn sources(&self, stack: &StackId) -> impl Iterator<Item = (&str, &Source)> {
        let sources = self.sources.get(stack).into_iter().flatten();
        sources.map(|(name, source)| (name.as_str(), source))
    }

    /// Where one parameter gets its value from.
    pub(crate) fn source(&self, stack: &StackId, parameter: &str) -> Option<&Source> {
        self.sources.get(stack)?.get(parameter)
    }

    /// What a stack gets from others.
    pub(crate) fn inputs(&self, stack: &StackId) -> impl Iterator<Item = &Edge> {
        self.sources(stack).filter_map(|(_, source)| match source {
            Source::Output(edge) => Some(edge),
            _ => None,
        })
    }

    /// The stacks that one waits for, and those that they wait for.
    pub(crate) fn needed_by(&self, stack: &StackId) -> BTreeSet<&StackId> {
        let mut needed = BTreeSet::new();
        let mut next: Vec<&StackId> = self.waited_for(stack).collect();
        while let Some(id) = next.pop() {
            if needed.insert(id) {
                next.extend(self.waited_for(id));
            }
        }
        needed
    }

    fn waited_for(&self, stack: &StackId) -> impl Iterator<Item = &StackId> {
        self.inputs(stack).filter(|edge| !edge.late).map(|edge| &edge.producer)
    }

    /// All that stacks get from one another.
    pub(crate) fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.sources.keys().flat_map(|stack| self.inputs(stack))
    }

    fn sources_of(&mut self, stack: &StackTemplate, given: Given<'_>) -> BTreeMap<String, Source> {
        let inputs = self.said_inputs(stack, given.stacks);
        let names = stack.template.naming_parameters();
        let looked_up: BTreeSet<&str> = stack.template.looked_up_parameters().collect();
        let mut sources = BTreeMap::new();
        for parameter in stack.template.parameter_names() {
            let default = stack.template.default_of(parameter);
            let takes_outputs = default.as_deref().is_none_or(str::is_empty)
                && !names.contains(parameter)
                && !looked_up.contains(parameter);
            let function = |role: fn(&Function) -> Option<&str>| {
                let functions = given.functions.iter();
                functions
                    .filter(|function| function.stack == stack.id)
                    .any(|function| role(function) == Some(parameter))
            };
            let is_key = function(|function| Some(&function.key_parameter));
            let is_bucket = function(|function| function.bucket_parameter.as_deref());
            let edge = |producer: &StackId, output: &str, rule| {
                Source::Output(Edge {
                    producer: producer.clone(),
                    output: output.to_owned(),
                    consumer: stack.id.clone(),
                    parameter: parameter.to_owned(),
                    rule,
                    late: false,
                })
            };
            let source = if let Some((producer, output)) = inputs.get(parameter) {
                Some(edge(producer, output, Rule::Inputs))
            } else if let Some(value) = given.parameters.get(parameter) {
                Some(Source::Parameters(value.clone()))
            } else if is_key {
                Some(Source::Package)
            } else if SITE_PARAMETERS.contains(&parameter) && stack.is_site() {
                Some(Source::Site)
            } else if takes_outputs && let Some(producer) = self.producer_of(stack, parameter, given.stacks) {
                Some(edge(&producer, parameter, Rule::Name))
            } else if is_bucket
                && default.as_deref().is_none_or(str::is_empty)
                && let Some(producer) = self.producer_of(stack, CODE_BUCKET, given.stacks)
            {
                Some(edge(&producer, CODE_BUCKET, Rule::CodeBucket))
            } else if let Some(value) = given.settings.get(parameter) {
                Some(Source::Stage(value.clone()))
            } else {
                default.map(Source::Default)
            };
            match source {
                Some(source) => {
                    sources.insert(parameter.to_owned(), source);
                }
                None => self.problems.push(without_value(stack, parameter, given.stacks)),
            }
        }
        sources
    }

    /// The one other stack with an output of this name.
    fn producer_of(
        &mut self,
        stack: &StackTemplate,
        output: &str,
        stacks: &BTreeMap<StackId, StackTemplate>,
    ) -> Option<StackId> {
        let mut producers = stacks
            .values()
            .filter(|other| other.id != stack.id && other.template.has_output(output));
        let first = producers.next()?;
        if let Some(second) = producers.next() {
            self.problems.push(
                stack
                    .error(
                        &["Parameters", output],
                        format!(
                            "the parameter `{output}` could get its value from two stacks: {} and {} both have an output of \
                             that name",
                            first.id, second.id
                        ),
                    )
                    .hint(format!(
                        "Say which one it is, in {}: `Metadata: {{ Deployer: {{ Inputs: {{ {output}: {}.{output} }} }} }}`; \
                         or rename one of the outputs.",
                        stack.file.display(),
                        first.id
                    )),
            );
        }
        Some(first.id.clone())
    }

    /// What a template says under `Inputs`, as far as it is right: parameter to stack and output.
    fn said_inputs(
        &mut self,
        stack: &StackTemplate,
        stacks: &BTreeMap<StackId, StackTemplate>,
    ) -> BTreeMap<String, (StackId, String)> {
        let Some(said) = stack.template.said_to_deployer("Inputs") else {
            return BTreeMap::new();
        };
        let Some(said) = said.as_object() else {
            let error = stack.error(&["Metadata", "Deployer", "Inputs"], "`Inputs` is no map".to_owned());
            self.problems
                .push(error.hint("Write it as `Inputs: { Parameter: stack.Output }`."));
            return BTreeMap::new();
        };
        let mut inputs = BTreeMap::new();
        for (parameter, value) in said {
            let place = ["Metadata", "Deployer", "Inputs", parameter.as_str()];
            match input(stack, parameter, value.as_str().unwrap_or_default(), stacks) {
                Ok(producer) => {
                    inputs.insert(parameter.clone(), producer);
                }
                Err((what, hint)) => self.problems.push(stack.error(&place, what).hint(hint)),
            }
        }
        inputs
    }

    /// Makes edges late until no stack waits for itself.
    fn break_cycles(&mut self, given: Given<'_>) {
        let ids: Vec<&StackId> = given.stacks.keys().collect();
        loop {
            let graph = self.waiting(&ids);
            let Some(cycle) = tarjan_scc(&graph).into_iter().find(|part| part.len() > 1) else {
                return;
            };
            let cycle: BTreeSet<&StackId> = cycle.iter().map(|node| graph[*node]).collect();
            let within: Vec<Edge> = self
                .edges()
                .filter(|edge| !edge.late && cycle.contains(&edge.producer) && cycle.contains(&edge.consumer))
                .cloned()
                .collect();
            // All that one stack gets from another has to be late together, or it waits all the same.
            let pairs: BTreeSet<(&StackId, &StackId)> =
                within.iter().map(|edge| (&edge.consumer, &edge.producer)).collect();
            let can_be_late = |edge: &Edge| {
                given
                    .stacks
                    .get(&edge.consumer)
                    .is_some_and(|stack| stack.template.default_of(&edge.parameter).is_some())
            };
            let of_pair = |edge: &Edge, (consumer, producer): (&StackId, &StackId)| {
                edge.consumer == *consumer && edge.producer == *producer
            };
            let breakable = pairs
                .iter()
                .find(|pair| within.iter().filter(|edge| of_pair(edge, **pair)).all(can_be_late));
            match breakable {
                Some(pair) => {
                    let late: Vec<Edge> = within.iter().filter(|edge| of_pair(edge, *pair)).cloned().collect();
                    late.iter().for_each(|edge| self.make_late(edge));
                }
                None => {
                    self.problems.push(unbreakable(&within, given.stacks));
                    // So that there is an order, for what doesn't mind.
                    within.iter().for_each(|edge| self.make_late(edge));
                }
            }
        }
    }

    fn make_late(&mut self, edge: &Edge) {
        let source = self
            .sources
            .get_mut(&edge.consumer)
            .and_then(|sources| sources.get_mut(&edge.parameter));
        if let Some(Source::Output(edge)) = source {
            edge.late = true;
        }
    }

    /// Who waits for whom: from each producer to its consumers.
    fn waiting<'a>(&self, ids: &[&'a StackId]) -> DiGraph<&'a StackId, ()> {
        let mut graph = DiGraph::new();
        let nodes: BTreeMap<&StackId, NodeIndex> = ids.iter().map(|id| (*id, graph.add_node(*id))).collect();
        for edge in self.edges().filter(|edge| !edge.late) {
            if let (Some(producer), Some(consumer)) = (nodes.get(&edge.producer), nodes.get(&edge.consumer)) {
                graph.update_edge(*producer, *consumer, ());
            }
        }
        graph
    }

    /// Producers first; what could come in any order, by name.
    fn sorted(&self, given: Given<'_>) -> Vec<StackId> {
        let ids: Vec<&StackId> = given.stacks.keys().collect();
        let graph = self.waiting(&ids);
        let mut levels: BTreeMap<NodeIndex, usize> = BTreeMap::new();
        for node in toposort(&graph, None).unwrap_or_default() {
            let producers = graph.neighbors_directed(node, petgraph::Direction::Incoming);
            let level = producers
                .filter_map(|producer| levels.get(&producer))
                .max()
                .map_or(0, |level| level + 1);
            levels.insert(node, level);
        }
        let mut sorted: Vec<(usize, &StackId)> = levels.iter().map(|(node, level)| (*level, graph[*node])).collect();
        sorted.sort();
        sorted.into_iter().map(|(_, id)| id.clone()).collect()
    }
}

/// One entry under `Inputs`: the stack and the output that it names; or what is wrong with it, and what to do.
fn input(
    stack: &StackTemplate,
    parameter: &str,
    value: &str,
    stacks: &BTreeMap<StackId, StackTemplate>,
) -> Result<(StackId, String), (String, String)> {
    let near = |word: &str, known: &[&str], else_say: String| match did_you_mean(word, known) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => else_say,
    };
    let listed = |known: &[&str]| format!("There is {}.", known.join(", "));
    if stack.template.parameter(parameter).is_none() {
        let known: Vec<&str> = stack.template.parameter_names().collect();
        return Err((
            format!("`Inputs` names a parameter `{parameter}`, which the template doesn't declare"),
            near(
                parameter,
                &known,
                "Declare it under `Parameters:`, or remove the entry.".to_owned(),
            ),
        ));
    }
    let Some((id, output)) = value.split_once('.') else {
        return Err((
            format!("`{parameter}` under `Inputs` names no output"),
            format!("Write it as `{parameter}: stack.Output`."),
        ));
    };
    let Some(producer) = stacks.get(id) else {
        let known: Vec<&str> = stacks
            .keys()
            .filter(|other| **other != stack.id)
            .map(StackId::as_str)
            .collect();
        return Err((
            format!("`{parameter}` is to come from the stack `{id}`, and there is none"),
            near(id, &known, listed(&known)),
        ));
    };
    if producer.id == stack.id {
        return Err((
            format!("`{parameter}` is to come from the stack's own output `{output}`"),
            "A stack can't wait for itself: refer to the resource instead of the parameter.".to_owned(),
        ));
    }
    if !producer.template.has_output(output) {
        let known: Vec<&str> = producer.template.outputs().map(|(name, _)| name).collect();
        return Err((
            format!(
                "`{parameter}` is to come from `{id}.{output}`, and {} has no output `{output}`",
                producer.file.display()
            ),
            near(
                output,
                &known,
                format!("Add it under `Outputs:` of {}.", producer.file.display()),
            ),
        ));
    }
    Ok((producer.id.clone(), output.to_owned()))
}

fn without_value(stack: &StackTemplate, parameter: &str, stacks: &BTreeMap<StackId, StackTemplate>) -> Error {
    let error = stack.error(
        &["Parameters", parameter],
        format!("the parameter `{parameter}` has neither a default nor a value"),
    );
    let producer = stacks
        .values()
        .find(|other| other.id != stack.id && other.template.has_output(parameter));
    if let Some(producer) = producer {
        return error
            .cause(format!(
                "{} has an output of that name, but what names a resource, or looks up a parameter of Systems Manager, isn't \
                 taken from an output unless the template says so",
                producer.file.display()
            ))
            .hint(format!(
                "Say it in {}: `Metadata: {{ Deployer: {{ Inputs: {{ {parameter}: {}.{parameter} }} }} }}`; or give it a value \
                 under `parameters:` of the stage in stacks/stages.yaml.",
                stack.file.display(),
                producer.id
            ));
    }
    let outputs: Vec<&str> = stacks
        .values()
        .filter(|other| other.id != stack.id)
        .flat_map(|other| other.template.outputs().map(|(name, _)| name))
        .collect();
    let near = did_you_mean(parameter, &outputs).map_or(String::new(), |near| {
        format!(" Another stack has an output `{near}`: an output of the parameter's own name would be its value.")
    });
    error.hint(format!(
        "Give it a `Default:` there, or a value under `parameters:` of the stage in stacks/stages.yaml: `{parameter}: …`.{near}"
    ))
}

fn unbreakable(within: &[Edge], stacks: &BTreeMap<StackId, StackTemplate>) -> Error {
    let ids: BTreeSet<&str> = within.iter().map(|edge| edge.consumer.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut error = Error::new(
        ErrorKind::InvalidProject,
        format!("the stacks {} need one another", ids.join(" and ")),
    );
    for edge in within {
        error = error.cause(format!(
            "{}'s parameter `{}` gets its value from {}'s output `{}`",
            edge.consumer, edge.parameter, edge.producer, edge.output
        ));
        if let Some(stack) = stacks.get(&edge.consumer) {
            error = stack.point(error, &["Parameters", &edge.parameter], "has no `Default:`");
        }
    }
    let Some(first) = within.first() else {
        return error;
    };
    let file = stacks
        .get(&first.consumer)
        .map(|stack| stack.file.display().to_string())
        .unwrap_or_default();
    error.hint(format!(
        "Nothing was begun. Give one of these parameters a `Default:`, such as `{}` in {file}: the stack is then deployed \
         with that, and updated once the value is there. Or move what they need of one another into a third template.",
        first.parameter
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::functions;

    struct World {
        stacks: BTreeMap<StackId, StackTemplate>,
        parameters: BTreeMap<String, String>,
    }

    fn world(stacks: &[(&str, &str)]) -> World {
        let stacks = stacks.iter().map(|(id, text)| StackTemplate::of_text(id, text));
        World {
            stacks: stacks.map(|stack| (stack.id.clone(), stack)).collect(),
            parameters: BTreeMap::new(),
        }
    }

    fn wired(world: &World) -> Wiring {
        let functions: Vec<Function> = world.stacks.values().flat_map(functions::of_stack).collect();
        Wiring::of(Given {
            stacks: &world.stacks,
            functions: &functions,
            parameters: &world.parameters,
            settings: &BTreeMap::from([("Stage".to_owned(), "dev".to_owned())]),
        })
    }

    fn template(parameters: &str, outputs: &str) -> String {
        template_with("R: { Type: AWS::SNS::Topic }", parameters, outputs)
    }

    fn template_with(resources: &str, parameters: &str, outputs: &str) -> String {
        let outputs: String = outputs
            .split_whitespace()
            .map(|name| format!("  {name}: {{ Value: x }}\n"))
            .collect();
        let outputs = if outputs.is_empty() {
            String::new()
        } else {
            format!("Outputs:\n{outputs}")
        };
        format!("Parameters: {{ {parameters} }}\nResources: {{ {resources} }}\n{outputs}")
    }

    fn source(wiring: &Wiring, stack: &str, parameter: &str) -> String {
        let found = wiring
            .sources(&StackId::new(stack))
            .find(|(name, _)| *name == parameter);
        match found.map(|(_, source)| source) {
            None => "nothing".to_owned(),
            Some(Source::Output(edge)) => {
                let late = if edge.late { " late" } else { "" };
                format!("{}.{} {:?}{late}", edge.producer, edge.output, edge.rule)
            }
            Some(other) => format!("{other:?}"),
        }
    }

    fn order(wiring: &Wiring) -> Vec<&str> {
        wiring.order().iter().map(StackId::as_str).collect()
    }

    fn problem(wiring: &Wiring) -> String {
        let error = wiring.check().expect_err("a problem");
        format!("{error} | {}", error.next_step().unwrap_or_default())
    }

    #[test]
    fn what_is_said_beats_what_is_inferred() {
        let all = "X: { Type: String, Default: '' }";
        let maker = template("", "X Y");
        let said = |more: &str| {
            format!(
                "Metadata: {{ Deployer: {{ Inputs: {{ {more} }} }} }}\n{}",
                template(all, "")
            )
        };
        let mut world = world(&[("a", &maker), ("b", &said("X: a.Y"))]);
        assert_eq!(source(&wired(&world), "b", "X"), "a.Y Inputs");
        world.parameters.insert("X".to_owned(), "own".to_owned());
        assert_eq!(source(&wired(&world), "b", "X"), "a.Y Inputs");
        let without = StackTemplate::of_text("b", &template(all, ""));
        world.stacks.insert(StackId::new("b"), without);
        assert_eq!(source(&wired(&world), "b", "X"), "Parameters(\"own\")");
        world.parameters.clear();
        assert_eq!(source(&wired(&world), "b", "X"), "a.X Name");
        assert_eq!(order(&wired(&world)), ["a", "b"]);
    }

    #[test]
    fn a_name_alone_fills_only_what_has_no_value_and_names_nothing() {
        let maker = template("", "Bucket Given Looked Stage");
        let taker = template_with(
            "B: { Type: AWS::S3::Bucket, Properties: { BucketName: !Ref Bucket } }",
            "Bucket: { Type: String, Default: '' }, Given: { Type: String, Default: x }, Stage: { Type: String }, \
             Looked: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '' }",
            "",
        );
        let wiring = wired(&world(&[("a", &maker), ("b", &taker)]));
        wiring.check().expect("right");
        assert_eq!(source(&wiring, "b", "Bucket"), "Default(\"\")");
        assert_eq!(source(&wiring, "b", "Given"), "Default(\"x\")");
        assert_eq!(source(&wiring, "b", "Looked"), "Default(\"\")");
        assert_eq!(source(&wiring, "b", "Stage"), "a.Stage Name");
        assert_eq!(source(&wired(&world(&[("b", &taker)])), "b", "Stage"), "Stage(\"dev\")");
        let named = taker.replace("Bucket: { Type: String, Default: '' }", "Bucket: { Type: String }");
        let told = problem(&wired(&world(&[("a", &maker), ("b", &named)])));
        assert!(
            told.contains("names a resource") && told.contains("Bucket: a.Bucket"),
            "{told}"
        );
    }

    #[test]
    fn the_bucket_of_packages_has_its_name_in_each_template() {
        let function =
            "F: { Type: AWS::Lambda::Function, Properties: { Code: { S3Bucket: !Ref Where, S3Key: !Ref CodeKey } } }";
        let taker = template_with(function, "Where: { Type: String }, CodeKey: { Type: String }", "");
        let wiring = wired(&world(&[("artifacts", &template("", "CodeBucket")), ("b", &taker)]));
        wiring.check().expect("right");
        assert_eq!(source(&wiring, "b", "Where"), "artifacts.CodeBucket CodeBucket");
        assert_eq!(source(&wiring, "b", "CodeKey"), "Package");
    }

    #[test]
    fn a_cycle_is_broken_where_a_parameter_has_a_default() {
        let api = template("Page: { Type: String }", "Api Other");
        let page = template(
            "Api: { Type: String, Default: '' }, Other: { Type: String, Default: '' }",
            "Page",
        );
        let wiring = wired(&world(&[("api", &api), ("page", &page), ("zoo", &template("", ""))]));
        wiring.check().expect("right");
        assert_eq!(source(&wiring, "page", "Api"), "api.Api Name late");
        assert_eq!(source(&wiring, "page", "Other"), "api.Other Name late");
        assert_eq!(source(&wiring, "api", "Page"), "page.Page Name");
        assert_eq!(order(&wiring), ["page", "zoo", "api"]);
    }

    #[test]
    fn a_cycle_without_a_default_is_refused_with_both_ways() {
        let a = template("B: { Type: String }", "A");
        let b = template("A: { Type: String }", "B");
        let wiring = wired(&world(&[("one", &a), ("two", &b)]));
        let told = problem(&wiring);
        for part in [
            "one and two need one another",
            "one's parameter `B`",
            "two's parameter `A`",
            "a `Default:`",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(wiring.order().len(), 2, "there is an order all the same");
    }

    #[test]
    fn three_in_a_ring_wait_for_one_edge_only() {
        let a = template("C: { Type: String, Default: '' }", "A");
        let b = template("A: { Type: String, Default: '' }", "B");
        let c = template("B: { Type: String, Default: '' }", "C");
        let wiring = wired(&world(&[("a", &a), ("b", &b), ("c", &c)]));
        wiring.check().expect("right");
        assert_eq!(wiring.edges().filter(|edge| edge.late).count(), 1);
    }

    #[test]
    fn what_can_not_be_wired_is_named_with_the_nearest() {
        let maker = template("", "TableArn");
        let taker = |inputs: &str| {
            format!(
                "Metadata: {{ Deployer: {{ Inputs: {{ {inputs} }} }} }}\n{}",
                template("Arn: { Type: String }", "")
            )
        };
        for (inputs, words) in [
            (
                "Arn: data.TableAr",
                ["has no output `TableAr`", "Did you mean `TableArn`?"],
            ),
            ("Arn: daat.TableArn", ["from the stack `daat`", "Did you mean `data`?"]),
            ("Arm: data.TableArn", ["a parameter `Arm`", "Did you mean `Arn`?"]),
            ("Arn: TableArn", ["names no output", "`Arn: stack.Output`"]),
            ("Arn: taker.X", ["own output", "can't wait for itself"]),
        ] {
            let told = problem(&wired(&world(&[("data", &maker), ("taker", &taker(inputs))])));
            assert!(words.iter().all(|word| told.contains(word)), "{inputs}: {told}");
            assert!(told.contains("stacks/taker.yaml"), "{told}");
        }
        let two = wired(&world(&[
            ("a", &maker),
            ("b", &maker),
            ("c", &template("TableArn: { Type: String }", "")),
        ]));
        let told = problem(&two);
        assert!(
            told.contains("a and b both have an output") && told.contains("TableArn: a.TableArn"),
            "{told}"
        );
        let none = wired(&world(&[
            ("a", &maker),
            ("c", &template("TableAr: { Type: String }", "")),
        ]));
        assert!(problem(&none).contains("an output `TableArn`"), "{}", problem(&none));
    }
}
