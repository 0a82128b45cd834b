//! What the site's files tell the template that makes their place: the policy that they work under, and what edges have to do
//! for their addresses.

use super::names::folder_and_name;
use super::policy::{self, Policy};
use super::settings::{Settings, Urls};
use super::{Site, url_path};
use crate::error::{Error, ErrorKind, Result};

/// The longest value of a parameter, in bytes.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const LONGEST_VALUE: usize = 4_096;

/// All of it. What is told of it depends on what the edges can do: see [`Edges`].
#[derive(Debug, Clone)]
pub(crate) struct SiteParameters {
    /// What the pages may load and call.
    pub(crate) policy: Policy,
    addresses: Addresses,
}

/// What answers visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edges {
    /// CloudFront's.
    CloudFront,
    /// An emulator's, which runs functions.
    EmulatedWithFunctions,
    /// An emulator's, which may not.
    Emulated,
}

/// How paths that nobody published show `index.html`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// They don't.
    None,
    /// A function asks for it, and leaves files that are missing missing.
    Function,
    /// It is the answer to all that is missing.
    Page,
}

impl Fallback {
    /// As the parameter has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Function => "function",
            Self::Page => "page",
        }
    }
}

/// What edges have to know of the site's addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Addresses {
    /// Some lead to others.
    has_redirects: bool,
    /// A script draws what nobody published.
    is_app: bool,
    /// What was published under a name without an extension, escaped as in URLs, with commas between.
    without_extension: String,
}

impl Addresses {
    /// What is known of them by the settings and by what is published.
    fn of(site: &Site) -> Result<Self> {
        let objects = site.objects();
        let is_app = site.addresses().urls == Urls::App;
        let without_extension = if is_app {
            let keys = objects.iter().map(|object| &*object.key);
            let bare = keys.filter(|key| !folder_and_name(key).1.contains('.'));
            bare.map(|key| url_path(key).split_off(1)).collect::<Vec<_>>().join(",")
        } else {
            String::new()
        };
        if without_extension.len() > LONGEST_VALUE {
            return Err(Error::new(
                ErrorKind::InvalidUsage,
                format!(
                    "with `urls: app` the site has too many files without an extension: their paths are {} characters long",
                    without_extension.len()
                ),
            )
            .cause(format!(
                "edges have to know them, to tell them from what a script draws, by a parameter of at most {LONGEST_VALUE}"
            ))
            .hint("Give the files extensions, leave them out by site/.deployerignore, or say `urls: folders` or `html`."));
        }
        Ok(Self {
            has_redirects: objects.iter().any(|object| object.headers.redirect.is_some()),
            is_app,
            without_extension,
        })
    }
}

impl SiteParameters {
    /// What the site as it was read tells.
    ///
    /// # Errors
    /// It is more than a template or a header can have, or a file can't be read any more.
    pub(crate) fn of(site: &Site, settings: &Settings) -> Result<Self> {
        let addresses = Addresses::of(site)?;
        // Hashes are of few sites, and so aren't remembered.
        let read = settings.hashes.then(|| policy::read(site, settings)).transpose()?;
        let needs = read.as_ref().unwrap_or(site.needs());
        Ok(Self {
            policy: policy::policy(needs, settings)?,
            addresses,
        })
    }

    /// Whether edges make redirects of objects that lead elsewhere. Off AWS those objects' own pages lead on, with any
    /// emulator.
    pub(crate) fn redirects(&self, edges: Edges) -> bool {
        self.addresses.has_redirects && edges == Edges::CloudFront
    }

    /// How paths that nobody published show `index.html`.
    pub(crate) fn fallback(&self, edges: Edges) -> Fallback {
        match (self.addresses.is_app, edges) {
            (false, _) => Fallback::None,
            (true, Edges::Emulated) => Fallback::Page,
            (true, Edges::CloudFront | Edges::EmulatedWithFunctions) => Fallback::Function,
        }
    }

    /// What such a function leaves alone: nothing where there is none, so that what doesn't matter changes no stack.
    pub(crate) fn app_paths(&self, edges: Edges) -> &str {
        match self.fallback(edges) {
            Fallback::Function => &self.addresses.without_extension,
            Fallback::None | Fallback::Page => "",
        }
    }
}
