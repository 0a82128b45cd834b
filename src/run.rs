//! From the command line to an exit code, whatever signals come meanwhile.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::cli::{self, Cli, Color, Command, Global, Output};
use crate::cloud;
use crate::commands;
use crate::completion;
use crate::context::Session;
use crate::environment;
use crate::error::{Error, ErrorKind, Exit, OrFail, Phase, Result};
use crate::journal::{Journal, UNDOING};
use crate::report::{Reporter, logs_command};

/// How long a run that has nothing to undo may take to end after a signal: it may be reading a large file, and its
/// temporary files go when it ends by itself.
const ENDING: Duration = Duration::from_secs(1);

/// Runs `deployer` with the process's arguments.
pub fn run() -> Exit {
    environment::without_empty_variables();
    // A shell asks what can follow, and waits for it.
    completion::answer();
    // Before anything else, so that a signal is never left to end the process by itself.
    let waiting = runtime().and_then(|runtime| {
        let guard = runtime.enter();
        let signals = Signals::listen()?;
        drop(guard);
        Ok((runtime, signals))
    });
    let cli = Cli::of_this_process();
    start_log(&cli.global);
    let (reporter, journal) = (Reporter::new(cli.global.reporting()), Journal::default());
    let session = Session {
        global: &cli.global,
        reporter: &reporter,
        journal: &journal,
    };
    let began = Instant::now();
    let outcome = waiting.and_then(|(runtime, signals)| watched(runtime, signals, &cli.command, session));
    match outcome {
        Ok(exit) => {
            if let Some(command) = that_takes_time(&cli.command) {
                reporter.ended(command, began.elapsed());
            }
            exit
        }
        Err(error) => {
            let exit = Exit::of(error.kind(), journal.phase());
            reporter.error(&error, exit);
            exit
        }
    }
}

/// The name of a command that people wait for.
fn that_takes_time(command: &Command) -> Option<&'static str> {
    match command {
        Command::Up(_) | Command::Deploy(_) => Some("up"),
        Command::Package(_) => Some("package"),
        Command::Seed(_) => Some("seed"),
        Command::Backup(_) => Some("backup"),
        Command::Rollback(_) => Some("rollback"),
        Command::Verify(_) => Some("verify"),
        Command::Down(_) | Command::Destroy(_) | Command::Delete(_) => Some("down"),
        Command::Init(_)
        | Command::Diff(_)
        | Command::Watch(_)
        | Command::Status(_)
        | Command::Logs(_)
        | Command::Invoke(_)
        | Command::Stages(_)
        | Command::Ci(_)
        | Command::Openapi(_)
        | Command::Diagnose
        | Command::Releases
        | Command::Graph(_)
        | Command::Local(_)
        | Command::Policy(_)
        | Command::Completions { .. }
        | Command::Man { .. } => None,
    }
}

/// How many threads read files at once: each takes memory, and none of them waits for long.
const READERS: usize = 16;

/// A run waits nearly all of the time. One thread has enough for that, and needn't wake others for each answer; what
/// computes for long or reads files has threads of its own.
fn runtime() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(READERS)
        .build()
        .or_fail(|| "could not start the async runtime".to_owned())
}

/// The signals that end a run: Ctrl-C, and what a build server or `timeout` sends.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).or_fail(|| "could not listen for signals".to_owned());
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for one.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Runs the command while another thread has time for signals, whatever this one computes or reads. This one is the
/// process's first: its memory grows in large steps, that of others page by page.
fn watched(runtime: Runtime, mut signals: Signals, command: &Command, session: Session<'_>) -> Result<Exit> {
    std::thread::scope(|threads| {
        let (ended, mut end) = oneshot::channel::<Infallible>();
        let watch = move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = signals.next() => {}
                    never = session.reporter.beat() => match never {},
                    _ = &mut end => return,
                }
                session.journal.interrupt();
                let patience = if session.journal.has_undos() {
                    UNDOING + ENDING
                } else {
                    ENDING
                };
                let has_ended = tokio::select! {
                    biased;
                    () = signals.next() => false,
                    ended = timeout(patience, &mut end) => ended.is_ok(),
                };
                if !has_ended {
                    // The command is in the middle of something: the process ends without it.
                    leave(session);
                }
            });
        };
        std::thread::Builder::new()
            .spawn_scoped(threads, watch)
            .or_fail(|| "could not start a thread".to_owned())?;
        let outcome = self::runtime().and_then(|runtime| runtime.block_on(interruptible(command, session)));
        drop(ended);
        outcome
    })
}

/// Ends the process while the command still runs.
fn leave(session: Session<'_>) -> ! {
    if session.journal.is_endless() && !session.journal.has_undos() {
        std::process::exit(Exit::Done as i32);
    }
    let error = interruption(session.journal, &[]);
    let error = if session.journal.has_undos() {
        error.hint("Something may stay that was only planned: the same command again clears it away.")
    } else {
        error
    };
    session.reporter.error(&error, Exit::Refused);
    std::process::exit(Exit::Refused as i32)
}

/// Does what the command says, until it is done or the run is interrupted; then what it began and didn't end is undone.
async fn interruptible(command: &Command, session: Session<'_>) -> Result<Exit> {
    let Session { reporter, journal, .. } = session;
    let outcome = tokio::select! {
        biased;
        () = journal.interrupted() => None,
        outcome = dispatch(command, session) => Some(outcome),
    };
    let undone = journal.undo().await;
    let failures = undone.err().unwrap_or_default();
    match outcome {
        Some(outcome) => {
            for failure in failures {
                reporter.warn(format!("what was only planned may stay: {failure}"));
            }
            outcome
        }
        None if journal.is_endless() => Ok(Exit::Done),
        None => Err(interruption(journal, &failures)),
    }
}

async fn dispatch(command: &Command, session: Session<'_>) -> Result<Exit> {
    let called = |theirs: &str, ours: &str| session.reporter.note(format!("`{theirs}` is `deployer {ours}`"));
    let done = match command {
        Command::Init(args) => commands::init::run(args, session),
        Command::Diff(args) => return commands::up::difference::run(args, session).await,
        Command::Up(args) => commands::up::run(args, session).await,
        Command::Deploy(args) => {
            called("deploy", "up");
            commands::up::run(args, session).await
        }
        Command::Watch(args) => commands::watch::run(args, session).await,
        Command::Graph(args) => commands::graph::run(args, session),
        Command::Package(args) => commands::package::run(args, session).await,
        Command::Seed(args) => commands::seed::run(args, session).await,
        Command::Diagnose => commands::diagnose::run(session).await,
        Command::Backup(args) => commands::backup::run(args, session).await,
        Command::Openapi(args) => commands::openapi::run(args, session).await,
        Command::Releases => commands::releases::run(session).await,
        Command::Rollback(args) => commands::rollback::run(args, session).await,
        Command::Status(args) => commands::status::run(args, session).await,
        Command::Logs(args) => commands::logs::run(args, session).await,
        Command::Invoke(args) => commands::invoke::run(args, session).await,
        Command::Stages(args) => commands::stages::run(args, session).await,
        Command::Verify(args) => commands::verify::run(args, session).await,
        Command::Down(args) => commands::down::run(args, session).await,
        Command::Ci(command) => commands::ci::run(command, session),
        Command::Destroy(args) => {
            called("destroy", "down");
            commands::down::run(args, session).await
        }
        Command::Delete(args) => {
            called("delete", "down");
            commands::down::run(args, session).await
        }
        Command::Policy(command) => commands::policy::run(command, session).await,
        Command::Local(command) => commands::local::run(*command, session).await,
        Command::Completions { shell } => session.reporter.print(completion::script(*shell)?),
        Command::Man { dir } => clap_mangen::generate_to(cli::definition(), dir)
            .or_fail(|| format!("could not write the manual into {}", dir.display())),
    };
    done.map(|()| Exit::Done)
}

/// What to say of an interrupted run: what goes on without it, and whether anything was changed.
fn interruption(journal: &Journal, not_undone: &[Error]) -> Error {
    if let Some(function) = journal.called() {
        return Error::new(ErrorKind::Interrupted, "interrupted")
            .cause(format!("the function {function} was called, and goes on to its end"))
            .hint(format!("{} shows what it does.", logs_command(&function)));
    }
    let listed = |has_begun| {
        let operations = journal.operations().into_iter();
        let operations = operations.filter(|operation| operation.has_begun == has_begun);
        let operations: Vec<String> = operations.map(|operation| operation.what).collect();
        operations.join(", ")
    };
    let (begun, asked_for) = (listed(true), listed(false));
    let error = Error::new(ErrorKind::Interrupted, "interrupted");
    let mut clauses = Vec::new();
    if !begun.is_empty() {
        clauses.push(format!("CloudFormation goes on with {begun}"));
    }
    if !asked_for.is_empty() {
        clauses.push(format!(
            "CloudFormation was asked for {asked_for}, and may not have heard it"
        ));
    }
    let error = match (clauses.is_empty(), journal.phase()) {
        (true, Phase::Reading) => error.cause("nothing was changed"),
        (true, Phase::Changing) => error.cause("what was done until then stays; nothing is under way"),
        (false, _) => error.cause(format!("{}; nothing else is under way", clauses.join("; "))),
    };
    let error = not_undone.iter().fold(error, |error, failure| {
        error.cause(format!("what was only planned may stay: {failure}"))
    });
    match journal.phase() {
        Phase::Reading if clauses.is_empty() => error.hint("Run the same command again."),
        Phase::Reading | Phase::Changing => {
            error.hint("`deployer status` shows where the stage is; the same command again goes on from there.")
        }
    }
}

/// The SDK's requests, at `-vv`: each operation as it ends, with its duration. What is in the requests, session tokens
/// among it, comes at the SDK's trace level, which isn't offered.
fn start_log(global: &Global) {
    if global.verbose < 2 {
        return;
    }
    // Each operation has a span in its service's crate.
    let spans = cloud::sdk_crates().map(|name| format!(",{name}=debug"));
    let spans = format!("warn{}", spans.collect::<String>());
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(spans))
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(global.color == Color::Always)
        .with_target(false)
        .with_writer(std::io::stderr);
    match global.output {
        Output::Human | Output::Github => log.init(),
        Output::Json => log.json().init(),
    }
}
