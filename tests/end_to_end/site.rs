//! What becomes of `site/`: the objects in the bucket with their headers, and what visitors get through CloudFront.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::{Checked, Clients, Emulator, Project, Proxy, document, http};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const ASK_THE_EDGE: &str = "public, max-age=0, s-maxage=31536000, must-revalidate";

/// A stage whose site has been published.
struct Published {
    project: Project,
    emulator: Emulator,
    /// What `up` said in the end.
    document: Value,
}

impl Published {
    fn new(project: Project) -> Self {
        let emulator = Emulator::shared();
        let up = project.deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--output", "json"]);
        let document = up.success().json();
        Self {
            project,
            emulator,
            document,
        }
    }

    fn publish(&self) -> Checked {
        let args = ["up", "--stage", "dev", "--only", "site"];
        self.project.deployer(&self.emulator.endpoint(), &args).success()
    }

    /// `Content-Type` and `Cache-Control` of each object, as S3 has them.
    async fn objects(&self) -> BTreeMap<String, [String; 2]> {
        let s3 = Clients::root(&self.emulator.endpoint()).s3;
        let bucket = document::output(&self.document, "SiteBucket");
        let listed = s3.list_objects_v2().bucket(bucket).send().await.expect("objects");
        let mut objects = BTreeMap::new();
        for object in listed.contents() {
            let key = object.key().expect("a key");
            let head = s3.head_object().bucket(bucket).key(key).send().await.expect("there");
            let header = |value: Option<&str>| value.unwrap_or_default().to_owned();
            objects.insert(
                key.to_owned(),
                [header(head.content_type()), header(head.cache_control())],
            );
        }
        objects
    }

    /// What a visitor gets, who must get it.
    #[track_caller]
    fn get(&self, path: &str) -> http::Answer {
        let site = document::site_url(&self.document);
        let answer = http::get(&format!("{site}{path}")).expect("an answer");
        assert_eq!(answer.status, 200, "{path}");
        answer
    }
}

/// `style.css` as `style.0123456789abcdef.css`; none if it isn't there.
fn marked(file: &str, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Option<String> {
    let (stem, extension) = file.rsplit_once('.').expect("an extension");
    let mut found = keys.into_iter().filter(|key| {
        let mark = key
            .as_ref()
            .strip_prefix(stem)
            .and_then(|rest| rest.strip_suffix(extension));
        mark.is_some_and(|mark| {
            let hex = mark.trim_matches('.');
            mark.len() == 18 && hex.len() == 16 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    });
    found.next().map(|key| key.as_ref().to_owned())
}

/// The values of an attribute, in order.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let parts = page.split(&format!(" {attribute}=\"")).skip(1).collect::<Vec<_>>();
    parts.into_iter().filter_map(|part| part.split('"').next()).collect()
}

#[tokio::test]
async fn what_a_page_loads_has_a_name_that_browsers_keep_and_all_else_is_asked_for() {
    let project = Project::copy();
    std::fs::create_dir_all(project.path().join("site/img")).expect("a folder");
    project.write("site/img/ü 1.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>");
    project.write("site/img/unused.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>");
    project.write("site/robots.txt", "User-agent: *\n");
    project.write("site/style.css", "@import url(more.css);\nbody { color: black }\n");
    project.write("site/more.css", "h1 { background: url('img/%C3%BC%201.svg') }\n");
    let stage = Published::new(project);

    let objects = stage.objects().await;
    let names: Vec<&str> = ["style.css", "more.css", "script.js", "favicon.svg", "img/ü 1.svg"].to_vec();
    for file in &names {
        let name = marked(file, objects.keys()).unwrap_or_else(|| panic!("{file} in {objects:?}"));
        let [kind, caching] = &objects[&name];
        assert_eq!((caching.as_str(), kind), (IMMUTABLE, &objects[*file][0]), "{name}");
    }
    for (key, kind) in [
        ("index.html", "text/html; charset=utf-8"),
        ("404.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("more.css", "text/css; charset=utf-8"),
        ("script.js", "text/javascript; charset=utf-8"),
        ("favicon.svg", "image/svg+xml; charset=utf-8"),
        ("img/ü 1.svg", "image/svg+xml; charset=utf-8"),
        ("img/unused.svg", "image/svg+xml; charset=utf-8"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("config.json", "application/json; charset=utf-8"),
    ] {
        assert_eq!(objects[key], [kind, "no-cache"], "{key}");
    }
    assert_eq!(objects.len(), 10 + names.len(), "{objects:?}");

    // From the page to the last image, as a browser goes.
    for path in ["", "index.html", "404.html"] {
        let page = stage.get(path).body;
        let style = values(&page, "href")
            .into_iter()
            .find(|href| href.ends_with(".css"))
            .expect("a style");
        assert_eq!(
            marked("style.css", [style.trim_start_matches('/')]).as_deref(),
            Some(style.trim_start_matches('/'))
        );
        let sheet = stage.get(style.trim_start_matches('/'));
        assert_eq!(sheet.header("Cache-Control"), Some(IMMUTABLE));
        assert_eq!(sheet.body, stage.get("style.css").body, "the plain name has the same");
        let more = marked("more.css", objects.keys()).expect("named");
        assert!(
            sheet.body.starts_with(&format!("@import url({more});")),
            "{}",
            sheet.body
        );
        let image = stage.get(&more).body;
        let image = image.split('\'').nth(1).expect("a reference");
        assert!(image.starts_with("img/%C3%BC%201."), "{image}");
        assert_eq!(stage.get(image).header("Cache-Control"), Some(IMMUTABLE));
    }
    let page = stage.get("").body;
    let script = values(&page, "src")[0];
    assert_eq!(marked("script.js", [script]).as_deref(), Some(script));
    assert_eq!(stage.get(script).body, stage.project.read("site/script.js"));
    assert_eq!(stage.get("").header("Cache-Control"), Some("no-cache"));

    // A changed image is another name all the way up, and what wasn't touched keeps its own.
    stage
        .project
        .write("site/img/ü 1.svg", "<svg xmlns='http://www.w3.org/2000/svg' id='new'/>");
    stage.publish();
    let later = stage.objects().await;
    let new = || later.keys().filter(|key| !objects.contains_key(*key));
    for file in ["style.css", "more.css", "img/ü 1.svg"] {
        assert!(marked(file, new()).is_some(), "{file}");
    }
    for file in ["script.js", "favicon.svg"] {
        assert_eq!(marked(file, new()), None, "{file}");
    }
    let page = stage.get("").body;
    assert!(page.contains(&marked("style.css", new()).expect("named")), "{page}");
    stage.publish().says(&["15 unchanged"]);
}

#[tokio::test]
async fn without_fingerprints_files_are_published_as_they_are() {
    let project = Project::copy();
    project.edit("stacks/stages.yaml", "  dev:\n", "  dev:\n    fingerprints: false\n");
    let stage = Published::new(project);
    let objects = stage.objects().await;
    let keys: Vec<&str> = objects.keys().map(String::as_str).collect();
    let plain = [
        "404.html",
        "config.json",
        "favicon.svg",
        "index.html",
        "script.js",
        "style.css",
    ];
    assert_eq!(keys, plain);
    for (key, [_, caching]) in &objects {
        let is_asked_for = ["404.html", "config.json", "index.html"].contains(&key.as_str());
        assert_eq!(caching, if is_asked_for { "no-cache" } else { ASK_THE_EDGE }, "{key}");
    }
    assert_eq!(stage.get("").body, stage.project.read("site/index.html"));
    assert_eq!(stage.get("style.css").header("Cache-Control"), Some(ASK_THE_EDGE));

    // A change is seen at once: the edges are told.
    stage.project.write("site/style.css", "body { color: red }\n");
    stage.publish().says(&["1 changed", "1 path invalidated"]);
    assert_eq!(stage.get("style.css").body, "body { color: red }\n");

    // Turned on, what pages load gets its names; turned off, they go.
    stage
        .project
        .edit("stacks/stages.yaml", "fingerprints: false", "fingerprints: true");
    // Whose bytes are the same is sent with other headers.
    stage.publish().says(&["3 new", "5 changed"]);
    assert!(marked("style.css", stage.objects().await.keys()).is_some());
    stage.project.edit(
        "stacks/stages.yaml",
        "    fingerprints: true",
        "    fingerprints: false",
    );
    stage.publish().says(&["5 changed", "3 kept for earlier pages"]);
    for (key, [_, caching]) in stage.objects().await {
        if let Some((_, [_, before])) = objects.iter().find(|(name, _)| **name == key) {
            assert_eq!(&caching, before, "{key}");
        }
    }
}

#[tokio::test]
async fn the_folder_says_what_is_published() {
    let project = Project::copy();
    let site = project.path().join("site");
    for folder in ["drafts", ".well-known", ".git", "a b/ü", "docs"] {
        std::fs::create_dir_all(site.join(folder)).expect("a folder");
    }
    for file in [
        "drafts/new.html",
        "style.css.map",
        ".well-known/security.txt",
        ".git/config",
        ".env",
        "a b/ü/日本.txt",
        "docs/c++.txt",
        "docs/C++.txt",
        "empty.txt",
        "ignored-by-git.txt",
    ] {
        let text = if file == "empty.txt" { "" } else { file };
        project.write(&format!("site/{file}"), text);
    }
    project.write("site/.deployerignore", "drafts/\n*.map\n!.well-known/\n");
    project.write("site/.gitignore", "ignored-by-git.txt\n");
    symlink("../docs", site.join("a b/linked")).expect("a link");
    let emulator = Emulator::shared();
    let ran = project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev"])
        .success();
    ran.says(&[
        "warning: a plus, which S3 takes for a space",
        "docs/C++.txt",
        "one and the same file on macOS and Windows",
        "a b/linked/C++.txt and a b/linked/c++.txt",
    ]);
    let up = project.deployer(&emulator.endpoint(), &["up", "--stage", "dev", "--output", "json"]);
    let stage = Published {
        document: up.success().json(),
        project,
        emulator,
    };
    let objects = stage.objects().await;
    let texts: Vec<&str> = objects
        .keys()
        .map(String::as_str)
        .filter(|key| key.ends_with(".txt"))
        .collect();
    assert_eq!(
        texts,
        [
            ".well-known/security.txt",
            "a b/linked/C++.txt",
            "a b/linked/c++.txt",
            "a b/ü/日本.txt",
            "docs/C++.txt",
            "docs/c++.txt",
            "empty.txt",
            "ignored-by-git.txt",
        ]
    );
    assert!(
        !objects
            .keys()
            .any(|key| key.contains("draft") || key.ends_with(".map") || key.contains("deployer"))
    );
    assert_eq!(stage.get("empty.txt").body, "");
    assert_eq!(stage.get("a%20b/%C3%BC/%E6%97%A5%E6%9C%AC.txt").body, "a b/ü/日本.txt");
    assert_eq!(stage.get("docs/c%2B%2B.txt").body, "docs/c++.txt");
}

#[test]
fn what_cannot_be_published_is_refused_before_anything_is_asked() {
    let outside = tempfile::TempDir::new().expect("a folder");
    std::fs::write(outside.path().join("secret"), "").expect("written");
    let outside = outside.path().to_str().expect("UTF-8").to_owned();
    let project = Project::copy();
    let site = project.path().join("site");
    let up = |parts: &[&str]| {
        let proxy = Proxy::before_nobody();
        let ran = project.deployer(&proxy.endpoint(), &["up"]);
        assert!(proxy.take().is_empty(), "the folder alone tells: {}", ran.stderr);
        ran.fails_with(2).says(parts);
    };

    symlink(format!("{outside}/secret"), site.join("a.txt")).expect("a link");
    up(&[
        "site/a.txt is a link to ",
        &outside,
        "outside of the site",
        ".deployerignore",
    ]);
    symlink("nowhere", site.join("b.txt")).expect("a link");
    symlink(".", site.join("c")).expect("a link");
    up(&[
        "3 files of site can't be published",
        "site/b.txt is a link to nowhere, which can't be followed",
        "site/c is a link to ., which is a folder around it",
    ]);
    project.write("site/.deployerignore", "a.txt\nb.txt\n/c\n[z-a]\n");
    up(&["site/.deployerignore: line 4"]);
    project.write("site/.deployerignore", "a.txt\nb.txt\n/c\n");

    project.write("site/back\\slash.css", "");
    project.write("site/control\u{7}.css", "");
    up(&[
        "2 files of site",
        "site/back\\slash.css has a backslash",
        "control\\u{7}.css\" has a control character",
    ]);
    std::fs::remove_file(site.join("back\\slash.css")).expect("removed");
    std::fs::remove_file(site.join("control\u{7}.css")).expect("removed");

    project.write("site/soap", "");
    up(&["site/soap has a name that S3 keeps for itself", "Rename the file."]);
    std::fs::remove_file(site.join("soap")).expect("removed");

    project.write("site/.deployerignore", "a.txt\nb.txt\n/c\nindex.html\n");
    up(&["there is no site/index.html", ".deployerignore leaves it out"]);
}

/// The page is told what the stage says that it is to be told, of whichever stacks; nothing is told where it has its own.
#[test]
fn the_stage_says_what_the_page_is_told() {
    let (emulator, project) = (Emulator::shared(), Project::of("site"));
    project.write(
        "stacks/news.yaml",
        "Resources: { Topic: { Type: AWS::SNS::Topic } }\n\
         Outputs: { Topic: { Value: !Ref Topic }, Greeting: { Value: hello } }\n",
    );
    let stages = project.read("stacks/stages.yaml");
    let says = |config: &str| {
        project.write(
            "stacks/stages.yaml",
            &stages.replace("  prod: {}", &format!("  prod: {{ siteConfig: {config} }}")),
        );
    };
    let up = || {
        let ran = project.deployer(&emulator.endpoint(), &["up", "--output", "json"]);
        ran.success().json()
    };
    let told = |document: &Value| {
        let url = format!("{}config.json", document::site_url(document));
        let answer = http::get(&url).expect("an answer");
        (answer.status == 200).then(|| answer.json())
    };
    says("{ topic: news.Topic, greeting: Greeting }");
    let first = up();
    assert_eq!(first["verification"]["verified"], true, "{first:#}");
    let topic = document::output(&first, "Topic");
    assert_eq!(
        told(&first),
        Some(serde_json::json!({ "topic": topic, "greeting": "hello" }))
    );
    // A value that changes arrives, and a name that isn't asked for any more goes.
    project.edit("stacks/news.yaml", "Value: hello", "Value: good day");
    says("{ greeting: news.Greeting }");
    assert_eq!(told(&up()), Some(serde_json::json!({ "greeting": "good day" })));
    // Its own is kept, once the stage asks for none, or for one of another name.
    project.write("site/config.json", "{\"of\": \"its own\"}");
    project
        .deployer(&emulator.endpoint(), &["up"])
        .fails_with(2)
        .says(&["site/config.json is in the way", "`siteConfigFile: deployed.json`"]);
    says("{ greeting: news.Greeting }, siteConfigFile: deployed.json");
    let both = up();
    assert_eq!(both["verification"]["verified"], true, "{both:#}");
    assert_eq!(told(&both), Some(serde_json::json!({ "of": "its own" })));
    let deployed = http::get(&format!("{}deployed.json", document::site_url(&both))).expect("an answer");
    assert_eq!(deployed.json(), serde_json::json!({ "greeting": "good day" }));
    project.write("stacks/stages.yaml", &stages);
    assert_eq!(told(&up()), Some(serde_json::json!({ "of": "its own" })));
    // What no template has can't be told.
    std::fs::remove_file(project.path().join("site/config.json")).expect("removed");
    says("{ greeting: news.Greetin }");
    project
        .deployer(&emulator.endpoint(), &["up"])
        .fails_with(2)
        .says(&["`siteConfig` has `greeting: news.Greetin`", "Did you mean"]);
}
