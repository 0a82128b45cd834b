//! What was changed by hand: CloudFormation compares what is there with what it made.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html>

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::types::{
    DifferenceType, PropertyDifference, StackDriftDetectionStatus, StackResourceDrift, StackResourceDriftStatus,
};
use serde::Serialize;
use serde_json::Value;

use super::change::{PropertyChange, Replacement};
use super::read::{Deployed, Resource};
use super::values::dotted;
use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::wait::{Probe, until};

/// How long CloudFormation may look at one stack. It asks each service about each resource.
const LONGEST: Duration = Duration::from_secs(600);

/// What was changed by hand in a stack.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackDrift {
    /// The resources that aren't what was made.
    pub resources: Vec<ResourceDrift>,
    /// How many were looked at.
    pub checked: usize,
    /// The types of those that CloudFormation, or the emulator, can't look at.
    pub unchecked: BTreeSet<String>,
    /// Why not all could be looked at, where it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The logical ids of all that it was told of.
    #[serde(skip)]
    told: BTreeSet<String>,
}

/// What was changed by hand in a resource.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourceDrift {
    /// Its key in the template.
    pub logical_id: String,
    /// Its name or id.
    pub physical_id: String,
    /// Its type.
    pub resource_type: String,
    /// Whether it is gone.
    pub deleted: bool,
    /// Its properties: what was made, and what is there.
    pub properties: Vec<PropertyChange>,
}

/// Has CloudFormation look, and reads what it found. None if the stack is in a state in which it doesn't look, such as in an
/// operation.
///
/// # Errors
/// It may not be asked, or can't look.
pub(crate) async fn detect(cloud: &Cloud, deployed: &Deployed) -> Result<StackDrift> {
    let Deployed { stack, resources } = deployed;
    let what = || format!("could not look for changes by hand in {}", stack.name);
    let begun = cloud
        .cloudformation
        .detect_stack_drift()
        .stack_name(&stack.arn)
        .send()
        .await;
    let begun = begun.map_err(|error| explain(error, &what()))?;
    let id = begun.stack_drift_detection_id.unwrap_or_default();
    let ended = until(cloud.pace(LONGEST), async || {
        let status = cloud.cloudformation.describe_stack_drift_detection_status();
        match status.stack_drift_detection_id(&id).send().await {
            Ok(found) => match found.detection_status() {
                Some(StackDriftDetectionStatus::DetectionInProgress) => Probe::Pending,
                _ => Probe::Ready(found),
            },
            Err(error) => Probe::Failed(explain(error, &what())),
        }
    })
    .await
    .in_time(|| Error::new(ErrorKind::TimedOut, what()).hint("Run the same command again."))?;
    let mut drift = StackDrift {
        // It fails for one resource that it may not read, and has looked at the others.
        reason: ended.detection_status_reason.filter(|reason| !reason.is_empty()),
        ..StackDrift::default()
    };
    let mut token = None;
    loop {
        let page = cloud.cloudformation.describe_stack_resource_drifts();
        let page = page.stack_name(&stack.arn).set_next_token(token).send().await;
        let page = page.map_err(|error| explain(error, &what()))?;
        page.stack_resource_drifts
            .unwrap_or_default()
            .into_iter()
            .for_each(|resource| drift.add(resource));
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            drift.note_unchecked(resources);
            return Ok(drift);
        }
    }
}

impl StackDrift {
    /// Notes the types of resources of which nothing is told: those that can't be looked at aren't named.
    fn note_unchecked(&mut self, resources: &[Resource]) {
        let others = resources.iter().filter(|one| !self.told.contains(&one.logical_id));
        self.unchecked.extend(others.map(|one| one.resource_type.clone()));
    }

    fn add(&mut self, found: StackResourceDrift) {
        self.told.extend(found.logical_resource_id.clone());
        let deleted = match found.stack_resource_drift_status {
            Some(StackResourceDriftStatus::InSync) => {
                self.checked += 1;
                return;
            }
            Some(StackResourceDriftStatus::Deleted) => true,
            Some(StackResourceDriftStatus::Modified) => false,
            // It isn't known; AWS tells nothing of types that it can't look at, an emulator says so.
            _ => {
                self.unchecked.extend(found.resource_type);
                return;
            }
        };
        self.checked += 1;
        self.resources.push(ResourceDrift {
            logical_id: found.logical_resource_id.unwrap_or_default(),
            physical_id: found.physical_resource_id.unwrap_or_default(),
            resource_type: found.resource_type.unwrap_or_default(),
            deleted,
            properties: found
                .property_differences
                .unwrap_or_default()
                .into_iter()
                .map(change)
                .collect(),
        });
    }
}

fn change(found: PropertyDifference) -> PropertyChange {
    let value = |text: Option<String>| text.filter(|text| text != "null").map(Value::from);
    let is = |kind: &DifferenceType| found.difference_type.as_ref() == Some(kind);
    let (added, removed) = (is(&DifferenceType::Add), is(&DifferenceType::Remove));
    PropertyChange {
        path: dotted(found.property_path.as_deref().unwrap_or_default()),
        before: value(found.expected_value).filter(|_| !added),
        after: value(found.actual_value).filter(|_| !removed),
        replaces: Replacement::Never,
    }
}
