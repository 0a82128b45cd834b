//! A deployed stage as the checks see it: what the templates say, what is deployed, and how to look at it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_cloudfront::types::Distribution;
use aws_sdk_dynamodb::types::TableDescription;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_s3::types::ChecksumMode;
use serde_json::Value;

use super::apis::ApiAnswers;
use super::expected::Expected;
use super::known::{self, Known, Stored};
use super::live::LiveRole;
use super::shared::Shared;
use super::{Finding, Look, Problem, ProblemKind, Round, asked, http};
use crate::address;
use crate::bucket::{self, Listing};
use crate::cloud::Cloud;
use crate::cloud::sdk_error::found;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::package::ASKS;
use crate::permissions::Operations;
use crate::project::contract::Contract;
use crate::project::seed::{Item, Key, KeyAttribute};
use crate::project::seeds::StageSeeds;
use crate::project::stacks::{CODE_BUCKET, StackId, StackTemplate};
use crate::project::tables::TABLES;
use crate::project::template::{Scope, Template};
use crate::project::{DISTRIBUTION_ID, Project, SITE_BUCKET, naming};
use crate::publish::{self, Contents};
use crate::seeding;
use crate::site::Site;
use crate::stack::desired::DesiredStack;
use crate::stack::read::Deployed;
use crate::stack::status::StackState;

/// A stage whose stacks are all there.
pub(crate) struct Stage<'a> {
    pub(super) project: &'a Project,
    /// The stage's own region.
    pub(super) cloud: &'a Cloud,
    pub(super) http: reqwest::Client,
    pub(super) stacks: Vec<Stack<'a>>,
    pub(super) seeds: &'a StageSeeds,
    pub(super) site: Option<&'a Site>,
    /// The keys of what this run packed, by stack and parameter; empty when nothing was. A key is made of what is in the
    /// package.
    pub(super) packages: &'a BTreeMap<(StackId, String), String>,
    tables: Shared<TableDescription>,
    distributions: Shared<Option<Distribution>>,
    /// What the run has read before, and what is read of the same kind.
    known: Known,
    /// The stacks that this run has changed.
    pub(super) changed: BTreeSet<StackId>,
    /// The keys of what was seen to be served as it should: a large site isn't asked for again for one late file.
    pub(super) served: RefCell<BTreeSet<String>>,
    /// Functions, by region and name.
    pub(super) functions: Shared<GetFunctionConfigurationOutput>,
    /// Roles with their policies, by name.
    pub(super) roles: Shared<Arc<LiveRole>>,
    /// The documents of managed policies, by ARN.
    pub(super) managed_policies: Shared<Arc<Value>>,
    /// What the app promises beside.
    pub(super) contract: &'a Contract,
    /// Whether what may change something is tried, too.
    pub(super) with_changes: bool,
    /// Whether all of the site is asked for, and not only some of it.
    pub(super) full: bool,
    pub(super) api_answers: ApiAnswers,
}

/// One of its stacks.
pub(super) struct Stack<'a> {
    /// The template as it is written, for places in it.
    pub(super) definition: &'a StackTemplate,
    /// The same as it is sent, off AWS bent to what an emulator can do.
    pub(super) wanted: DesiredStack,
    pub(super) deployed: &'a Deployed,
    pub(super) cloud: &'a Cloud,
    /// What names in the template mean.
    pub(super) scope: Scope,
}

/// A resource of a stack that is there.
#[derive(Clone, Copy)]
pub(super) struct Resource<'a> {
    pub(super) stack: &'a Stack<'a>,
    pub(super) logical_id: &'a str,
    /// Its name or id.
    pub(super) name: &'a str,
    /// What the template says of it.
    template: &'a Value,
}

impl<'a> Stage<'a> {
    /// The stage of `context`, as `deployed` has it.
    ///
    /// # Errors
    /// A stack is missing, or isn't as it should be.
    pub(crate) fn new(
        context: &'a Context<'_>,
        deployed: &'a BTreeMap<StackId, Deployed>,
        seeds: &'a StageSeeds,
        site: Option<&'a Site>,
        packages: &'a BTreeMap<(StackId, String), String>,
        contract: &'a Contract,
    ) -> Result<Self> {
        let stacks = context.project.stacks().map(|definition| {
            let found = deployed
                .get(&definition.id)
                .filter(|found| found.stack.state() == StackState::Ready);
            let found = found.ok_or_else(|| {
                Error::new(
                    ErrorKind::NotDeployed,
                    format!(
                        "the stage {} isn't complete: the stack {} isn't there, or isn't ready",
                        context.project.stage.name,
                        context.stack_name(&definition.id)
                    ),
                )
                .hint("Deploy it first: `deployer up`.")
            })?;
            Ok(Stack::new(context, definition, found))
        });
        Ok(Self {
            project: &context.project,
            cloud: &context.cloud,
            http: http::client(&context.cloud)?,
            stacks: stacks.collect::<Result<_>>()?,
            seeds,
            site,
            packages,
            tables: Shared::default(),
            distributions: Shared::default(),
            known: Known::default(),
            changed: BTreeSet::new(),
            served: RefCell::default(),
            functions: Shared::default(),
            roles: Shared::default(),
            managed_policies: Shared::default(),
            contract,
            with_changes: false,
            full: false,
            api_answers: ApiAnswers::default(),
        })
    }

    /// The same, to be tried by what may change something as well, or not.
    #[must_use]
    pub(crate) fn with_changes(self, with_changes: bool) -> Self {
        Self { with_changes, ..self }
    }

    /// The same, of whose site all is asked for, or only some.
    #[must_use]
    pub(crate) fn full(self, full: bool) -> Self {
        Self { full, ..self }
    }

    /// The same, with what this run has read already.
    #[must_use]
    pub(crate) fn knowing(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// The same, in which this run has changed some stacks.
    #[must_use]
    pub(crate) fn having_changed(self, changed: BTreeSet<StackId>) -> Self {
        Self { changed, ..self }
    }

    /// The keys of the site's objects that this run has sent, if it has published.
    pub(super) fn sent(&self) -> Option<&BTreeSet<Arc<str>>> {
        self.known.sent.get()
    }

    /// Whether a stack has a resource of some types that stands in no template: what a macro or a loop made.
    pub(super) fn has_made(&self, types: &[&str]) -> bool {
        self.stacks.iter().any(|stack| {
            let mut found = stack.deployed.resources_of(types);
            found.any(|found| stack.template().resource(&found.logical_id).is_none())
        })
    }

    /// What DynamoDB says of a table.
    pub(super) async fn table(&self, table: Resource<'_>, round: Round) -> Result<TableDescription, Problem> {
        let ask = async || {
            let answer = table
                .cloud()
                .dynamodb
                .describe_table()
                .table_name(table.name)
                .send()
                .await;
            let answer = asked(answer, &format!("could not look at the table {}", table.name))?;
            Ok(answer.table.unwrap_or_else(|| TableDescription::builder().build()))
        };
        self.tables.get(&table.id(), round, ask).await
    }

    /// What CloudFront says of a distribution; none for want of a permission, which is no reason not to look at what it
    /// serves.
    pub(super) async fn distribution(&self, id: &str, round: Round) -> Result<Option<Distribution>, Problem> {
        let ask = async || {
            let answer = self.cloud.cloudfront.get_distribution().id(id).send().await;
            match asked(answer, &format!("could not look at the distribution {id}")) {
                Err(problem) if problem.kind == ProblemKind::NotProven => Ok(None),
                answer => Ok(answer?.distribution),
            }
        };
        self.distributions.get(id, round, ask).await
    }

    /// What a bucket has, with ETags, for those keys that are expected.
    pub(super) async fn listing<'k>(
        &self,
        cloud: &Cloud,
        bucket: &str,
        expected: impl Iterator<Item = &'k Arc<str>>,
        round: Round,
    ) -> Result<Arc<Listing>, Problem> {
        let ask = async || Ok(Arc::new(bucket::list(cloud, bucket, expected).await?));
        self.known.listings.get(bucket, round, ask).await
    }

    /// Which of its seed items a table has.
    pub(super) async fn seeded(
        &self,
        found: Resource<'_>,
        keys: &[KeyAttribute],
        items: &[Item],
        round: Round,
    ) -> Result<Arc<BTreeSet<Key>>, Problem> {
        let ask = async || {
            let present = seeding::present(found.cloud(), found.name, keys, items).await?;
            Ok(Arc::new(present))
        };
        self.known.seeded.get(&found.id(), round, ask).await
    }

    /// What S3 says of a function's package.
    pub(super) async fn package(
        &self,
        cloud: &Cloud,
        bucket: &str,
        key: &str,
        round: Round,
    ) -> Result<Stored, Problem> {
        let ask = async || {
            let head = cloud.s3.head_object().bucket(bucket).key(key);
            let answer = head.checksum_mode(ChecksumMode::Enabled).send().await;
            let what = || format!("could not look at {key} in the bucket {bucket}");
            let there = found(answer, |error| error.is_not_found(), what)?;
            Ok(there.map_or(Stored::Missing, |there| Stored::There {
                asks: there
                    .metadata()
                    .and_then(|metadata| Operations::from_metadata(metadata.get(ASKS)?)),
                sha256: there.checksum_sha256,
            }))
        };
        self.known.packages.get(&known::place(bucket, key), round, ask).await
    }

    /// A table that was never seeded: what the app answers then isn't what it would with its items.
    async fn unseeded(&self, round: Round) -> Option<String> {
        for (table, items) in self.seeds.tables() {
            let stack = self.stack(&StackId::new(&table.stack))?;
            let found = stack
                .resources_of(TABLES)
                .find(|found| found.logical_id == table.logical_id)?;
            let there = self.seeded(found, &table.keys, items, round).await.ok()?;
            if !items.is_empty() && there.is_empty() {
                return Some(found.name.to_owned());
            }
        }
        None
    }

    /// What the app does otherwise than its contract says: a failure, unless a table has none of its items yet.
    pub(super) async fn broken(&self, evidence: String, next_step: String, round: Round) -> Problem {
        match self.unseeded(round).await {
            None => Problem::failed(evidence, next_step),
            Some(table) => Problem::not_proven(
                format!("{evidence}; but {table} has none of its seed items"),
                "`deployer seed` puts them there; then run `deployer verify` again.",
            ),
        }
    }

    /// One stack.
    pub(super) fn stack(&self, id: &StackId) -> Option<&Stack<'a>> {
        self.stacks.iter().find(|stack| stack.definition.id == *id)
    }

    /// The resources of some types, in all stacks.
    pub(super) fn resources_of<'s>(
        &'s self,
        types: &'static [&'static str],
    ) -> impl Iterator<Item = Resource<'s>> + 's {
        self.stacks.iter().flat_map(move |stack| stack.resources_of(types))
    }

    /// Where the site is published, if there is one.
    pub(super) fn published(&self) -> Option<Published<'_>> {
        let stack = self.stack(&self.project.site_stack()?.id)?;
        let output = |name: &str| stack.deployed.stack.outputs.get(name).cloned();
        Some(Published {
            stack,
            origin: address::site_origin(stack.cloud, stack.definition, stack.deployed)?,
            bucket: output(SITE_BUCKET)?,
            distribution: output(DISTRIBUTION_ID)?,
        })
    }

    /// The outputs of all stacks, each as `Name`, if one stack has it alone, and as `stack.Name`.
    pub(super) fn outputs(&self) -> BTreeMap<String, String> {
        let each = self.stacks.iter();
        outputs(each.map(|stack| (&stack.definition.id, &stack.deployed.stack.outputs)))
    }
}

/// The outputs of several stacks, each as `Name`, if one stack has it alone, and as `stack.Name`.
pub(crate) fn outputs<'o>(
    stacks: impl Iterator<Item = (&'o StackId, &'o BTreeMap<String, String>)>,
) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut shared = Vec::new();
    for (id, own) in stacks {
        for (name, value) in own {
            outputs.insert(format!("{id}.{name}"), value.clone());
            if outputs.insert(name.clone(), value.clone()).is_some() {
                shared.push(name.clone());
            }
        }
    }
    shared.iter().for_each(|name| {
        outputs.remove(name);
    });
    outputs
}

impl<'a> Stack<'a> {
    fn new(context: &'a Context<'_>, definition: &'a StackTemplate, deployed: &'a Deployed) -> Self {
        let cloud = context.cloud_of(&definition.id);
        // What others, the build and the site gave it is what is deployed; what the settings give it is what they say now.
        let given = context.project.wiring().sources(&definition.id);
        let given = given.filter(|(_, source)| source.is_found_out());
        let given = given.filter_map(|(name, _)| Some((name.to_owned(), deployed.stack.parameters.get(name)?.clone())));
        let wanted = context.desired(definition, given.collect());
        let scope = scope(cloud, wanted.template(), wanted.known_parameters(), deployed);
        Self {
            definition,
            wanted,
            deployed,
            cloud,
            scope,
        }
    }

    pub(super) fn template(&self) -> &Template {
        self.wanted.template()
    }

    /// The resources of some types that are there.
    pub(super) fn resources_of(&'a self, types: &'static [&'static str]) -> impl Iterator<Item = Resource<'a>> + 'a {
        self.deployed.resources_of(types).filter_map(move |found| {
            Some(Resource {
                stack: self,
                logical_id: &found.logical_id,
                name: &found.physical_id,
                template: self.template().resource(&found.logical_id)?,
            })
        })
    }

    /// One resource that is there.
    pub(super) fn resource(&'a self, logical_id: &str) -> Option<Resource<'a>> {
        let found = self
            .deployed
            .resources
            .iter()
            .find(|found| found.logical_id == logical_id)?;
        Some(Resource {
            stack: self,
            logical_id: &found.logical_id,
            name: &found.physical_id,
            template: self.template().resource(&found.logical_id)?,
        })
    }

    /// The branch of a value that conditions choose, if that can be told.
    pub(super) fn chosen<'v>(&'v self, value: &'v Value) -> Option<&'v Value> {
        self.template().chosen(value, &self.scope)
    }

    /// What a value of the template is.
    pub(super) fn expected(&self, value: &Value) -> Expected {
        Expected::of(self.template(), value, &self.scope)
    }

    /// How to get a part of the template back to what it says.
    pub(super) fn restore(&self, what: &str) -> String {
        let id = &self.definition.id;
        let file = self.definition.file.display();
        if self.cloud.endpoint.is_aws() {
            format!(
                "`deployer up --only {id} --revert-drift` undoes what was changed by hand. If it was changed in {file}, restore \
                 {what} there first."
            )
        } else {
            format!(
                "If it was changed in {file}, restore {what} there and run `deployer up --only {id}`. What was changed by hand \
                 an emulator can't undo: `deployer down`, then `deployer up`."
            )
        }
    }
}

impl<'a> Resource<'a> {
    /// Which it is, for people and scripts: `stack.LogicalId`.
    pub(super) fn id(&self) -> String {
        format!("{}.{}", self.stack.definition.id, self.logical_id)
    }

    pub(super) fn cloud(&self) -> &'a Cloud {
        self.stack.cloud
    }

    /// The template that it is in.
    pub(super) fn definition(&self) -> &'a StackTemplate {
        self.stack.definition
    }

    /// A property as the template has it, not resolved but for the branches that conditions choose.
    pub(super) fn raw(&self, path: &[&str]) -> Option<&'a Value> {
        let (template, scope) = (self.stack.template(), &self.stack.scope);
        path.iter().try_fold(self.template.get("Properties")?, |value, key| {
            template.chosen(value, scope)?.get(*key)
        })
    }

    /// A property as the template has it, resolved; the path's parts are keys. Absent where the template says nothing.
    pub(super) fn property(&self, path: &[&str]) -> Expected {
        let mut value = self.template.get("Properties");
        for key in path {
            value = value
                .and_then(|value| self.stack.template().chosen(value, &self.stack.scope))
                .and_then(|value| value.get(*key));
        }
        value.map_or(Expected::Absent, |value| self.stack.expected(value))
    }

    /// Where the template says something of it: file, line and column.
    pub(super) fn place(&self, path: &[&str]) -> String {
        let definition = self.stack.definition;
        let path = [&["Resources", self.logical_id, "Properties"], path].concat();
        definition.place(&path).to_string()
    }

    /// How to get it back to what the template says.
    pub(super) fn restore(&self) -> String {
        self.stack.restore(self.logical_id)
    }

    /// What the template says of it.
    pub(super) fn template(&self) -> &'a Value {
        self.template
    }

    /// Its ARN, for the types whose ARNs are made of their names.
    pub(super) fn arn(&self) -> Option<String> {
        self.stack.scope.get(&format!("{}.Arn", self.logical_id)).cloned()
    }
}

/// Where the site is published.
pub(super) struct Published<'a> {
    pub(super) stack: &'a Stack<'a>,
    /// Its scheme, host and port: what browsers send as `Origin`.
    pub(super) origin: String,
    pub(super) bucket: String,
    /// The distribution's id.
    pub(super) distribution: String,
}

impl<'a> Published<'a> {
    /// What to do when something isn't published.
    pub(super) const REMEDY: &'static str = "Run `deployer up --only site`.";

    /// A look at it.
    pub(super) fn look<'s, F>(self, stage: &'s Stage<'_>, look: impl Fn(Published<'s>, Round) -> F + 's) -> Look<'s>
    where
        F: Future<Output = Finding> + 's,
        'a: 's,
    {
        let stacks = vec![self.stack.definition.id.clone()];
        let resource = self.origin.clone();
        Look::new(resource, stacks, move |round| {
            let published = stage.published();
            let look = published.map(|published| look(published, round));
            async move {
                match look {
                    Some(look) => look.await,
                    None => Err(Problem::failed("there is no site any more", Self::REMEDY)),
                }
            }
        })
    }

    /// Waits for the distribution: until then edges answer with what they had, or not at all.
    pub(super) async fn is_deployed(&self, stage: &Stage<'_>, round: Round) -> Result<(), Problem> {
        match stage.distribution(&self.distribution, round).await? {
            Some(live) if live.status() != "Deployed" || live.in_progress_invalidation_batches() > 0 => {
                Err(Problem::pending(format!(
                    "CloudFront is still taking the distribution {} to its edges, or what was invalidated from them",
                    self.distribution
                )))
            }
            _ => Ok(()),
        }
    }

    /// What the bucket has. It is looked at before CloudFront is: what isn't there must not be asked for, or the edge
    /// remembers that it isn't.
    pub(super) async fn objects(&self, stage: &Stage<'_>, round: Round) -> Result<Arc<Listing>, Problem> {
        let objects = stage.site.map(|site| site.objects()).unwrap_or_default();
        let expected = objects.iter().map(|object| &object.key);
        stage.listing(self.stack.cloud, &self.bucket, expected, round).await
    }

    /// What its objects hold whose ETag doesn't tell it, as far as the caller may know.
    pub(super) async fn contents(&self, stage: &Stage<'_>, round: Round) -> Result<Arc<Contents>, Problem> {
        let artifacts = stage.project.artifacts_stack().and_then(|it| stage.stack(&it.id));
        let Some(bucket) = artifacts.and_then(|stack| stack.deployed.stack.outputs.get(CODE_BUCKET)) else {
            return Ok(Arc::default());
        };
        let ask = async || Ok(Arc::new(publish::contents(self.stack.cloud, bucket).await?));
        match stage.known.contents.get(bucket, round, ask).await {
            Err(problem) if problem.kind == ProblemKind::NotProven => Ok(Arc::default()),
            answer => answer,
        }
    }

    /// Refuses to ask for an object that isn't there. When nothing is, nothing was published yet.
    pub(super) async fn is_published(&self, stage: &Stage<'_>, key: &str, round: Round) -> Result<(), Problem> {
        let there = self.objects(stage, round).await?;
        if there.contains_key(key) {
            Ok(())
        } else if there.is_empty() {
            Err(Problem::not_proven("nothing is published yet", Self::REMEDY))
        } else {
            Err(Problem::failed(format!("{key} isn't published"), Self::REMEDY))
        }
    }

    /// A part of the distribution's default behavior, as the template has it.
    pub(super) fn behavior(&self, path: &[&str]) -> Expected {
        let path = [&["DistributionConfig", "DefaultCacheBehavior"], path].concat();
        self.resource()
            .map_or(Expected::Absent, |distribution| distribution.property(&path))
    }

    /// What the distribution answers instead of its origin's errors, as the template has it; none if it says nothing.
    pub(super) fn error_pages(&self) -> Option<Expected> {
        let pages = self
            .resource()?
            .property(&["DistributionConfig", "CustomErrorResponses"]);
        (!matches!(pages, Expected::Absent)).then_some(pages)
    }

    /// The response headers policy of the default behavior, if it is one of the same template.
    pub(super) fn policy(&self) -> Option<&'a Value> {
        let distribution = self.resource()?.template();
        let behavior = distribution
            .get("Properties")?
            .get("DistributionConfig")?
            .get("DefaultCacheBehavior")?;
        let id = behavior.get("ResponseHeadersPolicyId")?.get("Ref")?.as_str()?;
        self.stack.template().resource(id)
    }

    fn resource(&self) -> Option<Resource<'a>> {
        self.stack
            .resources_of(&["AWS::CloudFront::Distribution"])
            .find(|found| found.name == self.distribution)
    }
}

/// What names in a template mean once it is deployed: parameters, pseudo parameters, what resources are called, and their
/// attributes as far as names or outputs tell them.
pub(crate) fn scope(cloud: &Cloud, template: &Template, parameters: Scope, deployed: &Deployed) -> Scope {
    let mut scope = cloud.pseudo_parameters();
    scope.insert("AWS::StackName".to_owned(), deployed.stack.name.clone());
    scope.insert("AWS::StackId".to_owned(), deployed.stack.arn.clone());
    scope.extend(parameters.into_iter().filter(|(name, _)| !template.is_secret(name)));
    for resource in &deployed.resources {
        let id = &resource.logical_id;
        scope.insert(id.clone(), resource.physical_id.clone());
        let place = naming::ArnPlace {
            partition: &cloud.partition,
            region: &cloud.region,
            account: &cloud.account,
        };
        let path = template
            .resource(id)
            .and_then(|resource| template.text_of(resource.get("Properties")?.get("Path")?, &scope));
        if let Some(arn) = place.arn(&resource.resource_type, &resource.physical_id, path.as_deref()) {
            scope.insert(format!("{id}.Arn"), arn);
        }
    }
    for (name, value) in template.outputs() {
        if let Some(path) = value.get("Fn::GetAtt")
            && let (Some(id), Some(attribute), Some(text)) = (
                path.get(0).and_then(Value::as_str),
                path.get(1).and_then(Value::as_str),
                deployed.stack.outputs.get(name),
            )
        {
            scope.insert(format!("{id}.{attribute}"), text.clone());
        }
    }
    scope
}
