//! What a shell offers when Tab is pressed: it asks this program, which looks into the project's folder and nowhere else.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::cli;
use crate::error::{Error, ErrorKind, OrFail, Result};
use crate::project::tables::TABLES;
use crate::project::template::Template;
use crate::project::{self, Project};
use crate::verify;

/// Set by the script for whoever asks: that it does, and as which shell.
const ASKED: &str = "DEPLOYER_COMPLETE";

/// By what the script finds this program: that on the path, which the user gets as well.
const PROGRAM: &str = "deployer";

/// If a shell asks, answers it and ends the process.
pub(crate) fn answer() {
    CompleteEnv::with_factory(|| with_values(cli::definition()))
        .var(ASKED)
        .bin(PROGRAM)
        .completer(PROGRAM)
        .complete();
}

/// What has a shell ask.
///
/// # Errors
/// It is a shell that can't.
pub(crate) fn script(shell: Shell) -> Result<Vec<u8>> {
    let shell: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::PowerShell => &Powershell,
        Shell::Zsh => &Zsh,
        other => {
            let what = format!("there is no script for {other}");
            return Err(
                Error::new(ErrorKind::InvalidUsage, what).hint("`deployer completions --help` names those there are.")
            );
        }
    };
    let mut script = Vec::new();
    shell
        .write_registration(ASKED, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .or_fail(|| "could not write the script".to_owned())?;
    Ok(script)
}

/// The command line with what each value may be.
fn with_values(command: Command) -> Command {
    let name = command.get_name().to_owned();
    command
        .mut_args(|arg| with_value(&name, arg))
        .mut_subcommands(with_values)
}

fn with_value(command: &str, arg: Arg) -> Arg {
    let candidates: fn() -> Vec<String> = match (command, arg.get_id().as_str()) {
        (_, "stage") => stages,
        (_, "table") => tables,
        ("package" | "function", "functions") => functions,
        ("up" | "deploy", "only") => parts,
        (_, "adopt") => stack_names,
        ("verify", "only" | "skip") => checks,
        ("up" | "deploy" | "function", "function_package") => return arg.value_hint(ValueHint::AnyPath),
        _ => return arg,
    };
    arg.add(ArgValueCompleter::new(move |begun: &OsStr| {
        matching(begun, candidates())
    }))
}

fn matching(begun: &OsStr, candidates: Vec<String>) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let fitting = candidates.into_iter().filter(|one| one.starts_with(&*begun));
    fitting.map(CompletionCandidate::new).collect()
}

/// What the line that is being completed says for an option.
fn said(option: &str) -> Option<OsString> {
    let words: Vec<OsString> = std::env::args_os().collect();
    said_in(&words, option)
}

fn said_in(words: &[OsString], option: &str) -> Option<OsString> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(rest) = word.to_str().and_then(|word| word.strip_prefix(option)) else {
            continue;
        };
        match rest.strip_prefix('=') {
            Some(value) => return Some(value.into()),
            None if rest.is_empty() => return words.next().cloned(),
            None => {}
        }
    }
    None
}

fn folder() -> Option<PathBuf> {
    project::folder(said("--project-dir").as_deref().map(Path::new)).ok()
}

fn stages() -> Vec<String> {
    let names = folder().and_then(|folder| project::stage_names(&folder).ok());
    names.unwrap_or_default()
}

/// The project, with whatever its settings want of the environment.
fn project() -> Option<Project> {
    let folder = folder()?;
    let known = project::stage_names(&folder).ok()?;
    let named = said("--stage").and_then(|stage| stage.into_string().ok());
    let stage = named.filter(|stage| known.contains(stage)).or(known.first().cloned())?;
    let environment = |variable: &str| std::env::var_os(variable).or(Some("0".into()));
    Project::open_with(&folder, &stage, &environment).ok()
}

fn tables() -> Vec<String> {
    let Some(project) = project() else { return Vec::new() };
    let resources = project.stacks().flat_map(|stack| stack.template.resources());
    let tables = resources.filter(|(_, resource)| TABLES.contains(&Template::type_of(resource)));
    tables.map(|(id, _)| id.to_owned()).collect()
}

fn functions() -> Vec<String> {
    let Some(project) = project() else { return Vec::new() };
    let mut names: Vec<String> = project
        .functions()
        .iter()
        .map(|function| function.code.name())
        .collect();
    names.sort();
    names.dedup();
    names
}

fn parts() -> Vec<String> {
    let Some(project) = project() else { return Vec::new() };
    let stacks = project.stacks().map(|stack| stack.id.to_string());
    let function = (!project.functions().is_empty()).then_some("function");
    let site = project.site_stack().map(|_| "site");
    let steps = function.into_iter().chain(site).chain(["seed"]);
    stacks.chain(steps.map(str::to_owned)).collect()
}

fn stack_names() -> Vec<String> {
    let Some(project) = project() else { return Vec::new() };
    project.stacks().map(|stack| project.stack_name(&stack.id)).collect()
}

fn checks() -> Vec<String> {
    verify::selectable().into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_line_says_is_known_before_it_is_whole() {
        let words: Vec<OsString> = ["deployer", "--", "deployer", "up", "--stage", "dev", "--project-dir=x"]
            .map(Into::into)
            .to_vec();
        assert_eq!(said_in(&words, "--stage"), Some("dev".into()));
        assert_eq!(said_in(&words, "--project-dir"), Some("x".into()));
        assert_eq!(said_in(&words, "--profile"), None);
    }

    #[test]
    fn every_shell_has_a_script() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let script = String::from_utf8(script(shell).expect("a script")).expect("text");
            assert!(script.contains(ASKED), "{shell}: {script}");
        }
    }
}
