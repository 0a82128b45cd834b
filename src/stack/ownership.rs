//! Whose a stack is. Its name alone doesn't tell: project `a` with stage `b-c` and project `a-b` with stage `c` have the
//! same names, and somebody else may have taken one. So each stack says it, in parameters that are put into its template as
//! it is sent and that DescribeStacks shows; one that says something else, or nothing, is neither changed nor removed.
//!
//! Parameters and not tags, which CloudFormation would put on every resource of the stack.

use std::collections::BTreeMap;

use serde_json::json;

use super::digest::{self, DIGEST};
use super::read::Stack;
use super::status::StackState;
use crate::error::{Error, ErrorKind, Result};
use crate::project::Project;
use crate::project::expiry::Expiry;
use crate::project::stacks::StackId;
use crate::project::template::Template;

const PROJECT: &str = "DeployerProject";
const STAGE: &str = "DeployerStage";

/// The parameter that says whether the stack was deployed as a protected stage's.
const PROTECTED: &str = "DeployerProtected";

/// The parameter that says how long after its last `up` the stage may go. Only the stacks of a stage that expires declare
/// it: in all others it would be a change of each that was deployed before.
const EXPIRES: &str = "DeployerExpires";

/// What versions before said it in: parameters that templates had to declare themselves. They count only in a stack that
/// was deployed by such a version; elsewhere they are the template's own.
const BEFORE: [&str; 3] = ["Project", "Stage", "Digest"];

/// What is put into a stack for it to say whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Labels<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The stage's name.
    pub stage: &'a str,
    /// Whether the stage is protected.
    pub protected: bool,
    /// How long after its last `up` it may go.
    pub expires: Option<Expiry>,
}

impl Labels<'_> {
    /// As parameters of the stack.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        let expires = self.expires.map(|expires| (EXPIRES, expires.to_string()));
        [
            (PROJECT, self.project.to_owned()),
            (STAGE, self.stage.to_owned()),
            (PROTECTED, self.protected.to_string()),
        ]
        .into_iter()
        .chain(expires)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

/// The project and the stage that a stack says it is of; none if it says nothing, or not both.
pub(crate) fn said(stack: &Stack) -> Option<(&str, &str)> {
    let (project, stage) = whose(stack)?;
    Some((project?, stage?))
}

/// The project and the stage as far as a stack says them; none if it wasn't made with this deployer.
fn whose(stack: &Stack) -> Option<(Option<&str>, Option<&str>)> {
    let said = |name: &str| stack.parameters.get(name).map(String::as_str);
    let [project_before, stage_before, digest_before] = BEFORE;
    if said(DIGEST).is_some_and(digest::is_one) {
        Some((said(PROJECT), said(STAGE)))
    } else if said(DIGEST).is_none() && said(digest_before).is_some_and(digest::is_one) {
        Some((said(project_before), said(stage_before)))
    } else {
        None
    }
}

/// Whether a parameter's value is the stage's, so that it ties no stack to another.
pub(crate) fn is_label(parameter: &str) -> bool {
    let own = [PROJECT, STAGE, PROTECTED, EXPIRES, DIGEST];
    own.contains(&parameter) || BEFORE.contains(&parameter) || parameter == "Protected"
}

impl Stack {
    /// How long after its last use its stage may go, if it says.
    pub(crate) fn expires(&self) -> Option<Expiry> {
        Expiry::parse(self.parameters.get(EXPIRES)?)
    }

    /// Whether it was deployed as a protected stage's.
    pub(crate) fn is_protected(&self) -> bool {
        let is_on = |parameter| {
            self.parameters
                .get(parameter)
                .is_some_and(|protected| protected == "true")
        };
        // The second is what templates had to declare before, and those of the project's own making still may.
        is_on(PROTECTED) || is_on("Protected")
    }
}

/// Whose a stack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This project's stage.
    ThisStage,
    /// Nobody's: an empty shell, of a change set that was never executed.
    Nobody,
    /// A stage's, but which one isn't said: versions before this one said it in some stacks only.
    Unsaid,
    /// Somebody's who didn't make it with this deployer: it says nothing.
    Stranger,
    /// Another stage's; which one.
    Another(String),
}

impl Owner {
    /// Whose it is, if it is known to be somebody else's.
    pub(crate) fn other(&self) -> Option<String> {
        match self {
            Self::ThisStage | Self::Nobody | Self::Unsaid => None,
            Self::Stranger => Some("it wasn't deployed by deployer: it has no digest of its making".to_owned()),
            Self::Another(whose) => Some(format!("it belongs to {whose}")),
        }
    }
}

/// Whose a stack of one of this stage's names is.
pub(crate) fn owner(stack: &Stack, project: &Project) -> Owner {
    owner_for(stack, &project.name, &project.stage.name)
}

/// The same for the stage of a project, whether or not a checkout has it.
pub(crate) fn owner_for(stack: &Stack, project: &str, stage: &str) -> Owner {
    if stack.state() == StackState::InReview {
        return Owner::Nobody;
    }
    let Some((of_project, of_stage)) = whose(stack) else {
        return Owner::Stranger;
    };
    let is_own = |said: Option<&str>, own: &str| said.is_none_or(|said| said == own);
    if !is_own(of_project, project) || !is_own(of_stage, stage) {
        let stage = of_stage.map_or("a stage".to_owned(), |stage| format!("the stage {stage}"));
        let project = of_project.map_or(String::new(), |project| format!(" of the project {project}"));
        return Owner::Another(format!("{stage}{project}"));
    }
    if of_project.is_some() && of_stage.is_some() {
        Owner::ThisStage
    } else {
        Owner::Unsaid
    }
}

/// Stacks that the user says are this stage's, by name.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Adoption<'a> {
    /// The names.
    pub stacks: &'a [String],
    /// Whether that may be one that says nothing at all, which a deployment turns into the template's.
    pub strangers: bool,
}

/// Refuses to go on when a stack isn't this stage's. One that doesn't say whose it is is taken on if another one of the
/// stage's names this project, or by `adoption`.
///
/// # Errors
/// Names each stack and whose it is, as bad input: nothing was begun.
pub(crate) fn check(
    stacks: &BTreeMap<StackId, Stack>,
    names: &[String],
    project: &Project,
    adoption: Adoption<'_>,
) -> Result<()> {
    let stage = format!("the stage {} of the project {}", project.stage.name, project.name);
    if let Some(unknown) = adoption.stacks.iter().find(|name| !names.contains(name)) {
        return Err(Error::new(
            ErrorKind::InvalidUsage,
            format!("--adopt {unknown}: {stage} has no stack of that name"),
        )
        .hint(format!("It has {}.", names.join(", "))));
    }
    let adopted = |stack: &Stack| adoption.stacks.contains(&stack.name);
    let owners: Vec<(&Stack, Owner)> = stacks.values().map(|stack| (stack, owner(stack, project))).collect();
    let others: Vec<(&Stack, &Owner, String)> = owners
        .iter()
        .filter(|(stack, owner)| !(*owner == Owner::Stranger && adoption.strangers && adopted(stack)))
        .filter_map(|(stack, owner)| Some((*stack, owner, owner.other()?)))
        .collect();
    if let Some((first, owner, whose)) = others.first() {
        let error = if others.len() == 1 {
            Error::new(
                ErrorKind::StackForeign,
                format!("the stack {} isn't one of {stage}", first.name),
            )
            .cause(whose.as_str())
        } else {
            let error = Error::new(
                ErrorKind::StackForeign,
                format!("{} stacks of these names aren't of {stage}", others.len()),
            );
            others.iter().fold(error, |error, (stack, _, whose)| {
                error.cause(format!("{}: {whose}", stack.name))
            })
        };
        let adopt = match owner {
            Owner::Stranger => format!(
                " If it is to become this stage's, `deployer up --adopt {}` makes it what the template says.",
                first.name
            ),
            _ => String::new(),
        };
        return Err(error.hint(format!(
            "Nothing was changed. Give the project or the stage another name in stacks/stages.yaml, or use another \
             account or region; a stack that nobody needs is for its owner to delete.{adopt}"
        )));
    }
    let is_named = owners.iter().any(|(_, owner)| *owner == Owner::ThisStage);
    let unsaid: Vec<&str> = owners
        .iter()
        .filter(|(stack, owner)| *owner == Owner::Unsaid && !is_named && !adopted(stack))
        .map(|(stack, _)| stack.name.as_str())
        .collect();
    if unsaid.is_empty() {
        return Ok(());
    }
    let adopt: String = unsaid.iter().map(|name| format!(" --adopt {name}")).collect();
    Err(Error::new(
        ErrorKind::StackForeign,
        format!("whose the stack {} is can't be told", unsaid.join(", ")),
    )
    .cause(format!(
        "an earlier version deployed it without saying so, and no other stack is there to name {stage}"
    ))
    .hint(format!(
        "Nothing was changed. If it is this stage's, `deployer up{adopt}` goes on with it and what is in it, and \
                 `deployer down{adopt}` removes it."
    )))
}

/// A template with the parameters that say whose its stack is and what it was made from.
pub(crate) fn labelled(template: &Template, labels: &Labels<'_>) -> Template {
    let mut labelled = template.clone();
    let expires = labels.expires.map(|_| EXPIRES);
    for name in [PROJECT, STAGE, PROTECTED, DIGEST].into_iter().chain(expires) {
        labelled.add("Parameters", name, json!({ "Type": "String", "Default": "" }));
    }
    // A parameter that nothing refers to may count as no change.
    labelled.add("Outputs", DIGEST, json!({ "Value": { "Ref": DIGEST } }));
    labelled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str, stage: &str) -> (tempfile::TempDir, Project) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("stacks")).expect("made");
        let stages = format!("project: {name}\nstages: {{ {stage}: {{}} }}\n");
        std::fs::write(dir.path().join("stacks/stages.yaml"), stages).expect("written");
        let project = Project::open(dir.path(), stage).expect("valid");
        (dir, project)
    }

    fn stack(status: &str, parameters: &[(&str, &str)]) -> Stack {
        Stack {
            name: "a-b-c-data".into(),
            arn: "arn".into(),
            status: status.into(),
            reason: None,
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            outputs: BTreeMap::new(),
            exports: std::collections::BTreeSet::new(),
            termination_protected: false,
            changed: None,
        }
    }

    const OURS: &str = "0123456789abcdef";

    #[test]
    fn a_stack_is_whose_its_parameters_say() {
        let (_dir, project) = project("a-b", "c");
        let of = |parameters: &[(&str, &str)]| owner(&stack("CREATE_COMPLETE", parameters), &project);
        let another = |whose: &str| Owner::Another(whose.to_owned());
        let own = [
            ("DeployerProject", "a-b"),
            ("DeployerStage", "c"),
            ("DeployerDigest", OURS),
        ];
        assert_eq!(of(&own), Owner::ThisStage);
        assert_eq!(
            of(&[
                ("DeployerProject", "a"),
                ("DeployerStage", "b-c"),
                ("DeployerDigest", OURS)
            ]),
            another("the stage b-c of the project a")
        );
        // A template's own parameters may be called as ours once were.
        let templates = [("Project", "theirs"), ("Stage", "v1"), ("Digest", "sha256:1")];
        assert_eq!(of(&[&own[..], &templates].concat()), Owner::ThisStage);
        assert_eq!(of(&[("DeployerDigest", "none"), ("Digest", OURS)]), Owner::Stranger);
        let digest = ("Digest", OURS);
        assert_eq!(of(&[("Project", "a-b"), ("Stage", "c"), digest]), Owner::ThisStage);
        assert_eq!(
            of(&[("Project", "a"), ("Stage", "b-c"), digest]),
            another("the stage b-c of the project a")
        );
        assert_eq!(
            of(&[("Project", "a-b"), ("Stage", "d"), digest]),
            another("the stage d of the project a-b")
        );
        assert_eq!(of(&[("Stage", "b-c"), digest]), another("the stage b-c"));
        for says_nothing in [
            &[("Project", "a-b"), ("Stage", "c")][..],
            &[("Project", "a-b"), ("Stage", "c"), ("Digest", "none")],
            &[("Project", "a-b"), ("Stage", "c"), ("Digest", "v1.2.3")],
            &[("TableName", "x")],
            &[("Digest", "sha256:0123456789abcdef")],
            &[],
        ] {
            assert_eq!(of(says_nothing), Owner::Stranger, "{says_nothing:?}");
        }
        for unsaid in ["0123456789abcdef", "0123456789abcdef-half", "released"] {
            assert_eq!(of(&[("Digest", unsaid)]), Owner::Unsaid, "{unsaid}");
        }
        assert_eq!(owner(&stack("REVIEW_IN_PROGRESS", &[]), &project), Owner::Nobody);
        assert_eq!(owner(&stack("ROLLBACK_COMPLETE", &[]), &project), Owner::Stranger);
    }

    #[test]
    fn what_is_unsaid_is_taken_on_with_a_stack_that_says_it_or_by_name() {
        let (_dir, project) = project("a-b", "c");
        let unsaid = stack("CREATE_COMPLETE", &[("Digest", OURS)]);
        let own = stack(
            "CREATE_COMPLETE",
            &[("Project", "a-b"), ("Stage", "c"), ("Digest", OURS)],
        );
        let others = stack(
            "CREATE_COMPLETE",
            &[("Project", "a"), ("Stage", "b-c"), ("Digest", OURS)],
        );
        let stranger = stack("CREATE_COMPLETE", &[]);
        let named = ["a-b-c-data".to_owned()];
        let by_name = |strangers| Adoption {
            stacks: &named,
            strangers,
        };
        let id = |id: &str| StackId::new(id);
        let alone = |stack: &Stack| BTreeMap::from([(id("data"), stack.clone())]);
        let beside = |stack: &Stack| BTreeMap::from([(id("data"), unsaid.clone()), (id("logic"), stack.clone())]);
        let names = ["a-b-c-data".to_owned(), "a-b-c-logic".to_owned()];
        let check = |stacks: &BTreeMap<StackId, Stack>, project: &Project, adoption: Adoption<'_>| {
            check(stacks, &names, project, adoption)
        };
        let error = check(&alone(&unsaid), &project, Adoption::default()).expect_err("whose?");
        let hint = error.next_step().expect("a hint");
        assert!(hint.contains("`deployer up --adopt a-b-c-data`"), "{hint}");
        check(&alone(&unsaid), &project, by_name(false)).expect("adopted");
        check(&beside(&own), &project, Adoption::default()).expect("a sibling");
        check(&beside(&others), &project, by_name(true)).expect_err("a sibling of another's");
        check(&alone(&others), &project, by_name(true)).expect_err("another's");
        check(&alone(&stranger), &project, by_name(false)).expect_err("a stranger's");
        check(&alone(&stranger), &project, by_name(true)).expect("adopted");
        let unknown = ["a-b-data".to_owned()];
        let unknown = Adoption {
            stacks: &unknown,
            strangers: true,
        };
        let error = check(&BTreeMap::new(), &project, unknown).expect_err("no such name");
        assert!(error.to_string().contains("has no stack of that name"), "{error}");
    }

    #[test]
    fn a_template_says_it_whatever_it_declares() {
        let parse = |text: &str| Template::of_text(text);
        let own = "Parameters: { Project: { Type: String, Default: x } }\nResources: { R: { Type: T } }";
        let labels = Labels {
            project: "a",
            stage: "b",
            protected: false,
            expires: None,
        };
        let forever = labelled(&parse(own), &labels);
        assert!(!forever.declares(EXPIRES) && !labels.parameters().contains_key(EXPIRES));
        let labels = Labels {
            expires: Expiry::parse("7d"),
            ..labels
        };
        let labelled = labelled(&parse(own), &labels);
        assert!(labelled.declares(EXPIRES));
        assert_eq!(labels.parameters()[EXPIRES], "7d");
        for name in [
            "DeployerProject",
            "DeployerStage",
            "DeployerProtected",
            "DeployerDigest",
        ] {
            assert!(labelled.declares(name), "{name}");
        }
        assert_eq!(labelled.default_of("Project").as_deref(), Some("x"));
        assert_eq!(
            labelled.output("DeployerDigest"),
            Some(&json!({ "Ref": "DeployerDigest" }))
        );
    }
}
