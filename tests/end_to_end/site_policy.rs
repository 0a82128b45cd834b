//! The Content-Security-Policy follows the site: `up` gives the template what the files need, before and after publishing.

use serde_json::{Value, json};

use crate::support::{Clients, Emulator, Project, Proxy, Seen, document, http};

const STRICT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'";

/// The smallest project with a site, and where it lives.
struct Site {
    emulator: Emulator,
    proxy: Proxy,
    project: Project,
}

impl Site {
    fn new() -> Self {
        let emulator = Emulator::shared();
        let proxy = Proxy::before(emulator.port());
        let project = Project::of("site");
        project.write("site/index.html", "<!doctype html><title>strict</title><p>x");
        Self {
            emulator,
            proxy,
            project,
        }
    }

    /// What `up` says in the end, and all that it said meanwhile.
    fn up(&self) -> (Value, String) {
        let up = self
            .project
            .deployer(&self.proxy.endpoint(), &["up", "--output", "json"])
            .success();
        (up.json(), up.stderr.clone())
    }

    fn settings(&self, settings: &str) {
        let text = format!("project: website\nstages:\n  prod: {{ {settings} }}\n");
        self.project.write("stacks/stages.yaml", &text);
    }

    /// The stack's parameters as they are deployed.
    async fn parameter(&self, name: &str) -> String {
        let clients = Clients::root(&self.emulator.endpoint());
        let request = clients.cloudformation.describe_stacks().stack_name("website-prod-web");
        let stacks = request.send().await.expect("the stack");
        let parameters = stacks.stacks()[0].parameters();
        let found = parameters
            .iter()
            .find(|parameter| parameter.parameter_key() == Some(name));
        found
            .and_then(|parameter| parameter.parameter_value())
            .unwrap_or_default()
            .to_owned()
    }
}

/// What a visitor is told of the page.
fn header(document: &Value, name: &str) -> String {
    let answer = http::get(document::site_url(document)).expect("an answer");
    answer.header(name).unwrap_or_default().to_owned()
}

fn policy(document: &Value) -> String {
    header(document, "Content-Security-Policy")
}

/// The policies that a run deployed and what it put into the site's bucket, in order. Off AWS each update is looked at before
/// it is planned, which is the same twice.
fn steps(seen: &[Seen]) -> Vec<String> {
    let step = |seen: &Seen| {
        if seen.operation == "CreateChangeSet" {
            let key = (1..40).find(|n| {
                seen.parameter(&format!("Parameters.member.{n}.ParameterKey"))
                    .as_deref()
                    == Some("SitePolicy")
            })?;
            return seen.parameter(&format!("Parameters.member.{key}.ParameterValue"));
        }
        let is_page = seen.method == "PUT" && seen.path.contains("/index.html");
        is_page.then(|| "page".to_owned())
    };
    let mut steps: Vec<String> = seen.iter().filter_map(step).collect();
    steps.dedup();
    steps
}

#[tokio::test]
async fn an_inline_script_loosens_it_and_up_says_which_page() {
    let site = Site::new();
    let (document, said) = site.up();
    assert_eq!(policy(&document), STRICT);
    assert_eq!(header(&document, "X-Frame-Options"), "DENY");
    assert!(!said.contains("\"part\":\"policy\""), "{said}");
    site.project.write(
        "site/b.html",
        "<p>\n<script>a()</script><iframe src=index.html></iframe>",
    );
    let (document, said) = site.up();
    for part in [
        "inline scripts (site/b.html:2)",
        "frames with its own pages (site/b.html:2)",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(document["verification"]["verified"], true);
    let loose = policy(&document);
    for part in [
        "script-src 'self' 'unsafe-inline';",
        "frame-ancestors 'self';",
        "style-src 'self';",
    ] {
        assert!(loose.contains(part), "{loose}");
    }
    assert_eq!(header(&document, "X-Frame-Options"), "SAMEORIGIN");
    // Another page of that kind changes no stack.
    site.project
        .write("site/c.html", "<script>c()</script><title>c</title>");
    site.proxy.take();
    site.up();
    assert_eq!(steps(&site.proxy.take()), Vec::<String>::new());
}

/// Neither the pages that are there nor those that come may be without what they need for a moment.
#[tokio::test]
async fn it_is_loosened_before_publishing_and_tightened_after() {
    let site = Site::new();
    site.up();
    site.project
        .write("site/index.html", "<!doctype html><script>a()</script>");
    site.proxy.take();
    let (document, _) = site.up();
    let inline = STRICT.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'");
    assert_eq!(steps(&site.proxy.take()), [&inline, "page"]);
    assert_eq!(policy(&document), inline);

    site.project
        .write("site/index.html", "<!doctype html><p style='color: red'>");
    let (document, _) = site.up();
    let styled = STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'");
    let [both, page, last] = &steps(&site.proxy.take())[..] else {
        panic!("three steps")
    };
    assert!(
        both.contains("script-src 'self' 'unsafe-inline'") || both.contains("script-src 'unsafe-inline' 'self'"),
        "{both}"
    );
    assert!(
        both.contains("style-src 'self' 'unsafe-inline'") || both.contains("style-src 'unsafe-inline' 'self'"),
        "{both}"
    );
    assert_eq!((page.as_str(), last), ("page", &styled));
    assert_eq!(policy(&document), styled);
    assert_eq!(document["verification"]["verified"], true);

    site.project.write("site/index.html", "<!doctype html><p>");
    let (document, _) = site.up();
    assert_eq!(steps(&site.proxy.take()), ["page", STRICT]);
    assert_eq!(policy(&document), STRICT);
    assert_eq!(site.parameter("SitePolicy").await, STRICT);
    site.up();
    assert_eq!(steps(&site.proxy.take()), Vec::<String>::new(), "nothing is left to do");
}

#[tokio::test]
async fn the_site_alone_leaves_the_stack_and_warns() {
    let site = Site::new();
    site.up();
    site.project
        .write("site/index.html", "<!doctype html>\n<script>a()</script>");
    let ran = site
        .project
        .deployer(&site.proxy.endpoint(), &["up", "--only", "site"])
        .success();
    ran.says(&[
        "the policy that is deployed refuses what the site needs: inline scripts (site/index.html:2)",
        "`deployer up`",
    ]);
    assert_eq!(site.parameter("SitePolicy").await, STRICT);
    // The stack alone keeps what it has; nothing is read that this run has no use for.
    site.project
        .deployer(&site.proxy.endpoint(), &["up", "--only", "web"])
        .success();
    assert_eq!(site.parameter("SitePolicy").await, STRICT);
    let (_, said) = site.up();
    assert!(!said.contains("refuses"), "{said}");
    assert!(site.parameter("SitePolicy").await.contains("'unsafe-inline'"));
}

#[test]
fn what_the_stage_allows_arrives_and_what_pages_name_does_not() {
    let site = Site::new();
    site.project.write(
        "site/index.html",
        "<!doctype html>\n<script src=https://cdn.example.com/a.js></script>",
    );
    let (document, said) = site.up();
    assert_eq!(policy(&document), STRICT);
    let line = "refuses scripts from https://cdn.example.com, which site/index.html:2 wants: `script: [https://cdn.example.com]`";
    assert!(said.contains(line), "{said}");
    site.settings("script: [https://cdn.example.com], connect: [https://api.example.com, wss://live.example.com]");
    let (document, said) = site.up();
    assert!(!said.contains("refuses"), "{said}");
    let allowed = policy(&document);
    for part in [
        "script-src 'self' https://cdn.example.com;",
        "connect-src 'self' https://api.example.com wss://live.example.com",
    ] {
        assert!(allowed.contains(part), "{allowed}");
    }
}

#[test]
fn one_that_would_be_too_long_is_refused_before_anything_is_asked() {
    let site = Site::new();
    let scripts: String = (0..40).map(|n| format!("<script>a({n})</script>")).collect();
    site.project.write("site/index.html", &scripts);
    site.settings("hashes: true");
    let ran = site.project.deployer(&site.proxy.endpoint(), &["up"]);
    assert!(site.proxy.take().is_empty(), "the folder alone tells: {}", ran.stderr);
    ran.fails_with(2)
        .says(&["Content-Security-Policy would be", "at most 1783", "leave out `hashes`"]);
}

/// A template that says its policy itself goes on saying it.
#[tokio::test]
async fn a_template_without_the_parameters_is_left_alone_and_a_value_of_the_stage_overrules() {
    let site = Site::new();
    site.project
        .write("site/index.html", "<!doctype html><script>a()</script>");
    site.settings("parameters: { SitePolicy: \"default-src 'self'\" }");
    let (document, _) = site.up();
    assert_eq!(policy(&document), "default-src 'self'");
    assert_eq!(site.parameter("SitePolicy").await, "default-src 'self'");
    site.settings("");
    let graph = site.project.deployer(&site.proxy.endpoint(), &["graph"]).success();
    assert!(graph.stdout.contains("the site's files"), "{}", graph.stdout);

    let template = site.project.read("stacks/web.yaml");
    let own = template.replace(
        "ContentSecurityPolicy: !Ref SitePolicy",
        "ContentSecurityPolicy: \"default-src 'self'; img-src * data:\"",
    );
    let (before, rest) = own.split_once("  SitePolicy:\n").expect("the parameter");
    let (_, after) = rest.split_once("  SiteFrames:\n").expect("the next");
    site.project
        .write("stacks/web.yaml", &format!("{before}  SiteFrames:\n{after}"));
    site.proxy.take();
    let (document, _) = site.up();
    assert_eq!(policy(&document), "default-src 'self'; img-src * data:");
    assert_eq!(document["verification"]["verified"], true, "{document:#}");
    site.up();
}

/// What is asked for that nobody published is the app's, if the stage says so; what is missing stays missing where functions run.
#[tokio::test]
async fn an_app_draws_its_own_paths_with_and_without_functions() {
    let site = Site::new();
    site.settings("urls: app");
    site.project.write("site/404.html", "<title>missing</title>");
    site.project.write("site/LICENSE", "MIT");
    let status = |document: &Value, path: &str| {
        let answer = http::get(&format!("{}{path}", document::site_url(document))).expect("an answer");
        (answer.status, answer.body.contains("strict"))
    };
    // No function runs where there is no node, and nothing else may either.
    let nowhere = tempfile::TempDir::new().expect("a folder");
    let up = |path: &std::ffi::OsStr| {
        let deployer = crate::support::Deployer::new(site.project.path(), &["up", "--output", "json"]);
        let ran = deployer.at(&site.emulator.endpoint()).env("PATH", path).run();
        ran.success().json()
    };
    let document = up(nowhere.path().as_os_str());
    assert_eq!(site.parameter("SiteFallback").await, "page");
    assert_eq!(status(&document, "users/7"), (200, true));
    assert_eq!(status(&document, "LICENSE"), (200, false));
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("node").is_file()) {
        return;
    }
    let document = up(&path);
    assert_eq!(site.parameter("SiteFallback").await, "function");
    assert_eq!(site.parameter("SiteAppPaths").await, "LICENSE");
    assert_eq!(document["verification"]["verified"], true, "{document:#}");
    assert_eq!(status(&document, ""), (200, true));
    assert_eq!(status(&document, "users/7"), (200, true));
    assert_eq!(status(&document, "LICENSE"), (200, false));
    assert_eq!(status(&document, "gone.js"), (404, false));
    // And back: the function goes with what asked for it.
    site.settings("urls: plain");
    let document = up(&path);
    assert_eq!(status(&document, "users/7"), (404, false));
    assert_eq!(json!(site.parameter("SiteAppPaths").await), json!(""));
}

#[test]
fn more_paths_than_a_parameter_can_have_are_refused() {
    let site = Site::new();
    site.settings("urls: app");
    for n in 0..60 {
        site.project.write(&format!("site/{n:080}"), "");
    }
    let ran = site.project.deployer(&site.proxy.endpoint(), &["up"]);
    assert!(site.proxy.take().is_empty(), "the folder alone tells: {}", ran.stderr);
    ran.fails_with(2)
        .says(&["too many files without an extension", "at most 4096"]);
}

/// What README says to change in the template is no failure: the policy that is live is the template's.
#[test]
fn a_template_that_allows_more_is_what_is_checked() {
    let (emulator, project) = (Emulator::shared(), Project::copy());
    project.write(
        "site/a.css",
        "body{background:url(data:image/gif;base64,R0lGODlhAQABAAAAACw=)}",
    );
    project.write(
        "site/index.html",
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>policy</title>\n\
         <link rel=\"stylesheet\" href=\"a.css\"></head><body>x</body></html>",
    );
    let up = || {
        let ran = project.deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--output", "json"]);
        ran.success().json()
    };
    let document = up();
    assert_eq!(document["verification"]["verified"], true);
    let policy = policy(&document);
    assert!(policy.contains("img-src 'self' data:;"), "{policy}");
    assert!(
        policy.contains("; connect-src 'self' http://"),
        "the API is called: {policy}"
    );
    project.edit(
        "stacks/presentation.yaml",
        "FrameOption: !Ref SiteFrames",
        "FrameOption: SAMEORIGIN",
    );
    project.edit(
        "stacks/presentation.yaml",
        "!Sub \"${SitePolicy} ${ApiOrigin}\"",
        "!Sub \"${SitePolicy} ${ApiOrigin} https://other.example.com\"",
    );
    assert_eq!(up()["verification"]["verified"], true);
}
