//! A stack as the project wants it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::boundary;
use super::change::{API_DEFINITION, Action, Mode, ResourceChange, STATEFUL};
use super::digest::{self, DIGEST};
use super::emulated;
use super::events::ResourceEvent;
use super::ownership::{self, Labels};
use super::protection::{self, Resolved};
use super::redeployment;
use crate::cloud::Emulator;
use crate::error::{Error, ErrorKind, Result};
use crate::ident::fresh_token;
use crate::project::naming::NamedResource;
use crate::project::source;
use crate::project::stacks::{StackId, StackTemplate, is_large};
use crate::project::template::{Scope, Template};

/// CloudFormation's limit for a template that is an object in S3, in bytes.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const LARGEST_BYTES: usize = 1_000_000;

/// The bucket through which templates go that are too large for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateBucket {
    /// The bucket.
    pub name: String,
    /// Where it is.
    pub region: String,
}

/// A stack as the project wants it: a template and the parameters it declares.
#[derive(Debug, Clone)]
pub(crate) struct DesiredStack {
    /// What it is called within the project.
    pub id: StackId,
    /// The stack's name.
    pub name: String,
    /// How CloudFormation is to bring it there.
    pub mode: Mode,
    /// Where its template may lie, if it is [large](Self::is_large) and the bucket is there.
    pub bucket: Option<TemplateBucket>,
    template: Template,
    parameters: BTreeMap<String, String>,
    file: String,
    /// The file's text.
    text: Arc<str>,
    /// That of the whole template, where something was left out of it.
    digest: Option<String>,
}

impl DesiredStack {
    /// From a stack's template, with the values of its parameters as far as they are known; those that it doesn't declare
    /// are left out. Its roles get the stage's `boundary`. Off AWS the template is bent to what an `emulator` can do.
    pub(crate) fn new(
        stack: &StackTemplate,
        name: String,
        labels: &Labels<'_>,
        boundary: Option<&str>,
        mut parameters: BTreeMap<String, String>,
        emulator: Option<&Emulator>,
    ) -> Self {
        let mut template = ownership::labelled(&stack.template, labels);
        if let Some(boundary) = boundary {
            template = boundary::bounded(&template, boundary);
        }
        if let Some(emulator) = emulator {
            template = emulated::render(&template, emulator);
        }
        parameters.extend(labels.parameters());
        parameters.retain(|name, _| template.declares(name));
        Self {
            id: stack.id.clone(),
            name,
            mode: Mode::Standard,
            bucket: None,
            template,
            parameters,
            file: stack.file.display().to_string(),
            text: Arc::clone(&stack.text),
            digest: None,
        }
    }

    /// The same without resources of some types, and what can't be without them. Its digest stays.
    pub(crate) fn without(&self, types: &[String]) -> Self {
        let mut rest = self.clone();
        if !types.is_empty() {
            let resources = self.template.resources();
            let ids: Vec<String> = resources
                .filter(|(_, resource)| types.iter().any(|one| one == Template::type_of(resource)))
                .map(|(id, _)| id.to_owned())
                .collect();
            rest.digest = Some(self.digest());
            rest.template = emulated::without(&self.template, &ids);
        }
        rest
    }

    /// Shows in the user's file the resource that an error is about, if it is there.
    pub(crate) fn point(&self, error: Error, cause: &ResourceEvent) -> Error {
        if self.template.resource(&cause.logical_id).is_none() {
            return error;
        }
        let place = source::at(Path::new(&self.file), &self.text, &["Resources", &cause.logical_id]);
        place.label(&cause.status).show_in(error)
    }

    /// Whether its template is too large for a request, and so goes through a bucket.
    pub(crate) fn is_large(&self) -> bool {
        is_large(&self.named())
    }

    /// Whether nothing can be asked about its template yet: it is large, and its bucket isn't there.
    pub(crate) fn lacks_bucket(&self) -> bool {
        self.bucket.is_none() && self.is_large()
    }

    /// The template as it is sent, but for the names of the API's deployments.
    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// The values of its parameters that are known beforehand, defaults among them: not those that CloudFormation looks up.
    pub(crate) fn known_parameters(&self) -> Scope {
        self.template.known_parameters(&self.parameters)
    }

    /// What `Ref` means in it, as far as it is known before it is deployed.
    fn scope(&self, pseudo_parameters: &Scope) -> Scope {
        let mut scope = pseudo_parameters.clone();
        scope.insert("AWS::StackName".to_owned(), self.name.clone());
        scope.extend(self.known_parameters());
        scope
    }

    /// The names that its resources will have, as far as they are the template's choice. Checked against AWS's rules.
    pub(crate) fn named_resources(&self, pseudo_parameters: &Scope) -> Result<Vec<NamedResource>> {
        let named = self.template.named_resources(&self.scope(pseudo_parameters));
        named.iter().try_for_each(|resource| resource.check(&self.file))?;
        Ok(named)
    }

    /// What creating it will create.
    pub(crate) fn additions(&self, pseudo_parameters: &Scope) -> Vec<ResourceChange> {
        let scope = self.scope(pseudo_parameters);
        self.template
            .resources()
            .filter(|(_, resource)| self.template.is_wanted(resource, &scope))
            .map(|(id, resource)| ResourceChange::addition(id, Template::type_of(resource)))
            .collect()
    }

    /// Whether only CloudFormation can tell if there is anything to do, though template and parameters are as deployed.
    pub(crate) fn depends_on_outside(&self) -> bool {
        self.template.depends_on_outside() || self.parameters.values().any(|value| value.contains("{{resolve:"))
    }

    /// The API's deployments as they will be called: with the hash of the definition that each is a snapshot of.
    pub(crate) fn deployments(&self) -> Vec<String> {
        let named = redeployment::name_deployments(&self.template, &self.parameters);
        redeployment::deployments(&named).map(str::to_owned).collect()
    }

    /// Whether any of its resources holds what can't be made again.
    pub(crate) fn holds_data(&self) -> bool {
        self.template
            .resources()
            .any(|(_, resource)| STATEFUL.contains(&Template::type_of(resource)))
    }

    /// What protects the data of the stack as it is deployed, with these parameters, and won't any more; a sentence each.
    pub(crate) fn lifts(
        &self,
        deployed: &Template,
        parameters: &Scope,
        pseudo_parameters: &Scope,
        changes: &[ResourceChange],
    ) -> Vec<String> {
        let names: BTreeMap<&str, &str> = changes
            .iter()
            .filter_map(|change| Some((change.logical_id.as_str(), change.physical_id.as_deref()?)))
            .collect();
        let before = values_in(deployed, parameters, pseudo_parameters);
        let after = values_in(&self.template, &self.parameters, pseudo_parameters);
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

    /// The stack as it is `deployed`, with these parameters, beside what is wanted. What CloudFormation shows to nobody isn't
    /// known in either.
    pub(crate) fn beside<R>(
        &self,
        deployed: &Template,
        parameters: &Scope,
        pseudo_parameters: &Scope,
        compare: impl FnOnce(Resolved<'_>, Resolved<'_>) -> R,
    ) -> R {
        // An API's deployment is called by what it is of: that it is called otherwise is no change of what refers to it.
        let wanted = redeployment::keep_deployments(&self.template, deployed);
        let scope = |template: &Template, parameters: &Scope| {
            let mut scope = values_in(template, parameters, pseudo_parameters);
            scope.insert("AWS::StackName".to_owned(), self.name.clone());
            scope.retain(|name, _| !template.is_secret(name));
            scope
        };
        let (before, after) = (scope(deployed, parameters), scope(&wanted, &self.parameters));
        let resolved = |template, scope| Resolved { template, scope };
        compare(resolved(deployed, &before), resolved(&wanted, &after))
    }

    /// See [`digest::of_stack`].
    pub(crate) fn digest(&self) -> String {
        match &self.digest {
            Some(digest) => digest.clone(),
            // Of what is sent: what this version makes of a template is as good a reason to deploy as what is written in it.
            None => digest::of_stack(&self.named(), &self.parameters),
        }
    }

    /// Template and parameters as they are sent.
    pub(crate) fn render(&self) -> Result<Rendered> {
        self.rendered(&self.named(), self.digest())
    }

    /// The same with another snapshot of each API, though its definition is as it was: if a change `replaces` what one refers
    /// to by its name or ARN, and takes no new snapshot. None if it doesn't.
    pub(crate) fn render_redeploying(
        &self,
        changes: &[ResourceChange],
        replaces: impl Fn(&ResourceChange) -> bool,
    ) -> Result<Option<Rendered>> {
        let is_deployed =
            |change: &ResourceChange| change.action == Action::Add && change.resource_type == redeployment::DEPLOYMENT;
        let refers_to = |change: &ResourceChange| {
            redeployment::deployments_refer_to(&self.template, &self.parameters, &change.logical_id)
        };
        // What was changed by hand and is undone would else stay what it is in the snapshot that is live.
        let is_undone = |change: &ResourceChange| {
            self.mode == Mode::RevertDrift
                && change.action == Action::Modify
                && API_DEFINITION.contains(&change.resource_type.as_str())
        };
        let is_affected = |change: &ResourceChange| is_undone(change) || replaces(change) && refers_to(change);
        if changes.iter().any(is_deployed) || !changes.iter().any(is_affected) {
            return Ok(None);
        }
        let anew = redeployment::name_deployments_anew(&self.template, &self.parameters, &fresh_token());
        self.rendered(&anew, self.digest()).map(Some)
    }

    /// The template with its API's deployments named after what they are snapshots of.
    fn named(&self) -> Template {
        redeployment::name_deployments(&self.template, &self.parameters)
    }

    /// The same, but with the API's deployment that `deployed` has: the definition changes, what is live doesn't.
    ///
    /// Its digest is no stack's: should the run end here, the next sees that there is more to do.
    pub(crate) fn render_keeping_deployment(&self, deployed: &Template) -> Result<Rendered> {
        self.rendered(
            &redeployment::keep_deployments(&self.template, deployed),
            digest::half(&self.digest()),
        )
    }

    fn rendered(&self, template: &Template, digest: String) -> Result<Rendered> {
        let body = template.to_json();
        if body.len() > LARGEST_BYTES {
            return Err(Error::new(
                ErrorKind::InvalidProject,
                format!(
                    "{} has {} bytes as JSON; CloudFormation takes at most {LARGEST_BYTES}",
                    self.file,
                    body.len()
                ),
            )
            .hint("Move some of its resources to another template in stacks/: each becomes a stack of its own."));
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
            bucket: self.bucket.clone(),
        })
    }
}

/// What names mean in a template with these parameters, as far as it is known before it is deployed.
fn values_in(template: &Template, parameters: &Scope, pseudo_parameters: &Scope) -> Scope {
    let mut scope = pseudo_parameters.clone();
    scope.extend(template.known_parameters(parameters));
    scope.remove(DIGEST);
    scope
}

/// What a change set is made from.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    /// The template as JSON.
    pub body: String,
    /// Where it was written, for messages.
    pub file: String,
    /// Where it may lie if it is too large for a request.
    pub bucket: Option<TemplateBucket>,
    /// Every parameter's value; `None` keeps the deployed one.
    pub parameters: BTreeMap<String, Option<String>>,
}
