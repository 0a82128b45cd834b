//! Pages that are open while their successors are published, and what must not wait for them.

use serde_json::json;

use super::{STAGE, Stage, is_put};
use crate::support::Seen;

const FIRST: &[(&str, &str)] = &[
    (
        "index.html",
        "<!doctype html><title>open</title><script type=module src=app-1111.js></script><button id=more>more</button>",
    ),
    (
        "app-1111.js",
        "document.getElementById('more').onclick = () => import('./more-2222.js');\n",
    ),
    ("more-2222.js", "export const text = 'there';\n"),
    ("about.html", "<!doctype html><title>about</title>"),
];
const SECOND: &[(&str, &str)] = &[
    (
        "index.html",
        "<!doctype html><title>open</title><script type=module src=app-3333.js></script><button id=more>more</button>",
    ),
    (
        "app-3333.js",
        "document.getElementById('more').onclick = () => import('./more-4444.js');\n",
    ),
    ("more-4444.js", "export const text = 'there, too';\n"),
];

/// A stage on which the second site has taken the first one's place.
fn after_its_successor(fingerprints: bool) -> Stage {
    let stage = Stage::deployed();
    let dev = format!("  dev:\n    fingerprints: {fingerprints}\n");
    stage.project.edit("stacks/stages.yaml", "  dev:\n", &dev);
    stage.replace_site(FIRST);
    stage.publish_with(&["--yes", "--purge", "*"]).success();
    stage.replace_site(SECOND);
    stage.publish().success();
    stage
}

/// What a script loads later, by a name that nothing but the script has.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_open_still_gets_its_lazy_parts() {
    for fingerprints in [true, false] {
        let stage = after_its_successor(fingerprints);
        let keys = stage.keys().await;
        assert!(keys.keys().any(|key| key.starts_with("app-1111.")), "{keys:?}");
        for (path, status) in [("more-2222.js", 200), ("app-1111.js", 200), ("more-4444.js", 200)] {
            assert_eq!(stage.status(path), status, "{path}");
        }
        assert!(!keys.contains_key("about.html"), "a page that is gone is gone");
        stage.proxy.take();
        let again = stage.publish().success();
        let kept = if fingerprints { 3 } else { 2 };
        assert!(
            again.stderr.contains(&format!(" {kept} kept for earlier pages")),
            "{again}"
        );
        stage.proxy.assert_nothing_was_written();
    }
}

/// Thirty days, or three publications, whichever is longer.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_page_has_any_more_goes_when_its_time_is_over_and_nothing_else_is_to_be_done() {
    let stage = after_its_successor(true);
    // As it is after so many publications and days.
    let has_passed = async |publications: u64, days: u64| {
        stage
            .with_ledger(|ledger| {
                let since = ledger["retired"]["more-2222.js"].as_u64().expect("a publication");
                let time = &mut ledger["times"][since.to_string()];
                let now = time.as_u64().expect("a time");
                *time = json!(now - days * 24 * 60 * 60);
                ledger["publication"] = json!(since + publications);
            })
            .await;
    };
    has_passed(2, 90).await;
    stage.publish().success().says(&["3 kept for earlier pages"]);
    has_passed(3, 0).await;
    // Ninety days are over by what was said before.
    stage
        .with_ledger(|ledger| {
            let times = ledger["times"].as_object_mut().expect("times");
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .expect("after 1970");
            times
                .values_mut()
                .for_each(|time| *time = json!(now.as_secs() - 29 * 24 * 60 * 60));
        })
        .await;
    stage.publish().success().says(&["3 kept for earlier pages"]);
    has_passed(3, 2).await;
    stage.proxy.take();
    let up = stage.publish().success();
    assert!(up.stderr.contains("3 removed, 2 paths invalidated"), "{up}");
    assert!(
        !stage.proxy.take().iter().any(|seen| is_put(seen, "")),
        "and nothing is sent"
    );
    assert!(
        !stage
            .keys()
            .await
            .keys()
            .any(|key| key.contains("1111") || key.contains("2222"))
    );
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
}

/// The ledger of a version of the deployer that counted publications only, and kept only its own names.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_deployer_has_noted_stays_for_its_time_from_now_on() {
    let stage = after_its_successor(true);
    stage
        .with_ledger(|ledger| {
            let fields = ledger.as_object_mut().expect("fields");
            assert!(fields.remove("times").is_some() && fields.remove("otherHeaders").is_some());
            ledger["publication"] = json!(100);
        })
        .await;
    stage.proxy.take();
    stage.publish().success().says(&["3 kept for earlier pages"]);
    let asked = stage.proxy.take();
    assert!(
        !asked.iter().any(|seen| is_put(seen, "")),
        "nothing of the site is sent again"
    );
    assert!(asked.iter().any(Seen::writes), "but the time is noted");
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
}

/// A file that should never have been published.
#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_gone_goes_at_once() {
    let stage = after_its_successor(true);
    let up = stage.publish_with(&["--purge", "more-2*", "--purge", "*.htm", "--purge", "/app-3333.js"]);
    let up = up.success().says(&[
        "1 removed, 2 kept",
        "1 path invalidated",
        "--purge *.htm matches nothing",
        "--purge /app-3333.js matches only what is in the site, as app-3333.js",
    ]);
    assert!(!up.stderr.contains("--purge more-2*"), "{}", up.stderr);
    let asked = stage.proxy.take();
    let invalidation = asked.iter().rfind(|seen| seen.path.contains("/invalidation"));
    assert!(invalidation.is_some_and(|seen| seen.body.contains("<Path>/more-2222.js</Path>")));
    let keys = stage.keys().await;
    assert!(!keys.contains_key("more-2222.js") && keys.contains_key("app-1111.js") && keys.contains_key("app-3333.js"));

    let without = ["up", "--stage", STAGE, "--only", "seed", "--purge", "*"];
    stage
        .project
        .deployer(&stage.proxy.endpoint(), &without)
        .fails_with(2)
        .says(&["--purge is about the site", "up --only site --purge"]);
    stage
        .publish_with(&["--purge", "[z-a]"])
        .fails_with(2)
        .says(&["--purge [z-a]: that is no pattern"]);
}

/// S3 doesn't list headers: the ledger says what they are, of each object.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_headers_are_others_is_sent_and_no_other() {
    let stage = after_its_successor(false);
    stage
        .with_ledger(|ledger| {
            ledger["otherHeaders"] = json!({ "text/javascript; no-cache\ncontent-encoding: br": ["app-3333.js"] });
        })
        .await;
    stage.proxy.take();
    stage.publish().success().says(&["1 changed", "1 path invalidated"]);
    let asked = stage.proxy.take();
    let sent: Vec<&str> = asked
        .iter()
        .filter(|seen| is_put(seen, ""))
        .map(|seen| seen.path.as_str())
        .collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].contains("app-3333.js"));
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
}
