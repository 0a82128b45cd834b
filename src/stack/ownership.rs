//! Whose a stack is. Its name alone doesn't tell: project `a` with stage `b-c` and project `a-b` with stage `c` have the
//! same names, and somebody else may have taken one. So each stack says it, in parameters that DescribeStacks shows, and
//! one that says something else, or nothing, is neither changed nor removed.

use std::collections::BTreeMap;

use serde_json::json;

use super::digest::{self, DIGEST};
use super::read::Stack;
use super::status::Meaning;
use crate::error::{Error, Result};
use crate::project::template::Template;
use crate::project::{Project, Tier};

const PROJECT: &str = "Project";
const STAGE: &str = "Stage";

/// Whose a stack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This project's stage.
    ThisStage,
    /// Nobody's: an empty shell, of a change set that was never executed.
    Nobody,
    /// A stage's, but which one isn't said: versions before this one said it in some stacks only.
    Unsaid,
    /// Somebody else's; who, as far as is known.
    Other(String),
}

/// Whose a stack of one of this stage's names is.
pub fn owner(stack: &Stack, project: &Project) -> Owner {
    if stack.meaning().meaning == Meaning::Shell {
        return Owner::Nobody;
    }
    let said = |name: &str| stack.parameters.get(name).map(String::as_str);
    let (of_project, of_stage) = (said(PROJECT), said(STAGE));
    let differs = |said: Option<&str>, own: &str| said.is_some_and(|said| said != own);
    let Some(digest) = said(DIGEST) else {
        return Owner::Other("it wasn't deployed by deployer: it has no parameter `Digest`".to_owned());
    };
    if differs(of_project, &project.name) || differs(of_stage, &project.stage.name) {
        return Owner::Other(format!(
            "it belongs to {}{}",
            of_stage.map_or("a stage".to_owned(), |stage| format!("the stage {stage}")),
            of_project.map_or(String::new(), |project| format!(" of the project {project}")),
        ));
    }
    if of_project.is_some() && of_stage.is_some() {
        Owner::ThisStage
    } else if digest::is_one(digest) {
        Owner::Unsaid
    } else {
        Owner::Other("its parameter `Digest` isn't one that deployer gave it".to_owned())
    }
}

/// Refuses to go on when a stack isn't this stage's. One that doesn't say whose it is is taken on if another one of the
/// stage's names this project, or if it is among the `adopted`.
///
/// # Errors
/// Names each stack and whose it is, as bad input: nothing was begun.
pub fn check(stacks: &BTreeMap<Tier, Stack>, project: &Project, adopted: &[String]) -> Result<()> {
    let owners: Vec<(&Stack, Owner)> = stacks.values().map(|stack| (stack, owner(stack, project))).collect();
    let named = owners.iter().any(|(_, owner)| *owner == Owner::ThisStage);
    let stage = format!("the stage {} of the project {}", project.stage.name, project.name);
    let others: Vec<(&Stack, &str)> = owners
        .iter()
        .filter_map(|(stack, owner)| match owner {
            Owner::Other(whose) => Some((*stack, whose.as_str())),
            _ => None,
        })
        .collect();
    if let Some((first, _)) = others.first() {
        let error = Error::usage(match others.len() {
            1 => format!("the stack {} isn't one of {stage}", first.name),
            count => format!("{count} stacks of these names aren't of {stage}"),
        });
        let error = others.iter().fold(error, |error, (stack, whose)| match others.len() {
            1 => error.because(whose),
            _ => error.because(format!("{}: {whose}", stack.name)),
        });
        return Err(error.hint(
            "Nothing was changed. Give the project or the stage another name in stacks/stages.yaml, or use another \
             account or region; a stack that nobody needs is for its owner to delete.",
        ));
    }
    let unsaid = owners
        .iter()
        .find(|(stack, owner)| *owner == Owner::Unsaid && !named && !adopted.contains(&stack.name));
    match unsaid {
        None => Ok(()),
        Some((stack, _)) => Err(Error::usage(format!("whose the stack {} is can't be told", stack.name))
            .because(format!(
                "an earlier version deployed it without saying so, and none of its other stacks is there to name {stage}"
            ))
            .hint(format!(
                "Nothing was changed. If it is this stage's: `deployer up --adopt {}` goes on with it and what is in it.",
                stack.name
            ))),
    }
}

/// A template that says whose its stack is, and what it was made from, also where it doesn't declare that itself.
pub fn labelled(template: &Template) -> Template {
    let mut labelled = template.clone();
    for (name, default) in [(PROJECT, ""), (STAGE, ""), (DIGEST, "none")] {
        if !template.declares(name) {
            labelled.add("Parameters", name, json!({ "Type": "String", "Default": default }));
        }
    }
    if !template.has_output(DIGEST) {
        labelled.add("Outputs", DIGEST, json!({ "Value": { "Ref": DIGEST } }));
    }
    labelled
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
            termination_protected: false,
            changed: None,
        }
    }

    const OURS: &str = "0123456789abcdef";

    #[test]
    fn a_stack_is_whose_its_parameters_say() {
        let (_dir, project) = project("a-b", "c");
        let of = |parameters: &[(&str, &str)]| owner(&stack("CREATE_COMPLETE", parameters), &project);
        let digest = ("Digest", OURS);
        assert_eq!(of(&[("Project", "a-b"), ("Stage", "c"), digest]), Owner::ThisStage);
        for others in [
            &[("Project", "a"), ("Stage", "b-c"), digest][..],
            &[("Project", "a-b"), ("Stage", "d"), digest],
            &[("Stage", "b-c"), digest],
            &[("Project", "a-b"), ("Stage", "c")],
            &[("TableName", "x")],
            &[("Digest", "sha256:0123456789abcdef")],
            &[("Digest", "none")],
            &[],
        ] {
            assert!(matches!(of(others), Owner::Other(_)), "{others:?}");
        }
        let Owner::Other(whose) = of(&[("Project", "a"), ("Stage", "b-c"), digest]) else {
            panic!("it is another's");
        };
        assert_eq!(whose, "it belongs to the stage b-c of the project a");
        for unsaid in ["0123456789abcdef", "0123456789abcdef-half", "released"] {
            assert_eq!(of(&[("Digest", unsaid)]), Owner::Unsaid, "{unsaid}");
        }
        assert_eq!(owner(&stack("REVIEW_IN_PROGRESS", &[]), &project), Owner::Nobody);
        assert!(matches!(
            owner(&stack("ROLLBACK_COMPLETE", &[]), &project),
            Owner::Other(_)
        ));
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
        let alone = BTreeMap::from([(Tier::Data, unsaid.clone())]);
        let error = check(&alone, &project, &[]).expect_err("whose?");
        assert!(
            error
                .next_step()
                .is_some_and(|hint| hint.contains("--adopt a-b-c-data")),
            "{error}"
        );
        check(&alone, &project, &["a-b-c-data".to_owned()]).expect("adopted");
        check(
            &BTreeMap::from([(Tier::Data, unsaid.clone()), (Tier::Logic, own)]),
            &project,
            &[],
        )
        .expect("a sibling");
        let beside = BTreeMap::from([(Tier::Data, unsaid), (Tier::Logic, others)]);
        check(&beside, &project, &["a-b-c-data".to_owned()]).expect_err("a sibling of another's");
    }

    #[test]
    fn a_template_says_it_even_if_it_declares_nothing() {
        let parse = |text: &str| Template::parse(text, Path::new("x.yaml")).expect("valid");
        let bare = labelled(&parse("Resources: { R: { Type: T } }"));
        for name in ["Project", "Stage", "Digest"] {
            assert!(bare.declares(name), "{name}");
        }
        assert_eq!(bare.output_ref("Digest"), Some("Digest"));
        let own = "Parameters: { Project: { Type: String, Default: x }, Stage: { Type: String }, Digest: { Type: String } }\n\
                   Resources: { R: { Type: T } }\nOutputs: { Digest: { Value: !Ref Digest } }";
        assert_eq!(labelled(&parse(own)), parse(own));
    }
}
