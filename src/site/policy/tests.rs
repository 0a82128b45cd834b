//! Whole policies, from files.

use super::*;

fn merged(files: &[(&str, &str)], hashes: bool) -> Merged {
    let mut merged = Merged::default();
    for (key, text) in files {
        if let Some(needs) = needs_of(key, text, hashes).or_else(|| needs_of_key(key)) {
            merged.add(key, &needs);
        }
    }
    merged
}

fn made(files: &[(&str, &str)], settings: &Settings) -> Policy {
    policy(&merged(files, settings.hashes), settings).expect("a policy")
}

fn directive<'a>(policy: &'a str, name: &str) -> Option<&'a str> {
    policy
        .split("; ")
        .find_map(|directive| directive.strip_prefix(name)?.strip_prefix(' '))
}

#[test]
fn a_site_that_needs_nothing_has_the_strict_policy_and_so_does_each_template() {
    let site = [
        ("index.html", "<script src=a.js></script><form id=x>"),
        ("a.js", "fetch('/x')"),
    ];
    let policy = made(&site, &Settings::default());
    assert_eq!(policy.text, STRICT);
    assert!(policy.loosened.is_empty() && policy.warnings.is_empty() && !policy.has_frames);
    for file in [
        "stacks/presentation.yaml",
        "examples/site/stacks/web.yaml",
        "examples/orders/stacks/storefront.yaml",
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let template = fs::read_to_string(file).expect("a template");
        let words: Vec<&str> = template.split_whitespace().collect();
        assert!(words.join(" ").contains(STRICT), "{template}");
    }
}

/// As browsers see them (`tests/end_to_end/browser.rs` asks one).
#[test]
fn each_step_is_the_narrowest_that_does() {
    for (files, expected) in [
        (
            &[("index.html", "<p style='a:b'><script>a()</script>")][..],
            &[
                ("script-src", "'self' 'unsafe-inline'"),
                ("style-src", "'self' 'unsafe-inline'"),
            ][..],
        ),
        (&[("a.css", "a{b:url(data:,)}")], &[("img-src", "'self' data:")]),
        (
            &[("index.html", "<video src=a.mp4>")],
            &[
                ("media-src", "'self'"),
                ("manifest-src", "'self'"),
                ("worker-src", "'self'"),
            ],
        ),
        (
            &[("index.html", "<iframe src=b.html>")],
            &[("frame-src", "'self'"), ("frame-ancestors", "'self'")],
        ),
        (
            &[("index.html", "<object data=a.svg>")],
            &[
                ("object-src", "'self'"),
                ("frame-src", "'self'"),
                ("frame-ancestors", "'self'"),
            ],
        ),
        (&[("a.wasm", "")], &[("script-src", "'self' 'wasm-unsafe-eval'")]),
        (
            &[("a.js", "new Function(a)")],
            &[("script-src", "'self' 'unsafe-eval'")],
        ),
        (
            &[("a.js", "new Worker(URL.createObjectURL(b))")],
            &[("worker-src", "'self' blob:"), ("img-src", "'self' blob:")],
        ),
        (&[("index.html", "<form action=/a>")], &[("form-action", "'self'")]),
        (&[("index.html", "<base href=/a/>")], &[("base-uri", "'self'")]),
        (
            &[("a.js", "createElement('iframe')"), ("index.html", "")],
            &[("frame-ancestors", "'none'")],
        ),
        (
            &[("a.js", "createElement('iframe')"), ("index.html", ""), ("b.html", "")],
            &[("frame-src", "'self'")],
        ),
    ] {
        let policy = made(files, &Settings::default());
        for (name, sources) in expected {
            assert_eq!(directive(&policy.text, name), Some(*sources), "{}", policy.text);
        }
        assert!(is_as_loose(&policy.text, STRICT), "{}", policy.text);
        assert!(policy.text.ends_with("; connect-src 'self'"), "{}", policy.text);
    }
}

#[test]
fn what_loosened_it_is_told_with_the_first_page_that_did() {
    let files = [
        ("a.html", "<p>"),
        ("b.html", "<p>\n<script>a()</script>"),
        ("c.html", "<script>a()</script>"),
    ];
    let policy = made(&files, &Settings::default());
    let told: Vec<String> = policy
        .loosened
        .iter()
        .map(|one| format!("{} {}", one.what, one.place))
        .collect();
    assert_eq!(told, ["inline scripts site/b.html:2"]);
    let [one] = policy.loosened.as_slice() else {
        panic!("one")
    };
    assert!(one.is_refused_by(STRICT) && !one.is_refused_by(&policy.text));
}

#[test]
fn other_hosts_are_told_once_and_allowed_by_the_stage_alone() {
    let files = [
        (
            "a.html",
            "\n<script src=https://cdn.example.com/a.js></script><img src=https://a.img.example/x>",
        ),
        ("b.html", "<script src=https://cdn.example.com/b.js></script>"),
        ("c.js", "fetch('http://localhost:3000/')"),
    ];
    let mut settings = Settings::default();
    let policy = made(&files, &settings);
    assert_eq!(policy.text, STRICT);
    assert_eq!(
        policy.warnings,
        [
            "the site's policy refuses images from https://a.img.example, which site/a.html:2 wants: `img: \
             [https://a.img.example]` in stacks/stages.yaml allows it",
            "the site's policy refuses scripts from https://cdn.example.com, which site/a.html:2 wants: `script: \
             [https://cdn.example.com]` in stacks/stages.yaml allows it",
        ]
    );
    for (directive, source) in [
        (Directive::Script, "https://cdn.example.com"),
        (Directive::Img, "https://*.img.example"),
        (Directive::FramedBy, "https://portal.example.com"),
        (Directive::Connect, "https://api.example.com"),
    ] {
        settings.allowed.insert(directive, vec![source.to_owned()]);
    }
    let policy = made(&files, &settings);
    assert_eq!(policy.warnings, Vec::<String>::new());
    for (name, sources) in [
        ("script-src", "'self' https://cdn.example.com"),
        ("frame-ancestors", "https://portal.example.com"),
        ("connect-src", "'self' https://api.example.com"),
    ] {
        assert_eq!(directive(&policy.text, name), Some(sources), "{}", policy.text);
    }
    assert!(policy.has_frames);
}

#[test]
fn hashes_allow_one_by_one_or_are_refused() {
    let settings = Settings {
        hashes: true,
        ..Settings::default()
    };
    let page = "<script>a()</script><style>a{}</style><a onclick='b()' href='javascript:c()'>";
    let policy = made(&[("index.html", page)], &settings);
    let of = |text: &str| needs::hash(text);
    assert_eq!(
        directive(&policy.text, "script-src"),
        Some(format!("'self' {} 'unsafe-hashes' {}", of("a()"), of("b()")).as_str())
    );
    assert_eq!(
        directive(&policy.text, "style-src"),
        Some(format!("'self' {}", of("a{}")).as_str())
    );
    assert!(policy.warnings[0].contains("site/index.html:1 has javascript: addresses, which won't run"));

    let many: String = (0..40).map(|n| format!("<script>a({n})</script>")).collect();
    let error = super::policy(&merged(&[("index.html", &many)], true), &settings).expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::InvalidProject);
    let told = format!("{error} {:?}", error.next_step());
    assert!(
        told.contains("at most 1783") && told.contains("leave out `hashes`"),
        "{told}"
    );
    let policy = made(&[("index.html", &many)], &Settings::default());
    assert_eq!(directive(&policy.text, "script-src"), Some("'self' 'unsafe-inline'"));
}

#[test]
fn what_a_file_needs_is_small_and_can_be_kept() {
    let needs = needs_of_page("<script src=https://a.example/a.js></script><p style=a:b>", false);
    let kept = serde_json::to_string(&needs).expect("JSON");
    assert_eq!(
        kept,
        r#"{"needs":{"styleAttributes":1},"hosts":[{"directive":"script","origin":"https://a.example","line":1}]}"#
    );
    assert_eq!(serde_json::from_str::<Needs>(&kept).expect("the same"), needs);
}
