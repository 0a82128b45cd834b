//! The app grows by editing `stacks/` and `function/` alone, as the README shows it: a stack, a function with a route of its
//! own, and a table.

use crate::support::{Clients, Emulator, Project, http};

/// What the README says a project gets for it.
const README: &str = include_str!("../../README.md");

/// The README's block of code whose first line ends in `title`, such as the file that it is.
fn block(title: &str) -> &'static str {
    let opened = format!(" {title}\n");
    let start = README
        .find(&opened)
        .unwrap_or_else(|| panic!("the README has `{title}`"))
        + opened.len();
    let end = README[start..].find("```").expect("the block ends");
    &README[start..start + end]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_a_function_with_a_route_and_a_table_are_added_in_the_folder_alone() {
    let (emulator, project) = (Emulator::shared(), Project::with_function());
    let before = project
        .deployer(&emulator.endpoint(), &["up", "--output", "json"])
        .success()
        .json();

    for file in ["stacks/notes.yaml", "function/src/bin/list-notes.rs"] {
        let path = project.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        project.write(file, block(file));
    }
    let code_key = "  CodeKey: { Type: String }\n";
    project.edit(
        "stacks/logic.yaml",
        code_key,
        &format!("{code_key}{}", block("Parameters")),
    );
    project.edit(
        "stacks/logic.yaml",
        "\nOutputs:\n",
        &format!("\n{}\nOutputs:\n", block("Resources")),
    );
    let seed = project.read("stacks/seed.yaml");
    let items: String = seed.lines().map(|line| format!("  {line}\n")).collect();
    project.write(
        "stacks/seed.yaml",
        &format!("Table:\n{items}\n{}", block("stacks/seed.yaml")),
    );
    let graph = project.deployer(&emulator.endpoint(), &["graph"]).success();
    for part in [
        "NotesTableArn    ← notes.NotesTableArn",
        "function ListNotes: the binary list-notes",
        "route GET /notes",
    ] {
        assert!(graph.stdout.contains(part), "{}", graph.stdout);
    }

    let ran = project
        .deployer(&emulator.endpoint(), &["up", "--output", "json"])
        .success();
    let after = ran.json();
    assert_eq!(after["verification"]["verified"], true, "{after:#}");
    for (part, count) in [("stacks", 5), ("functions", 2), ("tables", 2)] {
        assert_eq!(after[part].as_array().map(Vec::len), Some(count), "{part}: {after:#}");
    }
    let url = |document: &serde_json::Value, path: &str| {
        let routes = document["apis"][0]["routes"].as_array().expect("routes");
        let route = routes
            .iter()
            .find(|route| route["path"] == path && route["method"] == "GET");
        route.and_then(|route| route["url"].as_str()).map(str::to_owned)
    };
    let notes = http::get(&url(&after, "/notes").expect("a route")).expect("an answer");
    assert_eq!(
        (notes.status, notes.json()["table"].as_str()),
        (200, Some("three-tier-prod-notes"))
    );
    // What was there is there, at the same address.
    let users = url(&before, "/users").expect("a route");
    assert_eq!(url(&after, "/users").as_ref(), Some(&users));
    assert_eq!(http::get(&format!("{users}?userId=1")).expect("an answer").status, 200);
    let clients = Clients::root(&emulator.endpoint());
    let described = clients
        .dynamodb
        .describe_table()
        .table_name("three-tier-prod-notes")
        .send()
        .await
        .expect("the table");
    assert_eq!(described.table().and_then(|table| table.item_count()), Some(1));
    project
        .deployer(&emulator.endpoint(), &["down", "--yes", "--delete-data"])
        .success();
}
