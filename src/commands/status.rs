//! `deployer status`: the stage's stacks, and what is in them: the site, routes, functions and tables.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anstyle::AnsiColor;
use futures::future::try_join_all;
use serde::Serialize;

use crate::address::{self, ApiAddress, RouteAddress};
use crate::cli::StatusArgs;
use crate::clock::{age, rfc3339};
use crate::context::{Context, Session};
use crate::error::{Error, Result};
use crate::project::functions::FUNCTION;
use crate::project::seeds::StageSeeds;
use crate::project::stacks::{StackId, StackTemplate};
use crate::project::tables::TABLES;
use crate::project::{DISTRIBUTION_ID, SITE_BUCKET};
use crate::report::{CommandResult, Paint, property_change};
use crate::stack::drift::{self, StackDrift};
use crate::stack::ownership;
use crate::stack::read::{Deployed, Stack};
use crate::stack::status::{Severity, StackState};

/// What is deployed of a stage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageStatus {
    /// The project's name.
    pub project: String,
    /// The stage's name.
    pub stage: String,
    /// The account's number.
    pub account: String,
    /// The stage's region.
    pub region: String,
    /// Whether all stacks are there and as they should be.
    pub deployed: bool,
    /// The stacks that exist.
    pub stacks: Vec<StackStatus>,
    /// The site; null where there is none.
    pub site: Option<Site>,
    /// The APIs that are deployed.
    pub apis: Vec<ApiAddress>,
    /// The functions that are deployed.
    pub functions: Vec<Named>,
    /// The tables that are deployed.
    pub tables: Vec<Table>,
    #[serde(skip)]
    missing: Vec<StackId>,
    #[serde(skip)]
    is_aws: bool,
}

/// One stack's state.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackStatus {
    /// What it is called within the project.
    pub id: StackId,
    /// The stack's name.
    pub name: String,
    /// Where it is.
    pub region: String,
    /// As CloudFormation spells it.
    pub status: String,
    /// Why, where CloudFormation says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose it is, if it isn't this stage's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<String>,
    /// When it was created or last changed, RFC 3339 in UTC.
    pub last_changed: Option<String>,
    /// Its outputs, as its template names them. Off AWS the addresses in them are this host's.
    pub outputs: BTreeMap<String, String>,
    /// What was changed in it by hand, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<StackDrift>,
    #[serde(skip)]
    severity: Option<Severity>,
    #[serde(skip)]
    age: Option<String>,
}

/// Where the site is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Site {
    /// Its address.
    pub url: Option<String>,
    /// Its bucket.
    pub bucket: String,
    /// Its distribution's id.
    pub distribution_id: String,
}

/// A resource that is deployed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Named {
    /// The stack that it is in.
    pub stack: StackId,
    /// Its key in the template.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A table that is deployed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Table {
    /// Which.
    #[serde(flatten)]
    pub table: Named,
    /// How many items stacks/seed.yaml has for it.
    pub items: usize,
}

/// Runs the command.
pub(crate) async fn run(args: &StatusArgs, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    let context = &Context::connect(super::open(global, reporter)?, session).await?;
    let stage = context.survey().await?;
    // What can't be read of it is `up`'s to say.
    let seeds = context.project.seeds(None, None).unwrap_or_default();
    let mut status = summarize(context, &stage, &seeds);
    if args.drift {
        let mut found = drifts(context, &stage).await?;
        for stack in &mut status.stacks {
            stack.drift = found.remove(&stack.id);
        }
    }
    context.reporter.result(&status)
}

/// What was changed by hand in the stage's own stacks. Of those in which something is under way or has failed it can't be told.
async fn drifts(context: &Context<'_>, stage: &BTreeMap<StackId, Deployed>) -> Result<BTreeMap<StackId, StackDrift>> {
    let own = stage
        .iter()
        .filter(|(_, deployed)| foreign(context, &deployed.stack).is_none());
    let (ready, others): (Vec<_>, Vec<_>) = own.partition(|(_, deployed)| deployed.stack.state() == StackState::Ready);
    for (id, deployed) in others {
        let status = &deployed.stack.status;
        let reporter = context.reporter;
        reporter.warn(format!(
            "{id} is in {status}: what was changed in it by hand can't be told"
        ));
    }
    let found = ready.into_iter().map(async |(id, deployed)| {
        context.reporter.working(id.as_str(), "looking for changes by hand");
        let found = drift::detect(context.cloud_of(id), deployed).await;
        match &found {
            Ok(drift) => context.reporter.finished(id.as_str(), looked_at(drift), false),
            Err(error) => context.reporter.stopped(id.as_str(), error.message()),
        }
        let mut found = found?;
        found
            .resources
            .sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
        Ok::<_, Error>((id.clone(), found))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

fn looked_at(drift: &StackDrift) -> String {
    let unchecked: Vec<&str> = drift.unchecked.iter().map(String::as_str).collect();
    let unchecked = if unchecked.is_empty() {
        String::new()
    } else {
        format!("; can't be looked at: {}", unchecked.join(", "))
    };
    let reason = drift
        .reason
        .as_ref()
        .map_or(String::new(), |reason| format!("; {reason}"));
    let resources = if drift.checked == 1 { "resource" } else { "resources" };
    format!("{} {resources} looked at{unchecked}{reason}", drift.checked)
}

/// What the stacks of the stage tell of it.
pub(crate) fn summarize(context: &Context<'_>, stage: &BTreeMap<StackId, Deployed>, seeds: &StageSeeds) -> StageStatus {
    let stacks: Vec<&StackTemplate> = context.project.stacks().collect();
    let own = |stack: &&StackTemplate| {
        let deployed = stage.get(&stack.id)?;
        foreign(context, &deployed.stack).is_none().then_some(deployed)
    };
    let is_ready = |stack: &&StackTemplate| own(stack).is_some_and(|it| it.stack.state() == StackState::Ready);
    let found = || stacks.iter().filter_map(|stack| Some((*stack, own(stack)?)));
    let named = |kinds: &'static [&'static str]| {
        found().flat_map(move |(stack, deployed)| {
            deployed.resources_of(kinds).map(|resource| Named {
                stack: stack.id.clone(),
                id: resource.logical_id.clone(),
                name: resource.physical_id.clone(),
            })
        })
    };
    StageStatus {
        is_aws: context.cloud.endpoint.is_aws(),
        project: context.project.name.clone(),
        stage: context.project.stage.name.clone(),
        account: context.cloud.account.clone(),
        region: context.cloud.region.clone(),
        deployed: stacks.iter().all(is_ready),
        stacks: stacks
            .iter()
            .filter_map(|stack| Some(stack_status(context, &stack.id, &stage.get(&stack.id)?.stack)))
            .collect(),
        site: context.project.site_stack().and_then(|stack| {
            let deployed = own(&stack)?;
            let output = |name: &str| deployed.stack.outputs.get(name).cloned();
            Some(Site {
                url: address::site_origin(context.cloud_of(&stack.id), stack, deployed)
                    .map(|origin| format!("{origin}/")),
                bucket: output(SITE_BUCKET)?,
                distribution_id: output(DISTRIBUTION_ID)?,
            })
        }),
        apis: found()
            .flat_map(|(stack, deployed)| address::apis(context.cloud_of(&stack.id), stack, deployed))
            .collect(),
        functions: named(&[FUNCTION]).collect(),
        tables: named(TABLES)
            .map(|table| Table {
                items: seeds.count_of(table.stack.as_str(), &table.id),
                table,
            })
            .collect(),
        missing: stacks
            .iter()
            .filter(|stack| !stage.contains_key(&stack.id))
            .map(|stack| stack.id.clone())
            .collect(),
    }
}

/// Whose a stack of one of the stage's names is, if it is somebody else's.
fn foreign(context: &Context<'_>, stack: &Stack) -> Option<String> {
    ownership::owner(stack, &context.project).other()
}

fn stack_status(context: &Context<'_>, id: &StackId, stack: &Stack) -> StackStatus {
    StackStatus {
        id: id.clone(),
        name: stack.name.clone(),
        region: context.cloud_of(id).region.clone(),
        status: stack.status.clone(),
        reason: stack.reason.clone(),
        foreign: foreign(context, stack),
        last_changed: stack.changed.map(rfc3339),
        outputs: stack.outputs.clone(),
        drift: None,
        severity: Some(stack.severity()),
        age: stack.changed.map(|then| age(then, SystemTime::now())),
    }
}

impl CommandResult for StageStatus {
    const SCHEMA: Option<u32> = Some(2);

    fn text(&self, paint: &Paint) -> String {
        let mut text = format!(
            "{}\n",
            paint.bold(&format!("{} {} in {}", self.project, self.stage, self.region))
        );
        if self.stacks.is_empty() {
            text.push_str(&format!(
                "Nothing is deployed. `deployer up --stage {}` deploys it.\n",
                self.stage
            ));
            return text;
        }
        let ids = self.stacks.iter().map(|stack| &stack.id).chain(&self.missing);
        let width = ids.map(|id| id.as_str().chars().count()).max().unwrap_or_default();
        for stack in &self.stacks {
            let (color, symbol) = match stack.severity {
                Some(Severity::Good) => (AnsiColor::Green, "✓"),
                Some(Severity::Busy) => (AnsiColor::Yellow, "…"),
                _ => (AnsiColor::Red, "✗"),
            };
            let elsewhere = if stack.region == self.region {
                String::new()
            } else {
                format!(" in {}", stack.region)
            };
            text.push_str(&format!(
                "  {} {:width$} {} {}{elsewhere}\n",
                paint.color(color, symbol),
                stack.id,
                paint.color(color, &stack.status),
                paint.dim(stack.age.as_deref().unwrap_or_default())
            ));
            if let Some(reason) = &stack.reason {
                text.push_str(&format!("      {reason}\n"));
            }
            if let Some(whose) = &stack.foreign {
                let problem = format!("{} isn't this stage's: {whose}", stack.name);
                text.push_str(&format!("      {}\n", paint.color(AnsiColor::Red, &problem)));
            }
        }
        text.push_str(&self.drift(paint));
        for id in &self.missing {
            text.push_str(&format!(
                "  {} {id:width$} {}\n",
                paint.dim("·"),
                paint.dim("not deployed")
            ));
        }
        for (name, value) in self.addresses() {
            text.push_str(&format!("{name:>10}  {}\n", paint.bold(&value)));
        }
        text
    }
}

impl StageStatus {
    /// What was changed by hand, if that was asked.
    fn drift(&self, paint: &Paint) -> String {
        let looked: Vec<_> = self
            .stacks
            .iter()
            .filter_map(|stack| Some((stack, stack.drift.as_ref()?)))
            .collect();
        let mut text = String::new();
        for (stack, drift) in &looked {
            for resource in &drift.resources {
                let symbol = paint.color(AnsiColor::Yellow, if resource.deleted { "−" } else { "~" });
                let kind = paint.dim(&resource.resource_type);
                let what = if resource.deleted { " is gone" } else { "" };
                let name = &resource.physical_id;
                text.push_str(&format!(
                    "  {symbol} {}.{} {kind} {name}{what}\n",
                    stack.id, resource.logical_id
                ));
                for property in &resource.properties {
                    text.push_str(&format!("      {}\n", property_change(paint, property)));
                }
            }
        }
        let changed = looked.iter().map(|(_, drift)| drift.resources.len()).sum::<usize>();
        if changed > 0 {
            text.push_str(if self.is_aws {
                "Changed by hand; `deployer up --revert-drift` takes it back.\n"
            } else {
                "Changed by hand. An emulator can't take it back: `deployer down` and `deployer up` do.\n"
            });
        } else if !looked.is_empty() {
            text.push_str("Nothing that was looked at was changed by hand.\n");
        }
        text
    }

    /// What there is, and where, a line each.
    fn addresses(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
        if let Some(url) = self.site.as_ref().and_then(|site| site.url.clone()) {
            line("site", url);
        }
        // Several methods at one address, such as a preflight's, are one line if a caller needs the same for them.
        let routes: Vec<&RouteAddress> = self.apis.iter().flat_map(|api| &api.routes).collect();
        for same in routes.chunk_by(|one, other| one.url == other.url && one.wants == other.wants) {
            let methods: Vec<&str> = same.iter().map(|route| route.method.as_str()).collect();
            if let Some(route) = same.first() {
                line(
                    "api",
                    format!("{} {}{}", methods.join(", "), route.url, route.wants.hint()),
                );
            }
        }
        for table in &self.tables {
            line("table", table.table.name.clone());
        }
        for function in &self.functions {
            line("function", function.name.clone());
        }
        lines
    }
}
