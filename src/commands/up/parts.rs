//! What a run consists of and what waits for what, as it is told before it begins.

use std::collections::BTreeSet;

use super::provision::{SEED, SITE};
use super::{BUILDING, Built, Up};
use crate::project::stacks::StackId;
use crate::project::stages::Seeding;
use crate::project::wiring::Source;
use crate::report::Part;

impl Up<'_> {
    /// The parts that this run has, each after those that it waits for: the stacks in the order of the project, the packages
    /// before the first stack that wants any, the items and the site last.
    pub(super) fn parts(&self, packages: &Built) -> Vec<Part> {
        let project = &self.context.project;
        let wiring = project.wiring();
        let mut parts = Vec::new();
        let stacks = project.stacks().filter(|stack| self.scope.has(&stack.id));
        for stack in stacks {
            let packaged = packages.keys().any(|(of, _)| *of == stack.id);
            if packaged && !parts.iter().any(|part: &Part| part.name == BUILDING) {
                let buckets = packages
                    .keys()
                    .filter_map(|(of, key)| match self.bucket_source(of, key) {
                        Some(Source::Output(edge)) => Some(&edge.producer),
                        _ => None,
                    });
                parts.push(self.part_of(BUILDING, buckets));
            }
            let producers = wiring.inputs(&stack.id).filter(|edge| !edge.late);
            let mut part = self.part_of(stack.id.as_str(), producers.map(|edge| &edge.producer));
            part.waits_for.extend(packaged.then(|| BUILDING.to_owned()));
            parts.push(part);
        }
        let seeded = self.seeds.stacks();
        if self.scope.seed && !self.seeds.is_empty() && project.stage.seed != Seeding::Never {
            parts.push(self.part_of(SEED, &seeded));
        }
        if let Some(stack) = project.site_stack().filter(|_| self.site.is_some()) {
            let told = self.site_config.iter().map(|(_, producer, _)| producer);
            let artifacts = project.artifacts_stack().map(|stack| &stack.id);
            parts.push(self.part_of(SITE, told.chain([&stack.id]).chain(artifacts)));
        }
        parts
    }

    /// A part that waits for stacks. Those that this run leaves alone are there already.
    fn part_of<'s>(&self, name: &str, stacks: impl IntoIterator<Item = &'s StackId>) -> Part {
        let stacks: BTreeSet<&StackId> = stacks.into_iter().filter(|id| self.scope.has(id)).collect();
        Part {
            name: name.to_owned(),
            waits_for: stacks.into_iter().map(|id| id.as_str().to_owned()).collect(),
        }
    }
}
