//! Removing what is deployed of one stage: what keeps its data, what goes with it, in which order.
//!
//! All of it is read from what is deployed, not from this checkout: the stage may have been deployed from another one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::future::{join_all, try_join_all};

use crate::address;
use crate::backup::{self, Source};
use crate::cloud::Cloud;
use crate::deployed::order::{self, Shape};
use crate::error::{Error, ErrorKind, Result};
use crate::lease::StageLease;
use crate::logs;
use crate::project::Project;
use crate::project::functions::FUNCTION;
use crate::project::seed;
use crate::project::stacks::{self, CODE_BUCKET, StackId, StackTemplate};
use crate::project::tables::TABLES;
use crate::project::template::Template;
use crate::promise::{Dependency, promise};
use crate::report::{Event, Part, Reporter};
use crate::stack::desired::TemplateBucket;
use crate::stack::ownership;
use crate::stack::protection;
use crate::stack::read::{self, Deployed, Stack};
use crate::stack::remove::{self, Data};
use crate::stack::status::StackState;
use crate::table;

/// A stage that is to go.
pub(super) struct Removal<'a> {
    /// Who is told.
    pub reporter: &'a Reporter,
    /// The project's folder, if it has the stage: it can tell what its stacks are.
    pub folder: Option<&'a Project>,
    /// Whether this checkout says that the stage is protected.
    pub written_protected: bool,
    /// Its stacks.
    pub found: BTreeMap<StackId, Found>,
    /// What to do once what failed is corrected.
    pub again: &'static str,
}

/// A stack that may go: what is in it, and the template that it was made from.
pub(super) struct Found {
    pub cloud: Cloud,
    pub deployed: Deployed,
    template: Option<Template>,
    /// The project has no template of it any more.
    is_orphan: bool,
}

impl Found {
    /// Whether its template is too large for a request.
    pub(super) fn is_large(&self) -> bool {
        self.template.as_ref().is_some_and(stacks::is_large)
    }

    /// The bucket that large templates go through, if it has it.
    pub(super) fn template_bucket(&self) -> Option<TemplateBucket> {
        self.deployed.stack.outputs.get(CODE_BUCKET).map(|name| TemplateBucket {
            name: name.clone(),
            region: self.cloud.region.clone(),
        })
    }

    /// See [`Shape`].
    fn shape(&self) -> Shape {
        let stack = &self.deployed.stack;
        let has_default = |name: &str| {
            let template = self.template.as_ref();
            template.is_some_and(|template| template.default_of(name).is_some())
        };
        let given = stack.parameters.iter().filter(|(name, _)| !ownership::is_label(name));
        let given = given.flat_map(|(name, value)| {
            // Off AWS outputs are shown with this host's addresses, and parameters as they were given.
            let has_default = has_default(name);
            [value.clone(), self.cloud.endpoint.localized(value)].map(|value| (value, has_default))
        });
        let mut scope = self.cloud.pseudo_parameters();
        scope.insert("AWS::StackName".to_owned(), stack.name.clone());
        let imports = self.template.as_ref().map(|template| {
            scope.extend(template.known_parameters(&stack.parameters));
            template.imports(&scope)
        });
        Shape {
            given: given.filter(|(value, _)| !value.is_empty()).collect(),
            outputs: stack.outputs.values().cloned().collect(),
            exports: stack.exports.clone(),
            imports: imports.unwrap_or_default(),
        }
    }
}

/// A stack as it was found.
pub(super) struct Seen {
    /// Where it is.
    pub cloud: Cloud,
    /// The stack.
    pub stack: Stack,
    /// The project has no template of it any more.
    pub is_orphan: bool,
}

/// The stacks as parts of a run, each after those that are to be gone `before` it.
fn parts<'a>(stacks: impl Iterator<Item = &'a StackId>, before: &BTreeMap<StackId, BTreeSet<StackId>>) -> Vec<Part> {
    let others = |id: &StackId| before.get(id).into_iter().flatten();
    let (mut left, mut parts): (Vec<&StackId>, Vec<Part>) = (stacks.collect(), Vec::new());
    while let Some(next) = left
        .iter()
        .position(|id| others(id).all(|other| !left.contains(&other)))
    {
        let id = left.remove(next);
        parts.push(Part {
            name: id.to_string(),
            waits_for: others(id).map(StackId::to_string).collect(),
        });
    }
    parts
}

/// What is in these stacks.
pub(super) async fn looked_into(seen: Vec<(StackId, Seen)>) -> Result<BTreeMap<StackId, Found>> {
    let looked = try_join_all(seen.into_iter().map(async |(id, seen)| {
        let Seen {
            cloud,
            stack,
            is_orphan,
        } = seen;
        let has_template = stack.state() != StackState::InReview;
        let template = async {
            if has_template {
                read::deployed_template(&cloud, &stack.arn).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let (resources, template) = tokio::try_join!(read::resources(&cloud, &stack.arn), template)?;
        let found = Found {
            cloud,
            deployed: Deployed { stack, resources },
            template,
            is_orphan,
        };
        Ok::<_, Error>((id, found))
    }));
    let mut found = BTreeMap::new();
    for (id, one) in looked.await? {
        // A template that has moved to another region leaves a stack there that is called alike.
        let id = if found.contains_key(&id) {
            StackId::new(&one.deployed.stack.name)
        } else {
            id
        };
        found.insert(id, one);
    }
    Ok(found)
}

/// What keeps a stack's data. Any one does: what is deployed decides, whatever this checkout says, and the other way round.
#[derive(Debug, Clone, Copy)]
pub(super) enum Protection {
    /// `protected: true` in stacks/stages.yaml.
    Written,
    /// The stack was deployed so.
    Deployed,
    /// A table of it has deletion protection, however it got that.
    OfTable,
    /// It has the bucket through which the template of another goes that stays, and whose protection is lifted some day.
    HasBucket,
}

const TABLE: &str = "AWS::DynamoDB::Table";
const BUCKET: &str = "AWS::S3::Bucket";

/// A stack that stays.
pub(super) struct Kept {
    pub stack: String,
    /// Whether lifting its protection takes the bucket of large templates.
    pub is_large: bool,
    pub protection: Protection,
}

impl Removal<'_> {
    /// The stacks whose data is protected: those of a protected stage that hold some, and any that has a protected table.
    pub(super) async fn protections(&self) -> Result<Vec<(StackId, Protection)>> {
        let looked = try_join_all(self.found.iter().map(async |(id, stack)| {
            let keeps_data = stack.template.as_ref().is_some_and(protection::keeps_data);
            let protection = if keeps_data && self.written_protected {
                Some(Protection::Written)
            } else if keeps_data && stack.deployed.stack.is_protected() {
                Some(Protection::Deployed)
            } else {
                let tables = stack.deployed.resources_of(&[TABLE]);
                let protected =
                    try_join_all(tables.map(|found| table::is_protected(&stack.cloud, &found.physical_id))).await?;
                protected.contains(&true).then_some(Protection::OfTable)
            };
            Ok::<_, Error>(protection.map(|protection| (id.clone(), protection)))
        }));
        Ok(looked.await?.into_iter().flatten().collect())
    }

    /// Takes out what keeps its data, and what that needs to be removed some day.
    pub(super) async fn keep_protected(&mut self) -> Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for (id, protection) in self.protections().await? {
            kept.extend(self.found.remove(&id).map(|stack| Kept {
                is_large: stack.is_large(),
                stack: stack.deployed.stack.name,
                protection,
            }));
        }
        if kept.iter().any(|kept| kept.is_large)
            && let Some(id) = self
                .found
                .iter()
                .find(|(_, one)| one.template_bucket().is_some())
                .map(|(id, _)| id.clone())
        {
            kept.extend(self.found.remove(&id).map(|stack| Kept {
                stack: stack.deployed.stack.name,
                is_large: false,
                protection: Protection::HasBucket,
            }));
        }
        Ok(kept)
    }

    /// The log groups that Lambda made for functions that go, and that no stack owns: nobody else would remove them.
    pub(super) async fn unowned_log_groups(&self) -> Result<Vec<(Cloud, String)>> {
        let owned: BTreeSet<&str> = self
            .found
            .values()
            .flat_map(|stack| stack.deployed.resources_of(&["AWS::Logs::LogGroup"]))
            .map(|group| group.physical_id.as_str())
            .collect();
        let mut groups = Vec::new();
        for stack in self.found.values() {
            for function in stack.deployed.resources_of(&[FUNCTION]) {
                let group = format!("/aws/lambda/{}", function.physical_id);
                if !owned.contains(group.as_str()) && logs::group_exists(&stack.cloud, &group).await? {
                    groups.push((stack.cloud.clone(), group));
                }
            }
        }
        Ok(groups)
    }

    /// What the user loses, in the user's words.
    pub(super) fn losses(&self, groups: &[(Cloud, String)]) -> Vec<String> {
        let mut losses = Vec::new();
        for (id, stack) in &self.found {
            let before = losses.len();
            let deployed = &stack.deployed;
            // What a checkout doesn't have is told by what it was deployed from.
            let written = self
                .folder
                .and_then(|project| project.stack(id))
                .filter(|_| !stack.is_orphan);
            let was = || Some(StackTemplate::deployed(id.clone(), stack.template.clone()?));
            if let Some(template) = written.cloned().or_else(was) {
                if template.is_site() {
                    let origin = address::site_origin(&stack.cloud, &template, deployed);
                    losses.push(format!(
                        "the site{}",
                        origin.map_or(String::new(), |origin| format!(" at {origin}"))
                    ));
                }
                let apis = address::apis(&stack.cloud, &template, deployed);
                losses.extend(apis.into_iter().map(|api| format!("the API at {}", api.url)));
            }
            let functions = deployed.resources_of(&[FUNCTION]);
            losses.extend(functions.map(|function| format!("the function {} with its logs", function.physical_id)));
            let goes = |id: &str| {
                stack
                    .template
                    .as_ref()
                    .is_none_or(|template| template.goes_with_stack(id))
            };
            for held in deployed
                .resources
                .iter()
                .filter(|resource| protection::holds_data(&resource.resource_type))
            {
                let name = &held.physical_id;
                match held.resource_type.as_str() {
                    TABLE => losses.push(format!("the table {name} with all its items")),
                    BUCKET if goes(&held.logical_id) => losses.push(format!("the bucket {name} with everything in it")),
                    _ if !goes(&held.logical_id) => {}
                    kind => losses.push(format!("the {kind} {name} with what is in it")),
                }
            }
            if stack.is_orphan && self.folder.is_some() {
                losses.push(format!(
                    "the stack {}, whose template is gone from the project",
                    deployed.stack.name
                ));
            } else if losses.len() == before {
                losses.push(format!("the stack {}", deployed.stack.name));
            }
        }
        losses.extend(
            groups
                .iter()
                .map(|(_, group)| format!("the log group {group}, which Lambda made")),
        );
        losses
    }

    /// The question may have stood there for long: what it was about must still be what is there.
    pub(super) async fn check_unchanged(&self) -> Result<()> {
        let same = try_join_all(self.found.values().map(async |found| {
            let stack = &found.deployed.stack;
            let now = read::describe(&found.cloud, &stack.name).await?;
            let is_same = |now: Stack| stack.is_unchanged(&now) && now.status == stack.status;
            Ok::<_, Error>(now.is_some_and(is_same))
        }));
        if same.await?.into_iter().all(|same| same) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::ChangedMeanwhile,
            "the stage was changed since it was looked at",
        )
        .hint("Nothing was removed. Run `deployer down` again: it asks about what is there now."))
    }

    /// Writes the items of all tables that go.
    pub(super) async fn back_up(&self, file: &Path) -> Result<()> {
        let tables: Vec<_> = self
            .found
            .iter()
            .flat_map(|(stack, found)| {
                let tables = found.deployed.resources_of(TABLES);
                tables.map(move |table| (stack, &found.cloud, table))
            })
            .collect();
        let ids: Vec<_> = tables
            .iter()
            .map(|(stack, _, table)| (stack.as_str(), table.logical_id.as_str()))
            .collect();
        let named = tables.iter().zip(seed::names_of(&ids));
        let sources: Vec<Source<'_>> = named
            .map(|((stack, cloud, table), id)| Source {
                cloud,
                stack: stack.to_string(),
                id,
                name: table.physical_id.clone(),
            })
            .collect();
        if sources.is_empty() {
            self.reporter.warn("no table goes, so that there is nothing to back up");
            return Ok(());
        }
        let written = backup::write(&sources, file, self.reporter).await?;
        self.reporter
            .finished("backup", backup::describe(&written, file), false);
        Ok(())
    }

    /// Removes it, while no other run may work on it.
    pub(super) async fn carry_out(&self, data_too: bool, groups: &[(Cloud, String)]) -> Result<()> {
        let removing = self.remove_all(data_too);
        match self.lease().await? {
            Some(lease) => lease.hold(removing).await?,
            None => removing.await?,
        }
        for (cloud, group) in groups {
            logs::delete_group(cloud, group).await?;
        }
        Ok(())
    }

    /// What of the stacks tells how they hang together.
    fn shapes(&self) -> BTreeMap<StackId, Shape> {
        let shapes = self.found.iter().map(|(id, found)| (id.clone(), found.shape()));
        shapes.collect()
    }

    /// The right to change the stage, if it has a bucket to tell others by.
    async fn lease(&self) -> Result<Option<StageLease<'_>>> {
        let mut stacks = self.found.values();
        let place = stacks.find_map(|found| Some((&found.cloud, found.deployed.stack.outputs.get(CODE_BUCKET)?)));
        let Some((cloud, bucket)) = place else {
            return Ok(None);
        };
        let lease = StageLease::take(cloud, bucket, "down", self.reporter).await?;
        if lease.as_ref().is_some_and(|lease| lease.has_waited) {
            self.check_unchanged().await?;
        }
        Ok(lease)
    }

    /// Deletes each stack once those that get something from it are gone. All that can be deleted is, whatever fails beside it.
    async fn remove_all(&self, data_too: bool) -> Result<()> {
        let found = &self.found;
        let before = order::before(&self.shapes());
        self.reporter.event(&Event::Parts {
            parts: parts(found.keys(), &before),
        });
        let mut promises = BTreeMap::new();
        let mut gone: BTreeMap<&StackId, Dependency<()>> = BTreeMap::new();
        for id in found.keys() {
            let (promise, dependency) = promise();
            promises.insert(id, promise);
            gone.insert(id, dependency);
        }
        let gone = &gone;
        let bucket = found.values().find_map(Found::template_bucket);
        // The bucket stays until no large template has to go through it any more.
        let mut lifts = BTreeMap::new();
        let mut lifted = Vec::new();
        for (id, _) in found.iter().filter(|(_, stack)| stack.is_large()) {
            let (promise, dependency) = promise();
            lifts.insert(id, promise);
            lifted.push(dependency);
        }
        let (bucket, lifted) = (bucket.as_ref(), &lifted);
        let removals = promises
            .into_iter()
            .map(|(id, promise)| (id, promise, lifts.remove(id)));
        // All at once: `lifts` is empty then, and nobody waits for what nobody will do.
        let removals: Vec<_> = removals.collect();
        let removals = removals.into_iter().map(async |(id, promise, lift)| {
            let stack = &found[id];
            let others = before.get(id).into_iter().flatten().filter_map(|other| gone.get(other));
            let others = try_join_all(others.map(async |other| other.clone().wait().await));
            // What protects the data is lifted while others go: nothing of it goes before them.
            let released = async {
                let released = self.released(id, stack, data_too, bucket).await;
                // Where it failed, the next run needs the bucket for it: dropped unset, the promise keeps that.
                if let Some(lift) = lift
                    && released.is_ok()
                {
                    lift.set(());
                }
                released
            };
            let lifted = lifted.iter().filter(|_| stack.template_bucket().is_some());
            let lifted = try_join_all(lifted.map(async |lifted| lifted.clone().wait().await));
            let (template, others, lifted) = tokio::join!(released, others, lifted);
            let removed = match (template, others, lifted) {
                (Ok(template), Ok(_), Ok(_)) => self.remove_one(id, stack, template.as_ref()).await,
                (Err(error), ..) => Err(error),
                // What failed has said why.
                (Ok(_), ..) => return None,
            };
            match &removed {
                Ok(()) => promise.set(()),
                Err(error) => self.reporter.stopped(id.as_str(), error.message()),
            }
            removed.err()
        });
        match join_all(removals).await.into_iter().flatten().next() {
            None => Ok(()),
            Some(first) => Err(first.hint(self.again)),
        }
    }

    /// Lifts what protects a stack's data. Returns the template that it has then, if it has any.
    async fn released(
        &self,
        id: &StackId,
        found: &Found,
        data_too: bool,
        bucket: Option<&TemplateBucket>,
    ) -> Result<Option<Template>> {
        let stack = &found.deployed.stack;
        match &found.template {
            Some(deployed) if (data_too || protection::keeps_data(deployed)) && stack.state() == StackState::Ready => {
                let released = remove::release(&found.cloud, id, stack, deployed, bucket, self.reporter).await?;
                Ok(Some(released))
            }
            template => Ok(template.clone()),
        }
    }

    async fn remove_one(&self, id: &StackId, found: &Found, template: Option<&Template>) -> Result<()> {
        let (cloud, reporter, stack) = (&found.cloud, self.reporter, &found.deployed.stack);
        let to_remove = remove::StackToRemove {
            stack,
            resources: &found.deployed.resources,
            template,
        };
        remove::stack(cloud, id, to_remove, Data::Too, reporter).await?;
        reporter.finished(id.as_str(), format!("deleted {}", stack.name), true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_first_is_told_first() {
        let id = StackId::new;
        let before = BTreeMap::from([
            (id("artifacts"), BTreeSet::from([id("logic")])),
            (id("data"), BTreeSet::from([id("logic")])),
            (id("logic"), BTreeSet::from([id("web")])),
        ]);
        let stacks = [id("artifacts"), id("data"), id("logic"), id("web")];
        let told = parts(stacks.iter(), &before).into_iter();
        let told: Vec<String> = told
            .map(|part| format!("{}: {}", part.name, part.waits_for.join(", ")))
            .collect();
        assert_eq!(told, ["web: ", "logic: web", "artifacts: logic", "data: logic"]);
    }
}
