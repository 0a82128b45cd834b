//! The result: how many pages of each site were compared, and how many things differ, by what they are about.

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use test_support::sites::{Difference, Sort};

use crate::recipe::Recipe;

/// How one site was found.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    version: String,
    kind: &'static str,
    /// How many files it has.
    pub(crate) files: usize,
    /// How many addresses were compared, in all situations.
    pub(crate) pages: usize,
    /// What differs.
    pub(crate) differences: Vec<Difference>,
    /// Why it couldn't be looked at.
    pub(crate) failure: Option<String>,
}

impl Row {
    /// Of a site that wasn't looked at yet.
    pub(crate) fn of(recipe: &Recipe) -> Self {
        Self {
            name: recipe.name.clone(),
            version: recipe.version.clone(),
            kind: recipe.kind.name(),
            files: 0,
            pages: 0,
            differences: Vec::new(),
            failure: None,
        }
    }

    /// Whether it is as it should be.
    pub(crate) fn is_clean(&self) -> bool {
        self.failure.is_none() && self.differences.is_empty()
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            self.name.clone(),
            self.version.clone(),
            self.files.to_string(),
            self.kind.to_owned(),
        ];
        if self.failure.is_some() {
            cells.push("failed".to_owned());
            cells.extend(Sort::ALL.map(|_| "–".to_owned()));
        } else {
            cells.push(self.pages.to_string());
            cells.extend(Sort::ALL.map(|sort| {
                let found = self.differences.iter().filter(|difference| difference.sort == sort);
                found.count().to_string()
            }));
        }
        cells
    }
}

/// All rows.
pub(crate) fn table(rows: &[Row]) -> Table {
    let mut header = ["Site", "Made by", "Files", "Served as", "Pages"]
        .map(str::to_owned)
        .to_vec();
    header.extend(Sort::ALL.map(|sort| sort.name().to_owned()));
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    for row in rows {
        table.add_row(row.cells());
    }
    table
}

/// All rows in a sentence.
pub(crate) fn summary(rows: &[Row]) -> String {
    let pages: usize = rows.iter().map(|row| row.pages).sum();
    let differences: usize = rows.iter().map(|row| row.differences.len()).sum();
    let clean = rows.iter().filter(|row| row.is_clean()).count();
    format!(
        "{} sites, of which {clean} are as on a plain server; {pages} pages compared; {differences} differences.",
        rows.len()
    )
}

/// `docs/sites.md`.
pub(crate) fn page(rows: &[Row]) -> String {
    format!("{HEAD}\n{}\n\n{}\n", table(rows), summary(rows))
}

/// What stands above the table.
const HEAD: &str = r"# Sites that are as their generators made them

What a generator made behaves, once it is published, as on the generator's own server. This is looked at with real sites:
starters of generators, and packages that bring a ready site. Each has a recipe in [`benchmarks/sites/`](../benchmarks/sites),
with pinned versions, and is visited in Chromium twice over: on a plain server of its generator's kind, and as `deployer up`
published it into a local cloud.

```sh
cargo run --release -p benchmarks --bin sites -- --write
```

makes this page. It needs npm, Python and Chromium, and half an hour; `--only NAME…` looks at some sites, and says what
differs, page by page.

- **Pages** are found by following links from `/`, and opened as if their address had been typed; with them one address (one
  more for each folder with a `404.html` of its own) where nothing is. They are visited for the first time, then once more in
  the same browser, and a service worker's page also while nobody answers.
- **An open page** goes on while another edition is published: its links are clicked then, and whatever they load must be
  there.
- **Compared** are status and final address, the document after its scripts have run (with its character set and its mode),
  errors and warnings of the console, all requests (address, how often, what came, and its content), and the pixels of the
  window. What differs between two visits of the plain server itself, one of which it takes its time for, isn't counted, nor
  what doesn't differ in each of three more visits to both, as timers have it, nor are hashes in second names and what follows
  from them (`integrity`), nor the page for what isn't there where a site has none, nor what is on other machines.
";

#[cfg(test)]
mod tests {
    use test_support::sites::compare::Situation;

    use super::*;

    fn row(differences: Vec<Difference>, failure: Option<&str>) -> Row {
        Row {
            name: "astro".to_owned(),
            version: "astro 5".to_owned(),
            kind: "folders",
            files: 9,
            pages: 12,
            differences,
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn differences_are_counted_by_their_sort() {
        let difference = |sort| Difference {
            situation: Situation::First,
            page: "/".to_owned(),
            sort,
            expected: String::new(),
            came: String::new(),
        };
        let row = row(
            vec![
                difference(Sort::Status),
                difference(Sort::Picture),
                difference(Sort::Status),
            ],
            None,
        );
        assert!(!row.is_clean());
        let cells = ["astro", "astro 5", "9", "folders", "12", "2", "0", "0", "0", "0", "1"];
        assert_eq!(row.cells(), cells);
        let said = "1 sites, of which 0 are as on a plain server; 12 pages compared; 3 differences.";
        assert_eq!(summary(&[row]), said);
    }

    #[test]
    fn what_could_not_be_looked_at_is_no_success() {
        let row = row(Vec::new(), Some("no network"));
        assert!(!row.is_clean());
        assert_eq!(row.cells()[4..6], ["failed", "–"]);
    }
}
