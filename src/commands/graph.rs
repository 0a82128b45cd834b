//! `deployer graph`: the stacks, what feeds what and why, and what is in them; from the folder alone.

use serde::Serialize;

use crate::cli::{GraphArgs, GraphFormat};
use crate::context::Session;
use crate::error::Result;
use crate::project::Project;
use crate::project::apis::{self, Route};
use crate::project::functions::Code;
use crate::project::seeds::StageSeeds;
use crate::project::stacks::{StackId, StackTemplate};
use crate::project::tables;
use crate::project::wiring::{Edge, Rule, Source};
use crate::report::{CommandResult, Paint};

/// Runs the command.
pub(crate) fn run(args: &GraphArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let project = super::open(global, reporter)?;
    let graph = Graph::of(&project);
    match args.format {
        // What is on stdout is JSON then, whatever else is asked for.
        _ if reporter.is_json() => reporter.result(&graph)?,
        GraphFormat::Text => reporter.result(&graph)?,
        GraphFormat::Dot => reporter.print(graph.dot())?,
        GraphFormat::Mermaid => reporter.print(graph.mermaid())?,
    }
    // What is wrong with it is told after it: the graph shows where.
    project.check()
}

/// A stage's graph.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Graph {
    project: String,
    stage: String,
    /// In an order in which each comes after those that it waits for.
    stacks: Vec<StackNode>,
    edges: Vec<Edge>,
}

/// A stack and what is in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StackNode {
    id: StackId,
    /// The template.
    file: String,
    /// The region, if it isn't the stage's.
    region: Option<String>,
    /// Where each parameter gets its value from.
    parameters: Vec<ParameterNode>,
    functions: Vec<FunctionNode>,
    routes: Vec<Route>,
    tables: Vec<TableNode>,
    /// Whether the site is published to it.
    site: bool,
}

#[derive(Debug, Serialize)]
struct ParameterNode {
    name: String,
    /// In words, without the value: it may be secret.
    from: String,
}

#[derive(Debug, Serialize)]
struct FunctionNode {
    id: String,
    /// What is packed.
    code: String,
}

#[derive(Debug, Serialize)]
struct TableNode {
    id: String,
    /// The names of its key attributes, the partition key first.
    keys: Vec<String>,
    /// How many items stacks/seed.yaml has for it.
    items: usize,
}

impl Graph {
    fn of(project: &Project) -> Self {
        let seeds = project.seeds(None, None).unwrap_or_default();
        Self {
            project: project.name.clone(),
            stage: project.stage.name.clone(),
            stacks: project.stacks().map(|stack| node(project, stack, &seeds)).collect(),
            edges: project.wiring().edges().cloned().collect(),
        }
    }

    fn dot(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let mut text = format!(
            "digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n",
            quoted(&self.project)
        );
        for stack in &self.stacks {
            let label: Vec<String> = std::iter::once(stack.id.to_string()).chain(stack.contents()).collect();
            text.push_str(&format!(
                "  {} [label={}];\n",
                quoted(stack.id.as_str()),
                quoted(&label.join("\n"))
            ));
        }
        for edge in &self.edges {
            let style = if edge.late { ", style=dashed" } else { "" };
            text.push_str(&format!(
                "  {} -> {} [label={}{style}];\n",
                quoted(edge.producer.as_str()),
                quoted(edge.consumer.as_str()),
                quoted(&edge.parameter)
            ));
        }
        text.push_str("}\n");
        text
    }

    fn mermaid(&self) -> String {
        // Ids there may have no hyphens, and some words mean something.
        let node = |id: &StackId| format!("stack_{}", id.as_str().replace('-', "_"));
        let escaped = |text: &str| {
            text.replace('&', "&amp;")
                .replace('"', "&quot;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
        };
        let mut text = "flowchart LR\n".to_owned();
        for stack in &self.stacks {
            let label: Vec<String> = std::iter::once(stack.id.to_string())
                .chain(stack.contents())
                .map(|line| escaped(&line))
                .collect();
            text.push_str(&format!("  {}[\"{}\"]\n", node(&stack.id), label.join("<br>")));
        }
        for edge in &self.edges {
            let arrow = if edge.late { "-.->" } else { "-->" };
            text.push_str(&format!(
                "  {} {arrow}|\"{}\"| {}\n",
                node(&edge.producer),
                escaped(&edge.parameter),
                node(&edge.consumer)
            ));
        }
        text
    }
}

fn node(project: &Project, stack: &StackTemplate, seeds: &StageSeeds) -> StackNode {
    let scope = stack.template.known_parameters(&project.known_values(&stack.id));
    let functions = project.functions().iter().filter(|function| function.stack == stack.id);
    let parameters = project.wiring().sources(&stack.id).map(|(name, source)| ParameterNode {
        name: name.to_owned(),
        from: from(source),
    });
    StackNode {
        id: stack.id.clone(),
        file: stack.file.display().to_string(),
        region: stack.region.clone(),
        parameters: parameters.collect(),
        functions: functions
            .map(|function| FunctionNode {
                id: function.logical_id.clone(),
                code: match &function.code {
                    Code::Binary { name, .. } => format!("the binary {name}"),
                    Code::Path(path) => path.display().to_string(),
                },
            })
            .collect(),
        routes: apis::of_template(&stack.template, &scope)
            .into_iter()
            .flat_map(|api| api.routes)
            .collect(),
        tables: tables::of_stack(stack, &scope)
            .into_iter()
            .map(|table| TableNode {
                items: seeds.count_of(&table.stack, &table.logical_id),
                keys: table.keys.into_iter().map(|key| key.name).collect(),
                id: table.logical_id,
            })
            .collect(),
        site: project.site_stack().is_some_and(|site| site.id == stack.id),
    }
}

fn from(source: &Source) -> String {
    match source {
        Source::Parameters(_) => "`parameters:` in stacks/stages.yaml".to_owned(),
        Source::Stage(_) => "the stage itself".to_owned(),
        Source::Package => "the function's package".to_owned(),
        Source::Site => "the site's files".to_owned(),
        Source::Default(_) => "its default".to_owned(),
        Source::Output(edge) => {
            let why = match edge.rule {
                Rule::Inputs => "the template's `Inputs` say so",
                Rule::Name => "they have the same name",
                Rule::CodeBucket => "packages are in that bucket",
            };
            let late = if edge.late {
                "; late, by an update of its own"
            } else {
                ""
            };
            format!("{}.{} ({why}{late})", edge.producer, edge.output)
        }
    }
}

impl StackNode {
    /// What is in it, a line each.
    fn contents(&self) -> Vec<String> {
        let functions = self
            .functions
            .iter()
            .map(|function| format!("function {}: {}", function.id, function.code));
        let routes = self
            .routes
            .iter()
            .map(|route| format!("route {} {}{}", route.method, route.path, route.wants.hint()));
        let tables = self.tables.iter().map(|table| {
            let items = match table.items {
                0 => String::new(),
                1 => ", 1 seed item".to_owned(),
                count => format!(", {count} seed items"),
            };
            format!("table {} ({}){items}", table.id, table.keys.join(", "))
        });
        let site = self.site.then(|| "the site".to_owned());
        functions.chain(routes).chain(tables).chain(site).collect()
    }
}

impl CommandResult for Graph {
    fn text(&self, paint: &Paint) -> String {
        let mut text = String::new();
        for stack in &self.stacks {
            let region = stack
                .region
                .as_ref()
                .map_or(String::new(), |region| format!(" in {region}"));
            text.push_str(&format!(
                "{} {}{region}\n",
                paint.bold(stack.id.as_str()),
                paint.dim(&stack.file)
            ));
            let width = stack
                .parameters
                .iter()
                .map(|parameter| parameter.name.len())
                .max()
                .unwrap_or_default();
            for parameter in &stack.parameters {
                text.push_str(&format!("  {:width$} ← {}\n", parameter.name, parameter.from));
            }
            for line in stack.contents() {
                text.push_str(&format!("  {}\n", paint.dim(&line)));
            }
        }
        text
    }
}
