//! How what is told looks: on narrow terminals, in other encodings, with and without colour, and what stands last.

use serde_json::{Value, json};

use crate::support::project::repository;
use crate::support::terminal::{Terminal, screen};
use crate::support::{Deployer, Emulator, Project};

/// A table and its items.
fn table() -> Project {
    let file = |name: &str| std::fs::read_to_string(repository().join("stacks").join(name)).expect("readable");
    let (data, seed) = (file("data.yaml"), file("seed.yaml"));
    Project::bare("table", &[("stacks/data.yaml", &data), ("stacks/seed.yaml", &seed)])
}

/// What is left on a terminal of this width, a row each.
fn rows(project: &Project, endpoint: &str, columns: u16, args: &[&str]) -> Vec<String> {
    let terminal = Terminal {
        columns,
        keys: "n\\n",
        ..Terminal::default()
    };
    let (_, sent) = terminal.run(project.path(), endpoint, args);
    // A line that the terminal itself breaks is one here, and too long.
    screen(&sent, columns).lines().map(str::to_owned).collect()
}

#[test]
fn lines_are_broken_between_words_on_a_narrow_terminal() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (table(), emulator.endpoint());
    let (up, verify, down) = (["up"], ["verify"], ["down"]);
    project.deployer(&endpoint, &up).success();
    let wide = project.deployer(&endpoint, &verify).success();
    let words: Vec<&str> = wide.stdout.split_whitespace().collect();
    for columns in [80, 50] {
        for args in [&up[..], &verify, &down] {
            for row in rows(&project, &endpoint, columns, args) {
                let is_word = !row.trim().contains(' ');
                assert!(
                    row.chars().count() <= usize::from(columns) || is_word,
                    "{columns}: {row:?}"
                );
                assert_eq!(row.trim_end(), row, "nothing trails that would be copied");
            }
        }
        let rows = rows(&project, &endpoint, columns, &verify);
        let all: Vec<&str> = rows.iter().flat_map(|row| row.split_whitespace()).collect();
        assert!(
            words.iter().all(|word| all.contains(word)),
            "no word is broken: {rows:#?}"
        );
        let evidence = rows.iter().position(|row| row.contains("deletion protection off"));
        let evidence = evidence.expect("the evidence");
        if columns == 50 {
            assert!(
                rows[evidence + 1].starts_with("          "),
                "set in below it: {rows:#?}"
            );
        }
    }
}

#[test]
fn colours_are_where_somebody_wants_them() {
    let emulator = Emulator::shared();
    let project = table();
    let is_coloured = |args: &[&str], variables: &[(&str, &str)]| {
        let deployer = Deployer::new(project.path(), args).at(&emulator.endpoint());
        let deployer = variables
            .iter()
            .fold(deployer, |deployer, (name, value)| deployer.env(name, value));
        deployer.run().success().to_string().contains('\u{1b}')
    };
    let status = ["status"];
    assert!(!is_coloured(&status, &[("TERM", "xterm")]));
    assert!(is_coloured(&status, &[("CLICOLOR_FORCE", "1")]));
    assert!(!is_coloured(&status, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(is_coloured(
        &[&status[..], &["--color", "always"]].concat(),
        &[("NO_COLOR", "1")]
    ));
    assert!(!is_coloured(
        &[&status[..], &["--color", "never"]].concat(),
        &[("CLICOLOR_FORCE", "1")]
    ));
    assert!(!is_coloured(
        &[&status[..], &["--output", "json"]].concat(),
        &[("CLICOLOR_FORCE", "1")]
    ));
}

#[test]
fn where_there_is_only_ascii_signs_are_ascii() {
    let emulator = Emulator::shared();
    let project = table();
    let up = ["up"];
    for (name, value, is_ascii) in [
        ("LC_ALL", "C", true),
        ("LC_CTYPE", "de_DE.ISO-8859-1", true),
        ("LANG", "POSIX", true),
        ("LANG", "C.UTF-8", false),
    ] {
        let ran = Deployer::new(project.path(), &up)
            .at(&emulator.endpoint())
            .env(name, value)
            .run()
            .success();
        assert_eq!(ran.to_string().is_ascii(), is_ascii, "{name}={value}: {ran}");
    }
}

#[test]
fn a_run_says_at_its_end_how_long_it_took() {
    let emulator = Emulator::shared();
    let project = table();
    let last = |args: &[&str]| {
        let ran = project.deployer(&emulator.endpoint(), args).success();
        ran.stderr.lines().last().unwrap_or_default().to_owned()
    };
    let is_time = |line: &str, command: &str| {
        let time = line
            .strip_prefix(&format!("{command} finished in "))
            .and_then(|rest| rest.strip_suffix(" s"));
        time.is_some_and(|time| time.parse::<f64>().is_ok_and(|seconds| seconds < 600.0))
    };
    for args in [&["up"][..], &["seed"], &["verify"], &["down", "--yes"]] {
        let line = last(args);
        assert!(is_time(&line, args[0]), "{line}");
    }
    // Not of what is there at once, nor for who wants results alone, nor for programs.
    for args in [
        &["status"][..],
        &["up", "--no-verify", "--quiet"],
        &["seed", "--output", "json"],
    ] {
        let line = last(args);
        assert!(!line.contains("finished in"), "{args:?}: {line}");
    }
}

#[test]
fn a_verdict_stands_last_and_a_failure_is_told_once() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (table(), emulator.endpoint());
    let verify = ["verify"];
    project.deployer(&endpoint, &["up"]).success();
    let good = project.deployer(&endpoint, &verify).success();
    assert_eq!(good.stdout.lines().last(), Some("3 checks: 3 passed"), "{good}");
    // A table that isn't as the template has it any more: nothing was seeded of what is there now.
    project.edit("stacks/seed.yaml", "userId: \"1\"", "userId: \"other\"");
    let bad = project
        .deployer(&endpoint, &verify)
        .ends_with(3)
        .says(&["error: a check failed: seed-items\n"]);
    assert_eq!(bad.stdout.lines().last(), Some("3 checks: 2 passed, 1 failed"), "{bad}");
    let evidence = bad
        .stdout
        .lines()
        .skip_while(|line| !line.contains("✗"))
        .nth(1)
        .expect("why")
        .trim();
    assert_eq!(bad.to_string().matches(evidence).count(), 1, "{bad}");
    // Programs read one stream or the other.
    let json = project.deployer(&endpoint, &[&verify[..], &["--output", "json"]].concat());
    let json = json.ends_with(3);
    assert_eq!(json.json()["checks"][2]["evidence"], evidence, "{json}");
    assert!(json.stderr.contains(r#""causes":["seed-items data.Table: "#), "{json}");
}

#[test]
fn a_terminal_shows_what_waits_for_what_until_it_is_done() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (table(), emulator.endpoint());
    let terminal = Terminal {
        columns: 50,
        ..Terminal::default()
    };
    let (exit, sent) = terminal.run(project.path(), &endpoint, &["up", "--no-verify"]);
    assert_eq!(exit, 0, "{sent}");
    assert!(sent.contains("└ seed"), "below what it waits for: {sent:?}");
    assert!(sent.contains("waits for data"), "{sent:?}");
    assert!(!screen(&sent, 50).contains("waits for"), "all is done: {sent:?}");
    // A program is told the same before anything begins, of what goes as well.
    let parts = |args: &[&str]| {
        let ran = project.deployer(&endpoint, args).success();
        let events = ran
            .stderr
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("an event"));
        let parts = events.filter(|event| event["event"] == "parts");
        parts.map(|event| event["parts"].clone()).collect::<Vec<_>>()
    };
    let of_up = json!([{"name": "data", "waitsFor": []}, {"name": "seed", "waitsFor": ["data"]}]);
    assert_eq!(parts(&["up", "--no-verify", "--output", "json"]), [of_up]);
    let alone = [json!([{"name": "data", "waitsFor": []}])];
    assert_eq!(
        parts(&["up", "--only", "data", "--no-verify", "--output", "json"]),
        alone
    );
    assert_eq!(parts(&["down", "--yes", "--output", "json"]), alone);
}

#[test]
fn lines_stay_lines_when_a_terminal_is_made_narrower() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (table(), emulator.endpoint());
    let terminal = Terminal {
        columns: 120,
        later_columns: 60,
        ..Terminal::default()
    };
    let (exit, sent) = terminal.run(project.path(), &endpoint, &["up", "--no-verify"]);
    assert_eq!(exit, 0, "{sent}");
    let shown = screen(&sent, 60);
    for line in shown.lines() {
        assert_eq!(
            line,
            line.trim_end(),
            "no blanks up to the edge of the window as it was: {shown}"
        );
    }
    // Each end of a part has a line of its own, and nothing that was drawn while it went on is left.
    for part in ["data", "seed"] {
        let ends = shown.lines().filter(|line| line.starts_with(&format!("  ✓ {part}")));
        assert!(ends.count() >= 1, "{part}: {shown}");
    }
    assert!(!shown.contains("waits for"), "{shown}");
    project.deployer(&endpoint, &["down", "--yes"]).success();
}

#[test]
fn a_log_has_the_time_before_what_goes_on() {
    let emulator = Emulator::shared();
    let (project, endpoint) = (table(), emulator.endpoint());
    let is_stamp = |stamp: &str| {
        let pattern = "00:00:00Z";
        let fits = |(c, place): (char, char)| if place == '0' { c.is_ascii_digit() } else { c == place };
        stamp.chars().count() == pattern.len() && stamp.chars().zip(pattern.chars()).all(fits)
    };
    let ran = project.deployer(&endpoint, &["up", "--no-verify"]).success();
    let ends: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(" ✓ ")).collect();
    assert!(!ends.is_empty(), "{ran}");
    for line in ends {
        let stamp = line.split("  ✓ ").next().unwrap_or_default();
        assert!(is_stamp(stamp), "{line}");
    }
    // GitHub shows the time itself.
    let github = project
        .deployer(&endpoint, &["down", "--yes", "--output", "github"])
        .success();
    let ends: Vec<&str> = github.stderr.lines().filter(|line| line.contains("✓ ")).collect();
    assert!(
        !ends.is_empty() && ends.iter().all(|line| line.starts_with("  ✓ ")),
        "{github}"
    );
}
