//! Commands that messages name, with the flags that the run had: without `--local` or `--stage`, the next step would be
//! another place's.

use crate::text::quoted_for_shell;

/// The flags of a run that say where it works, and the commands that take them.
#[derive(Debug, Default)]
pub struct Flags {
    /// Such as `--stage` and `dev`; a value is none for a switch.
    pub flags: Vec<(&'static str, Option<String>)>,
    /// Such as `up`.
    pub commands: Vec<String>,
}

impl Flags {
    /// `text`, each `` `deployer <command> …` `` in it completed by those flags that it doesn't say itself.
    pub(super) fn add_to(&self, text: &str) -> String {
        let mut parts = text.split('`');
        let mut result = parts.next().unwrap_or_default().to_owned();
        let mut quoted = true;
        for part in parts {
            result.push('`');
            result.push_str(part);
            let command = part.strip_prefix("deployer ").and_then(|rest| rest.split(' ').next());
            if quoted && command.is_some_and(|command| self.commands.iter().any(|known| known == command)) {
                for (name, value) in self.flags.iter().filter(|(name, _)| !part.contains(name)) {
                    result.push(' ');
                    result.push_str(name);
                    if let Some(value) = value {
                        result.push(' ');
                        result.push_str(&quoted_for_shell(value));
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
    use super::*;

    fn add(flags: &[(&'static str, &str)], text: &str) -> String {
        let value = |value: &str| (!value.is_empty()).then(|| value.to_owned());
        let flags = Flags {
            flags: flags.iter().map(|(name, text)| (*name, value(text))).collect(),
            commands: ["up", "down", "status"].map(str::to_owned).to_vec(),
        };
        flags.add_to(text)
    }

    #[test]
    fn a_command_keeps_the_place_it_was_run_at() {
        let text = "Run `deployer up` again; `deployer status --stage dev` and `deployer local reset`, `aws x`.";
        assert_eq!(add(&[], text), text);
        assert_eq!(
            add(&[("--local", ""), ("--stage", "dev")], text),
            "Run `deployer up --local --stage dev` again; `deployer status --stage dev --local` and `deployer local \
             reset`, `aws x`."
        );
        assert_eq!(
            add(&[("--project-dir", "my site's")], "`deployer down`"),
            r"`deployer down --project-dir 'my site'\''s'`"
        );
    }
}
