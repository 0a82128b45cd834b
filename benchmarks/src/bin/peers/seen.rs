//! What a tool left in the cloud. Whoever does less isn't quick.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::tool::Tool;

/// What must be there of the site, whoever published it.
const FILES: [&str; 5] = ["404.html", "config.json", "favicon.svg", "index.html", "script.js"];
/// How many items the project seeds.
const ITEMS: u64 = 3;
/// What the API says of the first of them.
const ANSWER: &str = r#"{"email":"test@example.com","name":"Test User","userId":"1"}"#;
/// What there must be one of at least.
const KINDS: [&str; 8] = [
    "API",
    "alarm",
    "bucket",
    "distribution",
    "function",
    "log group",
    "role",
    "table",
];

/// What `peers/look.py` tells.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Seen {
    /// Stacks that aren't deleted, and their status.
    stacks: BTreeMap<String, String>,
    /// By kind, what is there of the app.
    there: BTreeMap<String, Vec<String>>,
    /// The keys in the site's bucket.
    files: Vec<String>,
    /// How many the table has.
    items: u64,
    /// What the API answers about the first item, asked where the page is told to.
    answer: Option<String>,
}

impl Seen {
    /// That the whole app is there and works.
    pub(crate) fn is_deployed_by(&self, tool: Tool) -> Result<(), String> {
        if tool.has_stacks() && self.stacks.is_empty() {
            return Err("there is no stack".to_owned());
        }
        let done = ["CREATE_COMPLETE", "UPDATE_COMPLETE"];
        if let Some((name, status)) = self.stacks.iter().find(|(_, status)| !done.contains(&status.as_str())) {
            return Err(format!("the stack {name} is in {status}"));
        }
        if let Some(kind) = KINDS
            .iter()
            .find(|kind| self.there.get(**kind).is_none_or(Vec::is_empty))
        {
            return Err(format!("there is no {kind}"));
        }
        if let Some(file) = FILES.iter().find(|file| !self.files.iter().any(|there| there == *file)) {
            return Err(format!("the site's {file} isn't in its bucket"));
        }
        if self.items != ITEMS {
            return Err(format!("the table has {} items instead of {ITEMS}", self.items));
        }
        match self.answer.as_deref() {
            Some(ANSWER) => Ok(()),
            Some(other) => Err(format!("the API answers {other}")),
            None => Err("the page isn't told the API's address".to_owned()),
        }
    }

    /// That nothing of it is there.
    pub(crate) fn is_removed(&self) -> Result<(), String> {
        if let Some((name, status)) = self.stacks.first_key_value() {
            return Err(format!("the stack {name} is still there, in {status}"));
        }
        match self.there.iter().find_map(|(kind, names)| Some((kind, names.first()?))) {
            Some((kind, name)) => Err(format!("the {kind} {name} is still there")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Seen {
        Seen {
            stacks: [("app-data".to_owned(), "CREATE_COMPLETE".to_owned())].into(),
            there: KINDS.map(|kind| (kind.to_owned(), vec![format!("our {kind}")])).into(),
            files: FILES.map(str::to_owned).into(),
            items: ITEMS,
            answer: Some(ANSWER.to_owned()),
        }
    }

    /// What is wrong with the whole once this was done to it.
    fn wrong(spoil: impl FnOnce(&mut Seen)) -> String {
        let mut seen = whole();
        spoil(&mut seen);
        seen.is_deployed_by(Tool::Aws).expect_err("it isn't whole")
    }

    #[test]
    fn only_the_whole_app_counts() {
        assert_eq!(whole().is_deployed_by(Tool::Aws), Ok(()));
        assert_eq!(wrong(|seen| seen.stacks.clear()), "there is no stack");
        assert_eq!(
            wrong(|seen| seen
                .stacks
                .values_mut()
                .for_each(|status| *status = "ROLLBACK_COMPLETE".to_owned())),
            "the stack app-data is in ROLLBACK_COMPLETE"
        );
        assert_eq!(
            wrong(|seen| seen.there.retain(|kind, _| kind != "role")),
            "there is no role"
        );
        assert_eq!(
            wrong(|seen| seen.files.retain(|file| file != "index.html")),
            "the site's index.html isn't in its bucket"
        );
        assert_eq!(wrong(|seen| seen.items = 2), "the table has 2 items instead of 3");
        assert_eq!(
            wrong(|seen| seen.answer = Some("Internal server error".to_owned())),
            "the API answers Internal server error"
        );
        assert_eq!(
            wrong(|seen| seen.answer = None),
            "the page isn't told the API's address"
        );
    }

    #[test]
    fn terraform_needs_no_stacks() {
        let mut seen = whole();
        seen.stacks.clear();
        assert_eq!(seen.is_deployed_by(Tool::Terraform), Ok(()));
    }

    #[test]
    fn what_is_left_is_named() {
        assert_eq!(Seen::default().is_removed(), Ok(()));
        let mut seen = whole();
        assert_eq!(
            seen.is_removed(),
            Err("the stack app-data is still there, in CREATE_COMPLETE".to_owned())
        );
        seen.stacks.clear();
        assert_eq!(seen.is_removed(), Err("the API our API is still there".to_owned()));
    }
}
