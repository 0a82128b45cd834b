//! `watch`: what is saved is live a moment later, and a page that is open loads again.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{Clients, Deployer, Emulator, Port, Project, document, emulator, http};

/// A `watch` that runs, and what it has said so far.
struct Watch {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Watch {
    fn start(deployer: Deployer) -> Self {
        let mut child = deployer.start(Stdio::null(), Stdio::piped());
        let (tell, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| tell.send(line))
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line with this in it, and forgets it and what came before.
    fn says(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(120));
            let line = line.unwrap_or_else(|_| panic!("`{part}` isn't said:\n{}", self.seen.join("\n")));
            self.seen.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Ends it as Ctrl-C does.
    fn end(mut self) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process");
        kill_process(pid, Signal::INT).expect("it runs");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{}", self.seen.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_deployed_alone() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (Project::copy(), emulator.endpoint());
    let mut watch = Watch::start(Deployer::new(project.path(), &["watch", "--stage", "dev", "-v"]).at(&endpoint));
    watch.says("waits for what is saved");
    let status = project
        .deployer(&endpoint, &["status", "--stage", "dev", "--output", "json"])
        .success()
        .json();
    let page = || http::get(document::site_url(&status)).expect("an answer").body;

    project.edit("site/index.html", "<h1>", "<h1>Saved ");
    watch.says("site         files: 1 changed");
    watch.says("live ");
    assert!(page().contains("<h1>Saved "));

    // An item that is another one replaces the one that is there.
    project.edit("stacks/seed.yaml", "name: Test User", "name: Somebody Else");
    watch.says("seed         items: ");
    watch.says("live ");
    let clients = Clients::root(&endpoint);
    let item = clients.item("UserData-dev", "1").await.expect("there");
    assert_eq!(item["name"].as_s().expect("text"), "Somebody Else");

    // A mistake stays on the screen, and changes nothing; what is saved then mends it.
    project.edit("stacks/logic.yaml", "MemorySize: 256", "MemorySize: !Ref Nothing");
    watch.says("error: ");
    watch.says("waits for what is saved to mend it");
    project.edit("stacks/logic.yaml", "MemorySize: !Ref Nothing", "MemorySize: 512");
    watch.says("MemorySize 256 → 512");
    watch.says("mended; live ");
    watch.end();
    let function = clients
        .lambda
        .get_function_configuration()
        .function_name("retrieve-user-data-dev")
        .send()
        .await;
    assert_eq!(function.expect("the function").memory_size(), Some(512));
}

#[test]
fn a_protected_stage_is_not_watched() {
    let emulator = Emulator::shared();
    let project = Project::copy();
    project
        .deployer(&emulator.endpoint(), &["watch"])
        .fails_with(1)
        .says(&["the stage prod is protected", "deployer watch --local"]);
}

/// A request of a page's, as browsers send it, that is answered piece by piece.
fn ask(port: u16, host: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    stream
}

#[test]
fn a_page_that_is_open_loads_again() {
    emulator::python();
    let (project, state, port) = (Project::of("site"), TempDir::new().expect("a folder"), Port::reserve());
    let command = |args: &[&str]| {
        let deployer = Deployer::new(project.path(), args).env("XDG_STATE_HOME", state.path());
        deployer.env("DEPLOYER_LOCAL_PORT", port.number().to_string())
    };
    let mut watch = Watch::start(command(&["watch", "--local"]));
    watch.says("waits for what is saved");
    let status = command(&["status", "--local", "--output", "json"])
        .run()
        .success()
        .json();
    let url = document::site_url(&status).to_owned();
    let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let read = |mut stream: TcpStream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    };
    let page = read(ask(port.number(), &host, "/"));
    let (_, script) = page
        .split_once("<script src=\"/_deployer/reload.js?since=")
        .expect("the script");
    let (since, _) = script.split_once('"').expect("its end");
    let policy = page.to_lowercase();
    assert!(
        policy.contains("connect-src 'self'") || !policy.contains("connect-src"),
        "{page}"
    );
    assert!(read(ask(port.number(), &host, "/_deployer/reload.js")).contains("location.reload()"));
    // Programs get what is published.
    assert!(!http::get(&url).expect("an answer").body.contains("_deployer"));

    let waiting = ask(port.number(), &host, &format!("/_deployer/reload?since={since}"));
    let text = project.read("site/index.html");
    project.write("site/index.html", &format!("{text}<!-- saved -->"));
    assert!(read(waiting).contains("data: reload"));
    let page = read(ask(port.number(), &host, "/"));
    assert!(page.contains("<!-- saved -->"), "{page}");
    watch.says("live ");
    watch.end();
    assert!(
        !read(ask(port.number(), &host, "/")).contains("_deployer"),
        "nobody watches any more"
    );
    command(&["local", "stop"]).run().success();
}
