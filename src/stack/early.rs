//! What a resource shows before its stack is complete: a distribution's domain is known minutes before the distribution is
//! ready, and who needs only that needn't wait for the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::change::{Action, Replacement, StackAction, StackPlan};
use super::desired::DesiredStack;
use super::events::ResourceEvent;
use super::read::Resource;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, Result};
use crate::project::template::{Scope, Template, references};
use crate::promise::{Dependency, Promise, promise};
use crate::wait::{Probe, until};

/// What is shown early, by the resource's type: the attribute, and who tells it.
const SHOWN: &[(&str, &str, Attribute)] = &[(
    "AWS::CloudFront::Distribution",
    "DomainName",
    Attribute::DistributionDomain,
)];

#[derive(Debug, Clone, Copy)]
enum Attribute {
    DistributionDomain,
}

impl Attribute {
    async fn ask(self, cloud: &Cloud, id: &str) -> Result<String> {
        match self {
            Self::DistributionDomain => domain(cloud, id).await,
        }
    }
}

/// Is shown the events of an operation, and tells the ids of new resources.
#[derive(Debug)]
pub(crate) struct Seen(BTreeMap<String, Promise<String>>);

/// Waits for those ids.
#[derive(Debug)]
pub(crate) struct Showing(Vec<(String, &'static str, Attribute, Dependency<String>)>);

/// Watches for the resources of a template that show something early.
pub(crate) fn watch(template: &Template) -> (Seen, Showing) {
    let mut seen = BTreeMap::new();
    let mut showing = Vec::new();
    for (kind, name, attribute) in SHOWN {
        for (id, _) in template.resources_of(kind) {
            let (promise, dependency) = promise();
            seen.insert(id.to_owned(), promise);
            showing.push((id.to_owned(), *name, *attribute, dependency));
        }
    }
    (Seen(seen), Showing(showing))
}

impl Seen {
    /// The resources that the stack had before and that the operation leaves in it. What is shown of them it keeps: CloudFormation
    /// changes a distribution in place, whatever is changed of it.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudfront-distribution.html>
    pub(crate) fn had(&self, resources: &[Resource], plan: &StackPlan) {
        if plan.verdict != StackAction::Update {
            return;
        }
        let stays = |resource: &&Resource| {
            let mut changes = plan.changes.iter();
            let change = changes.find(|change| change.logical_id == resource.logical_id);
            change.is_none_or(|change| change.action == Action::Modify && change.replacement != Replacement::Always)
        };
        for resource in resources.iter().filter(stays) {
            if let Some(promise) = self.0.get(&resource.logical_id) {
                promise.set(resource.physical_id.clone());
            }
        }
    }

    /// An event of the operation.
    pub(crate) fn saw(&self, event: &ResourceEvent) {
        if event.status.starts_with("CREATE_")
            && let (Some(promise), Some(id)) = (self.0.get(&event.logical_id), &event.physical_id)
        {
            promise.set(id.clone());
        }
    }
}

impl Showing {
    /// Tells each output that can be worked out from what is shown, until the operation has ended.
    pub(crate) async fn outputs(self, cloud: &Cloud, wanted: &DesiredStack, tell: impl Fn(&str, String)) {
        let mut scope = cloud.pseudo_parameters();
        scope.extend(wanted.known_parameters());
        let (scope, tell) = (&scope, &tell);
        join_all(self.0.into_iter().map(async |(logical_id, name, attribute, mut id)| {
            let Ok(id) = id.wait().await else { return };
            let Ok(value) = attribute.ask(cloud, &id).await else {
                return;
            };
            let mut scope: Scope = scope.clone();
            let shown = format!("{logical_id}.{name}");
            scope.insert(shown, value);
            scope.insert(logical_id.clone(), id);
            let template = wanted.template();
            for (output, value) in template.outputs() {
                // What doesn't depend on it waits for the stack: it may be of a resource that isn't made yet.
                let is_of_it = references(value).contains(&logical_id);
                if is_of_it && let Some(text) = template.text_of(value, &scope) {
                    tell(output, cloud.endpoint.localized(&text));
                }
            }
        }))
        .await;
    }
}

/// The domain of a distribution that is being made; CloudFront may take a moment to know it.
async fn domain(cloud: &Cloud, id: &str) -> Result<String> {
    until(cloud.pace(Duration::from_secs(60)), async || {
        match cloud.cloudfront.get_distribution().id(id).send().await {
            Ok(found) => match found.distribution() {
                Some(found) => Probe::Ready(found.domain_name().to_owned()),
                None => Probe::Pending,
            },
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_distribution()) => Probe::Pending,
            Err(error) => Probe::Failed(explain(error, &format!("could not look at the distribution {id}"))),
        }
    })
    .await
    .in_time(|| Error::failed(format!("CloudFront doesn't know the distribution {id}")))
}

#[cfg(test)]
mod tests {
    use super::super::change::ResourceChange;
    use super::*;
    use crate::project::stacks::StackId;

    const TEMPLATE: &str = "Resources:\n  Web:\n    Type: AWS::CloudFront::Distribution\n";

    fn change(logical_id: &str, action: Action, replacement: Replacement) -> ResourceChange {
        ResourceChange {
            action,
            logical_id: logical_id.to_owned(),
            physical_id: None,
            resource_type: "AWS::CloudFront::Distribution".to_owned(),
            replacement,
            retained: false,
            properties: Vec::new(),
            values: Vec::new(),
            because_of: Vec::new(),
        }
    }

    /// The id that is told before anything happens, in an operation with these changes.
    async fn told(verdict: StackAction, changes: Vec<ResourceChange>) -> Option<String> {
        let template = Template::of_text(TEMPLATE);
        let (seen, Showing(showing)) = watch(&template);
        let before = Resource {
            logical_id: "Web".to_owned(),
            physical_id: "E1".to_owned(),
            resource_type: "AWS::CloudFront::Distribution".to_owned(),
        };
        let plan = StackPlan {
            id: StackId::new("web"),
            name: "app-web".to_owned(),
            verdict,
            changes,
            lifted: Vec::new(),
        };
        seen.had(&[before], &plan);
        // Nobody tells it any more.
        drop(seen);
        let (.., mut id) = showing.into_iter().next().expect("one is waited for");
        id.wait().await.ok()
    }

    #[tokio::test]
    async fn what_a_stack_keeps_is_known_before_its_update() {
        let known = Some("E1".to_owned());
        let modified = |replacement| vec![change("Web", Action::Modify, replacement)];
        assert_eq!(told(StackAction::Update, Vec::new()).await, known);
        assert_eq!(told(StackAction::Update, modified(Replacement::Never)).await, known);
        // What emulators say of every change.
        assert_eq!(told(StackAction::Update, modified(Replacement::Perhaps)).await, known);
        assert_eq!(told(StackAction::Update, modified(Replacement::Always)).await, None);
        for action in [Action::Remove, Action::Add, Action::Other] {
            let changes = vec![change("Web", action, Replacement::Never)];
            assert_eq!(told(StackAction::Update, changes).await, None, "{action:?}");
        }
        assert_eq!(told(StackAction::Recreate, Vec::new()).await, None);
    }
}
