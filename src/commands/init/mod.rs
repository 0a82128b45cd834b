//! `deployer init`: a new project, from the examples that the binary carries.

mod files;
mod write;

use std::path::Path;

use serde::Serialize;

use crate::cli::{Example, InitArgs};
use crate::context::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::project::stages;
use crate::report::{CommandResult, Paint};
use crate::text::quoted_for_shell;

/// Runs the command.
pub(crate) fn run(args: &InitArgs, session: Session<'_>) -> Result<()> {
    let project = match &args.name {
        Some(name) => {
            stages::check_project(name).map_err(|error| {
                let error = error.of_kind(ErrorKind::InvalidUsage);
                match stages::project_like(name) {
                    Some(near) => error.hint(format!("`--name {near}` would do.")),
                    None => error,
                }
            })?;
            name.clone()
        }
        None => named_after(&args.dir, session)?,
    };
    let files = files::of(args.example, &project);
    write::into(&args.dir, &files)?;
    session.reporter.result(&Begun {
        project,
        example: example(args.example),
        folder: args.dir.display().to_string(),
        has_function: args.example != Example::Site,
        files: files.into_iter().map(|(path, _)| path).collect(),
    })
}

/// As the command line has it.
fn example(example: Example) -> &'static str {
    match example {
        Example::Users => "users",
        Example::Orders => "orders",
        Example::Site => "site",
    }
}

/// The project's name, when nobody says one: as its folder's, so far as a project may be called that.
fn named_after(folder: &Path, session: Session<'_>) -> Result<String> {
    let whole = std::path::absolute(folder).ok();
    let name = whole.as_deref().and_then(Path::file_name).unwrap_or_default();
    let name = name.to_string_lossy();
    let Some(project) = stages::project_like(&name) else {
        let what = format!("the folder's name, `{name}`, is none for a project");
        return Err(Error::new(ErrorKind::InvalidUsage, what)
            .hint("Say one with --name: lower-case letters, digits and hyphens, beginning with a letter."));
    };
    if project != name {
        session.reporter.warn(format!(
            "the project is called `{project}`: AWS would refuse `{name}` in the names of what it has"
        ));
    }
    Ok(project)
}

/// A new project.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    project: String,
    example: &'static str,
    folder: String,
    #[serde(skip)]
    has_function: bool,
    /// What was written, below that.
    files: Vec<String>,
}

impl CommandResult for Begun {
    fn text(&self, paint: &Paint) -> String {
        let there = if self.folder == "." {
            "this folder".to_owned()
        } else {
            self.folder.clone()
        };
        let mut text = format!(
            "{} is in {there}: the example {}, {} files\n\n",
            paint.bold(&self.project),
            self.example,
            self.files.len()
        );
        if self.folder != "." {
            text.push_str(&format!("  cd {}\n", quoted_for_shell(&self.folder)));
        }
        text.push_str("  deployer up --local    # it runs on this machine; README.md says how to go on\n");
        if self.has_function {
            text.push_str("\nThe first `up` builds the functions and what they use, which takes a few minutes.\n");
        }
        text
    }
}
