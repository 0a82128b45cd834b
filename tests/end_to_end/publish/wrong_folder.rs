//! A folder that isn't the site's: what is published isn't lost by that.

use super::{STAGE, Stage};
use crate::support::Project;

/// A site of a page and so many pictures.
fn with_pictures(project: &Project, pictures: usize) {
    for number in 0..pictures {
        project.write(&format!("site/p{number:03}.svg"), &format!("<svg>{number}</svg>"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_would_lose_much_is_asked_about_before_anything_is_changed() {
    let stage = Stage::deployed();
    with_pictures(&stage.project, 20);
    stage.publish().success();
    let before = stage.keys().await;
    // All of it, so that stacks would be changed, too.
    stage.replace_site(&[("index.html", "<title>another</title>")]);
    stage.project.edit(
        "stacks/stages.yaml",
        "  dev:\n    parameters:\n",
        "  dev:\n    parameters:\n      LogLevel: debug\n",
    );
    stage.proxy.take();
    let up = ["up", "--stage", STAGE, "--no-verify"];
    let refused = stage.project.deployer(&stage.proxy.endpoint(), &up).fails_with(5);
    refused.says(&[
        "would lose 23 of 26 files, such as favicon.svg, p000.svg, p001.svg: is site/ the right folder?",
        "did not publish a site that lacks much of what is published",
        "nobody can be asked here",
        "Nothing was changed",
        "`maxDelete: 23` in stacks/stages.yaml",
        "--yes",
    ]);
    let asked = stage.proxy.take();
    assert!(
        !asked
            .iter()
            .any(|seen| seen.path.contains("ledger") && seen.method == "PUT"),
        "the ledger is only read"
    );
    assert!(!asked.iter().any(|seen| seen.operation == "ExecuteChangeSet"));
    assert_eq!(stage.keys().await, before);

    // As much as that may go, if the stage says so; or if it is said now.
    let edit = |from: &str, to: &str| stage.project.edit("stacks/stages.yaml", from, to);
    edit("  dev:\n", "  dev:\n    maxDelete: 22\n");
    stage.publish().fails_with(5);
    edit("maxDelete: 22", "maxDelete: 93%");
    stage.publish().success().says(&["kept for earlier pages"]);
    with_pictures(&stage.project, 20);
    stage.publish().success();
    // A file that was given up once isn't counted again while it is kept.
    edit("    maxDelete: 93%\n", "");
    for number in 0..20 {
        std::fs::remove_file(stage.project.path().join(format!("site/p{number:03}.svg"))).expect("removed");
    }
    stage.publish().fails_with(5).says(&["would lose 20 of 23 files"]);
    stage.publish_with(&["--yes"]).success();
    stage.publish().success();
}

/// Nothing more is asked of AWS than without the question.
#[test]
fn what_is_there_is_read_once() {
    let stage = Stage::deployed();
    let reads = |asked: &[crate::support::Seen]| {
        // Of the site's bucket: that of packages is asked for the newest release.
        let is_list = |seen: &&crate::support::Seen| seen.path.contains("list-type=2") && seen.path.contains("-site-");
        let lists = asked.iter().filter(is_list).count();
        let is_ledger = |seen: &&crate::support::Seen| seen.method == "GET" && seen.path.contains("ledger.json");
        (lists, asked.iter().filter(is_ledger).count())
    };
    stage.proxy.take();
    stage.publish().success();
    assert_eq!(reads(&stage.proxy.take()), (1, 1));
    stage.project.write("site/new.txt", "new");
    stage.publish().success().says(&["1 new"]);
    assert_eq!(reads(&stage.proxy.take()), (1, 1));
}
