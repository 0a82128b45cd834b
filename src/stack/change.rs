//! What a change set means: which resources change, and what would be lost.

use crate::project::stacks::StackId;
use crate::report::event;
pub(crate) use crate::report::event::{Action, PropertyChange, Replacement, ResourceChange, StackAction};

/// What is to happen to a stack.
#[derive(Debug, Clone)]
pub(crate) struct StackPlan {
    /// What the stack is called within its project.
    pub id: StackId,
    /// The stack's name.
    pub name: String,
    /// In a word.
    pub verdict: StackAction,
    /// Resource by resource.
    pub changes: Vec<ResourceChange>,
    /// What protects data now and won't any more, a sentence each.
    pub lifted: Vec<String>,
}

/// How CloudFormation works at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Compares templates, and waits for everything that it changes.
    Standard,
    /// Calls a resource done when it is configured, before it is ready everywhere.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-express-mode.html>
    Express,
    /// Compares with what is really there, and so undoes what was changed by hand.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html>
    RevertDrift,
}

/// Types whose resources hold what can't be made again from the project.
pub(super) const STATEFUL: &[&str] = &[
    "AWS::Cognito::UserPool",
    "AWS::DocDB::DBCluster",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Neptune::DBCluster",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
];

/// Types whose resources tell what has happened: whoever loses them is asked, though a protected stage doesn't keep them. An
/// emulator calls every change of one a perhaps, so only a replacement that is certain counts.
const RECORDS: &[&str] = &["AWS::Logs::LogGroup"];

/// Types that make up the definition of an API: a deployment is a snapshot of these.
pub(super) const API_DEFINITION: &[&str] = &[
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::RestApi",
];

/// Types with names whose physical id is another than the name.
const HAS_ID: &[&str] = &[
    // Its ARN, on AWS.
    "AWS::CloudFront::Function",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudFront::ResponseHeadersPolicy",
];

impl ResourceChange {
    /// A resource that will be created.
    pub(crate) fn addition(logical_id: &str, resource_type: &str) -> Self {
        Self {
            action: Action::Add,
            logical_id: logical_id.to_owned(),
            physical_id: None,
            resource_type: resource_type.to_owned(),
            replacement: Replacement::Never,
            retained: false,
            properties: Vec::new(),
            values: Vec::new(),
            because_of: Vec::new(),
        }
    }

    /// Whether the resource that is there leaves: removed, or replaced by another.
    pub(crate) fn leaves(&self) -> bool {
        self.action == Action::Remove || self.replacement != Replacement::Never
    }

    /// What this change would lose, if it is about a stateful resource; a sentence.
    pub(crate) fn loss(&self) -> Option<String> {
        let is_one_of = |types: &[&str]| types.contains(&self.resource_type.as_str());
        let is_certain = self.action == Action::Remove || self.replacement == Replacement::Always;
        let loses = is_one_of(STATEFUL) && self.leaves() || is_one_of(RECORDS) && (is_certain || self.is_renamed());
        if !loses {
            return None;
        }
        let name = self.name();
        let verb = match (self.action, self.replacement) {
            (Action::Remove, _) if self.retained => "leaves the stack and stays behind, unmanaged",
            (Action::Remove, _) => "is deleted with what is in it",
            (_, Replacement::Perhaps) => "may be replaced by an empty one",
            _ if self.retained => "is replaced by an empty one; the old one stays behind, unmanaged",
            _ => "is replaced by an empty one and deleted with what is in it",
        };
        Some(format!("{} {name} {verb}", self.resource_type))
    }

    /// Whether it is a log group that gets another name.
    fn is_renamed(&self) -> bool {
        self.leaves() && self.properties.iter().any(|property| property == "LogGroupName")
    }

    fn name(&self) -> &str {
        self.physical_id.as_deref().unwrap_or(&self.logical_id)
    }

    /// That it leaves, whatever it holds.
    fn removal(&self) -> String {
        let verb = match self.action {
            Action::Remove => "is removed",
            _ => "is replaced",
        };
        format!("{} {} {verb}", self.resource_type, self.name())
    }

    /// Whether a part of an API's definition leaves it. CloudFormation removes it only after it took the new
    /// deployment's snapshot, which so still has it.
    pub(crate) fn removes_api_definition(&self) -> bool {
        API_DEFINITION.contains(&self.resource_type.as_str()) && self.leaves()
    }
}

impl StackPlan {
    /// The plan as it is shown.
    pub(crate) fn shown(&self) -> event::StackChanges {
        event::StackChanges {
            id: self.id.to_string(),
            name: self.name.clone(),
            verdict: self.verdict,
            changes: self
                .changes
                .iter()
                .map(|change| event::ShownChange {
                    change: change.clone(),
                    loss: change.loss(),
                })
                .collect(),
            lifted: self.lifted.clone(),
        }
    }

    /// Whether a resource of this name will be created for `logical_id`: a new one, or one that replaces another.
    pub(crate) fn creates(&self, logical_id: &str, name: &str) -> bool {
        self.changes.iter().any(|change| {
            // What has an id beside its name can't be told from one that is renamed.
            let has_id = HAS_ID.contains(&change.resource_type.as_str());
            let replaced = change.replacement != Replacement::Never && !has_id;
            change.logical_id == logical_id
                && (change.action == Action::Add || replaced)
                && change.physical_id.as_deref() != Some(name)
        })
    }

    /// Whatever leaves the stack, holding data or not, and what else would be lost; a sentence each.
    pub(crate) fn removals(&self) -> Vec<String> {
        let leaving = self.changes.iter().filter(|change| change.leaves());
        let leaving = leaving.map(|change| change.loss().unwrap_or_else(|| change.removal()));
        leaving.chain(self.lifted.iter().cloned()).collect()
    }

    /// What would be lost, a sentence each.
    pub(crate) fn losses(&self) -> Vec<String> {
        let leaving = self.changes.iter().filter_map(ResourceChange::loss);
        leaving.chain(self.lifted.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(action: Action, kind: &str, replacement: Replacement, retained: bool) -> ResourceChange {
        ResourceChange {
            action,
            replacement,
            retained,
            physical_id: Some("Ledger".into()),
            ..ResourceChange::addition("Table", kind)
        }
    }

    #[test]
    fn only_stateful_resources_that_leave_are_losses() {
        let table = "AWS::DynamoDB::Table";
        assert_eq!(change(Action::Modify, table, Replacement::Never, false).loss(), None);
        assert_eq!(change(Action::Add, table, Replacement::Never, false).loss(), None);
        assert_eq!(
            change(Action::Remove, "AWS::Lambda::Function", Replacement::Never, false).loss(),
            None
        );
        for (action, replacement, retained, word) in [
            (Action::Remove, Replacement::Never, false, "is deleted"),
            (Action::Remove, Replacement::Never, true, "stays behind"),
            (
                Action::Modify,
                Replacement::Always,
                false,
                "replaced by an empty one and deleted",
            ),
            (Action::Modify, Replacement::Always, true, "the old one stays"),
            (Action::Modify, Replacement::Perhaps, false, "may be replaced"),
        ] {
            let loss = change(action, table, replacement, retained).loss().expect("a loss");
            assert!(loss.contains("Ledger") && loss.contains(word), "{loss}");
        }
    }

    #[test]
    fn logs_that_go_are_a_loss() {
        let group = "AWS::Logs::LogGroup";
        let gone = change(Action::Remove, group, Replacement::Never, false).loss();
        assert!(gone.is_some_and(|loss| loss.contains("is deleted with what is in it")));
        assert!(
            change(Action::Modify, group, Replacement::Always, false)
                .loss()
                .is_some()
        );
        // What an emulator says of any change of one.
        let mut perhaps = change(Action::Modify, group, Replacement::Perhaps, false);
        perhaps.properties = vec!["RetentionInDays".into()];
        assert_eq!(perhaps.loss(), None);
        perhaps.properties = vec!["LogGroupName".into()];
        assert!(perhaps.loss().is_some());
    }

    #[test]
    fn an_api_part_that_leaves_is_noticed() {
        let kind = "AWS::ApiGateway::Method";
        assert!(change(Action::Remove, kind, Replacement::Never, false).removes_api_definition());
        assert!(change(Action::Modify, kind, Replacement::Always, false).removes_api_definition());
        assert!(!change(Action::Modify, kind, Replacement::Never, false).removes_api_definition());
        assert!(
            !change(Action::Remove, "AWS::ApiGateway::Deployment", Replacement::Never, false).removes_api_definition()
        );
    }
}
