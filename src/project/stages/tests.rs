//! What settings are read as, and what is said of those that are wrong.

use super::*;

const FILE: &str = "
project: shop
defaults:
  parameters:
    LogRetentionDays: 14
    LogLevel: warn
    TableName: Ledger-${stage}
stages:
  prod:
    protected: true
    parameters:
      TableName: Ledger
      LogRetentionDays: 90
      Flavour: 7
  dev:
";

fn parse(text: &str) -> Result<Stages> {
    Stages::parse(text, Path::new("stacks/stages.yaml"))
}

/// What is marked first, in what file and line, and what is said.
#[track_caller]
fn refused<T>(result: Result<T>, place: &str, marked: &str, word: &str) -> Error {
    let Err(error) = result else {
        panic!("`{word}` is expected");
    };
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("stacks/stages.yaml:{place}: ")) && text.contains(word),
        "{text}"
    );
    let excerpt = error.excerpts().first().expect("an excerpt");
    assert_eq!(&excerpt.text[excerpt.span.clone()], marked, "{text}");
    assert!(error.next_step().is_some(), "{text}");
    error
}

const PATTERNS: &str = "
project: shop
stages:
  prod: { protected: true }
  pr-*: { expires: 7d, parameters: { Size: small } }
  pr-x*: { expires: 12h }
  p*-1: {}
  pr-7: { parameters: { Size: large } }
";

#[test]
fn a_stage_is_its_own_entry_or_what_the_best_pattern_says() {
    let stages = parse(PATTERNS).expect("valid");
    let stage = |name: &str| stages.stage(name).expect(name);
    let pr = stage("pr-12");
    assert_eq!(pr.name, "pr-12");
    assert_eq!(pr.parameters["Size"], "small");
    assert_eq!(pr.expires.map(|expiry| expiry.to_string()).as_deref(), Some("7d"));
    assert_eq!(stage("pr-7").parameters["Size"], "large", "its own entry comes first");
    assert_eq!(stage("pr-7").expires, None, "and is all of it");
    let longer = stage("pr-xy").expires.map(|expiry| expiry.to_string());
    assert_eq!(longer.as_deref(), Some("12h"), "the longer beginning");
    assert_eq!(stage("pr-1").parameters.len(), 1, "`p*-1` begins with less");
    assert_eq!(stage("px-1").expires, None);
    let error = stages.stage("staging").expect_err("none fits");
    assert!(
        error.to_string().contains("it has p*-1, pr-*, pr-7, pr-x*, prod"),
        "{error}"
    );
    stages.stage("pr-").expect_err("no stage's name");
    stages.stage("pr-*").expect_err("a pattern is no stage");
}

#[test]
fn two_patterns_that_fit_equally_well_are_refused_with_both_lines() {
    let stages = parse("project: shop\nstages:\n  pr-*: {}\n  pr-*-eu: {}\n  prod: {}\n").expect("valid");
    stages.stage("pr-12").expect("one fits");
    let error = refused(stages.stage("pr-12-eu"), "3:3", "pr-*", "both fit the stage `pr-12-eu`");
    let marked: Vec<_> = error
        .excerpts()
        .iter()
        .map(|excerpt| &excerpt.text[excerpt.span.clone()])
        .collect();
    assert_eq!(marked, ["pr-*", "pr-*-eu"]);
    let other = error.causes().any(|cause| cause.contains("stacks/stages.yaml:4:3"));
    assert!(other, "{error:?}");
}

#[test]
fn a_pattern_is_a_name_but_for_its_stars() {
    for (pattern, good) in [
        ("pr-*", true),
        ("a*b*c", true),
        ("\"*\"", false),
        ("'*-x'", false),
        ("pr-**", false),
        ("Pr-*", false),
        ("pr_*", false),
        ("pr-*-", false),
        ("pr-?", false),
        ("aws*", false),
        ("pr-which-is-much-too-long-*", false),
    ] {
        let text = format!("project: shop\nstages:\n  {pattern}: {{}}\n");
        assert_eq!(parse(&text).is_ok(), good, "{pattern}");
    }
    refused(
        parse("project: shop\nstages:\n  \"*-x\": {}\n"),
        "3:3",
        "\"*-x\"",
        "is no pattern",
    );
}

#[test]
fn what_is_protected_cannot_expire() {
    let both = "project: shop\nstages:\n  prod:\n    protected: true\n    expires: 7d\n";
    refused(parse(both), "5:5", "expires", "the stage `prod` is protected");
    let inherited = "project: shop\ndefaults: { expires: 7d }\nstages: { dev: {}, prod: { protected: true } }\n";
    refused(parse(inherited), "2:13", "expires", "the stage `prod` is protected");
    refused(
        parse("project: shop\nstages: { dev: { expires: 7 } }\n"),
        "2:27",
        "7",
        "hours, days or weeks, and not `7`",
    );
}

#[test]
fn where_stages_are_is_told_without_one_that_is_listed() {
    let stages = parse(
            "project: shop\ndefaults: { region: eu-west-1 }\nstages:\n  prod: { region: us-east-1, account: \"123456789012\" }\n  \
             \"pr-*\": { expires: 7d, profile: preview }\n",
        )
        .expect("valid");
    let place = |name: &str| stages.place_of_stage(name, &|_| None).expect("told");
    assert_eq!(place("prod").region.as_deref(), Some("us-east-1"));
    assert_eq!(place("prod").account.as_deref(), Some("123456789012"));
    assert_eq!(place("gone").region.as_deref(), Some("eu-west-1"));
    assert_eq!(place("pr-3").profile.as_deref(), Some("preview"));
    let expiring = stages.place_of_expiring("prod", &|_| None).expect("told");
    assert_eq!(expiring, place("pr-3"));
    assert!(stages.lists("pr-3").expect("told") && !stages.lists("gone").expect("told"));
}

#[test]
fn a_local_stage_has_nothing_of_aws() {
    let file = |defaults: &str, own: &str| {
        parse(&format!(
            "project: x\ndefaults: {{ {defaults} }}\nstages:\n  mine: {{ {own} }}\n  prod: {{}}\n"
        ))
    };
    let of_aws = "account: '111111111111', profile: work, region: eu-central-1";
    let stages = file(of_aws, "local: true").expect("valid");
    let mine = stages.stage("mine").expect("listed");
    assert!(mine.local && mine.account.is_none());
    assert_eq!(mine.region.as_deref(), Some("eu-central-1"));
    assert_eq!(mine.place_of_local().to_string(), "stacks/stages.yaml:4:11");
    let prod = stages.stage("prod").expect("listed");
    assert!(!prod.local && prod.account.is_some());
    // All of them, but for one that says otherwise.
    let stages = file("local: true", "local: false, profile: work").expect("valid");
    assert!(!stages.stage("mine").expect("listed").local);
    assert!(stages.stage("prod").expect("listed").local);
    for (own, at, marked) in [
        ("local: true, account: '111111111111'", "4:24", "account"),
        ("profile: work, local: true", "4:11", "profile"),
    ] {
        refused(file("", own).expect("valid").stage("mine"), at, marked, "never there");
    }
    refused(file("", "local: 'yes'"), "4:18", "'yes'", "true or false");
}

#[test]
fn a_project_is_called_what_is_nearest() {
    for (name, like) in [
        ("shop", Some("shop")),
        ("My Shop!", Some("my-shop")),
        ("2024_orders", Some("orders")),
        ("a name that is far too long", Some("a-name-that-is-far-t")),
        ("exactly-nineteen-ch-x", Some("exactly-nineteen-ch")),
        ("Größe", Some("gr-e")),
        ("42", None),
        ("漢", None),
    ] {
        assert_eq!(project_like(name).as_deref(), like, "{name}");
        if let Some(like) = like {
            assert!(check_project(like).is_ok(), "{like}");
        }
    }
}

#[test]
fn a_stage_overrides_the_defaults() {
    let stages = parse(FILE).expect("valid");
    let prod = stages.stage("prod").expect("listed");
    assert!(prod.protected);
    assert_eq!(prod.parameters["TableName"], "Ledger");
    assert_eq!(prod.parameters["LogRetentionDays"], "90");
    assert_eq!(prod.parameters["LogLevel"], "warn");
    assert_eq!(prod.parameters["Flavour"], "7");
    assert_eq!(prod.place_of("Flavour").to_string(), "stacks/stages.yaml:14:7");
    assert_eq!(prod.place_of("Other").to_string(), "stacks/stages.yaml");
    let dev = stages.stage("dev").expect("listed");
    assert!(!dev.protected);
    assert_eq!(dev.parameters["TableName"], "Ledger-dev");
    assert_eq!(dev.parameters["LogRetentionDays"], "14");
    assert!(prod.site.fingerprints && dev.site.fingerprints, "the default");

    let text = "
project: shop
defaults: { fingerprints: false, region: eu-west-1, protected: true, siteConfig: { a: A, b: logic.B } }
stages:
  prod: { region: ~, protected: }
  dev: { fingerprints: true, region: \"eu-${stage}-1\", protected: false, siteConfig: { b: B }, parameters: { Architecture: arm64 } }
";
    let stages = parse(text).expect("valid");
    let prod = stages.stage("prod").expect("listed");
    let dev = stages.stage("dev").expect("listed");
    assert_eq!([prod.site.fingerprints, dev.site.fingerprints], [false, true]);
    assert_eq!([prod.protected, dev.protected], [true, false]);
    assert_eq!(prod.region.as_deref(), Some("eu-west-1"));
    assert_eq!(dev.region.as_deref(), Some("eu-dev-1"));
    let pairs = |stage: &Stage| format!("{:?}", stage.site_config.as_ref().expect("said"));
    assert_eq!(pairs(&prod), r#"{"a": "A", "b": "logic.B"}"#);
    assert_eq!(pairs(&dev), r#"{"a": "A", "b": "B"}"#);
    assert_eq!(dev.parameters["Architecture"], "arm64");
}

#[test]
fn values_are_taken_as_they_are_written() {
    for value in [
        "1.10",
        "0x1F",
        "9999999999999999999",
        "012",
        "true",
        "1e3",
        "0o7",
        "-0",
        ".5",
        "2024-01-01",
        "yes",
        "1_000",
    ] {
        let text = format!("project: shop\nstages:\n  dev:\n    parameters:\n      X: {value} # so\n");
        let stage = parse(&text).expect("valid").stage("dev").expect("listed");
        assert_eq!(stage.parameters["X"], value);
    }
    let text = "project: shop\nstages:\n  dev:\n    parameters:\n      X: \"a\\tb\"\n      Y: ''\n      Z: |\n        a\n        b\n";
    let stage = parse(text).expect("valid").stage("dev").expect("listed");
    assert_eq!(stage.parameters["X"], "a\tb");
    assert_eq!(stage.parameters["Y"], "");
    assert_eq!(stage.parameters["Z"], "a\nb\n");
}

#[test]
fn a_protected_stage_is_seeded_once_unless_it_says_otherwise() {
    let text = "project: shop\ndefaults: { protected: true }\nstages:\n  prod:\n  dev: { protected: false }\n  live: { seed: always }\n  bare: { protected: false, seed: never }\n";
    let stages = parse(text).expect("valid");
    let seed = |stage: &str| stages.stage(stage).expect("listed").seed;
    assert_eq!(seed("prod"), Seeding::Once);
    assert_eq!(seed("dev"), Seeding::Always);
    assert_eq!(seed("live"), Seeding::Always);
    assert_eq!(seed("bare"), Seeding::Never);
    let stages = parse("project: shop\ndefaults: { seed: once }\nstages: { dev: }\n").expect("valid");
    assert_eq!(stages.stage("dev").expect("listed").seed, Seeding::Once);

    let refused = |value: &str| {
        let text = format!("project: shop\nstages:\n  dev:\n    seed: {value}\n");
        let error = parse(&text).expect_err(value);
        (error.to_string(), error.next_step().unwrap_or_default().to_owned())
    };
    let (what, next_step) = refused("allways");
    assert_eq!(
        what,
        "stacks/stages.yaml:4:11: `seed` is always, once or never, and not `allways`"
    );
    assert_eq!(next_step, "Did you mean `always`?");
    let (what, next_step) = refused("false");
    assert!(what.contains("and not `false`"), "{what}");
    assert!(
        next_step.contains("`never` leaves it to `deployer seed`"),
        "{next_step}"
    );
    assert!(refused("[once]").0.starts_with("stacks/stages.yaml:4:11: "));
}

fn with_account(account: &str) -> Result<Option<String>> {
    let stages = parse(&format!(
        "project: shop\ndefaults:\n  account: {account}\nstages: {{ dev: }}\n"
    ))?;
    Ok(stages.stage("dev")?.account)
}

#[test]
fn an_account_is_12_digits_quoted_or_not() {
    for written in ["012345678901", "\"012345678901\"", "'012345678901'"] {
        assert_eq!(with_account(written).expect("valid").as_deref(), Some("012345678901"));
    }
    let error = refused(with_account("12345678901"), "3:12", "12345678901", "12 digits");
    assert_eq!(
        error.next_step(),
        Some("If it begins with zeros, quote it: `account: \"012345678901\"`.")
    );
    for bad in [
        "\"12345678901\"",
        "0x3ade68b1",
        "1.2e11",
        "1234567890123",
        "'1234 5678 9012'",
        "١٢٣٤٥٦٧٨٩٠١٢",
    ] {
        let error = refused(with_account(bad), "3:12", bad, "12 digits");
        assert!(!error.next_step().is_some_and(|hint| hint.contains("zeros")), "{bad}");
    }
}

#[test]
fn a_boundary_is_a_policy() {
    let with = |boundary: &str| {
        let text = format!("project: shop\nstages:\n  prod: {{ boundary: '{boundary}', profile: 'of-${{stage}}' }}\n");
        Stages::parse(&text, Path::new("stages.yaml"))?.stage("prod")
    };
    let stage = with("${project}-boundary").expect("valid");
    assert_eq!(stage.boundary.as_deref(), Some("shop-boundary"));
    assert_eq!(stage.profile.as_deref(), Some("of-prod"));
    for arn in [
        "arn:aws:iam::123456789012:policy/x",
        "arn:aws-cn:iam::aws:policy/path/of/x",
    ] {
        assert_eq!(with(arn).expect("valid").boundary.as_deref(), Some(arn));
    }
    for bad in [
        "",
        "two words",
        "a/b",
        "arn:aws:iam::1:role/x",
        "arn:aws:s3:::x",
        "$(id)",
    ] {
        let error = with(bad).expect_err(bad);
        assert!(
            error.message().contains("neither a policy"),
            "{bad}: {}",
            error.message()
        );
    }
}

#[test]
fn an_environment_variable_is_wanted_by_the_chosen_stage_alone() {
    let text = "
project: shop
defaults:
  parameters:
    Secret: ${env:SHOP_SECRET}
stages:
  prod:
    region: ${env:SHOP_REGION}
  dev:
    parameters: { Secret: none, Other: \"${project}/${stage}/$${stage}\" }
";
    let stages = parse(text).expect("valid");
    let with = |stage, set: &[(&str, &str)]| {
        stages.stage_with(stage, &|name| {
            set.iter()
                .find(|(one, _)| *one == name)
                .map(|(_, value)| (*value).into())
        })
    };
    let dev = with("dev", &[]).expect("it wants none");
    assert_eq!(dev.parameters["Other"], "shop/dev/${stage}");
    assert!(!dev.is_from_environment("Secret"));
    let prod = with("prod", &[("SHOP_SECRET", "hunter2"), ("SHOP_REGION", "eu-west-1")]).expect("all are set");
    assert_eq!(prod.parameters["Secret"], "hunter2");
    assert_eq!(prod.region.as_deref(), Some("eu-west-1"));
    assert!(prod.is_from_environment("Secret"));
    assert!(!format!("{prod:?}").contains("hunter2"));
    let error = refused(
        with("prod", &[("SHOP_REGION", "eu-west-1")]),
        "5:13",
        "${env:SHOP_SECRET}",
        "`SHOP_SECRET`, which the stage `prod` wants for `Secret`, isn't set",
    );
    assert!(error.next_step().is_some_and(|hint| hint.contains("SHOP_SECRET=…")));
    refused(
        with("prod", &[("SHOP_SECRET", "hunter2")]),
        "8:13",
        "${env:SHOP_REGION}",
        "`SHOP_REGION`",
    );
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let declared = BTreeSet::from(["TableName".to_owned()]);
    let adopted = |key: &str| {
        let mut stages = parse(&format!("project: shop\nstages:\n  prod:\n    {key}: true\n"))?;
        stages.adopt_old_spelling(&declared)
    };
    let error = refused(
        adopted("protcted"),
        "4:5",
        "protcted",
        "there is no setting `protcted` here",
    );
    assert_eq!(error.next_step(), Some("Did you mean `protected`?"));
    for near in ["tabelName", "TableName"] {
        let error = refused(adopted(near), "4:5", near, "there is no setting");
        assert_eq!(
            error.next_step(),
            Some("Did you mean `TableName`, under `parameters:`?")
        );
    }
    // Who doesn't ask the templates is told, too.
    let stages = parse("project: shop\nstages:\n  prod:\n    protcted: true\n  dev:\n").expect("undecided");
    refused(
        stages.stage("dev"),
        "4:5",
        "protcted",
        "there is no setting `protcted` here",
    );
    let error = refused(
        parse("project: shop\nstags: {}\nstages: {}\n"),
        "2:1",
        "stags",
        "there is no setting `stags` here",
    );
    assert_eq!(error.next_step(), Some("Did you mean `stages`?"));
    refused(
        parse("project: shop\nstages: { dev: { tableName: [x] } }\n"),
        "2:18",
        "tableName",
        "there is no setting `tableName` here",
    );
}

#[test]
fn the_old_spelling_is_taken_once_more() {
    let old = "
project: shop
stages:
  prod:
    tableName: Ledger
    throttleRate: 1.10
defaults:
  logLevel: warn
";
    let declared = ["LogLevel", "Stage", "TableName", "ThrottleRate"].map(str::to_owned);
    let declared = BTreeSet::from(declared);
    let mut stages = parse(old).expect("undecided");
    let warnings = stages.adopt_old_spelling(&declared).expect("all are declared");
    assert_eq!(
        warnings,
        [
            "stacks/stages.yaml:5: write `tableName` as `TableName` under `parameters:`; this spelling goes away",
            "stacks/stages.yaml:6: write `throttleRate` as `ThrottleRate` under `parameters:`; this spelling goes away",
            "stacks/stages.yaml:8: write `logLevel` as `LogLevel` under `parameters:`; this spelling goes away",
        ]
    );
    let prod = stages.stage("prod").expect("listed");
    assert_eq!(prod.parameters["TableName"], "Ledger");
    assert_eq!(prod.parameters["ThrottleRate"], "1.10");
    assert_eq!(prod.parameters["LogLevel"], "warn");
    assert_eq!(prod.place_of("TableName").to_string(), "stacks/stages.yaml:5:5");

    let twice = old.replace("    throttleRate: 1.10", "    parameters: { TableName: x }");
    let error = refused(
        parse(&twice).expect("undecided").adopt_old_spelling(&declared),
        "5:5",
        "tableName",
        "there twice",
    );
    assert_eq!(error.excerpts().len(), 2);
    let of_stage = old.replace("tableName: Ledger", "stage: x");
    refused(
        parse(&of_stage).expect("undecided").adopt_old_spelling(&declared),
        "5:5",
        "stage",
        "there is no setting `stage` here",
    );
}

#[test]
fn an_unknown_stage_is_answered_with_the_nearest() {
    let error = parse(FILE).expect("valid").stage("prd").expect_err("unknown stage");
    assert_eq!(error.next_step(), Some("Did you mean `--stage prod`?"));
}

#[test]
fn what_would_have_no_effect_or_no_meaning_is_refused() {
    for (lines, place, marked, word) in [
        (
            "  dev: {}\n  dev: { protected: true }",
            "4:3",
            "dev",
            "`dev` is there twice",
        ),
        (
            "  dev:\n    parameters:\n      Stage: x",
            "5:7",
            "Stage",
            "given by a setting",
        ),
        (
            "  dev:\n    parameters: { X: 1, X: 2 }",
            "4:25",
            "X",
            "`X` is there twice",
        ),
        ("  \"Dev\": {}", "3:3", "\"Dev\"", "`Dev` would be refused"),
        (
            "  dev:\n    parameters:\n      X: [1]",
            "5:10",
            "[1]",
            "is text, a number",
        ),
        ("  dev:\n    parameters:\n      X:", "5:7", "X", "`X` has no value"),
        (
            "  dev:\n    parameters:\n      X: !Ref A",
            "5:10",
            "!Ref A",
            "`!Ref` has no meaning",
        ),
        (
            "  dev:\n    parameters:\n      X: a${stag}",
            "5:10",
            "a${stag}",
            "`${stag}`",
        ),
        ("  dev:\n    region: ${stage", "4:13", "${stage", "`}`"),
        (
            "  dev:\n    siteConfig: { a: \"${env:}\" }",
            "4:22",
            "\"${env:}\"",
            "`${env:}`",
        ),
        ("  dev:\n    protected: \"true\"", "4:16", "\"true\"", "true or false"),
        ("  dev: [a]", "3:8", "[a]", "keys"),
        ("  dev: { ? [a] : b }", "3:12", "[a", "must be text"),
    ] {
        let text = format!("project: shop\nstages:\n{lines}\n");
        refused(parse(&text), place, marked, word);
    }
    let text = "project: shop\nstages:\n  dev:\n    siteConfig: { a: x.y.z }\n";
    refused(
        parse(text).expect("read").stage("dev"),
        "4:22",
        "x.y.z",
        "no output's name",
    );
    for missing in ["", "project: shop\n", "stages: { dev: }\n"] {
        let error = parse(missing).expect_err("missing").to_string();
        assert!(error.starts_with("stacks/stages.yaml has no `"), "{error}");
    }
    refused(parse("project: shop\nstages: {\n  prod: ]\n"), "3:9", "]", "");
}

#[test]
fn a_site_is_published_as_its_stage_says() {
    use std::time::Duration;

    use crate::site::settings::{Header, MaxDelete, Urls};

    let text = "
project: shop
site: { build: npm run build, dir: dist }
defaults:
  urls: html
  connect: [\"https://api-${stage}.example.com\", wss://live.example.com]
  img: \"data:\"
  immutable: assets/**
  redirects: { /old: /new, /blog: https://blog.example.com/ }
stages:
  prod:
    urls: folders
    keepFor: 2w
    maxDelete: 80%
    asIs: [\"*.wasm\", /sw.js]
    headers:
      \"*.br\": { content-encoding: br, Content-Type: text/javascript }
    connect: []
    redirects: { /old: /newer }
    siteConfigFile: deployed.json
    hashes: true
  dev: {}
";
    let stages = parse(text).expect("settings");
    assert_eq!(
        stages.site.build.as_deref(),
        Some(&["npm", "run", "build"].map(str::to_owned)[..])
    );
    assert_eq!(stages.site.dir.as_deref(), Some(Path::new("dist")));
    let prod = stages.stage("prod").expect("a stage").site;
    assert_eq!(
        (prod.urls, prod.keep_for),
        (Urls::Folders, Duration::from_secs(14 * 86400))
    );
    assert_eq!(prod.max_delete, Some(MaxDelete::Percent(80)));
    assert!(prod.as_is.have("a/b.wasm") && prod.as_is.have("sw.js") && prod.immutable.have("assets/x"));
    assert_eq!(prod.headers[0].headers[&Header::ContentEncoding], "br");
    assert!(prod.headers[0].files.have("a/b.js.br"));
    assert_eq!(prod.allowed[&Directive::Connect], [""; 0]);
    assert_eq!(prod.allowed[&Directive::Img], ["data:"]);
    assert_eq!(prod.redirects["/old"], "/newer");
    assert_eq!(prod.redirects["/blog"], "https://blog.example.com/");
    assert_eq!((&*prod.config_file, prod.hashes), ("deployed.json", true));
    let dev = stages.stage("dev").expect("a stage").site;
    assert_eq!(dev.urls, Urls::Html);
    assert_eq!(
        dev.allowed[&Directive::Connect],
        ["https://api-dev.example.com", "wss://live.example.com"]
    );
    assert_eq!(dev.config_file, "config.json");
    for (line, marked, word) in [
        ("urls: folder", "folder", "`urls` is auto, folders, html"),
        ("keepFor: soon", "soon", "`keepFor` is a time"),
        ("keepFor: 30", "30", "`keepFor` is a time"),
        ("maxDelete: 120%", "120%", "a number of files or a percentage"),
        (
            "connect: \"https://a; script-src *\"",
            "\"https://a; script-src *\"",
            "no source that a policy can have",
        ),
        ("connect: { a: b }", "{ a: b }", "a text, or a list"),
        ("asIs: \"[z-a]\"", "\"[z-a]\"", "no pattern"),
        (
            "headers: { \"*.x\": { X-Frame-Options: DENY } }",
            "X-Frame-Options",
            "S3 serves no",
        ),
        (
            "headers: { \"*.x\": { Content-Type: ü } }",
            "ü",
            "no value that a header can have",
        ),
        ("redirects: { old: /new }", "old", "no path of this site"),
        ("redirects: { /old: new }", "new", "neither a path nor an address"),
        ("siteConfigFile: ../x.json", "../x.json", "no name of a JSON file"),
    ] {
        let text = format!("project: shop\nstages:\n  prod:\n    {line}\n");
        let column = 5 + line.rfind(marked).expect("marked");
        refused(parse(&text).map(drop), &format!("4:{column}"), marked, word);
    }
    for (line, marked, word) in [
        ("build: a && b", "a && b", "no shell reads"),
        ("build: \"\"", "\"\"", "names no program"),
        ("dir: /tmp", "/tmp", "no folder of this project"),
        ("dir: ../x", "../x", "no folder of this project"),
        ("out: x", "out", "no setting `out`"),
    ] {
        let text = format!("project: shop\nsite:\n  {line}\nstages: {{}}\n");
        let column = 3 + line.rfind(marked).expect("marked");
        refused(parse(&text).map(drop), &format!("3:{column}"), marked, word);
    }
}

#[test]
fn names_that_aws_would_refuse_are_refused_first() {
    for bad in [
        "Prod",
        "my_stage",
        "1st",
        "",
        "prod-",
        "aws-x",
        "pröd",
        "a-very-long-stage-name-indeed",
    ] {
        assert!(parse(FILE).expect("valid").stage(bad).is_err(), "{bad}");
        let text = format!("project: shop\nstages:\n  \"{bad}\": {{}}\n");
        assert!(parse(&text).is_err(), "{bad}");
    }
}

#[test]
fn secrets_are_taken_out_of_the_file() {
    let text = "project: shop\ndefaults:\n  parameters: { Key: 'a b', Size: 3 }\nstages:\n  dev:\n    parameters:\n      Key: |\n        x\n        y\n      Size: 1 # s\n  prod: { parameters: { Key: \"${env:KEY}\" } }\n";
    let stages = Stages::parse(text, Path::new("stages.yaml")).expect("valid");
    let without = stages.without_secrets(|parameter| parameter == "Key");
    assert_eq!(
        without.matches("\"${env:DEPLOYER_SECRET_Key}\"").count(),
        3,
        "{without}"
    );
    for secret in ["a b", "x\n", "env:KEY"] {
        assert!(!without.contains(secret), "{without}");
    }
    let again = Stages::parse(&without, Path::new("stages.yaml")).expect("valid");
    let environment = |name: &str| (name == "DEPLOYER_SECRET_Key").then(|| OsString::from("z"));
    for (stage, size) in [("dev", "1"), ("prod", "3")] {
        let stage = again.stage_with(stage, &environment).expect("a stage");
        assert_eq!((&*stage.parameters["Key"], &*stage.parameters["Size"]), ("z", size));
    }
    assert_eq!(stages.without_secrets(|_| false), text);
}
