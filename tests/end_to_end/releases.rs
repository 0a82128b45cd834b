//! `deployer releases` and `deployer rollback`: back to what was deployed, by the same path, with all data as it is.

use std::fs;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;
use test_support::browser::Programs;

use crate::browser::Browser;
use crate::support::{Clients, Emulator, Project, document, http};

const TABLE: &str = "UserData-dev";

/// A function that says which release it is of, behind the example's API.
const HANDLER: &str = r#"import json, os

def handler(event, context):
    headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": os.environ["ALLOWED_ORIGIN"]}
    return {"statusCode": 200, "headers": headers, "body": json.dumps({"userId": "1", "release": "RELEASE"})}
"#;

const PAGE: &str = r#"<!doctype html><html lang="en"><title>Releases</title><link rel="stylesheet" href="style.css">
<p id="says"></p><script type="module" src="app.js"></script></html>"#;

const APP: &str = "document.getElementById('says').textContent = 'site RELEASE';
window.more = async () => (await import('./part-RELEASE.js')).part;
";

/// The example with that function, in Python, and a site of its own.
fn project() -> Project {
    let project = Project::copy();
    project.edit(
        "stacks/logic.yaml",
        "    Type: AWS::Lambda::Function\n",
        "    Type: AWS::Lambda::Function\n    Metadata: { Deployer: { Code: code } }\n",
    );
    project.edit("stacks/logic.yaml", "Runtime: provided.al2023", "Runtime: python3.13");
    project.edit("stacks/logic.yaml", "Handler: bootstrap", "Handler: app.handler");
    let site = project.path().join("site");
    if site.is_symlink() {
        fs::remove_file(&site).expect("the link");
    } else {
        fs::remove_dir_all(&site).expect("the folder");
    }
    fs::create_dir_all(project.path().join("code")).expect("a folder");
    fs::create_dir_all(project.path().join("tests")).expect("a folder");
    fs::create_dir_all(&site).expect("a folder");
    project
}

/// Makes the folder what `release` is to be made from.
fn write(project: &Project, release: &str) {
    let said = |text: &str| text.replace("RELEASE", release);
    for old in ["one", "two", "three"] {
        // Nothing is needed of the folder to go back to what it was.
        let _ = fs::remove_file(project.path().join(format!("tests/body-{old}.json")));
        let _ = fs::remove_file(project.path().join(format!("site/part-{old}.js")));
    }
    project.write("code/app.py", &said(HANDLER));
    project.write("site/index.html", PAGE);
    project.write("site/app.js", &said(APP));
    project.write("site/style.css", &said("p { color: green } /* RELEASE */"));
    project.write(
        &said("site/part-RELEASE.js"),
        &said("export const part = 'part RELEASE';\n"),
    );
    project.write("site/_headers", &said("/\n  X-Release: RELEASE\n"));
    project.write(&said("tests/body-RELEASE.json"), "{}");
    project.write(
        "stacks/verify.yaml",
        &said(
            "requests:\n  - { name: what it isn't asked, request: \"POST ${ApiUrl}\", bodyFile: tests/body-RELEASE.json, expect: { status: 403 } }\n  - name: it is of its release\n    request: GET ${ApiUrl}?userId=1\n    expect: { status: 200, json: { release: RELEASE } }\n",
        ),
    );
}

struct Stage<'a> {
    project: &'a Project,
    endpoint: String,
}

impl Stage<'_> {
    fn run(&self, args: &[&str]) -> crate::support::Ran {
        self.project
            .deployer(&self.endpoint, &[args, &["--stage", "dev"]].concat())
    }

    fn releases(&self) -> Vec<Value> {
        let document = self.run(&["releases", "--output", "json"]).success().json();
        document["releases"].as_array().expect("a list").clone()
    }
}

fn numbers(releases: &[Value]) -> Vec<u64> {
    releases
        .iter()
        .filter_map(|release| release["number"].as_u64())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_goes_back_while_a_page_is_open() {
    let Some(programs) = Programs::for_this_test() else {
        return;
    };
    let emulator = Emulator::start();
    let project = project();
    let stage = Stage {
        project: &project,
        endpoint: emulator.endpoint(),
    };
    let clients = Clients::root(&emulator.endpoint());
    assert!(stage.releases().is_empty());
    stage
        .run(&["rollback"])
        .fails_with(1)
        .says(&["the stage dev has no earlier release"]);

    write(&project, "one");
    stage.run(&["up"]).success();
    write(&project, "two");
    project.edit("stacks/logic.yaml", "MemorySize: 256", "MemorySize: 512");
    stage.run(&["up"]).success();
    write(&project, "three");
    project.edit(
        "stacks/data.yaml",
        "    Properties:\n",
        "    Properties:\n      Tags: [{ Key: since, Value: three }]\n",
    );
    let up = stage.run(&["up", "--output", "json"]).success().json();
    // Nothing changed: nothing to record.
    let again = stage.run(&["up"]).success();
    assert!(!again.stderr.contains("updated"), "{}", again.stderr);
    let releases = stage.releases();
    assert_eq!(numbers(&releases), [1, 2, 3], "{releases:#?}");
    assert_eq!(releases[1]["changed"]["stacks"], serde_json::json!(["logic"]));
    assert_eq!(releases[1]["changed"]["code"], serde_json::json!(["logic"]));
    let site = serde_json::json!({ "new": 1, "changed": 3, "removed": 1 });
    assert_eq!(releases[2]["changed"]["site"], site);
    assert!(releases[0]["by"].as_str().is_some_and(|by| by.starts_with("arn:aws:")));

    let (site, api) = (document::site_url(&up).to_owned(), document::api_url(&up).to_owned());
    let put = clients.dynamodb.put_item().table_name(TABLE);
    let put = put.item("userId", AttributeValue::S("late".into()));
    put.send().await.expect("put");
    let browser = Browser::open(&programs).await;
    let says = browser.says(&site, "says", &["site three"]);
    assert_eq!(says.await, "site three");

    // Its folder needn't be what it was; what is asked is what stays of the page that is open.
    stage.run(&["rollback", "1"]).success();
    let answer = http::request("GET", &format!("{api}?userId=1"), &[]).expect("an answer");
    assert_eq!(answer.json()["release"], "one");
    let function = clients.lambda.get_function_configuration();
    let function = function
        .function_name("retrieve-user-data-dev")
        .send()
        .await
        .expect("it is there");
    assert_eq!(function.memory_size(), Some(256));
    assert_eq!(browser.more().await, "part three", "the open page goes on");
    let says = browser.says(&site, "says", &["site one"]);
    assert_eq!(says.await, "site one");
    assert_eq!(browser.more().await, "part one");
    let found = clients.dynamodb.get_item().table_name(TABLE);
    let found = found
        .key("userId", AttributeValue::S("late".into()))
        .send()
        .await
        .expect("read");
    assert!(found.item().is_some(), "data stays");
    let table = clients
        .dynamodb
        .describe_table()
        .table_name(TABLE)
        .send()
        .await
        .expect("it is there");
    let arn = table
        .table()
        .and_then(|table| table.table_arn())
        .expect("an ARN")
        .to_owned();
    let tags = clients
        .dynamodb
        .list_tags_of_resource()
        .resource_arn(arn)
        .send()
        .await
        .expect("tags");
    assert!(
        tags.tags().iter().any(|tag| tag.key() == "since"),
        "the data stack's template stays"
    );
    let releases = stage.releases();
    assert_eq!(numbers(&releases), [1, 2, 3, 4]);
    assert_eq!(releases[3]["rolledBackTo"], 1);

    // Without a number it is the one before the newest, whose contract the folder still has.
    stage.run(&["rollback"]).success();
    let answer = http::request("GET", &format!("{api}?userId=1"), &[]).expect("an answer");
    assert_eq!(answer.json()["release"], "three");
    stage.run(&["verify"]).success();
    stage.run(&["up"]).success().says(&["unchanged"]);
    assert_eq!(numbers(&stage.releases()), [1, 2, 3, 4, 5]);
    browser.close().await;
}

/// Everything in the artifacts bucket under a prefix, with its bytes.
async fn artifacts(clients: &Clients, bucket: &str, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let listed = clients.s3.list_objects_v2().bucket(bucket).prefix(prefix);
    let listed = listed.send().await.expect("listed");
    let mut objects = Vec::new();
    for key in listed.contents().iter().filter_map(|object| object.key()) {
        let object = clients.s3.get_object().bucket(bucket).key(key).send().await;
        let bytes = object.expect("an object").body.collect().await.expect("its bytes");
        objects.push((key.to_owned(), bytes.into_bytes().to_vec()));
    }
    objects
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_ten_are_kept_without_secrets_and_what_was_purged_is_gone() {
    let emulator = Emulator::start();
    let project = Project::of("site");
    project.edit(
        "stacks/web.yaml",
        "\nParameters:\n",
        "\nParameters:\n  Password: { Type: String, NoEcho: true }\n  Colour: { Type: String }\n",
    );
    let settings = project.read("stacks/stages.yaml");
    let settings = format!(
        "{settings}\ndefaults: {{ parameters: {{ Password: \"hush-${{env:THE_SECRET}}\", Colour: \"${{env:THE_COLOUR}}\" }} }}\n"
    );
    project.write("stacks/stages.yaml", &settings);
    let endpoint = emulator.endpoint();
    let run = |args: &[&str], colour: &str| {
        let run = crate::support::Deployer::new(project.path(), args).at(&endpoint);
        run.env("THE_SECRET", "very-secret").env("THE_COLOUR", colour).run()
    };
    let clients = Clients::root(&endpoint);
    for number in 1..=12 {
        project.write("site/same.txt", &format!("it is {number}"));
        project.write("site/seen.txt", &format!("private {}", number / 11));
        // The first needs the stack; the others are about the site alone.
        let only: &[&str] = if number == 1 { &[] } else { &["--only", "site"] };
        run(&[&["up", "--no-verify"], only].concat(), "red").success();
    }
    let releases = run(&["releases", "--output", "json"], "red").success().json();
    let releases = releases["releases"].as_array().expect("a list").clone();
    assert_eq!(numbers(&releases), (3..=12).collect::<Vec<u64>>());
    assert_eq!(releases[0]["environment"], serde_json::json!({ "THE_COLOUR": "red" }));
    assert_eq!(releases[0]["stacks"]["web"]["parameters"]["Colour"], "red");
    run(&["rollback", "1"], "red")
        .fails_with(2)
        .says(&["there is no release 1", "There is 3, 4,"]);
    let bucket = clients.s3.list_buckets().send().await.expect("buckets");
    let bucket = bucket.buckets().iter().filter_map(|bucket| bucket.name());
    let bucket = bucket
        .clone()
        .find(|name| name.contains("artifacts"))
        .expect("a bucket")
        .to_owned();
    let kept = artifacts(&clients, &bucket, "releases/").await;
    let has = |kept: &[(String, Vec<u8>)], text: &str| {
        kept.iter()
            .any(|(_, bytes)| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    for (text, expected) in [
        ("it is 2", false),
        ("it is 3", true),
        ("it is 11", true),
        ("private 0", true),
    ] {
        assert_eq!(has(&kept, text), expected, "{text}");
    }
    assert!(
        !has(&kept, "very-secret") && !has(&kept, "hush-"),
        "no secret is recorded"
    );

    // The secret comes from the folder, and the colour from the release.
    run(&["rollback", "5", "--no-verify"], "green").success();
    let stack = clients.cloudformation.describe_stacks().stack_name("website-prod-web");
    let stack = stack.send().await.expect("it is there");
    let parameters = stack.stacks()[0].parameters();
    let value = |name: &str| {
        let found = parameters
            .iter()
            .find(|parameter| parameter.parameter_key() == Some(name));
        found
            .and_then(|parameter| parameter.parameter_value())
            .map(str::to_owned)
    };
    assert_eq!(value("Colour").as_deref(), Some("red"));

    // What is to be gone now is gone from earlier releases, too.
    fs::remove_file(project.path().join("site/seen.txt")).expect("removed");
    run(&["up", "--no-verify", "--purge", "/seen.txt"], "blue").success();
    let kept = artifacts(&clients, &bucket, "releases/content/").await;
    assert!(!has(&kept, "private 0") && !has(&kept, "private 1"));
    run(&["rollback", "5", "--no-verify"], "green")
        .fails_with(1)
        .says(&["site/seen.txt of release 5 isn't there any more", "it was purged"]);
    let site = artifacts(&clients, &bucket, "site/").await;
    assert_eq!(site.len(), 1, "nothing else came of it");
}
