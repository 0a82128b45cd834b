//! Which of a project's files are saved, and what of the stage that is about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ignore::WalkBuilder;
use notify::event::{CreateKind, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout};

use crate::error::{Error, OrFail as _, Result};
use crate::project::Project;

/// How long nothing may be saved until what was saved is taken for all of it: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(30);

/// How long it is waited for that at most.
const LONGEST: Duration = Duration::from_secs(1);

/// Folders that are never what anything is made of.
const LEFT_OUT: [&str; 3] = ["node_modules", "target", ".git"];

/// What a file is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A template or a setting: what it changes only a plan of all tells.
    Stacks,
    /// The functions' code.
    Function,
    /// The items.
    Seed,
    /// The site.
    Site,
}

/// Where the files of each part are.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    project: PathBuf,
    function: PathBuf,
    /// Where the site's files are, or what they are made of.
    site: PathBuf,
    /// What a build makes, which is nothing that anybody saves.
    made: Option<PathBuf>,
}

impl Sources {
    /// Those of a project.
    ///
    /// # Errors
    /// The current folder can't be told.
    pub(crate) fn of(project: &Project) -> Result<Self> {
        let absolute = |path: &Path| {
            let path = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            };
            // Links are followed: it is what they lead to that is told of.
            path.canonicalize()
                .or_else(|_| std::path::absolute(path))
                .or_fail(|| format!("could not find {}", path.display()))
        };
        let is_built = project.site_build().is_some();
        let site = if is_built {
            project.site_base()
        } else {
            project.site_dir()
        };
        Ok(Self {
            project: absolute(project.path())?,
            function: absolute(&project.function_dir())?,
            site: absolute(&site)?,
            made: is_built.then(|| absolute(&project.site_dir())).transpose()?,
        })
    }

    /// What a file is a part of; nothing if saving it changes nothing.
    pub(crate) fn part_of(&self, path: &Path) -> Option<Part> {
        let name = path.file_name()?.to_str()?;
        let is_left = |path: &Path| {
            path.components()
                .any(|part| LEFT_OUT.iter().any(|one| part.as_os_str() == *one))
        };
        // What editors keep beside a file while they write it.
        let is_editors = name.ends_with('~') || name.starts_with(".#") || name.ends_with(".swp") || name == "4913";
        if is_editors || self.made.as_ref().is_some_and(|made| path.starts_with(made)) {
            return None;
        }
        let inner = |folder: &Path| path.strip_prefix(folder).ok().filter(|inner| !is_left(inner));
        if let Some(inner) = inner(&self.project.join("stacks")) {
            return Some(if inner == Path::new("seed.yaml") {
                Part::Seed
            } else {
                Part::Stacks
            });
        }
        if inner(&self.function).is_some() {
            return (!name.starts_with('.')).then_some(Part::Function);
        }
        if path.parent() == Some(&self.project) && matches!(name, "Cargo.toml" | "Cargo.lock") {
            return Some(Part::Function);
        }
        inner(&self.site).is_some().then_some(Part::Site)
    }

    /// The folders that have them.
    fn folders(&self) -> BTreeSet<PathBuf> {
        let roots = [&self.project.join("stacks"), &self.function, &self.site];
        let mut folders: BTreeSet<PathBuf> = roots.into_iter().flat_map(|root| self.below(root)).collect();
        folders.insert(self.project.clone());
        folders
    }

    fn below(&self, root: &Path) -> Vec<PathBuf> {
        let made = self.made.clone();
        // Hidden ones are published as well, or have settings of builds.
        let walk = WalkBuilder::new(root)
            .standard_filters(false)
            .filter_entry(move |entry| {
                let is_left = LEFT_OUT.iter().any(|one| entry.file_name() == *one);
                entry.path().is_dir() && !is_left && made.as_deref() != Some(entry.path())
            })
            .build();
        walk.flatten()
            .map(ignore::DirEntry::into_path)
            .filter(|path| path.is_dir())
            .collect()
    }
}

/// Files that were saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    /// What they are parts of.
    pub parts: BTreeSet<Part>,
    /// When the first of them was.
    pub at: SystemTime,
}

/// Tells of files that are saved.
#[derive(Debug)]
pub(crate) struct Watcher {
    inner: RecommendedWatcher,
    events: UnboundedReceiver<Event>,
    sources: Sources,
    watched: BTreeSet<PathBuf>,
}

impl Watcher {
    /// Watches a project's files from now on.
    ///
    /// # Errors
    /// The system lets nobody watch that much.
    pub(crate) fn new(sources: Sources) -> Result<Self> {
        let (tell, events) = unbounded_channel();
        let inner = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error is of a folder that is gone, which its own folder tells of.
            if let Ok(event) = event {
                let _ = tell.send(event);
            }
        });
        let inner = inner.map_err(|error| unwatchable(&sources.project, error))?;
        let mut watcher = Self {
            inner,
            events,
            watched: BTreeSet::new(),
            sources,
        };
        watcher.watch_all()?;
        Ok(watcher)
    }

    /// Watches folders that have come since.
    fn watch_all(&mut self) -> Result<()> {
        let folders = self.sources.folders();
        self.watched.retain(|folder| folders.contains(folder));
        for folder in folders {
            if self.watched.contains(&folder) {
                continue;
            }
            self.inner
                .watch(&folder, RecursiveMode::NonRecursive)
                .map_err(|error| unwatchable(&folder, error))?;
            self.watched.insert(folder);
        }
        Ok(())
    }

    /// Waits until files were saved.
    ///
    /// # Errors
    /// A new folder can't be watched.
    pub(crate) async fn saved(&mut self) -> Result<Saved> {
        loop {
            let mut parts = BTreeSet::new();
            let Some(first) = self.events.recv().await else {
                return Err(Error::failed("nobody tells any more which files are saved"));
            };
            let mut at = SystemTime::now();
            let end = Instant::now() + LONGEST;
            let mut next = Some(first);
            while let Some(event) = next {
                if is_folder(&event) {
                    self.watch_all()?;
                }
                if !matches!(event.kind, EventKind::Access(_)) {
                    for path in &event.paths {
                        if let Some(part) = self.sources.part_of(path) {
                            parts.insert(part);
                            at = at.min(modified(path).unwrap_or(at));
                        }
                    }
                }
                let quiet = QUIET.min(end.saturating_duration_since(Instant::now()));
                next = timeout(quiet, self.events.recv()).await.ok().flatten();
            }
            if !parts.is_empty() {
                return Ok(Saved { parts, at });
            }
        }
    }
}

/// Whether a folder came, or one was renamed.
fn is_folder(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Create(CreateKind::Folder | CreateKind::Any) | EventKind::Modify(notify::event::ModifyKind::Name(_))
    )
}

/// When a file was written, if that was just now: some editors give it an earlier time.
fn modified(path: &Path) -> Option<SystemTime> {
    let modified = path.metadata().ok()?.modified().ok()?;
    let age = SystemTime::now().duration_since(modified).ok()?;
    (age < Duration::from_secs(5)).then_some(modified)
}

fn unwatchable(folder: &Path, error: notify::Error) -> Error {
    Error::failed(format!("could not watch {}", folder.display()))
        .cause(error)
        .hint("If the system has too few watches left, `sysctl fs.inotify.max_user_watches=524288` gives more.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources {
            project: "/p".into(),
            function: "/p/function".into(),
            site: "/p".into(),
            made: Some("/p/dist".into()),
        }
    }

    #[test]
    fn each_file_is_a_part_of_what_it_makes() {
        for (path, part) in [
            ("/p/stacks/logic.yaml", Some(Part::Stacks)),
            ("/p/stacks/stages.yaml", Some(Part::Stacks)),
            ("/p/stacks/seed.yaml", Some(Part::Seed)),
            ("/p/function/src/main.rs", Some(Part::Function)),
            ("/p/function/target/debug/x", None),
            ("/p/Cargo.lock", Some(Part::Function)),
            ("/p/src/page.md", Some(Part::Site)),
            ("/p/.well-known/security.txt", Some(Part::Site)),
            ("/p/node_modules/x/index.js", None),
            ("/p/dist/index.html", None),
            ("/p/src/page.md~", None),
            ("/p/src/.page.md.swp", None),
            ("/elsewhere/x", None),
        ] {
            assert_eq!(sources().part_of(Path::new(path)), part, "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_saved_is_told_also_in_new_folders() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().canonicalize().expect("there");
        for folder in ["stacks", "function", "site"] {
            std::fs::create_dir(root.join(folder)).expect("made");
        }
        let sources = Sources {
            project: root.clone(),
            function: root.join("function"),
            site: root.join("site"),
            made: None,
        };
        let mut watcher = Watcher::new(sources).expect("it can be watched");
        std::fs::write(root.join("site/index.html"), "x").expect("written");
        assert_eq!(watcher.saved().await.expect("told").parts, BTreeSet::from([Part::Site]));
        std::fs::create_dir_all(root.join("function/src/inner")).expect("made");
        watcher.saved().await.expect("told");
        std::fs::write(root.join("function/src/inner/lib.rs"), "x").expect("written");
        std::fs::write(root.join("stacks/seed.yaml"), "x").expect("written");
        let both = BTreeSet::from([Part::Function, Part::Seed]);
        assert_eq!(watcher.saved().await.expect("told").parts, both);
    }
}
