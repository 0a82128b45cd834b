//! What GitHub Actions shows of a run: annotations beside the lines of a pull request that they are about, and a summary of the job.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Excerpt};
use crate::text::all_visible;

/// How much an annotation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It failed.
    Error,
    /// It is to be known.
    Warning,
}

/// Something that GitHub is to show where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// How much it weighs.
    pub weight: Weight,
    /// A few words.
    pub title: String,
    /// The sentence.
    pub message: String,
    /// The file, its line and column, if it is about one.
    pub place: Option<(PathBuf, usize, usize)>,
}

/// Where a job's summary goes, and what files are told from.
#[derive(Debug)]
pub(super) struct Github {
    summary: Option<PathBuf>,
    /// The repository's folder; files are named from there.
    root: Option<PathBuf>,
    here: Option<PathBuf>,
}

impl Github {
    pub(super) fn of_this_job() -> Self {
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        Self {
            summary: path("GITHUB_STEP_SUMMARY"),
            root: path("GITHUB_WORKSPACE"),
            here: std::env::current_dir().ok(),
        }
    }

    /// The command that makes GitHub show it.
    pub(super) fn command(&self, annotation: &Annotation) -> String {
        let kind = match annotation.weight {
            Weight::Error => "error",
            Weight::Warning => "warning",
        };
        let mut properties = Vec::new();
        if let Some((file, line, column)) = &annotation.place {
            let file = self.in_repository(file);
            properties.push(format!("file={}", property(&file.to_string_lossy())));
            properties.push(format!("line={line},col={column}"));
        }
        properties.push(format!("title={}", property(&annotation.title)));
        format!("::{kind} {}::{}\n", properties.join(","), data(&annotation.message))
    }

    /// A file's path from the repository's folder.
    fn in_repository(&self, file: &Path) -> PathBuf {
        let whole = self.here.as_ref().map(|here| here.join(file));
        let inner = whole.as_deref().zip(self.root.as_deref());
        let inner = inner.and_then(|(whole, root)| whole.strip_prefix(root).ok());
        inner.unwrap_or(file).to_owned()
    }

    /// Adds to the job's summary, if there is one. That it can't is nothing to fail for.
    pub(super) fn summarize(&self, markdown: &str) {
        let Some(file) = &self.summary else { return };
        let opened = OpenOptions::new().append(true).create(true).open(file);
        let _ = opened.and_then(|mut file| file.write_all(markdown.as_bytes()));
    }
}

/// The annotations of an error: one for each part of a file that it is about, or one without.
pub(super) fn of_error(error: &Error, next: &[String]) -> Vec<Annotation> {
    let mut message = error.message().to_owned();
    for cause in error.causes() {
        message.push_str(&format!("\n{}", cause.trim_end()));
    }
    if let Some(next) = next.first() {
        message.push_str(&format!("\n{next}"));
    }
    let annotation = |place: Option<&Excerpt>| Annotation {
        weight: Weight::Error,
        title: format!("deployer: {}", error.kind().code()),
        message: message.clone(),
        place: place.map(|excerpt| {
            let (line, column) = excerpt.position();
            (PathBuf::from(&excerpt.file), line, column)
        }),
    };
    match error.excerpts() {
        [] => vec![annotation(None)],
        excerpts => excerpts.iter().map(|excerpt| annotation(Some(excerpt))).collect(),
    }
}

/// The same in Markdown.
pub(super) fn summary_of_error(error: &Error, next: &[String]) -> String {
    let mut text = format!("### ❌ {}\n\n", markdown(error.message()));
    for cause in error.causes() {
        text.push_str(&format!("- {}\n", markdown(cause.trim_end())));
    }
    for step in next {
        text.push_str(&format!("\n**Next:** {}\n", markdown(step)));
    }
    text + "\n"
}

/// A text as Markdown shows it, whatever is in it: as it is, on one line.
pub(crate) fn markdown(text: &str) -> String {
    let visible = all_visible(text);
    let mut escaped = String::with_capacity(visible.len());
    for c in visible.chars() {
        match c {
            '\n' | '\r' => escaped.push(' '),
            '\\' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '@' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line of which GitHub takes nothing for a command: those begin with two colons, whatever blanks are before them, or in the old
/// way with `##[`.
pub(super) fn inert(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| {
        let line = line.trim_start();
        line.starts_with("::") || line.contains("##[")
    };
    if !text.lines().any(is_command) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n').map(|line| {
        if is_command(line) {
            line.replacen("::", ": :", 1).replace("##[", "# #[")
        } else {
            line.to_owned()
        }
    });
    Cow::Owned(lines.collect())
}

/// As the runner reads a command's text.
fn data(text: &str) -> String {
    let visible: String = text.split('\n').map(all_visible).collect::<Vec<_>>().join("\n");
    visible.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it reads the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn github() -> Github {
        Github {
            summary: None,
            root: Some("/work/shop".into()),
            here: Some("/work/shop/app".into()),
        }
    }

    #[test]
    fn an_annotation_is_a_command_whatever_is_in_it() {
        let annotation = Annotation {
            weight: Weight::Error,
            title: "deployer: a, b".into(),
            message: "100% wrong:\n::error::x\u{1b}[0m".into(),
            place: Some(("stacks/a:b.yaml".into(), 3, 5)),
        };
        assert_eq!(
            github().command(&annotation),
            "::error file=app/stacks/a%3Ab.yaml,line=3,col=5,title=deployer%3A a%2C b::100%25 wrong:%0A::error::x␛[0m\n"
        );
        let bare = Annotation {
            weight: Weight::Warning,
            place: None,
            ..annotation
        };
        assert!(github().command(&bare).starts_with("::warning title="));
    }

    #[test]
    fn nothing_that_is_told_is_a_command() {
        for (told, shown) in [
            ("all is well", "all is well"),
            ("  ::add-mask::x", "  : :add-mask::x"),
            ("a\n::stop-commands::x\nb :: c", "a\n: :stop-commands::x\nb :: c"),
            ("x ##[command]y", "x # #[command]y"),
        ] {
            assert_eq!(inert(told), shown);
        }
    }

    #[test]
    fn markdown_shows_text_as_it_is() {
        assert_eq!(
            markdown("a*b <img src=x> [l](u) | @team\n#1 `x`"),
            "a\\*b &lt;img src=x&gt; \\[l\\](u) \\| \\@team \\#1 `x`"
        );
    }
}
