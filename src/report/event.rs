//! What a run tells, as data: the reporter's own, so that it knows nothing of what reports to it.

use serde::Serialize;
use serde_json::Value;

use super::LogLine;

/// Something that happened, or is about to.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// Where the run works: said before anything else, since a wrong account or endpoint is found here.
    Target {
        /// The project's name.
        project: String,
        /// The stage's name.
        stage: String,
        /// The account's number.
        account: String,
        /// The region.
        region: String,
        /// The endpoint, when it isn't AWS.
        endpoint: Option<String>,
    },
    /// What will change.
    Plan {
        /// One entry a stack.
        stacks: Vec<StackChanges>,
    },
    /// What the work consists of, and what waits for what: said before it begins.
    Parts {
        /// In an order in which each comes after those that it waits for.
        parts: Vec<Part>,
    },
    /// A part of the work began, or has something new to say.
    Working {
        /// Which part.
        part: String,
        /// What it does.
        message: String,
    },
    /// A part of the work is done.
    Finished {
        /// Which part.
        part: String,
        /// What it did.
        message: String,
        /// Whether anything was changed.
        changed: bool,
    },
    /// A part of the work failed; the error follows at the end.
    Stopped {
        /// Which part.
        part: String,
        /// Why, in a line.
        message: String,
    },
    /// CloudFormation did something with a resource.
    Resource(ResourceProgress),
    /// Something will be lost if the answer is yes.
    Losing {
        /// What is about to be done.
        what: String,
        /// What goes with it, a line each.
        losses: Vec<String>,
    },
    /// A function has written something, or Lambda of it.
    Log(Box<LogLine>),
    /// Something to know that is no failure.
    Warning {
        /// The sentence.
        message: String,
    },
}

/// A part of the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    /// What other events call it.
    pub name: String,
    /// The parts that have to be done before it is.
    pub waits_for: Vec<String>,
}

/// What is to happen to a stack.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackChanges {
    /// What the stack is called within its project.
    pub id: String,
    /// The stack's name.
    pub name: String,
    /// In a word.
    pub verdict: StackAction,
    /// Resource by resource.
    pub changes: Vec<ShownChange>,
    /// What protects data now and won't any more, a sentence each.
    pub lifted: Vec<String>,
}

/// What is to happen to a stack, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StackAction {
    /// It is as the project wants it.
    Unchanged,
    /// It doesn't exist.
    Create,
    /// Its first creation failed; it is removed and created anew.
    Recreate,
    /// It differs.
    Update,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Action {
    /// It is created.
    Add,
    /// It is changed or replaced.
    Modify,
    /// It leaves the stack.
    Remove,
    /// Anything else: an import, or what CloudFormation can't tell yet.
    Other,
}

/// Whether a changed resource is replaced by a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Replacement {
    /// It is changed in place.
    Never,
    /// CloudFormation knows only when it happens.
    Perhaps,
    /// It is.
    Always,
}

/// One resource's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourceChange {
    /// What happens.
    pub action: Action,
    /// Its key in the template.
    pub logical_id: String,
    /// Its name or id, when it exists.
    pub physical_id: Option<String>,
    /// Its type.
    pub resource_type: String,
    /// Whether it is replaced.
    pub replacement: Replacement,
    /// Whether the old one stays when it leaves the stack (its deletion or replacement policy).
    pub retained: bool,
    /// The properties that change.
    pub properties: Vec<String>,
    /// What they were and will be, as far as that is known.
    pub values: Vec<PropertyChange>,
    /// What else has to change for this one to change; nothing if its own definition does.
    pub because_of: Vec<String>,
}

/// A value in a resource's definition that becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PropertyChange {
    /// Where it stands: `RetentionInDays`, `Environment.Variables.TABLE`, `Tags[0].Value`.
    pub path: String,
    /// What it was; null if there was none, or it isn't told.
    pub before: Option<Value>,
    /// What it will be; null if there will be none, or it isn't told. What refers to something that isn't made yet stands
    /// here as in the template.
    pub after: Option<Value>,
    /// Whether another resource takes the place of the one that is there because of it.
    pub replaces: Replacement,
}

/// The same as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ShownChange {
    /// What happens.
    #[serde(flatten)]
    pub change: ResourceChange,
    /// What of its data would be lost, in a sentence, if any.
    pub loss: Option<String>,
}

impl StackChanges {
    /// "5 to create", "2 to change, 1 to remove".
    pub(crate) fn summary(&self) -> String {
        let count = |wanted: fn(&ResourceChange) -> bool, what: &str| {
            let number = self.changes.iter().filter(|shown| wanted(&shown.change)).count();
            (number > 0).then(|| format!("{number} to {what}"))
        };
        let counts: Vec<String> = [
            count(|c| c.action == Action::Add, "create"),
            count(
                |c| c.action == Action::Modify && c.replacement == Replacement::Never,
                "change",
            ),
            count(
                |c| c.action == Action::Modify && c.replacement == Replacement::Perhaps,
                "change or replace",
            ),
            count(
                |c| c.action == Action::Modify && c.replacement == Replacement::Always,
                "replace",
            ),
            count(|c| c.action == Action::Remove, "remove"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if counts.is_empty() {
            "outputs only".to_owned()
        } else {
            counts.join(", ")
        }
    }
}

/// What CloudFormation did with a resource, or with the stack itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourceProgress {
    /// What the stack is called within its project.
    pub id: String,
    /// The stack's name.
    pub stack: String,
    /// Its key in the template; the stack's name for events of the stack itself.
    pub logical_id: String,
    /// Its name or id, as soon as it is known.
    pub physical_id: Option<String>,
    /// Its type.
    pub resource_type: String,
    /// E.g. `CREATE_IN_PROGRESS`.
    pub status: String,
    /// Why, where CloudFormation says.
    pub reason: Option<String>,
    /// How the status reads.
    #[serde(skip)]
    pub severity: Severity,
}

/// How a status reads to people: its colour and symbol follow from this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// As it should be.
    Good,
    /// Something is under way.
    Busy,
    /// Something went wrong.
    Failed,
    /// No longer there.
    Gone,
}
