//! The stacks of a project: every template in `stacks/`, and one of the deployer's own where functions, the site or a large
//! template need a bucket that no template makes.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};

use super::source::{self, Place};
use super::template::{self, Template};
use super::yaml::Node;
use super::{DISTRIBUTION_ID, SITE_BUCKET};
use crate::error::{Error, ErrorKind, Result};

/// What a stack is called within its project: the stem of `stacks/<id>.yaml`, and the end of the stack's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StackId(Arc<str>);

impl Serialize for StackId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl StackId {
    /// An id as it is written, whether or not there is such a stack.
    pub(crate) fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for StackId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for StackId {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

/// A stack as its template describes it.
#[derive(Debug, Clone)]
pub(crate) struct StackTemplate {
    /// What it is called.
    pub id: StackId,
    /// Its file, as messages name it.
    pub file: PathBuf,
    /// The file's text, to point into.
    pub text: Arc<str>,
    /// The template.
    pub template: Template,
    /// The region that the template asks for, when it isn't the stage's: `Metadata: { Deployer: { Region: … } }`.
    pub region: Option<String>,
    /// What is to be warned of, a sentence each.
    pub warnings: Vec<String>,
    /// The text's tree, for the first place that is asked for and those after it.
    tree: OnceLock<Option<Arc<Node>>>,
}

/// Files in `stacks/` that are no templates.
const SETTINGS: &[&str] = &["stages", "seed", "verify"];

/// Steps of `up` that `--only` names beside stacks.
const STEPS: &[&str] = &["function", "seed", "site"];

/// The id of the deployer's own stack.
pub(crate) const ARTIFACTS: &str = "artifacts";

/// The output that names the bucket of packages.
pub(crate) const CODE_BUCKET: &str = "CodeBucket";

/// The template of the deployer's own stack.
const ARTIFACTS_TEMPLATE: &str = include_str!("artifacts.yaml");

/// CloudFormation's limit for a template in a request, in bytes. A larger one goes through the bucket of packages.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub(crate) const LARGEST_IN_REQUEST_BYTES: usize = 51_200;

/// What may come to a template as it is sent: in bytes, of each template and, where the stage has a boundary, of each of its
/// roles, beside the boundary's name.
const ADDED_BYTES: usize = 2_048;
/// See [`ADDED_BYTES`].
const ADDED_TO_ROLE_BYTES: usize = 128;

/// Room in a stack's name of 128 characters for project and stage (20 each), a region and the hyphens.
const LONGEST_ID: usize = 64;

/// Slips beside the first that an error tells.
const MOST_TOLD: usize = 9;

/// Whether a template, as it is sent, is too large for a request.
pub(crate) fn is_large(template: &Template) -> bool {
    template.to_json().len() > LARGEST_IN_REQUEST_BYTES
}

/// Reads the templates of the folder `stacks`, by id.
///
/// # Errors
/// A file is no template, or two of them would be one stack.
pub(crate) fn read(stacks: &Path) -> Result<BTreeMap<StackId, StackTemplate>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(stacks)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| {
            Error::new(
                ErrorKind::InvalidProject,
                format!("could not read the folder {}", stacks.display()),
            )
            .cause(error)
            .hint("Make it readable, then run the same command again.")
        })?;
    files.retain(|file| is_template(file));
    files.sort();
    let mut found: BTreeMap<StackId, StackTemplate> = BTreeMap::new();
    for file in files {
        let stack = StackTemplate::read(&file)?;
        let same = |other: &&StackTemplate| other.id.as_str().eq_ignore_ascii_case(stack.id.as_str());
        if let Some(other) = found.values().find(same) {
            let how = if other.id == stack.id {
                "the same"
            } else {
                "the same but for case"
            };
            return Err(Error::new(ErrorKind::InvalidProject, format!(
                "{} and {} would be one stack: their names are {how}",
                other.file.display(),
                file.display()
            ))
            .hint("Rename one of the two files: a stack is called after its file, and AWS tells some names apart by case and some not."));
        }
        found.insert(stack.id.clone(), stack);
    }
    Ok(found)
}

/// Whether a file in `stacks/` is to be read as a template; by its name. Hidden files are editors'.
fn is_template(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    matches!(extension, Some("yaml" | "yml" | "json"))
        && !stem.starts_with('.')
        && !SETTINGS.contains(&stem)
        && !file.is_dir()
}

impl StackTemplate {
    fn read(file: &Path) -> Result<Self> {
        let id = file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        check_id(&id, file)?;
        let text: Arc<str> = source::read(file)?.into();
        Self::parse(StackId::new(&id), file.to_owned(), text)
    }

    /// The deployer's own stack, with the bucket of packages.
    ///
    /// # Errors
    /// None: its template is part of the program, and is tested.
    pub(crate) fn artifacts() -> Result<Self> {
        let file = PathBuf::from("the deployer's own template");
        Self::parse(StackId::new(ARTIFACTS), file, ARTIFACTS_TEMPLATE.into())
    }

    /// A stack as it was deployed from a template that this folder needn't have: nothing of it stands in a file.
    pub(crate) fn deployed(id: StackId, template: Template) -> Self {
        Self {
            id,
            file: PathBuf::new(),
            text: "".into(),
            template,
            region: None,
            warnings: Vec::new(),
            tree: OnceLock::new(),
        }
    }

    /// Whether the site is published to it.
    pub(crate) fn is_site(&self) -> bool {
        [SITE_BUCKET, DISTRIBUTION_ID]
            .iter()
            .all(|output| self.template.has_output(output))
    }

    /// Refuses slips that can be seen in the template alone: references to what isn't there, misspelt types and properties.
    ///
    /// # Errors
    /// Shows the first, and names the others.
    pub(crate) fn check(&self) -> Result<()> {
        let slips = template::slips(&self.template);
        let Some((first, others)) = slips.split_first() else {
            return Ok(());
        };
        let error = self.error(&keys(first), first.what.as_str()).hint(&first.next_step);
        // What stands behind an alias is found as often as that stands somewhere.
        let mut told = BTreeSet::from([(self.place(&keys(first)).to_string(), first.what.as_str())]);
        let others = others
            .iter()
            .filter(|slip| told.insert((self.place(&keys(slip)).to_string(), slip.what.as_str())))
            .take(MOST_TOLD);
        Err(others.fold(error, |error, slip| {
            // On a terminal a label has the rest of a line.
            let label = match slip.next_step.split_once('?') {
                Some((near, _)) => format!("{near}?"),
                None => slip.what.clone(),
            };
            self.point(error, &keys(slip), &label)
        }))
    }

    /// Whether its template may be too large for a request, once all is in it that is put in before it is sent.
    pub(crate) fn may_be_large(&self, boundary: Option<&str>) -> bool {
        let roles = self.template.resources();
        let roles = roles
            .filter(|(_, resource)| Template::type_of(resource) == "AWS::IAM::Role")
            .count();
        let of_roles = boundary.map_or(0, |boundary| roles * (ADDED_TO_ROLE_BYTES + boundary.len()));
        self.template.to_json().len() + ADDED_BYTES + of_roles > LARGEST_IN_REQUEST_BYTES
    }

    /// Bad input: what stands at `path` of the template.
    pub(crate) fn error(&self, path: &[&str], what: impl Into<String>) -> Error {
        self.place(path).refuse(Error::new(ErrorKind::InvalidProject, what))
    }

    /// The place of what stands at `path` of the template.
    pub(crate) fn place(&self, path: &[&str]) -> Place {
        let tree = self
            .tree
            .get_or_init(|| source::tree(&self.text, &self.file).ok().map(Arc::new));
        source::at_path(&self.file, Arc::clone(&self.text), tree.as_deref(), path)
    }

    /// Points an error to what stands at `path` of the template, too.
    pub(crate) fn point(&self, error: Error, path: &[&str], label: &str) -> Error {
        self.place(path).label(label).show_in(error)
    }

    fn parse(id: StackId, file: PathBuf, text: Arc<str>) -> Result<Self> {
        let (template, warnings) = Template::parse(&text, &file)?;
        let region = match template.said_to_deployer("Region") {
            None => None,
            Some(region) => Some(region.as_str().map(str::to_owned).ok_or_else(|| {
                source::at(&file, &text, &["Metadata", "Deployer", "Region"])
                    .refuse(Error::new(ErrorKind::InvalidProject, "`Region` is no text"))
                    .hint("Write a region's name, such as us-east-1.")
            })?),
        };
        Ok(Self {
            id,
            file,
            text,
            template,
            region,
            warnings,
            tree: OnceLock::new(),
        })
    }
}

#[cfg(test)]
impl StackTemplate {
    /// A stack for a test.
    pub(crate) fn of_text(id: &str, text: &str) -> Self {
        Self::parse(
            StackId::new(id),
            PathBuf::from(format!("stacks/{id}.yaml")),
            text.into(),
        )
        .unwrap_or_else(|error| panic!("{error}"))
    }
}

fn keys(slip: &template::Slip) -> Vec<&str> {
    slip.path.iter().map(String::as_str).collect()
}

/// The id becomes part of the stack's name, and of the names that templates make of that.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>
fn check_id(id: &str, file: &Path) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !id.starts_with(|c: char| c.is_ascii_alphabetic()) || !id.chars().all(legal) {
        return Err(Error::new(
            ErrorKind::InvalidProject,
            format!("{}: `{id}` can't be a part of a stack's name", file.display()),
        )
        .hint(
            "A stack is called after its template's file: rename it with letters, digits and hyphens only, beginning \
             with a letter. A file that is no template doesn't belong into stacks/.",
        ));
    }
    if id.len() > LONGEST_ID {
        return Err(Error::new(
            ErrorKind::InvalidProject,
            format!(
                "{}: the name has {} characters; {LONGEST_ID} is the most",
                file.display(),
                id.len()
            ),
        )
        .hint("A stack is called after its template's file: give it a shorter name."));
    }
    if STEPS.contains(&id) {
        return Err(Error::new(
            ErrorKind::InvalidProject,
            format!("{}: a stack can't be called `{id}`", file.display()),
        )
        .hint(format!(
            "`deployer up --only {id}` names a step of its own: give the file another name."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Resources: { R: { Type: AWS::SNS::Topic } }";

    fn read_files(files: &[(&str, &str)]) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("written");
        }
        Ok(read(dir.path())?.keys().map(ToString::to_string).collect())
    }

    #[test]
    fn every_template_is_a_stack_whatever_it_is_called() {
        let json = r#"{"Resources": {"R": {"Type": "AWS::SNS::Topic"}}}"#;
        let files = [
            ("zoo.yaml", TEMPLATE),
            ("Api2.yml", TEMPLATE),
            ("queue-a.json", json),
            ("stages.yaml", "x"),
            ("seed.yaml", "x"),
            ("verify.yaml", "x"),
            ("README.md", "x"),
            (".hidden.yaml", "x"),
        ];
        assert_eq!(read_files(&files).expect("valid"), ["Api2", "queue-a", "zoo"]);
    }

    #[test]
    fn what_is_no_template_or_no_name_is_refused() {
        for (files, word) in [
            (&[("a.yaml", "Resource: {}")][..], "has no `Resources:`"),
            (&[("a.yaml", TEMPLATE), ("a.json", "{}")], "has no `Resources:`"),
            (&[("a.yaml", TEMPLATE), ("a.yml", TEMPLATE)], "would be one stack"),
            (&[("Api.yaml", TEMPLATE), ("api.yaml", TEMPLATE)], "but for case"),
            (&[("my_stack.yaml", TEMPLATE)], "can't be a part of a stack's name"),
            (&[("api.v2.yaml", TEMPLATE)], "can't be a part of a stack's name"),
            (&[("site.yaml", TEMPLATE)], "can't be called `site`"),
        ] {
            let error = read_files(files).expect_err(word);
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.next_step().is_some());
        }
    }

    #[test]
    fn the_deployers_own_template_is_one() {
        let artifacts = StackTemplate::artifacts().expect("valid");
        assert!(artifacts.template.has_output(CODE_BUCKET));
    }
}
