//! Each status that a stack can be in: what `up`, `down` and `status` ask for then, what they say, and that nothing that
//! holds data goes unasked.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::types::StackStatus;

use super::{Account, STACK, each, stack_in};
use crate::support::answers::{cloudformation, json_refusal};

/// One status.
struct Row {
    status: &'static str,
    /// What it is after two looks, if somebody's operation is under way.
    then: Option<&'static str>,
    /// What `up` asks for, all of which is refused, and what it says.
    up: Expected,
    /// The same of `down --yes`.
    down: Expected,
}

/// What a command asks for, and what it says.
type Expected = (&'static [&'static str], &'static [&'static str]);

const CHANGED: Expected = (&["CreateChangeSet"], &["not authorized to perform: CreateChangeSet"]);
/// A table with something in it stays, whatever state its stack is in.
const HELD: Expected = (
    &[],
    &["small-items of a failed creation has items in it", "down --delete-data"],
);
const SOMEBODY_ELSES: Expected = (&[], &["rollback-stack", "deployer down"]);
const REMOVED: Expected = (&["DeleteStack"], &["not authorized to perform: DeleteStack"]);
/// The table first: a stack that can't be updated can't lift its protection.
const TABLE_FIRST: Expected = (&["UpdateTable"], &["not authorized to perform: UpdateTable"]);
const NOTHING: Expected = (&[], &[]);

const fn row(status: &'static str, up: Expected, down: Expected) -> Row {
    Row {
        status,
        then: None,
        up,
        down,
    }
}

const fn busy(status: &'static str, then: &'static str, up: Expected, down: Expected) -> Row {
    Row {
        status,
        then: Some(then),
        up,
        down,
    }
}

const ROWS: [Row; 23] = [
    row("CREATE_COMPLETE", CHANGED, REMOVED),
    row("UPDATE_COMPLETE", CHANGED, REMOVED),
    row("IMPORT_COMPLETE", CHANGED, REMOVED),
    row("UPDATE_ROLLBACK_COMPLETE", CHANGED, REMOVED),
    row("IMPORT_ROLLBACK_COMPLETE", CHANGED, REMOVED),
    // An empty stack that was never made: nothing is in it.
    row("REVIEW_IN_PROGRESS", CHANGED, REMOVED),
    row("ROLLBACK_COMPLETE", HELD, TABLE_FIRST),
    row("ROLLBACK_FAILED", HELD, TABLE_FIRST),
    row("CREATE_FAILED", SOMEBODY_ELSES, TABLE_FIRST),
    row("UPDATE_FAILED", SOMEBODY_ELSES, TABLE_FIRST),
    row("IMPORT_ROLLBACK_FAILED", SOMEBODY_ELSES, TABLE_FIRST),
    row(
        "UPDATE_ROLLBACK_FAILED",
        (
            &["ContinueUpdateRollback"],
            &[
                "is in UPDATE_ROLLBACK_FAILED: finishing its rollback",
                "not authorized to perform: ContinueUpdateRollback",
            ],
        ),
        TABLE_FIRST,
    ),
    row(
        "DELETE_FAILED",
        (&[], &["is in DELETE_FAILED", "Run `deployer down` until it does"]),
        TABLE_FIRST,
    ),
    row("DELETE_COMPLETE", CHANGED, NOTHING),
    busy("CREATE_IN_PROGRESS", "CREATE_COMPLETE", CHANGED, REMOVED),
    busy("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", HELD, TABLE_FIRST),
    busy("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", CHANGED, REMOVED),
    busy(
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
        CHANGED,
        REMOVED,
    ),
    busy(
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
        CHANGED,
        REMOVED,
    ),
    busy(
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
        CHANGED,
        REMOVED,
    ),
    busy("IMPORT_IN_PROGRESS", "IMPORT_COMPLETE", CHANGED, REMOVED),
    busy(
        "IMPORT_ROLLBACK_IN_PROGRESS",
        "IMPORT_ROLLBACK_COMPLETE",
        CHANGED,
        REMOVED,
    ),
    busy("DELETE_IN_PROGRESS", "DELETE_COMPLETE", CHANGED, NOTHING),
];

/// The account of a row: its table is the stack's as long as that has one.
fn account(row: &Row) -> Account {
    let (status, then) = (row.status, row.then);
    let mut looks = 0;
    let account = Account::new(move |seen| {
        looks += usize::from(seen.body.contains(STACK));
        let now = then.filter(|_| looks > 3).unwrap_or(status);
        Some(stack_in(now)).filter(|_| now != "DELETE_COMPLETE")
    });
    if ["REVIEW_IN_PROGRESS", "DELETE_COMPLETE"].contains(&then.unwrap_or(status)) {
        account.proxy.rule(|seen| match seen.operation.as_str() {
            "ListStackResources" => Some(cloudformation(
                "ListStackResources",
                "<StackResourceSummaries></StackResourceSummaries>",
            )),
            "DescribeTable" => Some(json_refusal(
                400,
                "ResourceNotFoundException",
                "Requested resource not found",
            )),
            _ => None,
        });
    }
    account
}

#[test]
fn each_status_has_a_row() {
    let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.status).collect();
    let all: BTreeSet<&str> = StackStatus::values().iter().copied().collect();
    assert_eq!(rows, all);
}

fn check(command: &[&str], row: &Row, (writes, words): Expected) {
    let account = account(row);
    let ran = account.run(command);
    let what = format!("{} in {}:\n{ran}", command.join(" "), row.status);
    assert_eq!(account.writes(), writes, "{what}");
    for words in words {
        assert!(ran.stderr.contains(words), "{words} in {what}");
    }
    assert_eq!(ran.code, i32::from(!words.is_empty()), "{what}");
    if row.then.is_some() {
        let waits = format!(
            "waiting for the operation that is under way ({} since 2026-01-01T00:00:00Z)",
            row.status
        );
        assert!(ran.stderr.contains(&waits), "{waits} in {what}");
    }
}

#[test]
fn up_does_in_each_status_what_may_be_done() {
    each(&ROWS, |row| check(&["up"], row, row.up));
}

#[test]
fn down_does_in_each_status_what_may_be_done() {
    each(&ROWS, |row| check(&["down", "--yes"], row, row.down));
}

/// It only looks, and waits for nothing.
#[test]
fn status_tells_of_each_what_it_is() {
    each(&ROWS, |row| {
        let account = account(row);
        let ran = account.run(&["status", "--output", "json"]).success();
        assert_eq!(account.writes(), Vec::<String>::new(), "{}", row.status);
        let document = ran.json();
        let ready =
            row.then.is_none() && row.up == CHANGED && row.down == REMOVED && row.status != "REVIEW_IN_PROGRESS";
        assert_eq!(document["deployed"], ready, "{}: {document}", row.status);
        let stacks = document["stacks"].as_array().expect("stacks");
        let told: Vec<&str> = stacks.iter().filter_map(|stack| stack["status"].as_str()).collect();
        let there: &[&str] = if row.status == "DELETE_COMPLETE" {
            &[]
        } else {
            &[row.status]
        };
        assert_eq!(told, there, "{document}");
    });
}
