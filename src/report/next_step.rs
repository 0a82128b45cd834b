//! Commands that messages name, with the flags that the run had: without `--local` or `--stage`, the next step would be
//! another place's.

use crate::cli::Global;

/// The flags of a run that say where it works.
#[derive(Debug, Default)]
pub(super) struct Flags(Vec<(&'static str, String)>);

/// The commands that take those flags.
const COMMANDS: &[&str] = &["up", "down", "package", "seed", "status", "verify"];

impl Flags {
    pub(super) fn of(global: &Global) -> Self {
        let mut flags = Vec::new();
        if global.local {
            flags.push(("--local", String::new()));
        }
        if global.stage != "prod" {
            flags.push(("--stage", global.stage.clone()));
        }
        if global.project_dir.as_os_str() != "." {
            flags.push(("--project-dir", global.project_dir.display().to_string()));
        }
        for (name, value) in [("--region", &global.region), ("--profile", &global.profile)] {
            if let Some(value) = value {
                flags.push((name, value.clone()));
            }
        }
        Self(flags)
    }

    /// `text`, each `` `deployer <command> …` `` in it completed by those flags that it doesn't say itself.
    pub(super) fn add_to(&self, text: &str) -> String {
        let mut parts = text.split('`');
        let mut result = parts.next().unwrap_or_default().to_owned();
        let mut quoted = true;
        for part in parts {
            result.push('`');
            result.push_str(part);
            let command = part.strip_prefix("deployer ").and_then(|rest| rest.split(' ').next());
            if quoted && command.is_some_and(|command| COMMANDS.contains(&command)) {
                for (name, value) in self.0.iter().filter(|(name, _)| !part.contains(name)) {
                    result.push(' ');
                    result.push_str(name);
                    if !value.is_empty() {
                        result.push(' ');
                        result.push_str(value);
                    }
                }
            }
            quoted = !quoted;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn add(args: &[&str], text: &str) -> String {
        let args = ["deployer"].iter().chain(args).chain(&["status"]);
        Flags::of(&Cli::parse_from(args).global).add_to(text)
    }

    #[test]
    fn a_command_keeps_the_place_it_was_run_at() {
        let text = "Run `deployer up` again; `deployer status --stage dev` and `deployer local reset`, `aws x`.";
        assert_eq!(add(&[], text), text);
        assert_eq!(
            add(&["--local", "--stage", "dev"], text),
            "Run `deployer up --local --stage dev` again; `deployer status --stage dev --local` and `deployer local \
             reset`, `aws x`."
        );
        assert_eq!(
            add(
                &["--profile", "p", "--region", "r", "--project-dir", "d"],
                "`deployer down`"
            ),
            "`deployer down --project-dir d --region r --profile p`"
        );
    }
}
