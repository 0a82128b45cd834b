//! What browsers and CloudFront still have of the site before.

use std::sync::{Arc, Mutex};

use super::{ONLY_SITE, Stage, change};
use crate::support::{Seen, answers, http};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opened_a_page_before_still_gets_what_belongs_to_it() {
    let stage = Stage::deployed();
    stage
        .project
        .edit("stacks/stages.yaml", "  dev:\n", "  dev:\n    keepFor: 0h\n");
    change(&stage.project, "v0");
    stage.publish().success();
    let opened = stage.visit("");
    let style = opened
        .loaded
        .keys()
        .find(|key| key.ends_with(".css"))
        .expect("a style sheet")
        .clone();
    // A style sheet and a script of each version before, until those of the fourth before go.
    for (version, kept) in [("v1", 4), ("v2", 6), ("v3", 6)] {
        let before = http::get(&format!("{}{style}", stage.site)).expect("an answer");
        assert_eq!(before.status, 200, "before {version}");
        change(&stage.project, version);
        let up = stage.publish().success();
        let told = format!(" {kept} kept for earlier pages");
        assert!(up.stderr.contains(&told), "{version}:\n{up}");
    }
    change(&stage.project, "v4");
    stage.publish().success();
    assert!(
        !stage.keys().await.contains_key(&style),
        "some publications later it goes"
    );
}

#[test]
fn an_invalidation_that_failed_is_asked_for_again() {
    let stage = Stage::deployed();
    change(&stage.project, "two");
    let references = Arc::new(Mutex::new(Vec::new()));
    let reference = |seen: &Seen| {
        let (_, rest) = seen.body.split_once("<CallerReference>")?;
        rest.split_once('<').map(|(reference, _)| reference.to_owned())
    };
    let note = Arc::clone(&references);
    stage.proxy.rule(move |seen| {
        let reference = seen.path.contains("/invalidation").then(|| reference(seen)).flatten()?;
        let mut noted = note.lock().expect("unpoisoned");
        noted.push(reference);
        // CloudFront has its limit first, then the caller no right, then all is well.
        match noted.len() {
            1 => Some(answers::refusal(400, "TooManyInvalidationsInProgress", "no")),
            2 => Some(answers::refusal(403, "AccessDenied", "no")),
            _ => None,
        }
    });
    stage
        .publish()
        .fails_with(1)
        .says(&["could not invalidate", "AccessDenied"]);
    let again = stage.publish().success();
    assert!(
        again.stderr.contains("paths invalidated") && !again.stderr.contains(" changed"),
        "{}",
        again.stderr
    );
    let references = references.lock().expect("unpoisoned").clone();
    assert_eq!(references.len(), 3);
    assert!(
        references.iter().all(|one| *one == references[0]),
        "one request to CloudFront, however often it is made"
    );
    stage.publish().success();
    let asked = stage.proxy.take();
    assert_eq!(
        asked.iter().filter(|seen| seen.path.contains("/invalidation")).count(),
        3
    );
}

#[test]
fn it_can_be_waited_for_until_nobody_gets_the_old_site() {
    let stage = Stage::deployed();
    change(&stage.project, "two");
    let mut looks = 0;
    stage.proxy.rule(move |seen| {
        let is_it = seen.method == "GET" && seen.path.contains("/invalidation/");
        is_it.then(|| looks += 1)?;
        let status = if looks < 3 { "InProgress" } else { "Completed" };
        let text = format!(
            "<Invalidation><Id>I1</Id><Status>{status}</Status><CreateTime>2026-01-01T00:00:00Z</CreateTime>\
             <InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/</Path></Items></Paths>\
             <CallerReference>r</CallerReference></InvalidationBatch></Invalidation>"
        );
        Some((200, text))
    });
    let wait = [&ONLY_SITE[..], &["--wait", "--output", "json"]].concat();
    let ran = stage.project.deployer(&stage.proxy.endpoint(), &wait).success();
    assert!(ran.stderr.contains("waiting until CloudFront"), "{}", ran.stderr);
    let asked = stage.proxy.take();
    let looks = asked
        .iter()
        .filter(|seen| seen.method == "GET" && seen.path.contains("/invalidation/"));
    assert_eq!(looks.count(), 3);
}
