//! Making the site's files by the program that the project names, when what it makes them of has changed.
//!
//! What it is made of is every file in the folder in which it runs, but for what it makes, what package managers install, what
//! git ignores, and what is hidden, other than `.env` files. That is compared by content: many builds write files of their
//! own beside their sources, the same ones each time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ignore::WalkBuilder;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use crate::child;
use crate::error::{Error, ErrorKind, OrFail as _, Result};
use crate::project::Project;
use crate::report::Reporter;

/// What the reporter calls it.
const PART: &str = "site build";

/// How much of what it said last is told when it fails, in lines.
const LAST_LINES: usize = 30;

/// Folders that are never what a site is made of.
const LEFT_OUT: [&str; 2] = ["node_modules", "target"];

/// Those of a project's own folder.
const LEFT_OUT_OF_PROJECT: [&str; 2] = ["function", "stacks"];

/// Runs the build, if the project has one and anything has changed since it ran last.
///
/// # Errors
/// It can't be started, or it fails: with what it said.
pub(crate) async fn run(project: &Project, reporter: &Reporter) -> Result<()> {
    let Some(words) = project.site_build() else {
        return Ok(());
    };
    let (base, made) = (project.site_base(), project.site_dir());
    // The folder that one is in has no name.
    let here = Path::new(".");
    let (base, made) = if base.as_os_str().is_empty() {
        (here.to_owned(), here.join(made))
    } else {
        (base, made)
    };
    let record = project.build_dir().join("site-build");
    let state = || state(&base, &made, project.path(), words);
    let before = state();
    let is_made = fs::read_dir(&made).is_ok_and(|mut files| files.next().is_some());
    if is_made && fs::read_to_string(&record).is_ok_and(|known| known == before) {
        reporter.finished(PART, "unchanged", false);
        return Ok(());
    }
    reporter.working(PART, words.join(" "));
    call(words, &base, reporter).await?;
    if !made.is_dir() {
        return Err(Error::new(
            ErrorKind::BuildFailed,
            format!("`{}` has made no {}", words.join(" "), made.display()),
        )
        .hint("Say in stacks/stages.yaml where its files are: `site: { build: …, dir: … }`."));
    }
    reporter.finished(PART, "built", true);
    // What was changed meanwhile isn't in it: then it runs once more the next time.
    if state() == before {
        let written = fs::create_dir_all(project.build_dir()).and_then(|()| fs::write(&record, &before));
        // Nothing depends on it.
        let _ = written;
    } else {
        let _ = fs::remove_file(&record);
    }
    Ok(())
}

async fn call(words: &[String], base: &Path, reporter: &Reporter) -> Result<()> {
    let what = words.join(" ");
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Error::failed("`build` names no program"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(base)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (mut child, group) = child::start(&mut command).map_err(|error| {
        Error::new(
            ErrorKind::BuildFailed,
            format!("could not start `{program}`, which is to build the site"),
        )
        .cause(error)
        .hint(format!(
            "It runs in {}. Install it, or correct `build:` in stacks/stages.yaml.",
            base.display()
        ))
    })?;
    let said = tokio::sync::Mutex::new(Vec::new());
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    tokio::try_join!(listen(out, &said, reporter), listen(errors, &said, reporter))?;
    let status = child.wait().await.or_fail(|| format!("`{what}` was lost"))?;
    group.ended();
    if status.success() {
        return Ok(());
    }
    let said = said.into_inner();
    let last = &said[said.len().saturating_sub(LAST_LINES)..];
    Err(Error::new(
        ErrorKind::BuildFailed,
        format!("the site doesn't build: `{what}` ended with {status}"),
    )
    .cause(last.join("\n"))
    .hint(format!("`cd {} && {what}` shows the same.", base.display())))
}

/// Tells what it says, line by line.
async fn listen(
    from: Option<impl AsyncRead + Unpin>,
    said: &tokio::sync::Mutex<Vec<String>>,
    reporter: &Reporter,
) -> Result<()> {
    let Some(from) = from else {
        return Ok(());
    };
    let mut lines = BufReader::new(from).split(b'\n');
    while let Some(line) = lines
        .next_segment()
        .await
        .or_fail(|| "could not read what the build says".to_owned())?
    {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !line.trim().is_empty() {
            reporter.working(PART, line.trim());
        }
        let mut said = said.lock().await;
        said.push(line);
        // Of a talkative build only the end matters.
        if said.len() > 4 * LAST_LINES {
            said.drain(..2 * LAST_LINES);
        }
    }
    Ok(())
}

/// What the build is made of, in short.
fn state(base: &Path, made: &Path, project: &Path, words: &[String]) -> String {
    let is_project = base == project || project.as_os_str().is_empty() && base == Path::new(".");
    let (made, top) = (made.to_owned(), base.to_owned());
    let walk = WalkBuilder::new(base)
        .hidden(false)
        .require_git(false)
        .filter_entry(move |entry| {
            let name = entry.file_name().to_string_lossy();
            let is_hidden = name.starts_with('.') && !name.starts_with(".env") && entry.depth() > 0;
            let is_top = entry.path().parent() == Some(&top);
            let is_other = is_project && is_top && LEFT_OUT_OF_PROJECT.contains(&&*name);
            !(is_hidden || is_other || LEFT_OUT.contains(&&*name) || entry.path() == made)
        })
        .build();
    let files: BTreeSet<PathBuf> = walk
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .map(ignore::DirEntry::into_path)
        .collect();
    let files: Vec<PathBuf> = files.into_iter().collect();
    let sums: Vec<Option<[u8; 32]>> = files
        .par_iter()
        .map(|file| Some(Sha256::digest(fs::read(file).ok()?).into()))
        .collect();
    let mut all = Sha256::new();
    for word in words {
        all.update(word);
        all.update([0]);
    }
    for (file, sum) in files.iter().zip(sums) {
        all.update(file.as_os_str().as_encoded_bytes());
        all.update([0]);
        all.update(sum.unwrap_or_default());
    }
    hex::encode(all.finalize())
}
