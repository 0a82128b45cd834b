//! What a run tells: commands emit events, a reporter shows them. Only this module prints.
//!
//! Results go to stdout; events, questions and errors go to stderr, so that a pipe gets the result alone.

mod changes;
pub(crate) mod event;
mod excerpt;
mod github;
mod human;
mod layout;
mod log_line;
mod next_step;
mod pulse;
mod tree;

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Excerpt, Exit, OrFail, Result};
use crate::ident::fresh_token;
use crate::text::{all_visible, quoted_for_shell, visible};
pub(crate) use changes::{property_change, shortened, stack_changes, written};
pub(crate) use event::{Event, Part, StackChanges};
use github::Github;
pub(crate) use github::{Annotation, Weight, markdown};
use human::Human;
use layout::Layout;
pub(crate) use log_line::{Level, LogLine, Report};
pub(crate) use next_step::Flags;
use pulse::Pulse;

/// "2 added, 1 overwritten": what there are any of.
pub(crate) fn counted(counts: &[(usize, &str)]) -> String {
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

/// The command that shows a function's log, as hints name it.
pub(crate) fn logs_command(function: &str) -> String {
    format!("`deployer logs --function {}`", quoted_for_shell(function))
}

/// A command's result: a document for programs, and a text for people.
pub(crate) trait CommandResult: Serialize {
    /// The version of the document, which it has as its `schema`: it grows when something in it is taken away or means
    /// something else. None of what others have written, which is passed on as it is.
    const SCHEMA: Option<u32> = Some(1);

    /// The text; `paint` colours it if colours are wanted.
    fn text(&self, paint: &Paint) -> String;

    /// What GitHub is to show of it where it was found.
    fn annotations(&self) -> Vec<Annotation> {
        Vec::new()
    }

    /// The same for the summary of a job there, in Markdown.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    Text,
    /// One JSON document on stdout; events as JSON lines on stderr.
    Json,
    /// Text for people, with annotations and a job's summary for GitHub Actions.
    Github,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless NO_COLOR says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a run is told.
#[derive(Debug)]
pub struct Options {
    /// How results are written.
    pub format: Format,
    /// When to use colour.
    pub color: Color,
    /// Show results, warnings and errors only.
    pub quiet: bool,
    /// Show every resource's events.
    pub verbose: bool,
    /// Take every question's answer for yes.
    pub yes: bool,
    /// What the commands in hints are completed by.
    pub flags: Flags,
}

/// Shows events, asks questions and prints results.
#[derive(Debug)]
pub(crate) struct Reporter {
    style: Style,
    /// The job that it is told to as well.
    github: Option<Github>,
    yes: bool,
    /// Whether a question would be read and answered.
    somebody_there: bool,
    flags: Flags,
    /// None where something moves on a terminal as long as something is done.
    pulse: Option<Pulse>,
    /// One question at a time: parts that run beside one another may have some.
    questions: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Style {
    Human(Human),
    Json,
}

/// Stands around what [`Paint`] adds to a text, until the text is printed. Nobody can guess it, so what others wrote can't
/// pass for it.
static MARK: LazyLock<String> = LazyLock::new(|| format!("\u{fdd0}{}\u{fdd1}", fresh_token()));

/// `added` as part of a text that is still to be printed.
fn marked(added: impl fmt::Display) -> String {
    format!("{0}{added}{0}", *MARK)
}

/// A text as it is printed: of all that would act on the terminal it has what was painted, and nothing else.
fn printable(text: &str) -> String {
    let parts = text.split(MARK.as_str()).enumerate();
    parts
        .map(|(index, part)| {
            if index % 2 == 1 {
                part.to_owned()
            } else {
                all_visible(part)
            }
        })
        .collect()
}

/// A JSON text in which nothing acts on the terminal: what JSON itself doesn't escape is escaped, which changes no value.
fn printable_json(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() || visible(c) == c {
            printable.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                printable.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    printable
}

/// Colours text, or doesn't.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    enabled: bool,
}

impl Paint {
    fn new(color: Color, terminal: bool) -> Self {
        Self {
            enabled: match color {
                Color::Auto => is_wanted(terminal, |name| std::env::var_os(name)),
                Color::Always => true,
                Color::Never => false,
            },
        }
    }

    /// One that doesn't colour.
    pub(crate) fn none() -> Self {
        Self { enabled: false }
    }

    /// Whether it colours.
    fn is_enabled(self) -> bool {
        self.enabled
    }

    /// `text` in `style`.
    pub(crate) fn paint(&self, style: anstyle::Style, text: &str) -> String {
        if self.enabled {
            format!("{}{text}{}", marked(style), marked(format_args!("{style:#}")))
        } else {
            text.to_owned()
        }
    }

    /// `text` in a colour.
    pub(crate) fn color(&self, color: anstyle::AnsiColor, text: &str) -> String {
        self.paint(anstyle::Style::new().fg_color(Some(color.into())), text)
    }

    /// `text` in bold.
    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint(anstyle::Style::new().bold(), text)
    }

    /// `text`, less loud.
    pub(crate) fn dim(&self, text: &str) -> String {
        self.paint(anstyle::Style::new().dimmed(), text)
    }
}

/// Whether colours are, as the environment has it: a terminal's, unless somebody doesn't want them, or wants them anywhere.
fn is_wanted(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_forced = || variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
    let can = || variable("TERM").is_some_and(|name| name != "dumb");
    variable("NO_COLOR").is_none() && (is_forced() || terminal && can())
}

/// How many columns a terminal has; none for what is no terminal.
fn columns(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

impl Reporter {
    /// A reporter that tells what it is told in the way that is asked for.
    pub(crate) fn new(options: Options) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let automated = is_automated(std::env::var_os("CI").as_deref());
        let automated = automated || options.format == Format::Github;
        let animated = terminal && !options.quiet && !automated;
        let ascii = layout::is_ascii(|name| std::env::var_os(name));
        // Who keeps what a build server shows breaks lines as they like.
        let layout = |columns: Option<usize>| Layout {
            columns: columns.filter(|_| !automated),
            ascii,
        };
        Self {
            style: match options.format {
                Format::Text | Format::Github => Style::Human(
                    Human::new(
                        Paint::new(options.color, terminal),
                        Paint::new(options.color, std::io::stdout().is_terminal()),
                        layout(columns(std::io::stderr())),
                        layout(columns(std::io::stdout())),
                        animated,
                        options.quiet,
                        options.verbose,
                    )
                    .inert_if(options.format == Format::Github),
                ),
                Format::Json => Style::Json,
            },
            github: (options.format == Format::Github).then(Github::of_this_job),
            pulse: (options.format == Format::Json || !(animated || options.quiet)).then(Pulse::default),
            yes: options.yes,
            somebody_there: terminal && std::io::stdin().is_terminal() && !automated,
            flags: options.flags,
            questions: tokio::sync::Mutex::default(),
        }
    }

    /// Shows an event.
    pub(crate) fn event(&self, event: &Event) {
        if let Some(pulse) = &self.pulse {
            pulse.saw(event, Instant::now());
        }
        self.show(event);
    }

    /// Gives a sign of life each minute in which nothing else does, for ever.
    pub(crate) async fn beat(&self) -> Infallible {
        loop {
            tokio::time::sleep(pulse::SILENCE / 6).await;
            let due = self.pulse.iter().flat_map(|pulse| pulse.due(Instant::now()));
            due.for_each(|event| self.show(&event));
        }
    }

    fn show(&self, event: &Event) {
        match &self.style {
            Style::Human(human) => human.event(event),
            Style::Json => json_line(event),
        }
        if let Event::Warning { message } = event {
            self.annotate(&[Annotation {
                weight: Weight::Warning,
                title: "deployer".to_owned(),
                message: message.clone(),
                place: None,
            }]);
        }
    }

    /// Has GitHub show something, if it is told to a job there.
    fn annotate(&self, annotations: &[Annotation]) {
        let Some(github) = &self.github else { return };
        let commands: String = annotations.iter().map(|one| github.command(one)).collect();
        // Nobody reads it any more: there is nothing to be told then.
        let _ = self.print(commands);
    }

    /// Shorthand for [`Event::Working`].
    pub(crate) fn working(&self, part: &str, message: impl Into<String>) {
        self.event(&Event::Working {
            part: part.to_owned(),
            message: message.into(),
        });
    }

    /// Shorthand for [`Event::Finished`].
    pub(crate) fn finished(&self, part: &str, message: impl Into<String>, changed: bool) {
        self.event(&Event::Finished {
            part: part.to_owned(),
            message: message.into(),
            changed,
        });
    }

    /// Shorthand for [`Event::Stopped`].
    pub(crate) fn stopped(&self, part: &str, message: impl Into<String>) {
        self.event(&Event::Stopped {
            part: part.to_owned(),
            message: message.into(),
        });
    }

    /// Shorthand for [`Event::Warning`].
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.event(&Event::Warning {
            message: message.into(),
        });
    }

    /// Tells a person something that a program has no use for.
    pub(crate) fn note(&self, message: impl Into<String>) {
        if let Style::Human(human) = &self.style {
            human.note(&message.into());
        }
    }

    /// Tells a person how long all of it took.
    pub(crate) fn ended(&self, command: &str, took: Duration) {
        if let Style::Human(human) = &self.style {
            human.ended(command, took);
        }
    }

    /// Prints a command's result on stdout.
    ///
    /// # Errors
    /// Stdout can't be written; a closed pipe is no error, since whoever read it has enough.
    pub(crate) fn result<T: CommandResult>(&self, outcome: &T) -> Result<()> {
        let text = match &self.style {
            Style::Human(human) => human.result(&self.flags.add_to(&outcome.text(&human.stdout))),
            Style::Json => {
                let document = match T::SCHEMA {
                    Some(schema) => versioned(schema, outcome),
                    None => serde_json::to_string(outcome),
                };
                let document = document.or_fail(|| "could not write the result".to_owned())?;
                printable_json(&document) + "\n"
            }
        };
        self.print(text)?;
        if let Some(github) = &self.github {
            self.annotate(&outcome.annotations());
            outcome.summary().iter().for_each(|summary| github.summarize(summary));
        }
        Ok(())
    }

    /// Prints what others have written as a result: no command in it is ours to complete.
    ///
    /// # Errors
    /// As [`Reporter::result`].
    pub(crate) fn answer(&self, answer: &impl CommandResult) -> Result<()> {
        match &self.style {
            Style::Human(human) => self.print(human.inert(&printable(&answer.text(&human.stdout))).as_bytes()),
            Style::Json => self.result(answer),
        }
    }

    /// Prints lines of logs on stdout, with `width` characters for functions' names; a line each, whatever the format.
    /// Returns whether anybody reads on.
    ///
    /// # Errors
    /// Stdout can't be written.
    pub(crate) fn log_lines(&self, lines: &[LogLine], width: usize) -> Result<bool> {
        let mut text = String::new();
        for line in lines {
            match &self.style {
                Style::Human(human) if human.shows(line) => {
                    text += &human.inert(&printable(&line.text(&human.stdout, width)));
                }
                Style::Human(_) => {}
                Style::Json => {
                    let document = versioned(LOG_LINES, line).or_fail(|| "could not write a line".to_owned())?;
                    text += &printable_json(&document);
                    text.push('\n');
                }
            }
        }
        self.write(text)
    }

    /// Shorthand for [`Event::Log`].
    pub(crate) fn log(&self, line: &LogLine) {
        self.event(&Event::Log(Box::new(line.clone())));
    }

    /// Whether results are documents.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self.style, Style::Json)
    }

    /// Prints text on stdout as it is.
    pub(crate) fn print(&self, text: impl AsRef<[u8]>) -> Result<()> {
        self.write(text).map(drop)
    }

    /// The same; returns whether anybody reads on.
    fn write(&self, text: impl AsRef<[u8]>) -> Result<bool> {
        if let Style::Human(human) = &self.style {
            human.clear();
        }
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::failed("could not write the result").cause(error)),
        }
    }

    /// `text` with the flags of this run added to the commands in it, so that they work on the same stage.
    pub(crate) fn next_step(&self, text: &str) -> String {
        self.flags.add_to(text)
    }

    /// Shows an error: what, why, and what to do next. `exit` is what the process ends with.
    pub(crate) fn error(&self, error: &Error, exit: Exit) {
        let mut next: Vec<String> = error.next_steps().iter().map(|step| self.next_step(step)).collect();
        if next.is_empty() {
            next.push("-v shows more of what happened.".to_owned());
        }
        match &self.style {
            Style::Human(human) => human.error(error, &next),
            Style::Json => error_line(error, &next, exit),
        }
        // What checks found they have said themselves.
        if let Some(github) = self.github.as_ref().filter(|_| error.kind() != ErrorKind::Unverified) {
            self.annotate(&github::of_error(error, &next));
            github.summarize(&github::summary_of_error(error, &next));
        }
    }

    /// Whether a question would be asked and answered by somebody.
    pub(crate) fn can_ask(&self) -> bool {
        self.somebody_there && !self.yes && matches!(self.style, Style::Human(_))
    }

    /// Asks before something is lost: `what` is about to be done ("remove the stage dev"), `losses` names what goes
    /// with it, a line each. `otherwise` says what is so after a no ("Nothing was changed."). Returns
    /// whether somebody was asked: then time has passed.
    ///
    /// # Errors
    /// The answer is no, or nobody can be asked and `--yes` wasn't given (exit 5).
    pub(crate) async fn confirm(&self, what: &str, losses: &[String], otherwise: &str) -> Result<bool> {
        let _alone = self.questions.lock().await;
        self.event(&Event::Losing {
            what: what.to_owned(),
            losses: losses.to_vec(),
        });
        if self.yes {
            return Ok(false);
        }
        let refused = Error::new(ErrorKind::Declined, format!("did not {what}"));
        match &self.style {
            Style::Human(human) if self.somebody_there => {
                if human.ask("Continue? [y/N] ").await {
                    Ok(true)
                } else {
                    Err(refused.cause("you didn't say yes").hint(format!(
                        "{otherwise} Run the same command again, and answer y, if this is what you want."
                    )))
                }
            }
            _ => Err(refused
                .cause("nobody can be asked here")
                .hint(format!("{otherwise} Say --yes if this is what you want."))),
        }
    }
}

/// Whether the variable `CI` says that no person is there, as build servers set it: some run their jobs on a terminal.
fn is_automated(ci: Option<&OsStr>) -> bool {
    let value = ci
        .map(|value| value.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    !matches!(value.as_str(), "" | "0" | "false" | "no")
}

fn place(excerpt: &Excerpt) -> Value {
    let (line, column) = excerpt.position();
    json!({ "file": excerpt.file, "line": line, "column": column, "label": excerpt.label })
}

fn error_line(error: &Error, next: &[String], exit: Exit) {
    json_line(&json!({
        "event": "error",
        "code": error.kind(),
        "message": error.message(),
        "causes": error.causes().collect::<Vec<_>>(),
        "places": error.excerpts().iter().map(place).collect::<Vec<_>>(),
        "nextSteps": next,
        "exitCode": exit as u8,
    }));
}

/// Tells a program what is wrong with its command line.
pub(crate) fn wrong_usage(error: &Error) {
    error_line(error, error.next_steps(), Exit::Usage);
}

/// The version of the events' form: it grows when something in it is taken away or means something else.
const EVENTS: u32 = 1;

/// The same of the lines of functions' logs.
const LOG_LINES: u32 = 1;

/// What programs are told, as it is written: its version first.
fn versioned(schema: u32, content: &impl Serialize) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        schema: u32,
        #[serde(flatten)]
        content: &'a T,
    }
    serde_json::to_string(&Versioned { schema, content })
}

fn json_line(event: &impl Serialize) {
    let line = versioned(EVENTS, event)
        .unwrap_or_else(|error| json!({ "event": "warning", "message": error.to_string() }).to_string());
    stderr_line(&printable_json(&line));
}

/// Writes a line to stderr. Unlike `eprintln!` this doesn't panic when nobody reads it any more: a deployment goes on.
fn stderr_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_painted_acts_on_the_terminal() {
        let paint = Paint { enabled: true };
        let wild = "\u{1b}[8mhidden\u{9b}0m\u{fdd0}x\u{fdd1}";
        let text = format!("{} {wild} {}", paint.bold("name"), paint.dim(wild));
        let shown = "␛[8mhidden\u{fffd}0m\u{fdd0}x\u{fdd1}";
        assert_eq!(
            printable(&text),
            format!("\u{1b}[1mname\u{1b}[0m {shown} \u{1b}[2m{shown}\u{1b}[0m")
        );
        assert_eq!(Paint { enabled: false }.bold("a"), "a");
    }

    #[test]
    fn json_keeps_its_values_and_shows_them_as_ascii() {
        let text = "\u{1b}\u{9b}\u{202e}\u{e0041}\u{2028}ü漢";
        let written = printable_json(&json!(text).to_string());
        assert!(!written.chars().any(|c| visible(c) != c), "{written:?}");
        assert!(written.contains("ü漢"), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).expect("JSON"), text);
    }

    #[test]
    fn colours_are_where_somebody_wants_them() {
        let wanted = |terminal, variables: &[(&str, &str)]| {
            is_wanted(terminal, |name| {
                let found = variables.iter().find(|(own, _)| *own == name);
                found.map(|(_, value)| value.into())
            })
        };
        assert!(wanted(true, &[("TERM", "xterm")]));
        assert!(!wanted(true, &[("TERM", "dumb")]));
        assert!(!wanted(true, &[]));
        assert!(!wanted(false, &[("TERM", "xterm")]));
        assert!(wanted(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!wanted(false, &[("CLICOLOR_FORCE", "0"), ("TERM", "xterm")]));
        assert!(!wanted(
            true,
            &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1"), ("TERM", "xterm")]
        ));
    }

    #[test]
    fn ci_is_what_build_servers_set() {
        for (value, automated) in [
            ("true", true),
            ("1", true),
            ("yes", true),
            ("false", false),
            ("False", false),
            ("0", false),
            ("", false),
        ] {
            assert_eq!(is_automated(Some(OsStr::new(value))), automated, "{value}");
        }
        assert!(!is_automated(None));
    }
}
