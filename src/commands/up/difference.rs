//! `deployer diff`: what `up` would change, found out by the same planning. What is made for that is taken away again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anstyle::AnsiColor;
use futures::future::try_join_all;
use serde::Serialize;
use serde_json::{Value, json};

use super::packages::Packages;
use super::plan_file::Planned;
use super::{Built, Origin, Prepared, Up};
use crate::cli::{DiffArgs, UpArgs};
use crate::context::{Context, Session};
use crate::error::{Error, Exit, Result};
use crate::project::apis::{self, Credential};
use crate::project::seed::Key;
use crate::project::stacks::{StackId, StackTemplate};
use crate::project::stages::Seeding;
use crate::project::template::{Template, references};
use crate::project::wiring::{Edge, Source};
use crate::promise::{Dependency, promise};
use crate::publish::{self, SiteDifference};
use crate::report::{CommandResult, Paint, StackChanges, counted, shortened, stack_changes};
use crate::seeding;
use crate::site::Object;
use crate::stack::change::{StackAction, StackPlan};
use crate::stack::digest;
use crate::stack::permissions::{self, Permission};
use crate::stack::read::{self, Deployed};
use crate::stack::redeployment::DEPLOYMENT;
use crate::stack::status::StackState;
use crate::stack::values;
use crate::text::quoted_for_shell;

/// The most lines that one part of the text has: a first site has thousands of files. The document has all.
const MOST_LINES: usize = 50;

/// Runs the command.
pub(crate) async fn run(args: &DiffArgs, session: Session<'_>) -> Result<Exit> {
    let Session { global, reporter, .. } = session;
    let project = crate::commands::open(global, reporter)?;
    let up = UpArgs {
        only: args.only.clone(),
        function_package: args.function_package.clone(),
        adopt: args.adopt.clone(),
        ..UpArgs::default()
    };
    let mut prepared = Prepared::of(&project, &up, Origin::Folder, reporter).await?;
    let context = Context::connect(project, session).await?;
    let (difference, ..) = looked(&context, &mut prepared, &up).await?;
    reporter.result(&difference)?;
    Ok(if args.exit_code && difference.different {
        Exit::Different
    } else {
        Exit::Done
    })
}

/// Shows what `up` would change, and writes it into a file by which another run does exactly that.
///
/// # Errors
/// It can't be found out or written, or the file could not hold all that it takes.
pub(super) async fn plan(context: &Context<'_>, mut prepared: Prepared, args: &UpArgs, file: &Path) -> Result<()> {
    let (difference, built, before) = looked(context, &mut prepared, args).await?;
    let planned = Planned {
        context,
        prepared: &prepared,
        before: &before,
        built: &built,
        only: &args.only,
        adopt: &args.adopt,
        fingerprint: difference.fingerprint(),
    };
    planned.write(file).await?;
    let name = file.to_string_lossy();
    let quoted = quoted_for_shell(&name);
    let written = format!("{} has it: `deployer up --execute {quoted}` does it", file.display());
    context
        .reporter
        .finished("plan", context.reporter.next_step(&written), false);
    context.reporter.result(&difference)
}

/// Finds out what `up` would change, of the stage as it is. Returns with it the functions' packages and the stage.
async fn looked(
    context: &Context<'_>,
    prepared: &mut Prepared,
    args: &UpArgs,
) -> Result<(StageDifference, Built, BTreeMap<StackId, Deployed>)> {
    let before = prepared.survey(context, args).await?;
    let packages = std::mem::take(&mut prepared.packages);
    let (difference, built) = Up::new(context, prepared, args, &before).difference(packages).await?;
    Ok((difference, built, before))
}

/// What `up` would change of a stage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageDifference {
    project: String,
    stage: String,
    account: String,
    region: String,
    /// Whether it would change anything.
    different: bool,
    /// All stacks that it is about, in the order of what feeds what.
    stacks: Vec<StackDifference>,
    /// Functions with other code.
    functions: Vec<FunctionDifference>,
    /// Routes that come, go, or want something else of a caller.
    routes: Vec<RouteDifference>,
    permissions: Vec<PermissionDifference>,
    /// Null where no site would be published.
    site: Option<SiteDifference>,
    items: Vec<ItemsDifference>,
}

/// A stack, and what is to be known of what is said of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StackDifference {
    #[serde(flatten)]
    changes: StackChanges,
    /// Inputs that aren't known yet: what they are is found out as `up` goes on.
    waits_for: Vec<String>,
    /// Inputs that may become others, since what they come from changes.
    may_follow: Vec<String>,
    /// Why the templates alone are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionDifference {
    stack: StackId,
    /// What its package is made of: the binary, or the path.
    name: String,
    /// The key of the package that is deployed; null if none is.
    before: Option<String>,
    after: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteDifference {
    stack: StackId,
    api: String,
    path: String,
    method: String,
    /// What a caller needs; null if there is no such route.
    before: Option<Credential>,
    after: Option<Credential>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PermissionDifference {
    stack: StackId,
    /// Whether it comes; else it goes.
    added: bool,
    /// Whether somebody may do more than before because of it.
    widens: bool,
    #[serde(flatten)]
    permission: Permission,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemsDifference {
    stack: StackId,
    table: String,
    /// The keys of items that `up` adds.
    new: Vec<String>,
    /// Those that the table has otherwise, which `up` leaves as they are.
    different: Vec<String>,
}

/// What is found out of one stack.
struct Compared {
    stack: StackDifference,
    routes: Vec<RouteDifference>,
    permissions: Vec<PermissionDifference>,
}

impl Up<'_> {
    /// What this run would change, and the functions' packages.
    pub(super) async fn difference(&self, packages: Packages) -> Result<(StageDifference, Built)> {
        self.check_sizes()?;
        let project = &self.context.project;
        let (promise, built) = promise();
        let in_scope = project.stacks().filter(|stack| self.scope.has(&stack.id));
        let comparing = try_join_all(in_scope.map(|stack| self.compared(stack, built.clone())));
        let (built, compared, free, survey, items) = tokio::join!(
            self.build(packages, promise),
            comparing,
            self.check_new_names(),
            self.survey_site(built.clone()),
            self.items_difference(),
        );
        // A function that doesn't build is why the rest couldn't be compared.
        let (built, mut compared, (), items) = (built?, compared?, free?, items?);
        for index in 0..compared.len() {
            let may_follow = self.may_follow(&compared[index].stack.changes.id, &compared);
            compared[index].stack.may_follow = may_follow;
        }
        let site = self
            .site
            .map(|site| publish::difference(&self.publication(site), self.known_config().as_ref(), survey.as_ref()));
        let mut difference = StageDifference {
            project: project.name.clone(),
            stage: project.stage.name.clone(),
            account: self.context.cloud.account.clone(),
            region: self.context.cloud.region.clone(),
            different: false,
            stacks: Vec::new(),
            functions: self.functions_difference(&built),
            routes: Vec::new(),
            permissions: Vec::new(),
            site,
            items,
        };
        for mut one in compared {
            difference.stacks.push(one.stack);
            difference.routes.append(&mut one.routes);
            difference.permissions.append(&mut one.permissions);
        }
        difference.different = difference.is_different();
        Ok((difference, built))
    }

    async fn compared(&self, stack: &StackTemplate, mut built: Dependency<Built>) -> Result<Compared> {
        let cloud = self.context.cloud_of(&stack.id);
        let before = self.before.get(&stack.id).map(|before| &before.stack);
        let remark = before.and_then(|before| match before.state() {
            StackState::RollbackFailed => Some("its last update's rollback failed, which `deployer up` finishes first"),
            StackState::UpdateFailed | StackState::DeleteFailed => {
                Some("it is in a state that `deployer up` can't end: `deployer diagnose` tells what to do")
            }
            _ => None,
        });
        let (plan, deployed) = match remark {
            Some(_) => (None, None),
            None => match self.plan_beforehand(stack, built.clone()).await? {
                Some(mut planned) => {
                    let (plan, deployed) = (planned.plan.clone(), planned.deployed.take());
                    planned.discard(cloud).await?;
                    (Some(plan), deployed)
                }
                None => (None, None),
            },
        };
        let waits_for = before.map(|_| self.unknown_inputs(stack)).unwrap_or_default();
        let compared = |plan: &StackPlan| Compared {
            stack: StackDifference {
                changes: plan.shown(),
                waits_for: waits_for.clone(),
                may_follow: Vec::new(),
                remark: remark.map(str::to_owned),
            },
            routes: Vec::new(),
            permissions: Vec::new(),
        };
        if let Some(plan) = plan.as_ref().filter(|plan| plan.verdict == StackAction::Unchanged) {
            return Ok(compared(plan));
        }
        let packages = built
            .wait()
            .await
            .map_err(|_| Error::failed("the functions weren't built"))?;
        let wanted = self.desired(stack, self.known_inputs(stack, &packages).0);
        let is_there = |state| {
            !matches!(
                state,
                StackState::Deleted | StackState::InReview | StackState::RolledBack
            )
        };
        let before = before.filter(|before| is_there(before.state()));
        let deployed = match (deployed, before) {
            (Some(known), _) => known,
            (None, Some(before)) => read::deployed_template(cloud, &before.arn).await?,
            (None, None) => Template::of_deployed("{}")?,
        };
        let parameters = before.map(|before| before.parameters.clone()).unwrap_or_default();
        let found = wanted.beside(&deployed, &parameters, &cloud.pseudo_parameters(), |before, after| {
            let plan = plan.unwrap_or_else(|| {
                let changes = values::compared(before, after);
                let is_same = changes.is_empty() && waits_for.is_empty();
                StackPlan {
                    id: stack.id.clone(),
                    name: self.context.stack_name(&stack.id),
                    verdict: if is_same {
                        StackAction::Unchanged
                    } else {
                        StackAction::Update
                    },
                    changes,
                    lifted: Vec::new(),
                }
            });
            let routes = |of: values::Resolved<'_>| -> BTreeMap<_, _> {
                let apis = apis::of_template(of.template, of.scope).into_iter();
                let routes = apis.flat_map(|api| {
                    let id = api.logical_id;
                    api.routes
                        .into_iter()
                        .map(move |route| ((id.clone(), route.path, route.method), route.wants))
                });
                routes.collect()
            };
            let (routes_before, routes_after) = (routes(before), routes(after));
            let (before, after) = (permissions::of_template(before), permissions::of_template(after));
            Compared {
                routes: routes_difference(&stack.id, &routes_before, &routes_after),
                permissions: permissions_difference(&stack.id, &before, &after),
                ..compared(&plan)
            }
        });
        Ok(found)
    }

    /// The inputs of a stack that only what isn't deployed yet can tell.
    fn unknown_inputs(&self, stack: &StackTemplate) -> Vec<String> {
        let sources = self.context.project.wiring().sources(&stack.id);
        let unknown = sources.filter_map(|(parameter, source)| match source {
            Source::Output(edge) if !edge.late => {
                let producer = self.before.get(&edge.producer);
                let told = producer.is_some_and(|producer| producer.stack.outputs.contains_key(&edge.output));
                (!told).then(|| format!("{parameter}, the output {} of {}", edge.output, edge.producer))
            }
            _ => None,
        });
        unknown.collect()
    }

    /// The inputs of a stack that may become others with what changes in the stacks that they come from.
    fn may_follow(&self, id: &str, all: &[Compared]) -> Vec<String> {
        let comes_from_change = |edge: &&Edge| {
            let of_producer = |one: &&Compared| one.stack.changes.id == edge.producer.as_str();
            let leaving: BTreeSet<&str> = all
                .iter()
                .filter(of_producer)
                .flat_map(|one| &one.stack.changes.changes)
                .filter(|shown| shown.change.leaves())
                .map(|shown| shown.change.logical_id.as_str())
                .collect();
            let template = self.context.project.stack(&edge.producer).map(|stack| &stack.template);
            let output = template.and_then(|template| template.output(&edge.output));
            let used = output.map(references).unwrap_or_default();
            self.before.contains_key(&edge.producer) && used.iter().any(|name| leaving.contains(name.as_str()))
        };
        let id = StackId::new(id);
        let inputs = self.context.project.wiring().inputs(&id).filter(comes_from_change);
        inputs
            .map(|edge| format!("{}, the output {} of {}", edge.parameter, edge.output, edge.producer))
            .collect()
    }

    fn functions_difference(&self, built: &Built) -> Vec<FunctionDifference> {
        let packages = built.iter().filter_map(|((stack, parameter), package)| {
            let before = self.before.get(stack);
            let before = before
                .and_then(|before| before.stack.parameters.get(parameter))
                .cloned();
            (before.as_ref() != Some(&package.key)).then(|| FunctionDifference {
                stack: stack.clone(),
                name: self.code_of(stack, parameter),
                before,
                after: package.key.clone(),
            })
        });
        packages.collect()
    }

    /// What pages would be told, if all of that is deployed already.
    fn known_config(&self) -> Option<Object> {
        let values = self.site_config.iter().map(|(name, producer, output)| {
            let value = self.before.get(producer)?.stack.outputs.get(output)?;
            Some((name.clone(), value.clone()))
        });
        let values = values.collect::<Option<BTreeMap<_, _>>>()?;
        let name = &*self.context.project.stage.site.config_file;
        (!values.is_empty()).then(|| Object::config(name, &values))
    }

    /// What seeding would add, and what it leaves though it is another.
    async fn items_difference(&self) -> Result<Vec<ItemsDifference>> {
        if !self.scope.seed || self.context.project.stage.seed == Seeding::Never {
            return Ok(Vec::new());
        }
        let seeded_before = self.seeded_before().await?;
        let compared = try_join_all(self.seeds.tables().map(async |(table, items)| {
            let id = StackId::new(&table.stack);
            let deployed = self.before.get(&id);
            let name = deployed.and_then(|deployed| seeding::name_of(deployed, table).ok());
            let compared = match name {
                Some(name) if seeded_before.contains(&(id.clone(), name.to_owned())) => return Ok(None),
                Some(name) => seeding::compared(self.context.cloud_of(&id), name, &table.keys, items).await?,
                None => seeding::Compared {
                    missing: items.iter().map(|item| item.key.clone()).collect(),
                    ..seeding::Compared::default()
                },
            };
            let told = |keys: BTreeSet<Key>| keys.iter().map(Key::to_string).collect::<Vec<_>>();
            let difference = ItemsDifference {
                stack: id,
                table: table.logical_id.clone(),
                new: told(compared.missing),
                different: told(compared.different),
            };
            let is_any = !(difference.new.is_empty() && difference.different.is_empty());
            Ok::<_, Error>(is_any.then_some(difference))
        }));
        Ok(compared.await?.into_iter().flatten().collect())
    }
}

type Routes = BTreeMap<(String, String, String), Credential>;

fn routes_difference(stack: &StackId, before: &Routes, after: &Routes) -> Vec<RouteDifference> {
    let all: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let others = all.into_iter().filter(|route| before.get(*route) != after.get(*route));
    others
        .map(|route| {
            let (api, path, method) = route.clone();
            RouteDifference {
                stack: stack.clone(),
                api,
                path,
                method,
                before: before.get(route).copied(),
                after: after.get(route).copied(),
            }
        })
        .collect()
}

fn permissions_difference(
    stack: &StackId,
    before: &BTreeSet<Permission>,
    after: &BTreeSet<Permission>,
) -> Vec<PermissionDifference> {
    let told = |permission: &Permission, added| PermissionDifference {
        stack: stack.clone(),
        added,
        widens: permission.allows == added,
        permission: permission.clone(),
    };
    let gone = before.difference(after).map(|permission| told(permission, false));
    let come = after.difference(before).map(|permission| told(permission, true));
    let mut all: Vec<PermissionDifference> = gone.chain(come).collect();
    // What is about the same stands together.
    all.sort_by(|one, other| {
        let key = |it: &PermissionDifference| (it.permission.holder.clone(), it.permission.action.clone(), it.added);
        key(one).cmp(&key(other))
    });
    all
}

impl StageDifference {
    /// The same of two that would change the same.
    pub(super) fn fingerprint(&self) -> String {
        let mut document = json!(self);
        for stack in document["stacks"].as_array_mut().into_iter().flatten() {
            let Some(changes) = stack["changes"].as_array_mut() else {
                continue;
            };
            for change in changes.iter_mut() {
                if change["resourceType"] == DEPLOYMENT {
                    // Some are called as none was before.
                    change["logicalId"] = Value::Null;
                }
            }
            // CloudFormation promises no order.
            changes.sort_by_cached_key(Value::to_string);
        }
        digest::of(&document)
    }

    fn is_different(&self) -> bool {
        self.changing_stacks().next().is_some()
            || !self.functions.is_empty()
            || self.site.as_ref().is_some_and(|site| site.count() > 0)
            || self.items.iter().any(|items| !items.new.is_empty())
    }

    fn changing_stacks(&self) -> impl Iterator<Item = &StackDifference> {
        let is_changing =
            |one: &&StackDifference| one.changes.verdict != StackAction::Unchanged || !one.may_follow.is_empty();
        self.stacks.iter().filter(is_changing)
    }

    fn losses(&self) -> usize {
        let stacks = self.stacks.iter().map(|one| {
            let lost = one.changes.changes.iter().filter(|shown| shown.loss.is_some());
            lost.count() + one.changes.lifted.len()
        });
        stacks.sum()
    }

    /// "2 stacks, 1 function, 3 files of the site would change", or that nothing would.
    fn verdict(&self, paint: &Paint) -> String {
        if !self.different {
            return "`deployer up` would change nothing".to_owned();
        }
        let plural =
            |count: usize, one: &'static str, several: &'static str| (count, if count == 1 { one } else { several });
        let stacks = self.changing_stacks().count();
        let files = self.site.as_ref().map_or(0, SiteDifference::count);
        let items = self.items.iter().map(|items| items.new.len()).sum();
        let counts = counted(&[
            plural(stacks, "stack", "stacks"),
            plural(self.functions.len(), "function", "functions"),
            plural(files, "file of the site", "files of the site"),
            plural(items, "item", "items"),
        ]);
        let loss = match self.losses() {
            0 => String::new(),
            _ => format!(
                "; {}",
                paint.color(AnsiColor::Red, "data or its protection would be lost")
            ),
        };
        format!("`deployer up` would change {counts}{loss}")
    }
}

/// A part of the text: its lines below its name, if there are any.
fn section(paint: &Paint, text: &mut String, name: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("  {}\n", paint.bold(name)));
    let more = lines.len().saturating_sub(MOST_LINES);
    for line in lines.into_iter().take(MOST_LINES) {
        text.push_str(&format!("      {line}\n"));
    }
    if more > 0 {
        text.push_str(&format!("      {}\n", paint.dim(&format!("… and {more} more"))));
    }
}

impl CommandResult for StageDifference {
    fn summary(&self) -> Option<String> {
        // A block that nothing in it can end: the longest fence in it is shorter.
        let text = self.text(&Paint::none());
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        Some(format!("{fence}text\n{text}{fence}\n\n"))
    }

    fn text(&self, paint: &Paint) -> String {
        let (plus, minus, other) = (
            paint.color(AnsiColor::Green, "+"),
            paint.color(AnsiColor::Red, "−"),
            paint.color(AnsiColor::Yellow, "~"),
        );
        let mut text = format!(
            "{} in {}\n",
            paint.bold(&format!("{} {}", self.project, self.stage)),
            self.region
        );
        for one in self.changing_stacks() {
            let word = match one.changes.verdict {
                StackAction::Create => &plus,
                StackAction::Recreate => &paint.color(AnsiColor::Yellow, "±"),
                StackAction::Update | StackAction::Unchanged => &other,
            };
            let summary = if one.changes.verdict == StackAction::Unchanged {
                "nothing by itself".to_owned()
            } else {
                one.changes.summary()
            };
            text.push_str(&format!(
                "  {word} {} {}\n",
                paint.bold(&one.changes.name),
                paint.dim(&summary)
            ));
            let inputs = |what: &str, inputs: &[String]| {
                let line = |input: &String| paint.dim(&format!("{what} {input}"));
                inputs.iter().map(line).collect::<Vec<_>>()
            };
            let lines = stack_changes(paint, &one.changes, true).into_iter();
            let lines = lines.chain(inputs("waits for", &one.waits_for));
            let lines = lines.chain(inputs("may change with", &one.may_follow));
            let lines = lines.chain(one.remark.iter().map(|remark| paint.color(AnsiColor::Yellow, remark)));
            lines.for_each(|line| text.push_str(&format!("      {line}\n")));
        }
        let functions = self.functions.iter().map(|function| match &function.before {
            None => format!("{plus} {} {}", function.name, paint.dim(function.stack.as_str())),
            Some(before) => format!(
                "{other} {} {} {} → {}",
                function.name,
                paint.dim(function.stack.as_str()),
                digest_of(before),
                digest_of(&function.after)
            ),
        });
        section(paint, &mut text, "functions", functions.collect());
        let routes = self.routes.iter().map(|route| {
            let name = format!("{} {}", route.method, route.path);
            match (route.before, route.after) {
                (None, Some(wants)) => format!("{plus} {name} {}", paint.dim(wants_of(wants))),
                (Some(_), None) | (None, None) => format!("{minus} {name}"),
                (Some(before), Some(after)) => {
                    let change = format!("{} → {}", wants_of(before), wants_of(after));
                    let color = if after < before {
                        AnsiColor::Red
                    } else {
                        AnsiColor::Yellow
                    };
                    format!("{other} {name} {}", paint.color(color, &change))
                }
            }
        });
        section(paint, &mut text, "routes", routes.collect());
        let permissions = self.permissions.iter().map(|one| {
            let sign = if one.added { &plus } else { &minus };
            let Permission {
                holder,
                allows,
                action,
                resource,
                condition,
            } = &one.permission;
            let verb = if *allows { "may" } else { "may not" };
            let condition = condition
                .as_deref()
                .map_or(String::new(), |condition| format!(" if {condition}"));
            let what = shortened(&format!("{action} {resource}{condition}"), 160);
            let line = format!("{holder} {verb} {what}");
            // Whoever skims is to see this.
            let line = if one.widens {
                paint.color(AnsiColor::Yellow, &line)
            } else {
                line
            };
            format!("{sign} {line}")
        });
        section(paint, &mut text, "permissions", permissions.collect());
        let files = self.site.iter().flat_map(|site| {
            let new = site.new.iter().map(|file| format!("{plus} {file}"));
            let changed = site.changed.iter().map(|file| format!("{other} {file}"));
            new.chain(changed)
                .chain(site.removed.iter().map(|file| format!("{minus} {file}")))
        });
        section(paint, &mut text, "site", files.collect());
        let items = self.items.iter().flat_map(|items| {
            let new = items.new.iter().map(|key| format!("{plus} {} {key}", items.table));
            let stays = paint.dim("is another there, and stays: `deployer seed --overwrite` replaces it");
            let different = items.different.iter();
            new.chain(different.map(move |key| format!("  {} {key} {stays}", items.table)))
        });
        section(paint, &mut text, "items", items.collect());
        text.push_str(&self.verdict(paint));
        text.push('\n');
        text
    }
}

/// The beginning of a package's digest, which its key is made of.
fn digest_of(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.get(..10).unwrap_or(name)
}

fn wants_of(wants: Credential) -> &'static str {
    match wants {
        Credential::Nothing => "open to all",
        Credential::Iam => "wants a signature",
        Credential::Key => "wants a key",
        Credential::Authorizer => "wants what its authorizer does",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(allows: bool, resource: &str) -> Permission {
        Permission {
            holder: "Role".into(),
            allows,
            action: "a:X".into(),
            resource: resource.into(),
            condition: None,
        }
    }

    #[test]
    fn what_lets_somebody_do_more_stands_out() {
        let before = BTreeSet::from([permission(true, "one"), permission(false, "all")]);
        let after = BTreeSet::from([permission(true, "*")]);
        let told = permissions_difference(&StackId::new("logic"), &before, &after);
        let told: Vec<_> = told
            .iter()
            .map(|one| (one.added, one.widens, one.permission.resource.as_str()))
            .collect();
        assert_eq!(told, [(false, true, "all"), (false, false, "one"), (true, true, "*")]);
    }

    #[test]
    fn a_route_that_wants_less_is_told() {
        let route = |path: &str| ("Api".to_owned(), path.to_owned(), "GET".to_owned());
        let before = Routes::from([(route("/a"), Credential::Iam), (route("/b"), Credential::Nothing)]);
        let after = Routes::from([(route("/a"), Credential::Nothing), (route("/c"), Credential::Key)]);
        let told = routes_difference(&StackId::new("logic"), &before, &after);
        let told: Vec<_> = told
            .iter()
            .map(|one| (one.path.as_str(), one.before, one.after))
            .collect();
        assert_eq!(
            told,
            [
                ("/a", Some(Credential::Iam), Some(Credential::Nothing)),
                ("/b", Some(Credential::Nothing), None),
                ("/c", None, Some(Credential::Key)),
            ]
        );
    }
}
