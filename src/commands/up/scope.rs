//! What a run is about: all of a stage, or what `--only` names.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, ErrorKind, Result};
use crate::project::functions::Function;
use crate::project::stacks::{CODE_BUCKET, StackId, StackTemplate};
use crate::project::tables::TABLES;
use crate::project::template::Template;
use crate::project::wiring::Source;
use crate::project::{DISTRIBUTION_ID, Project, SITE_BUCKET, did_you_mean};
use crate::stack::read::Deployed;

/// The steps that `--only` may name beside stacks.
const FUNCTION: &str = "function";
const SEED: &str = "seed";
const SITE: &str = "site";

/// Which parts a run has.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    stacks: BTreeSet<StackId>,
    pub(super) seed: bool,
    pub(super) site: bool,
}

impl Scope {
    /// What `only` names; everything if it names nothing.
    ///
    /// # Errors
    /// It names something that isn't there, or that this project lacks.
    pub(super) fn new(only: &[String], project: &Project) -> Result<Self> {
        let mut scope = Self {
            stacks: BTreeSet::new(),
            seed: only.is_empty(),
            site: only.is_empty() && project.site_stack().is_some(),
        };
        if only.is_empty() {
            scope.stacks.extend(project.stacks().map(|stack| stack.id.clone()));
            return Ok(scope);
        }
        for name in only {
            match name.as_str() {
                FUNCTION if project.functions().is_empty() => {
                    return Err(lacks(
                        name,
                        "none of its templates has a function whose code is built here",
                    ));
                }
                FUNCTION => scope
                    .stacks
                    .extend(project.functions().iter().map(|function| function.stack.clone())),
                SITE if project.site_stack().is_none() => {
                    return Err(lacks(
                        name,
                        "none of its templates has the outputs `SiteBucket` and `DistributionId`",
                    ));
                }
                SITE => scope.site = true,
                SEED => scope.seed = true,
                _ => {
                    scope.stacks.insert(stack_called(name, project)?);
                }
            }
        }
        // The packages' bucket comes with what is put into it.
        let packs = |function: &&Function| scope.stacks.contains(&function.stack);
        let is_filled = project.functions().iter().any(|function| packs(&function))
            || scope.stacks.iter().any(|id| project.may_be_large(id));
        let of_packages = project.artifacts_stack().filter(|_| is_filled);
        scope.stacks.extend(of_packages.map(|stack| stack.id.clone()));
        Ok(scope)
    }

    /// The same for going back to a release: data stays, and the stacks `left` do.
    pub(super) fn of_rollback(mut self, left: &BTreeSet<StackId>, has_site: bool) -> Self {
        self.stacks.retain(|id| !left.contains(id));
        self.seed = false;
        self.site &= has_site;
        self
    }

    /// Whether a run may change the stack.
    pub(super) fn has(&self, id: &StackId) -> bool {
        self.stacks.contains(id)
    }

    /// Refuses to do a part alone that needs a stack which isn't there.
    pub(super) fn check_needs(
        &self,
        project: &Project,
        before: &BTreeMap<StackId, Deployed>,
        seeded: &BTreeSet<StackId>,
        site_config: &[(String, StackId, String)],
    ) -> Result<()> {
        let inputs = self
            .stacks
            .iter()
            .flat_map(|id| project.wiring().inputs(id))
            .filter(|edge| !edge.late);
        let (mut needed, mut outputs) = (BTreeSet::new(), Vec::new());
        for edge in inputs {
            needed.insert(&edge.producer);
            if !project.has_default(edge) {
                outputs.push((&edge.producer, edge.output.as_str()));
            }
        }
        if self.site {
            let of_site = project
                .site_stack()
                .into_iter()
                .flat_map(|stack| [(&stack.id, SITE_BUCKET), (&stack.id, DISTRIBUTION_ID)]);
            outputs.extend(of_site);
            outputs.extend(project.artifacts_stack().map(|stack| (&stack.id, CODE_BUCKET)));
            outputs.extend(
                site_config
                    .iter()
                    .map(|(_, producer, output)| (producer, output.as_str())),
            );
        }
        if self.seed {
            needed.extend(seeded);
        }
        needed.extend(outputs.iter().map(|(producer, _)| *producer));
        let left_alone = |id: &StackId| !self.has(id);
        if let Some(id) = needed
            .into_iter()
            .find(|id| left_alone(id) && !before.contains_key(*id))
        {
            return Err(Error::new(
                ErrorKind::NotDeployed,
                format!("the stack {id}, which this part needs, isn't deployed"),
            )
            .hint("Run `deployer up` without --only once."));
        }
        // What is there may be what another version of its template made, or half a creation.
        for (id, output) in outputs.into_iter().filter(|(id, _)| left_alone(id)) {
            if let Some(stack) = before.get(id) {
                stack.stack.output(output)?;
            }
        }
        Ok(())
    }

    /// Whether what changed of an app may show in a stack's resources: the stack itself, or one that it gets a value from.
    pub(super) fn concerns(&self, id: &StackId, project: &Project) -> bool {
        let gets_from = |source: &Source| matches!(source, Source::Output(edge) if self.has(&edge.producer));
        let is_published = self.site && project.site_stack().is_some_and(|stack| stack.id == *id);
        let has_tables = |stack: &StackTemplate| {
            stack
                .template
                .resources()
                .any(|(_, one)| TABLES.contains(&Template::type_of(one)))
        };
        let is_seeded = self.seed && project.stack(id).is_some_and(has_tables);
        self.has(id) || is_published || is_seeded || project.wiring().sources(id).any(|(_, source)| gets_from(source))
    }
}

fn stack_called(name: &str, project: &Project) -> Result<StackId> {
    let id = StackId::new(name);
    if project.stack(&id).is_some() {
        return Ok(id);
    }
    let mut known: Vec<&str> = project.stacks().map(|stack| stack.id.as_str()).collect();
    known.extend([FUNCTION, SITE, SEED]);
    let error = Error::new(
        ErrorKind::InvalidUsage,
        format!("--only {name}: there is no such stack or step"),
    );
    Err(match did_you_mean(name, &known) {
        Some(near) => error.hint(format!("Did you mean `--only {near}`?")),
        None => error.hint(format!("There is {}.", known.join(", "))),
    })
}

fn lacks(name: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidUsage,
        format!("--only {name}: this project has no such step"),
    )
    .cause(why)
    .hint("Leave it out.")
}
