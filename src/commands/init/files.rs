//! The files of a new project: an example's, standing alone.

use crate::cli::Example;

/// The examples' files: which example's, where in the project, and what is in it.
const CARRIED: &[(&str, &str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/carried.rs"));

/// The manifest of the workspace that the examples' crates are members of.
const MANIFEST: &str = include_str!(concat!(env!("OUT_DIR"), "/manifest.toml"));

/// Where a crate's manifest is in a project.
const CRATE: &str = "function/Cargo.toml";

/// Of that workspace's manifest the sections that a project needs as well, whatever they say.
const SHARED: &[&str] = &[
    "workspace.lints.rust",
    "workspace.lints.clippy",
    "profile.dev",
    "profile.dev.package.\"*\"",
    "profile.lambda",
    "workspace.metadata.deployer",
];

/// Where the project's name is to stand in what is adapted.
const NAME: &str = "@project@";

/// What is written in a file, each with what stands in its place.
type Changes = &'static [(&'static str, &'static str)];

/// What of an example holds in this repository alone, and what stands in its place.
const ADAPTED: &[(&str, &str, Changes)] = &[
    (
        "users",
        "stacks/stages.yaml",
        &[
            ("project: three-tier", "project: @project@"),
            ("profile: three-tier  ", "profile: @project@  "),
            (": docs/deploying-identity/README.md", ""),
            (", and cached for a year (README)", ", and cached for a year"),
            // Projects share an account, too, and the local cloud.
            (
                "TableName: UserData-${stage}",
                "TableName: ${project}-UserData-${stage}",
            ),
            ("TableName: UserData\n", "TableName: ${project}-UserData\n"),
            (
                "FunctionName: retrieve-user-data-${stage}",
                "FunctionName: ${project}-retrieve-user-data-${stage}",
            ),
            (
                "FunctionName: retrieve-user-data\n",
                "FunctionName: ${project}-retrieve-user-data\n",
            ),
            (
                "  # Its table is UserData-dev, its function retrieve-user-data-dev.\n",
                "  # Its table is @project@-UserData-dev, its function @project@-retrieve-user-data-dev.\n",
            ),
        ],
    ),
    (
        "orders",
        "stacks/stages.yaml",
        &[
            ("project: orders", "project: @project@"),
            (
                "OrdersTableName: orders-${stage}",
                "OrdersTableName: ${project}-orders-${stage}",
            ),
        ],
    ),
    (
        "site",
        "stacks/stages.yaml",
        &[("project: website", "project: @project@")],
    ),
];

/// All files of a new project, by their paths, in order.
pub(super) fn of(example: Example, project: &str) -> Vec<(String, Vec<u8>)> {
    let name = super::example(example);
    let mut files: Vec<(String, Vec<u8>)> = CARRIED
        .iter()
        .filter(|(of, ..)| *of == name)
        .map(|(_, path, content)| ((*path).to_owned(), adapted(name, path, content, project)))
        .collect();
    if let Some(member) = text_of(&files, CRATE) {
        files.push(("Cargo.toml".to_owned(), workspace(&member).into_bytes()));
    }
    files.push((".gitignore".to_owned(), b"/target\n".to_vec()));
    files.push(("README.md".to_owned(), readme(example, project).into_bytes()));
    files.sort();
    files
}

fn text_of(files: &[(String, Vec<u8>)], path: &str) -> Option<String> {
    let (_, content) = files.iter().find(|(name, _)| name == path)?;
    String::from_utf8(content.clone()).ok()
}

/// A file as the project has it.
fn adapted(example: &str, path: &str, content: &[u8], project: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(content) else {
        return content.to_vec();
    };
    let mut text = text.to_owned();
    if path == CRATE {
        // Whose work it is, and under which terms, is for its owner to say.
        text = text.replace("license.workspace = true\n", "");
    }
    let changes = ADAPTED.iter().filter(|(of, file, _)| *of == example && *file == path);
    for (from, to) in changes.flat_map(|(.., changes)| *changes) {
        text = text.replace(from, &to.replace(NAME, project));
    }
    text.into_bytes()
}

/// The manifest of a workspace in which this crate is the only member.
fn workspace(member: &str) -> String {
    let shared = section(MANIFEST, "workspace.package");
    let package: String = shared
        .lines()
        .filter(|line| !line.starts_with("license"))
        .map(line)
        .collect();
    let used = |line: &&str| {
        let name = line.split([' ', '.', '=']).next().unwrap_or_default();
        let uses = [
            format!("\n{name}.workspace = true"),
            format!("\n{name} = {{ workspace = true"),
        ];
        uses.iter().any(|one| member.contains(one))
    };
    let dependencies = section(MANIFEST, "workspace.dependencies");
    let dependencies: String = dependencies.lines().filter(used).map(line).collect();
    let mut text = format!(
        "[workspace]\nmembers = [\"function\"]\nresolver = \"3\"\n\n[workspace.package]\n{package}\n[workspace.dependencies]\n{dependencies}"
    );
    for name in SHARED {
        let content = section(MANIFEST, name);
        let about = match *name {
            "profile.lambda" => "# What functions are built with for Lambda: small packages start sooner.\n",
            "profile.dev.package.\"*\"" => "# What runs locally is a dev build: keep it small.\n",
            "workspace.metadata.deployer" => "# Which profile `deployer` builds for Lambda with.\n",
            _ => "",
        };
        text.push_str(&format!("\n{about}[{name}]\n{content}"));
    }
    text
}

fn line(line: &str) -> String {
    format!("{line}\n")
}

/// The lines of a section of a manifest, without comments.
fn section(manifest: &str, name: &str) -> String {
    let header = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| *line != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let lines = lines.map(|line| line.split(" # ").next().unwrap_or_default().trim_end());
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(line)
        .collect()
}

fn readme(example: Example, project: &str) -> String {
    let (what, shows) = match example {
        Example::Users => (
            "A page, an API with a function in Rust, and a table. `stacks/` has what runs on AWS as plain CloudFormation, \
             `function/` the function,\n`site/` the page.",
            "Open the address that it prints, type `1`, and press Enter.",
        ),
        Example::Orders => (
            "A shop's orders: eight stacks, four functions in Rust, a queue, a schedule. `stacks/` has what runs on AWS as plain \
             CloudFormation,\n`function/` the functions, `site/` the page.",
            "Open the address that it prints, and ask for the customer `c-1`.",
        ),
        Example::Site => (
            "A site: `site/` has its files, `stacks/` the bucket and the distribution in front of it as plain CloudFormation.",
            "Open the address that it prints.",
        ),
    };
    let public = match example {
        Example::Users => {
            "\nThe API is public. Put an authorizer into `stacks/logic.yaml` before anything private goes into the table.\n"
        }
        Example::Orders => "\nReading orders is public; placing them wants a signed request.\n",
        Example::Site => "",
    };
    let dev = if example == Example::Site { "" } else { " --stage dev" };
    let test = if example == Example::Site {
        ""
    } else {
        "cargo test                      # the functions' own tests\n"
    };
    format!(
        "# {project}\n\n{what}\n\n```sh\n\
         deployer up --local             # all of it on this machine, without an AWS account\n\
         {test}deployer graph                  # what feeds what\n\
         deployer up{dev}{pad}# on AWS\n\
         deployer down{dev}{pad_down}# and back to nothing\n\
         ```\n\n{shows}\n\n\
         After a change run `up` again: what is unchanged costs a few reads. `stacks/stages.yaml` has the stages and their \
         settings.\n`deployer up` without a stage is the stage `prod`; `deployer --help` has the rest.\n{public}",
        pad = " ".repeat(32 - "deployer up".len() - dev.len()),
        pad_down = " ".repeat(32 - "deployer down".len() - dev.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Example; 3] = [Example::Users, Example::Orders, Example::Site];

    #[test]
    fn what_is_adapted_is_there_once() {
        for (example, path, changes) in ADAPTED {
            let found = CARRIED.iter().find(|(of, file, _)| of == example && file == path);
            let (.., content) = found.expect("the file");
            let text = std::str::from_utf8(content).expect("text");
            for (from, _) in *changes {
                assert_eq!(text.matches(from).count(), 1, "{example}: {path}: {from}");
            }
        }
    }

    #[test]
    fn sections_that_a_project_shares_are_there() {
        for name in SHARED {
            assert!(!section(MANIFEST, name).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_project_says_nothing_of_this_repository() {
        for example in ALL {
            for (path, content) in of(example, "shop") {
                let text = String::from_utf8(content).expect("text");
                for word in [
                    "docs/",
                    "end_to_end",
                    "this repository",
                    "benchmarks",
                    "cargo run",
                    "@project@",
                    "example of",
                ] {
                    assert!(
                        !text.replace("${project}", "").contains(word),
                        "{example:?}: {path}: {word}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_project_has_its_name_and_a_place_for_it() {
        let files = of(Example::Users, "shop");
        let settings = text_of(&files, "stacks/stages.yaml").expect("settings");
        for part in [
            "\nproject: shop\n",
            " TableName: ${project}-UserData-${stage}\n",
            " TableName: ${project}-UserData\n",
            "# Its table is shop-UserData-dev,",
        ] {
            assert!(settings.contains(part), "{part}: {settings}");
        }
        let readme = text_of(&files, "README.md").expect("a text");
        assert!(
            readme.starts_with("# shop\n") && readme.contains("deployer up --local"),
            "{readme}"
        );
    }

    #[test]
    fn a_workspace_has_what_its_member_uses_and_no_more() {
        let member =
            "[dependencies]\nserde.workspace = true\ntokio = { workspace = true, features = [] }\nhex = \"1\"\n";
        let text = workspace(member);
        let dependencies = section(&text, "workspace.dependencies");
        let names: Vec<&str> = dependencies.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, ["serde", "tokio"]);
        assert!(!text.contains("license"), "{text}");
        assert_eq!(section(&text, "profile.lambda"), section(MANIFEST, "profile.lambda"));
        assert!(!section(&text, "profile.lambda").contains('#'), "{text}");
    }
}
