//! A publication that ends before its time.

use super::{Stage, change, is_put, killed_at};
use crate::support::answers;

#[test]
fn an_interrupted_publication_leaves_the_old_site_whole() {
    let stage = Stage::deployed();
    change(&stage.project, "one");
    stage.publish().success();
    let one = stage.visit("");
    assert!(one.page.contains("<title>one</title>") && one.has("--version: one"));

    change(&stage.project, "two");
    killed_at(&stage, |seen| is_put(seen, "/style."));
    assert_eq!(stage.visit(""), one);
    killed_at(&stage, |seen| is_put(seen, "/index.html"));
    assert_eq!(stage.visit(""), one, "all else is there, and the page isn't");

    let up = stage.publish().success();
    assert!(!up.stderr.contains("waiting for another"), "{}", up.stderr);
    let two = stage.visit("");
    assert!(two.page.contains("<title>two</title>") && two.has("--version: two") && !two.has("--version: one"));
    stage.proxy.take();
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_upload_removes_nothing_and_a_stale_object_never_survives() {
    let stage = Stage::deployed();
    stage.put("gone.html", "old").await;
    stage.put("deep/er/ü b.html", "old").await;
    change(&stage.project, "two");
    stage
        .proxy
        .rule(|seen| is_put(seen, "/index.html").then(|| answers::s3_refusal(403, "AccessDenied", "no")));
    stage
        .publish()
        .fails_with(1)
        .says(&["could not upload index.html", "AccessDenied"]);
    assert!(stage.keys().await.contains_key("gone.html"));
    let asked = stage.proxy.take();
    assert!(
        !asked
            .iter()
            .any(|seen| seen.path.contains("delete") || seen.path.contains("/invalidation")),
        "nothing is removed or forgotten"
    );

    stage.proxy.forget_rules();
    let up = stage.publish().success();
    assert!(up.stderr.contains("2 removed"), "{}", up.stderr);
    let keys = stage.keys().await;
    assert!(
        !keys.contains_key("gone.html") && !keys.contains_key("deep/er/ü b.html"),
        "{keys:?}"
    );
    let paths: Vec<String> = stage
        .proxy
        .take()
        .into_iter()
        .filter(|seen| seen.path.contains("/invalidation"))
        .map(|seen| seen.body)
        .collect();
    assert_eq!(paths.len(), 1, "one invalidation");
    for path in [
        "/index.html",
        "/",
        "/gone.html",
        "/deep/er/%C3%BC%20b.html",
        "/style.css",
    ] {
        assert!(
            paths[0].contains(&format!("<Path>{path}</Path>")),
            "{path} in {}",
            paths[0]
        );
    }
    for key in keys.keys().filter(|key| key.split('.').count() == 3) {
        assert!(!paths[0].contains(key), "{key} has its hash in its name");
    }
}
