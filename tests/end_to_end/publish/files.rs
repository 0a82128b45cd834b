//! Files that are large, many, or written to meanwhile.

use super::{SITE, STAGE, Stage, change, is_put};
use crate::support::{Seen, answers};

#[test]
fn a_file_that_changes_meanwhile_is_noticed() {
    let stage = Stage::deployed();
    change(&stage.project, "two");
    let file = stage.project.path().join("site/index.html");
    stage.proxy.rule(move |seen| {
        if is_put(seen, "/script.") {
            std::fs::write(&file, "<title>half").expect("written");
        }
        None
    });
    stage
        .publish()
        .fails_with(1)
        .says(&["index.html was changed while the site was published", "next: "]);
    assert!(!stage.visit("").page.contains("<title>half"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_in_parts_and_only_once() {
    let stage = Stage::deployed();
    let film: Vec<u8> = (0..17 * 1024 * 1024 + 3).map(|n: u32| (n % 249) as u8).collect();
    std::fs::write(stage.project.path().join("site/film.bin"), &film).expect("written");
    let parts = |asked: &[Seen]| asked.iter().filter(|seen| seen.path.contains("partNumber=")).count();

    // One part is refused: all of them are given up, and the bucket has no half.
    stage
        .proxy
        .rule(|seen| (seen.path.contains("partNumber=2")).then(|| answers::s3_refusal(403, "AccessDenied", "no")));
    stage.publish().fails_with(1).says(&["could not upload film.bin"]);
    let asked = stage.proxy.take();
    assert!(
        asked
            .iter()
            .any(|seen| seen.method == "DELETE" && seen.path.contains("uploadId="))
    );
    assert!(!stage.keys().await.contains_key("film.bin"));

    // The answer to what makes the parts an object is lost: asked again, S3 knows of no such upload.
    stage.proxy.forget_rules();
    let mut lost = 0;
    stage.proxy.lose(move |seen| {
        let completes = seen.method == "POST" && seen.path.contains("uploadId=");
        lost += usize::from(completes);
        completes && lost == 1
    });
    stage.publish().success();
    let asked = stage.proxy.take();
    assert_eq!(parts(&asked), 3);
    let completions = asked
        .iter()
        .filter(|seen| seen.method == "POST" && seen.path.contains("uploadId="));
    assert_eq!(completions.clone().count(), 2);
    // S3 takes sums of parts only of an upload that was begun with them, and wants all of them in the end.
    for seen in &asked {
        if seen.path.contains("partNumber=") {
            assert_ne!(seen.header("x-amz-checksum-crc32"), "", "{seen:?}");
        } else if seen.path.contains("?uploads") {
            assert_eq!(seen.header("x-amz-checksum-algorithm"), "CRC32", "{seen:?}");
        }
    }
    for completion in completions {
        assert_eq!(
            completion.body.matches("<ChecksumCRC32>").count(),
            3,
            "{}",
            completion.body
        );
    }
    let object = stage
        .clients
        .s3
        .get_object()
        .bucket(SITE)
        .key("film.bin")
        .send()
        .await
        .expect("it");
    assert_eq!(object.content_type(), Some("application/octet-stream"));
    assert_eq!(object.body.collect().await.expect("bytes").to_vec(), film);
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();
    let up = ["up", "--stage", STAGE, "--only", "site"];
    stage.project.deployer(&stage.proxy.endpoint(), &up).success();
}

/// S3 lists and deletes a thousand at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_of_thousands_of_files_is_compared_whole() {
    const FILES: usize = 2300;
    let stage = Stage::deployed();
    let folder = stage.project.path().join("site/data");
    std::fs::create_dir(&folder).expect("made");
    for number in 0..FILES {
        std::fs::write(folder.join(format!("{number:04}.txt")), number.to_string()).expect("written");
    }
    stage.publish().success().says(&[&format!("{FILES} new")]);
    let whole = stage.keys().await;
    let expected = (0..FILES).filter(|number| whole.contains_key(&format!("data/{number:04}.txt")));
    assert_eq!(expected.count(), FILES);

    // Before, between and after what is expected, on each of the pages.
    let strays = [
        "#",
        "data/0000.txt.old",
        "data/0950 ü+&.txt",
        "data/1999.txt~",
        "data/2299.txtx",
        "zz",
    ];
    for stray in strays {
        stage.put(stray, "stray").await;
    }
    stage.proxy.take();
    // Pages and what is called as them go; anything else an open page may load.
    stage.publish().success().says(&["2 removed, 4 kept"]);
    let mut cleared = stage.keys().await;
    assert_eq!(cleared.len(), whole.len() + 4);
    cleared.retain(|key, _| !strays.contains(&key.as_str()));
    assert_eq!(cleared, whole);
    let asked = stage.proxy.take();
    let lists = asked.iter().filter(|seen| seen.path.contains("list-type=2"));
    assert!(lists.count() >= 3);
    assert!(!asked.iter().any(|seen| is_put(seen, "data/")));
    stage.publish().success();
    stage.proxy.assert_nothing_was_written();

    std::fs::remove_dir_all(&folder).expect("removed");
    stage.proxy.take();
    stage
        .publish_with(&["--yes", "--purge", "data/"])
        .success()
        .says(&[&format!("{} removed", FILES + 4), "all paths invalidated"]);
    let asked = stage.proxy.take();
    let deletions = asked
        .iter()
        .filter(|seen| seen.method == "POST" && seen.path.contains("-site-") && seen.path.ends_with("?delete"));
    assert_eq!(deletions.count(), 3);
    assert!(!stage.keys().await.keys().any(|key| key.starts_with("data/")));
}
