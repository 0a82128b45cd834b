//! The note on a table that it was seeded: a tag, which is there as long as the table and goes with it. So it needs no
//! state of this machine's, and a table that is made anew is seeded anew.
//!
//! It is nothing that a template says, and CloudFormation changes only the tags that it has put itself; whoever goes by it
//! reads it before an update all the same, and puts it there again after one.

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::primitives::DateTime;
use aws_sdk_dynamodb::types::Tag;
use aws_smithy_types::date_time::Format;
use futures::future::join_all;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{explain, found};
use crate::error::{Error, ErrorKind, Result};
use crate::report::Reporter;
use crate::wait::{Probe, until};

/// The tag's key; its value is when.
const SEEDED: &str = "deployer:seeded";

/// Whether a table was seeded completely; one that isn't there wasn't.
pub(crate) async fn is_marked(cloud: &Cloud, table: &str) -> Result<bool> {
    let mut next = None;
    loop {
        let request = cloud.dynamodb.list_tags_of_resource().resource_arn(arn(cloud, table));
        let answer = request.set_next_token(next).send().await;
        let what = || format!("could not see whether the table {table} was seeded before");
        let Some(page) = found(answer, |error| error.is_resource_not_found_exception(), what)? else {
            return Ok(false);
        };
        if page.tags().iter().any(|tag| tag.key() == SEEDED) {
            return Ok(true);
        }
        next = page.next_token;
        if next.is_none() {
            return Ok(false);
        }
    }
}

/// Notes that tables were seeded completely. That it can't be noted is only warned of: the items are there.
pub(crate) async fn mark_all(cloud: &Cloud, tables: impl IntoIterator<Item = &str>, reporter: &Reporter) {
    let marks = tables.into_iter().map(|table| mark(cloud, table));
    for error in join_all(marks).await.into_iter().filter_map(Result::err) {
        let causes: String = error.causes().map(|cause| format!(": {cause}")).collect();
        reporter.warn(format!("{error}{causes}"));
    }
}

async fn mark(cloud: &Cloud, table: &str) -> Result<()> {
    let now = DateTime::from(SystemTime::now())
        .fmt(Format::DateTime)
        .unwrap_or_default();
    // Neither a colon nor a point of the time is refused.
    let tag = Tag::builder().key(SEEDED).value(now).build();
    let tag = tag.map_err(|error| Error::failed(unmarked(table)).cause(error))?;
    until(cloud.pace(Duration::from_secs(60)), async || {
        let request = cloud.dynamodb.tag_resource().resource_arn(arn(cloud, table));
        match request.tags(tag.clone()).send().await {
            Ok(_) => Probe::Ready(()),
            // An update of the table is under way, or of its tags.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_in_use_exception()) =>
            {
                Probe::Pending
            }
            Err(error) => Probe::Failed(explain(error, &unmarked(table))),
        }
    })
    .await
    .in_time(|| Error::new(ErrorKind::TimedOut, format!("{}: it is being changed", unmarked(table))))
}

fn unmarked(table: &str) -> String {
    format!("could not note on the table {table} that it was seeded, so that its items may come again")
}

fn arn(cloud: &Cloud, table: &str) -> String {
    let Cloud {
        partition,
        region,
        account,
        ..
    } = cloud;
    format!("arn:{partition}:dynamodb:{region}:{account}:table/{table}")
}
