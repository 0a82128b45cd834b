//! A stack as the project wants it.

use std::collections::BTreeMap;

use super::api;
use super::change::{Action, Mode, ResourceChange, STATEFUL};
use super::digest::{self, DIGEST};
use super::ownership;
use super::protection::{self, Resolved};
use crate::error::{Error, Result};
use crate::project::naming::NamedResource;
use crate::project::template::{Scope, Template};
use crate::project::{Project, Tier};

/// CloudFormation's limit for a template in a request, in bytes.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const LARGEST_TEMPLATE: usize = 51_200;

/// A stack as the project wants it: a template and the parameters it declares.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The tier.
    pub tier: Tier,
    /// The stack's name.
    pub name: String,
    /// How CloudFormation is to bring it there.
    pub mode: Mode,
    template: Template,
    parameters: BTreeMap<String, String>,
    file: String,
}

impl Wanted {
    /// From the tier's template; `more` are parameters beyond those of the stage's settings.
    ///
    /// # Errors
    /// The template is wrong, or has a parameter that nobody gives.
    pub fn new(project: &Project, tier: Tier, more: &[(&str, String)]) -> Result<Self> {
        let template = ownership::labelled(project.template(tier)?);
        let mut parameters = project.parameters();
        parameters.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        parameters.retain(|name, _| template.declares(name));
        Ok(Self {
            tier,
            name: project.stack_name(tier),
            mode: if project.stage.protected {
                Mode::Standard
            } else {
                Mode::Express
            },
            template,
            parameters,
            file: project.template_file(tier).display().to_string(),
        })
    }

    /// Refuses a template without an output that others need.
    pub fn check_outputs(&self, needed: &[&str]) -> Result<()> {
        match needed.iter().find(|name| !self.template.has_output(name)) {
            None => Ok(()),
            Some(name) => Err(Error::usage(format!("{} has no output `{name}`", self.file))
                .hint("The other tiers and `deployer status` need it: put it back under `Outputs:`.")),
        }
    }

    /// The parameters that the template declares.
    pub fn declared(&self) -> impl Iterator<Item = &str> {
        self.template.parameter_names()
    }

    /// Refuses a parameter that would have no value; `later` will be given by other stacks.
    pub fn check_parameters(&self, later: &[&str]) -> Result<()> {
        match self
            .template
            .required_parameters()
            .find(|name| !self.parameters.contains_key(*name) && !later.contains(name) && *name != DIGEST)
        {
            None => Ok(()),
            Some(name) => Err(Error::usage(format!(
                "{}: the parameter `{name}` has neither a default nor a value",
                self.file
            ))
            .hint(format!(
                "Give it a `Default:` there, or a value under `parameters:` of the stage in stacks/stages.yaml: `{name}: …`."
            ))),
        }
    }

    /// The names that its resources will have, as far as they are the template's choice. Checked against AWS's rules.
    pub fn named_resources(&self, pseudo_parameters: &Scope) -> Result<Vec<NamedResource>> {
        let mut scope = pseudo_parameters.clone();
        scope.extend(self.template.effective_parameters(&self.parameters));
        let named = self.template.named_resources(&scope);
        named.iter().try_for_each(|resource| resource.check(&self.file))?;
        Ok(named)
    }

    /// The resource whose `Ref` is an output's value.
    pub fn resource_of_output(&self, output: &str) -> Option<String> {
        self.template.output_ref(output).map(str::to_owned)
    }

    /// What creating it will create.
    pub fn additions(&self) -> Vec<ResourceChange> {
        let scope = self.template.effective_parameters(&self.parameters);
        self.template
            .resources()
            .filter(|(_, resource)| self.template.is_wanted(resource, &scope))
            .map(|(id, resource)| ResourceChange::addition(id, Template::type_of(resource)))
            .collect()
    }

    /// The API's deployments as they will be called: with the hash of the definition that each is a snapshot of.
    pub fn deployments(&self) -> Vec<String> {
        let named = api::name_deployments(&self.template, &self.parameters);
        api::deployments(&named).map(str::to_owned).collect()
    }

    /// Whether any of its resources holds what can't be made again.
    pub fn holds_data(&self) -> bool {
        self.template
            .resources()
            .any(|(_, resource)| STATEFUL.contains(&Template::type_of(resource)))
    }

    /// What protects the data of the stack as it is deployed, with these parameters, and won't any more; a sentence each.
    pub fn lifts(
        &self,
        deployed: &Template,
        parameters: &Scope,
        pseudo_parameters: &Scope,
        changes: &[ResourceChange],
    ) -> Vec<String> {
        let scope = |template: &Template, parameters: &Scope| {
            let mut scope = pseudo_parameters.clone();
            scope.extend(template.effective_parameters(parameters));
            scope.remove(DIGEST);
            template.looked_up_parameters().for_each(|name| {
                scope.remove(name);
            });
            scope
        };
        let names: BTreeMap<&str, &str> = changes
            .iter()
            .filter_map(|change| Some((change.logical_id.as_str(), change.physical_id.as_deref()?)))
            .collect();
        let before = scope(deployed, parameters);
        let after = scope(&self.template, &self.parameters);
        let mut lifted = protection::lifted(
            Resolved {
                template: deployed,
                scope: &before,
            },
            Resolved {
                template: &self.template,
                scope: &after,
            },
            &names,
        );
        if self.mode == Mode::RevertDrift {
            // What was changed by hand stands in no template.
            for change in changes.iter().filter(|change| change.action == Action::Modify) {
                let name = change.physical_id.as_deref().unwrap_or(&change.logical_id);
                lifted.extend(protection::reverted(&change.resource_type, name, &change.properties));
            }
            lifted.sort();
            lifted.dedup();
        }
        lifted
    }

    /// See [`digest::of_stack`].
    pub fn digest(&self) -> String {
        digest::of_stack(&self.template, &self.parameters)
    }

    /// Template and parameters as they are sent.
    pub fn render(&self) -> Result<Rendered> {
        self.rendered(&api::name_deployments(&self.template, &self.parameters), self.digest())
    }

    /// The same, but with the API's deployment that `deployed` has: the definition changes, what is live doesn't.
    ///
    /// Its digest is no stack's: should the run end here, the next sees that there is more to do.
    pub fn render_keeping_deployment(&self, deployed: &Template) -> Result<Rendered> {
        self.rendered(
            &api::keep_deployments(&self.template, deployed),
            digest::half(&self.digest()),
        )
    }

    fn rendered(&self, template: &Template, digest: String) -> Result<Rendered> {
        let body = template.to_json();
        if body.len() > LARGEST_TEMPLATE {
            return Err(Error::usage(format!(
                "{} has {} bytes as JSON; CloudFormation takes {LARGEST_TEMPLATE}",
                self.file,
                body.len()
            ))
            .hint("Move some of its resources to another tier's template."));
        }
        let mut parameters: BTreeMap<String, Option<String>> = self
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect();
        parameters.insert(DIGEST.to_owned(), Some(digest));
        Ok(Rendered {
            body,
            parameters,
            file: self.file.clone(),
        })
    }
}

/// What a change set is made from.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The template as JSON.
    pub body: String,
    /// Where it was written, for messages.
    pub file: String,
    /// Every parameter's value; `None` keeps the deployed one.
    pub parameters: BTreeMap<String, Option<String>>,
}
