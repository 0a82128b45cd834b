//! Events as people read them: spinners on a terminal, plain lines in a pipe.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anstyle::AnsiColor;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::changes::stack_changes;
use super::event::{Part, Severity, StackAction, StackChanges};
use super::layout::Layout;
use super::tree::Tree;
use super::{Event, LogLine, Paint, excerpt, github, marked, printable, stderr_line};
use crate::clock;
use crate::error::{Error, ErrorKind};

/// The least room for a part's name, in characters.
const NARROWEST: usize = 12;

/// What turns while something is done.
const TICKS: &str = "⠁⠂⠄⡀⢀⠠⠐⠈ ";

/// Where a line goes on that is told as one.
const CONTINUED: &str = "\n          ";

/// In a log a part has a line when it begins and when it ends, and what it says in between at most as often as this: enough
/// to tell slow from stuck, and for CI systems that end what is silent.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Human {
    stderr: Paint,
    pub(super) stdout: Paint,
    layout: Layout,
    result: Layout,
    quiet: bool,
    verbose: bool,
    /// Whether lines are read for commands, and ours are to be none.
    inert: bool,
    progress: Option<MultiProgress>,
    /// Whether a question stands there that nobody has answered.
    asking: AtomicBool,
    parts: Mutex<Parts>,
    /// Room for the longest name of a part that was seen, in characters.
    width: AtomicUsize,
}

/// What is done and what is to be done.
#[derive(Debug, Default)]
struct Parts {
    running: HashMap<String, Running>,
    /// What isn't done of that which was announced.
    tree: Tree,
    /// The rows of those parts that nothing has been said of yet, on a terminal.
    waiting: HashMap<String, ProgressBar>,
}

impl Parts {
    /// The row of a part that isn't done.
    fn bar(&self, name: &str) -> Option<&ProgressBar> {
        let running = self.running.get(name).and_then(|running| running.bar.as_ref());
        running.or_else(|| self.waiting.get(name))
    }
}

#[derive(Debug)]
struct Running {
    since: Instant,
    /// When a line was last written of it.
    told: Instant,
    bar: Option<ProgressBar>,
}

impl Human {
    pub(super) fn new(
        stderr: Paint,
        stdout: Paint,
        layout: Layout,
        result: Layout,
        animated: bool,
        quiet: bool,
        verbose: bool,
    ) -> Self {
        Self {
            stderr,
            stdout,
            layout,
            result,
            quiet,
            verbose,
            inert: false,
            // A terminal without a name, or one called dumb, can't be drawn on; what is drawn there is lost.
            progress: animated
                .then(MultiProgress::new)
                .filter(|progress| !progress.is_hidden()),
            asking: AtomicBool::new(false),
            parts: Mutex::default(),
            width: AtomicUsize::new(NARROWEST),
        }
    }

    /// A part's name, with blanks up to where the others' texts begin.
    fn name(&self, part: &str) -> String {
        let own = part.chars().count();
        let width = self.width.fetch_max(own, Ordering::Relaxed).max(own);
        format!("{part:width$}")
    }

    /// Writes a line, whatever moves below it and whatever the terminal can draw. Should the text have several, those after
    /// the first can't be taken for other lines of ours.
    fn line(&self, text: &str) {
        self.whole_line(&self.layout.set(&printable(&text.replace('\n', CONTINUED))));
    }

    /// Writes a line of what goes on: where nothing moves that shows how long it takes, with the time. GitHub shows it itself.
    fn progress_line(&self, text: &str) {
        if self.progress.is_some() || self.inert {
            self.line(text);
        } else {
            let now = self.stderr.dim(&clock::time_of_day(SystemTime::now()));
            self.line(&format!("{now}{text}"));
        }
    }

    /// Writes a line as it is.
    fn whole_line(&self, text: &str) {
        let text = &self.inert(text);
        let write = || {
            if self.asking.swap(false, Ordering::Relaxed) {
                // The question is still the last thing on its line.
                stderr_line("");
            }
            stderr_line(text);
        };
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }

    /// Whether a line of a log says something that people want to know.
    pub(super) fn shows(&self, line: &LogLine) -> bool {
        self.verbose || !line.is_noise
    }

    /// Removes what moves, so that what follows stands alone.
    pub(super) fn clear(&self) {
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        let running = parts.running.into_values().filter_map(|running| running.bar);
        running
            .chain(parts.waiting.into_values())
            .for_each(|bar| bar.finish_and_clear());
    }

    pub(super) fn event(&self, event: &Event) {
        if self.quiet && !matches!(event, Event::Warning { .. } | Event::Losing { .. }) {
            return;
        }
        match event {
            Event::Target {
                project,
                stage,
                account,
                region,
                endpoint,
            } => {
                let place = match endpoint {
                    Some(endpoint) => format!("{endpoint}, {region}"),
                    None => format!("AWS account {account}, {region}"),
                };
                self.line(&format!(
                    "{} {}",
                    self.stderr.bold(&format!("{project} {stage}")),
                    self.stderr.dim(&format!("on {place}"))
                ));
            }
            Event::Plan { stacks } => {
                // What follows is about these: it begins at one place from the first line on.
                for stack in stacks {
                    self.name(&stack.id);
                }
                self.plan(stacks);
            }
            Event::Parts { parts } => self.announce(parts),
            Event::Working { part, message } => self.working(part, message),
            Event::Finished { part, message, changed } => {
                let symbol = if *changed {
                    self.stderr.color(AnsiColor::Green, "✓")
                } else {
                    self.stderr.dim("·")
                };
                self.end(part, &symbol, message);
            }
            Event::Stopped { part, message } => {
                self.end(part, &self.stderr.color(AnsiColor::Red, "✗"), message);
            }
            Event::Resource(event) => {
                let failed = event.severity == Severity::Failed;
                if self.verbose || failed {
                    let symbol = match event.severity {
                        Severity::Failed => self.stderr.color(AnsiColor::Red, "✗"),
                        Severity::Good => self.stderr.color(AnsiColor::Green, "✓"),
                        Severity::Busy => self.stderr.dim("…"),
                        Severity::Gone => self.stderr.dim("−"),
                    };
                    let reason = event.reason.as_deref().map_or(String::new(), |r| format!(": {r}"));
                    self.progress_line(&format!(
                        "  {symbol} {} {} {} {}{reason}",
                        self.name(&event.id),
                        event.status,
                        event.logical_id,
                        self.stderr.dim(&event.resource_type)
                    ));
                }
            }
            Event::Losing { what, losses } => {
                self.line(&self.stderr.bold(&format!("About to {what}:")));
                for loss in losses {
                    self.line(&format!("  {} {loss}", self.stderr.color(AnsiColor::Red, "−")));
                }
            }
            Event::Log(line) => {
                if self.shows(line) {
                    let text = line.text(&self.stderr, 0);
                    text.lines().for_each(|line| self.line(line));
                }
            }
            Event::Warning { message } => {
                self.line(&format!(
                    "{} {message}",
                    self.stderr.color(AnsiColor::Yellow, "warning:")
                ));
            }
        }
    }

    /// The same where lines are read for commands: nothing that is told is one.
    pub(super) fn inert_if(self, inert: bool) -> Self {
        Self { inert, ..self }
    }

    /// What is told as it may be shown where lines are read for commands.
    pub(super) fn inert<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.inert {
            github::inert(text)
        } else {
            Cow::Borrowed(text)
        }
    }

    /// A command's result as it is printed.
    pub(super) fn result(&self, text: &str) -> String {
        self.inert(&self.result.set(&printable(text))).into_owned()
    }

    /// How long a command took that ended well.
    pub(super) fn ended(&self, command: &str, took: Duration) {
        if !self.quiet {
            self.line(
                &self
                    .stderr
                    .dim(&format!("{command} finished in {:.1} s", took.as_secs_f64())),
            );
        }
    }

    /// Something to know that is neither about the run nor wrong.
    pub(super) fn note(&self, message: &str) {
        if !self.quiet {
            self.line(&format!("{} {message}", self.stderr.color(AnsiColor::Cyan, "note:")));
        }
    }

    /// Shows what is to be done as a tree, on a terminal: in a log it would only be in the way.
    fn announce(&self, parts: &[Part]) {
        let Some(progress) = &self.progress else { return };
        let mut known = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        known.tree = Tree::new(parts);
        self.width.fetch_max(known.tree.width(), Ordering::Relaxed);
        for name in known.tree.names() {
            if !known.running.contains_key(&name) {
                let bar = progress.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("    {prefix} {wide_msg:.dim}") {
                    bar.set_style(style);
                }
                known.waiting.insert(name, bar);
            }
        }
        self.draw(&known);
    }

    /// Puts the rows where they stand in the tree by now.
    fn put_in_order(&self, parts: &Parts) {
        let Some(progress) = &self.progress else { return };
        for name in parts.tree.names() {
            if let Some(bar) = parts.bar(&name) {
                // Each behind those before it.
                progress.remove(bar);
                progress.add(bar.clone());
            }
        }
    }

    /// Draws what stands before the names, and what those parts that haven't begun wait for.
    fn draw(&self, parts: &Parts) {
        for row in parts.tree.rows() {
            let Some(bar) = parts.bar(row.name) else { continue };
            let name = self.name(&format!("{}{}", row.branch, row.name));
            bar.set_prefix(printable(&self.layout.set(&name)));
            if parts.waiting.contains_key(row.name) {
                bar.set_message(match row.waits_for {
                    [] => String::new(),
                    others => printable(&format!("waits for {}", others.join(", "))),
                });
            }
        }
    }

    fn working(&self, part: &str, message: &str) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !parts.running.contains_key(part);
        if first {
            let waited = parts.waiting.remove(part);
            let running = Running {
                since: Instant::now(),
                told: Instant::now(),
                bar: self.spinner(part, waited),
            };
            parts.running.insert(part.to_owned(), running);
            self.draw(&parts);
        }
        let Some(running) = parts.running.get_mut(part) else {
            return;
        };
        match &running.bar {
            Some(bar) => bar.set_message(printable(&message.replace('\n', " "))),
            None if first || running.told.elapsed() >= LOG_INTERVAL => {
                running.told = Instant::now();
                drop(parts);
                self.progress_line(&format!("  {} {} {message}", self.stderr.dim("…"), self.name(part)));
            }
            None => {}
        }
    }

    /// What moves while something is done of a part, where it has waited if it has; none where nothing can be drawn.
    fn spinner(&self, part: &str, waited: Option<ProgressBar>) -> Option<ProgressBar> {
        let progress = self.progress.as_ref()?;
        let bar = waited.unwrap_or_else(|| progress.add(ProgressBar::new_spinner()));
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix} {wide_msg} {elapsed}") {
            let ticks = if self.layout.ascii { "-\\|/ " } else { TICKS };
            bar.set_style(style.tick_chars(ticks));
        }
        bar.set_prefix(printable(&self.name(part)));
        bar.reset_elapsed();
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    }

    fn end(&self, part: &str, symbol: &str, message: &str) {
        let running = {
            let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            let is_moved = parts.tree.end(part);
            if let Some(bar) = parts.waiting.remove(part) {
                bar.finish_and_clear();
            }
            let running = parts.running.remove(part);
            if is_moved {
                self.put_in_order(&parts);
            }
            self.draw(&parts);
            running
        };
        let mut took = String::new();
        if let Some(running) = running {
            if let Some(bar) = running.bar {
                bar.finish_and_clear();
            }
            let seconds = running.since.elapsed().as_secs_f64();
            if seconds >= 0.1 {
                took = self.stderr.dim(&format!(" {seconds:.1} s"));
            }
        }
        self.progress_line(&format!("  {symbol} {} {message}{took}", self.name(part)));
    }

    fn plan(&self, stacks: &[StackChanges]) {
        for stack in stacks {
            let word = match &stack.verdict {
                StackAction::Unchanged => {
                    if self.verbose {
                        self.line(&format!("  {} {}", self.stderr.dim("="), stack.name));
                    }
                    continue;
                }
                StackAction::Create => self.stderr.color(AnsiColor::Green, "+"),
                StackAction::Recreate => self.stderr.color(AnsiColor::Yellow, "±"),
                StackAction::Update => self.stderr.color(AnsiColor::Yellow, "~"),
            };
            let counts = stack.summary();
            self.line(&format!(
                "  {word} {} {}",
                self.stderr.bold(&stack.name),
                self.stderr.dim(&counts)
            ));
            for line in stack_changes(&self.stderr, stack, self.verbose) {
                self.line(&format!("      {line}"));
            }
        }
    }

    /// Asks, in a thread of its own: an interrupt must end the run while nobody answers.
    pub(super) async fn ask(&self, prompt: &str) -> bool {
        // What moves would draw over the question.
        self.clear();
        if let Some(progress) = &self.progress {
            progress.set_draw_target(ProgressDrawTarget::hidden());
        }
        let _ = write!(std::io::stderr(), "{prompt}");
        self.asking.store(true, Ordering::Relaxed);
        let (answered, answer) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            let yes = read.is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
            // Nobody waits any more when the run was interrupted.
            let _ = answered.send((yes, line.ends_with('\n')));
        });
        let (yes, ended) = answer.await.unwrap_or_default();
        self.asking.store(!ended, Ordering::Relaxed);
        if let Some(progress) = &self.progress {
            progress.set_draw_target(ProgressDrawTarget::stderr());
        }
        yes
    }

    pub(super) fn error(&self, error: &Error, next: &[String]) {
        self.clear();
        self.line(&format!(
            "{} {}",
            self.stderr.color(AnsiColor::Red, "error:"),
            error.message()
        ));
        // What a check found is the command's result, and was told.
        let told = error.kind() == ErrorKind::Unverified;
        for cause in error.causes().filter(|_| !told) {
            for (index, line) in cause.trim_end().lines().enumerate() {
                let lead = if index == 0 { "because" } else { "       " };
                self.line(&format!("  {} {line}", self.stderr.dim(lead)));
            }
        }
        for one in error.excerpts() {
            // Where it is has been said when the message begins with it.
            let told = error.message().starts_with(&one.place());
            let excerpt = excerpt::render(one, !told, excerpt::width(), self.stderr.is_enabled());
            // It makes its text visible itself, and colours it.
            excerpt
                .lines()
                .for_each(|line| self.whole_line(&printable(&marked(line))));
        }
        for (index, step) in next.iter().enumerate() {
            let lead = if index == 0 { "next:" } else { "  or:" };
            self.line(&format!("{} {step}", self.stderr.color(AnsiColor::Cyan, lead)));
        }
    }
}
