//! Whether sites behave, once they are published, as on their generators' own servers.
//!
//! Real sites, made by the recipes in `benchmarks/sites/`, are visited in Chromium on a plain server and as the deployer
//! publishes them into a local cloud of this program's own. What differs is told, and counted in a table on stdout; it is a
//! failure.

mod publish;
mod recipe;
mod report;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use benchmarks::cargo;
use benchmarks::error::{Context as _, Error, Result};
use benchmarks::local_cloud::LocalCloud;
use benchmarks::process::interruption;
use benchmarks::progress::progress;
use clap::Parser;
use test_support::browser::{self, Programs};
use test_support::sites::{self, Site};
use tokio::runtime::Runtime;

use crate::publish::{Cloud, Stage};
use crate::recipe::Recipe;
use crate::report::Row;

/// Compares published sites with what their generators' own servers make of them.
#[derive(Debug, Parser)]
struct Options {
    /// Look at these sites alone; without it, at all
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// How many pages of each site are looked at, at most
    #[arg(long, value_name = "N", default_value = "12")]
    pages: usize,
    /// Publish with this `deployer` instead of building one
    #[arg(long, value_name = "FILE")]
    deployer: Option<PathBuf>,
    /// Make the sites, say where they are, and look at none
    #[arg(long)]
    build_only: bool,
    /// Write the table into docs/sites.md as well
    #[arg(long, conflicts_with_all = ["only", "build_only"])]
    write: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = Runtime::new().map_err(Error::from).and_then(|runtime| {
        let done = runtime.block_on(async {
            tokio::select! {
                done = run(options) => done,
                interrupted = interruption() => interrupted,
            }
        });
        // One who interrupts doesn't want to wait for the page that is being looked at.
        runtime.shutdown_background();
        browser::end_all();
        done
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress(format_args!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether all sites are as they should be.
async fn run(options: Options) -> Result<bool> {
    let recipes = recipe::all(&options.only)?;
    if options.build_only {
        return tokio::task::spawn_blocking(move || build(&recipes)).await?;
    }
    let programs = Programs::required()?;
    let deployer = cargo::deployer(options.deployer.as_deref())?;
    // It stays here, and ends with this call, whatever becomes of those who use it.
    let local = LocalCloud::start(&deployer).await?;
    let cloud = Arc::new(Cloud::of(&local, deployer));
    let mut rows = Vec::new();
    for recipe in recipes {
        let (programs, cloud) = (programs.clone(), Arc::clone(&cloud));
        let pages = options.pages;
        progress(format_args!("{}…", recipe.name));
        let row = tokio::task::spawn_blocking(move || look(&recipe, &programs, &cloud, pages)).await?;
        for difference in &row.differences {
            progress(format_args!("  {difference}"));
        }
        if let Some(failure) = &row.failure {
            progress(format_args!("  {failure}"));
        }
        rows.push(row);
    }
    let table = report::table(&rows);
    writeln!(io::stdout(), "{table}\n\n{}", report::summary(&rows))?;
    if options.write {
        let path = cargo::here().join("../docs/sites.md");
        std::fs::write(&path, report::page(&rows)).context(format_args!("could not write {}", path.display()))?;
    }
    Ok(rows.iter().all(Row::is_clean))
}

fn build(recipes: &[Recipe]) -> Result<bool> {
    let mut is_complete = true;
    for recipe in recipes {
        match recipe.built() {
            Ok(built) => writeln!(
                io::stdout(),
                "{}\t{}\t{}",
                recipe.name,
                built.files,
                built.first.display()
            )?,
            Err(error) => {
                is_complete = false;
                progress(format_args!("{}: {error}", recipe.name));
            }
        }
    }
    Ok(is_complete)
}

/// One site. What goes wrong with it is in its row: the others are looked at all the same.
fn look(recipe: &Recipe, programs: &Programs, cloud: &Cloud, pages: usize) -> Row {
    let mut row = Row::of(recipe);
    let looked = recipe.built().and_then(|built| {
        row.files = built.files;
        let mut stage = Stage::prepare(cloud, &recipe.name)?;
        let site = Site {
            kind: recipe.kind,
            first: &built.first,
            next: &built.next,
            has_worker: recipe.has_worker,
            pages,
            is_steady: false,
            quiet: sites::tour::QUIET,
        };
        let outcome = sites::tour(programs, &site, &mut stage)?;
        stage.remove()?;
        Ok(outcome)
    });
    match looked {
        Ok(outcome) => {
            row.pages = outcome.pages;
            row.differences = outcome.differences;
        }
        Err(error) => row.failure = Some(error.to_string()),
    }
    row
}
