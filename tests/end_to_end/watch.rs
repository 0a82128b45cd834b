//! `watch`: what is saved is live a moment later, and a page that is open loads again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Clients, Deployer, Emulator, Port, Project, Running, document, emulator, http};

/// Ends a `watch` as Ctrl-C does.
fn end(watch: Running) {
    watch.signal(Signal::INT);
    watch.end().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_deployed_alone() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (Project::copy(), emulator.endpoint());
    let mut watch = Deployer::new(project.path(), &["watch", "--stage", "dev", "-v"])
        .at(&endpoint)
        .running();
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
    end(watch);
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
    let mut watch = command(&["watch", "--local"]).running();
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
    end(watch);
    assert!(
        !read(ask(port.number(), &host, "/")).contains("_deployer"),
        "nobody watches any more"
    );
    command(&["local", "stop"]).run().success();
}
