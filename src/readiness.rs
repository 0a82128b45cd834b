//! Waiting until what CloudFormation made can be used.
//!
//! "Complete" means configured: above all in express mode a table may still be in the making, a function pending and a
//! distribution on its way to the edges.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::TableStatus;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use futures::future::try_join_all;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::report::Reporter;
use crate::stack::events::ResourceEvent;
use crate::wait::{Probe, until};

/// Resources that an operation made or changed and that can't be used at once.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    tables: Names,
    functions: Names,
    distributions: Names,
}

/// Names by logical id. One that is replaced is told of by its old name first, and only the new one will be ready.
type Names = BTreeMap<String, String>;

impl Touched {
    /// An event of the operation.
    pub(crate) fn saw(&mut self, event: &ResourceEvent) {
        let is_made = event.status.starts_with("CREATE_") || event.status.starts_with("UPDATE_");
        if let (true, Some(name)) = (is_made, &event.physical_id) {
            self.touched(&event.resource_type, &event.logical_id, name);
        }
    }

    fn touched(&mut self, kind: &str, logical_id: &str, name: &str) {
        let names = match kind {
            TABLE => &mut self.tables,
            FUNCTION => &mut self.functions,
            DISTRIBUTION => &mut self.distributions,
            _ => return,
        };
        names.insert(logical_id.to_owned(), name.to_owned());
    }

    /// Waits until tables take requests: what reads them, or their streams, can't be made before.
    pub(crate) async fn tables(&self, cloud: &Cloud) -> Result<()> {
        try_join_all(self.tables.values().map(|name| table(cloud, name)))
            .await
            .map(|_| ())
    }

    /// Waits until functions can be invoked.
    pub(crate) async fn functions(&self, cloud: &Cloud) -> Result<()> {
        try_join_all(self.functions.values().map(|name| function(cloud, name)))
            .await
            .map(|_| ())
    }

    /// Waits until distributions are at CloudFront's edges, which takes minutes; `part` is who is told to wait.
    pub(crate) async fn distributions(&self, cloud: &Cloud, part: &str, reporter: &Reporter) -> Result<()> {
        let distributions = self
            .distributions
            .values()
            .map(|id| distribution(cloud, id, part, reporter));
        try_join_all(distributions).await.map(|_| ())
    }
}

const TABLE: &str = "AWS::DynamoDB::Table";
const FUNCTION: &str = "AWS::Lambda::Function";
const DISTRIBUTION: &str = "AWS::CloudFront::Distribution";

const MINUTE: Duration = Duration::from_secs(60);

/// Waits until a table takes requests.
pub(crate) async fn table(cloud: &Cloud, name: &str) -> Result<()> {
    wait(
        cloud,
        10 * MINUTE,
        &format!("the table {name} isn't active"),
        async || {
            let answer = cloud.dynamodb.describe_table().table_name(name).send().await;
            match answer {
                Ok(found) => match found.table().and_then(|table| table.table_status()) {
                    Some(TableStatus::Active | TableStatus::Updating) => Probe::Ready(()),
                    _ => Probe::Pending,
                },
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|e| e.is_resource_not_found_exception()) =>
                {
                    Probe::Pending
                }
                Err(error) => Probe::Failed(explain(error, &format!("could not look at the table {name}"))),
            }
        },
    )
    .await
}

/// Waits until a function answers with its newest code: it is pending for seconds after its creation, and answers with
/// the old code while it is updated.
async fn function(cloud: &Cloud, name: &str) -> Result<()> {
    wait(
        cloud,
        5 * MINUTE,
        &format!("the function {name} isn't ready"),
        async || {
            let answer = cloud
                .lambda
                .get_function_configuration()
                .function_name(name)
                .send()
                .await;
            let found = match answer {
                Ok(found) => found,
                Err(error) => return Probe::Failed(explain(error, &format!("could not look at the function {name}"))),
            };
            match (found.state(), found.last_update_status()) {
                (Some(State::Failed), _) | (_, Some(LastUpdateStatus::Failed)) => {
                    let reason = found.state_reason().or(found.last_update_status_reason());
                    Probe::Failed(
                        Error::new(ErrorKind::StackFailed, format!("the function {name} doesn't start"))
                            .cause(reason.unwrap_or("Lambda gives no reason"))
                            .hint("Correct the cause and run `deployer up` again."),
                    )
                }
                (Some(State::Active | State::Inactive), Some(LastUpdateStatus::Successful) | None) => Probe::Ready(()),
                _ => Probe::Pending,
            }
        },
    )
    .await
}

/// Waits until a distribution is at CloudFront's edges, which takes minutes.
async fn distribution(cloud: &Cloud, id: &str, part: &str, reporter: &Reporter) -> Result<()> {
    let too_long = format!("the distribution {id} isn't at CloudFront's edges");
    wait(cloud, 30 * MINUTE, &too_long, async || {
        match cloud.cloudfront.get_distribution().id(id).send().await {
            Ok(found) if found.distribution().is_some_and(|found| found.status() == "Deployed") => Probe::Ready(()),
            Ok(_) => {
                reporter.working(part, "CloudFront brings the distribution to its edges");
                Probe::Pending
            }
            Err(error) => Probe::Failed(explain(error, &format!("could not look at the distribution {id}"))),
        }
    })
    .await
}

async fn wait(
    cloud: &Cloud,
    deadline: Duration,
    too_long: &str,
    probe: impl AsyncFnMut() -> Probe<(), Error>,
) -> Result<()> {
    until(cloud.pace(deadline), probe).await.in_time(|| {
        let minutes = deadline.as_secs() / 60;
        Error::new(ErrorKind::TimedOut, format!("{too_long} after {minutes} minutes"))
            .hint("AWS goes on with it. Run `deployer up` again to see it through.")
    })
}
