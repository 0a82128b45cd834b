//! Log groups: whether one is there, its removal, which one a function writes into, and what stands in it: `read` gets its
//! events, `entry` says what each of them means.

pub(crate) mod entry;
pub(crate) mod read;
mod since;

use std::time::SystemTime;

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;

use crate::clock::rfc3339_with_millis;
use crate::cloud::Cloud;
use crate::cloud::repeated::gone;
use crate::cloud::sdk_error::{explain, is_denied};
use crate::error::{Error, ErrorKind, Result};
use crate::report::LogLine;
use entry::Streams;
use read::{Event, Group};
pub(crate) use since::since;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.ok()
        .and_then(|now| i64::try_from(now.as_millis()).ok())
        .unwrap_or_default()
}

/// A time in milliseconds since 1970 as people read it.
pub(crate) fn shown(ms: i64) -> String {
    rfc3339_with_millis(ms)
}

/// A deployed function's configuration; none if it may not be looked at.
///
/// # Errors
/// There is no such function, or it can't be asked.
pub(crate) async fn configuration(cloud: &Cloud, function: &str) -> Result<Option<GetFunctionConfigurationOutput>> {
    let request = cloud.lambda.get_function_configuration();
    match request.function_name(function).send().await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_denied(&error) => Ok(None),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            Err(no_function(function))
        }
        Err(error) => Err(explain(error, &format!("could not look at the function {function}"))),
    }
}

/// The group that a function writes into, as its configuration says; else the usual one.
pub(crate) fn group_of(function: &str, configuration: Option<&GetFunctionConfigurationOutput>) -> String {
    let said = configuration.and_then(|answer| answer.logging_config()?.log_group());
    let said = said.filter(|group| !group.is_empty());
    said.map_or_else(|| format!("/aws/lambda/{function}"), str::to_owned)
}

/// What is said of a function that somebody has deleted.
fn no_function(function: &str) -> Error {
    Error::new(
        ErrorKind::NotDeployed,
        format!("there is no function {function} any more"),
    )
    .hint("`deployer verify` tells what else differs from the templates.")
}

/// What an event of a group is told as; none if it is of a function that doesn't write for `group`'s.
pub(crate) fn line(group: &Group<'_>, event: &Event, streams: &mut Streams) -> Option<LogLine> {
    let function = match writer(&event.stream) {
        Some(name) => Some(group.functions.iter().find(|function| *function == name)?.clone()),
        None => match group.functions.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        },
    };
    let entry = streams.entry(&format!("{}\n{}", event.group, event.stream), &event.message);
    Some(LogLine {
        timestamp: Some(rfc3339_with_millis(event.timestamp)),
        stream: Some(event.stream.clone()),
        event_id: event.id.clone(),
        ..told(entry, function, group.name.clone())
    })
}

/// The lines of a log that come without times and streams: those beside an invocation's answer.
pub(crate) fn lines_of_tail(tail: &str, function: &str, group: &str) -> Vec<LogLine> {
    let mut streams = Streams::default();
    // It may begin in the middle of a line, which is told as it is.
    let lines = tail.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| told(streams.entry("", line), Some(function.to_owned()), group.to_owned()))
        .collect()
}

fn told(entry: entry::Entry, function: Option<String>, log_group: String) -> LogLine {
    LogLine {
        timestamp: None,
        function,
        log_group,
        stream: None,
        event_id: None,
        request_id: entry.request_id,
        level: entry.level,
        message: entry.message,
        record: entry.record,
        report: entry.report,
        fields: entry.fields,
        is_noise: entry.is_noise,
    }
}

/// The function that a stream names, as those of groups do that the function's configuration chooses:
/// `2026/01/31/name[$LATEST]0123…`. <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html>
fn writer(stream: &str) -> Option<&str> {
    let (name, _) = stream.rsplit('/').next()?.split_once('[')?;
    Some(name).filter(|name| !name.is_empty())
}

/// Whether a log group of this name is there.
pub(crate) async fn group_exists(cloud: &Cloud, name: &str) -> Result<bool> {
    let mut groups = cloud
        .logs
        .describe_log_groups()
        .log_group_name_prefix(name)
        .into_paginator()
        .items()
        .send();
    while let Some(group) = groups.next().await {
        let group = group.map_err(|error| explain(error, &format!("could not look for the log group {name}")))?;
        if group.log_group_name() == Some(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes a log group with what is in it; one that isn't there is as good as deleted.
pub(crate) async fn delete_group(cloud: &Cloud, name: &str) -> Result<()> {
    let answer = cloud.logs.delete_log_group().log_group_name(name).send().await;
    let what = || format!("could not delete the log group {name}");
    gone(answer, what).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_may_name_its_function() {
        assert_eq!(writer("2026/01/31/orders-get[$LATEST]0a1b"), Some("orders-get"));
        assert_eq!(writer("2026/01/31/[$LATEST]0a1b"), None);
        assert_eq!(writer("mine"), None);
    }

    #[test]
    fn a_tail_is_read_as_the_log_is() {
        let tail = "ing away\nSTART RequestId: r Version: 1\n{\"level\":\"INFO\",\"message\":\"hi\"}\n\nREPORT RequestId: r\tDuration: 3 ms\n";
        let lines = lines_of_tail(tail, "f", "g");
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.message.as_str(), line.request_id.as_deref()))
            .collect();
        assert_eq!(told[0], ("ing away", None));
        assert_eq!(told[2], ("hi", Some("r")));
        assert_eq!(
            lines[3].report.as_ref().and_then(|report| report.duration_ms),
            Some(3.0)
        );
        assert_eq!(lines.len(), 4);
    }
}
