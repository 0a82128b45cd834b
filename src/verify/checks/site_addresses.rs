//! What the first page links is there, as a visitor would find it; and where nothing is, visitors are told so by a page.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use reqwest::{Method, Url};

use crate::project::stages::Stage as Settings;
use crate::site::settings::Urls;
use crate::site::{NOT_FOUND, Site, sum::Sum, url_path};
use crate::verify::http::send;
use crate::verify::layer::Layer;
use crate::verify::stage::{Published, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round};

/// How many links are asked for.
const MOST_LINKS: usize = 50;

/// How many at once.
const AT_ONCE: usize = 16;

/// How often a redirect is followed.
const MOST_REDIRECTS: usize = 5;

/// How many links are named.
const TOLD: usize = 3;

/// Nobody publishes this. It is the same each time, so that edges answer the same.
const NOTHING: &str = "no-such-page-e9a1c4";

pub(super) struct SiteAddresses;

impl Check for SiteAddresses {
    fn id(&self) -> &'static str {
        "site-addresses"
    }

    fn layer(&self) -> Layer {
        Layer::Site
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let Some((published, site)) = stage.published().zip(stage.site) else {
            return Vec::new();
        };
        let links: Arc<[String]> = site.links_of_first_page(MOST_LINKS).into();
        vec![published.look(stage, move |published, round| {
            let links = Arc::clone(&links);
            async move { look(stage, &published, site, &links, round).await }
        })]
    }
}

/// What a link leads to.
enum Lead {
    /// Something.
    Somewhere,
    /// Nothing, though the site has a file that is meant.
    Missed(Problem),
    /// Nothing, as on any server.
    Nowhere(String),
}

async fn look(stage: &Stage<'_>, published: &Published<'_>, site: &Site, links: &[String], round: Round) -> Finding {
    published.is_deployed(stage, round).await?;
    published.is_published(stage, "index.html", round).await?;
    let leads: Vec<Result<Lead, Problem>> = stream::iter(links)
        .map(|path| follow(stage, published, site, path))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut nowhere = BTreeSet::new();
    for lead in leads {
        match lead? {
            Lead::Somewhere => {}
            Lead::Missed(problem) => return Err(problem),
            Lead::Nowhere(path) => drop(nowhere.insert(path)),
        }
    }
    let missing = missing(stage, published, site).await?;
    let dead = match nowhere.len() {
        0 => String::new(),
        count => {
            let named: Vec<&str> = nowhere.iter().take(TOLD).map(String::as_str).collect();
            let more = if count > TOLD {
                format!(" and {} more", count - TOLD)
            } else {
                String::new()
            };
            format!(
                "; the first page links to what site/ doesn't have: {}{more}",
                named.join(", ")
            )
        }
    };
    let followed = match links.len() {
        0 => "the first page links nothing of the site".to_owned(),
        count => format!(
            "{} of {count} links of the first page lead somewhere",
            count - nowhere.len()
        ),
    };
    Ok(format!("{followed}{dead}; {missing}"))
}

/// Follows a link as a browser does.
async fn follow(stage: &Stage<'_>, published: &Published<'_>, site: &Site, path: &str) -> Result<Lead, Problem> {
    let mut url = format!("{}{path}", published.origin);
    for _ in 0..MOST_REDIRECTS {
        let answer = send(&stage.http, Method::HEAD, &url, &[]).await?;
        if !matches!(answer.status, 301 | 302 | 307 | 308) {
            if answer.status == 200 {
                return Ok(Lead::Somewhere);
            }
            let Some(file) = site.file_meant_by(path) else {
                return Ok(Lead::Nowhere(path.to_owned()));
            };
            let urls = &stage.project.stage;
            return Ok(Lead::Missed(Problem::failed(
                format!(
                    "the first page links to {path}, which answers {}, though site/ has {file}",
                    answer.status
                ),
                how_to_reach(urls, site.addresses().urls),
            )));
        }
        let base = Url::parse(&url).and_then(|url| url.join(answer.header("location")));
        match base {
            // Elsewhere is others' affair.
            Ok(next) if next.as_str().starts_with(&published.origin) => url = next.into(),
            _ => return Ok(Lead::Somewhere),
        }
    }
    Err(Problem::failed(
        format!("{}{path} leads in a circle", published.origin),
        "Look at `redirects:` in stacks/stages.yaml.",
    ))
}

fn how_to_reach(settings: &Settings, urls: Urls) -> String {
    if settings.site.urls == Urls::Auto {
        format!(
            "Addresses are taken as `urls: {}`; say `urls: html` or `urls: folders` in stacks/stages.yaml, then `deployer up`.",
            urls.as_str()
        )
    } else {
        "Take `urls:` out of stacks/stages.yaml, so that `up` finds out how pages are linked; then `deployer up`."
            .to_owned()
    }
}

/// What is answered where nothing is.
async fn missing(stage: &Stage<'_>, published: &Published<'_>, site: &Site) -> Result<String, Problem> {
    if published.error_pages().is_none() {
        return Ok("the template has no page for what isn't there, so nothing was asked for".to_owned());
    }
    // An app has no path without an extension that isn't there.
    let path = if site.addresses().urls == Urls::App {
        format!("/{NOTHING}.txt")
    } else {
        format!("/{NOTHING}")
    };
    let url = format!("{}{path}", published.origin);
    let answer = send(&stage.http, Method::GET, &url, &[]).await?;
    let page = site.objects().iter().find(|object| &*object.key == NOT_FOUND);
    let sum = page.map(|page| page.sum);
    let is_page = sum.is_none_or(|sum: Sum| sum == answer.sum);
    // Emulators without functions show an app whatever is missing.
    let is_shown_anyway = !stage.cloud.endpoint.is_aws() && site.addresses().urls == Urls::App && answer.status == 200;
    if is_shown_anyway {
        return Ok(format!(
            "{url} shows the app: this emulator runs no functions, which would tell files from pages"
        ));
    }
    if answer.status != 404 || !is_page {
        return Err(Problem::failed(
            format!(
                "{url} answers {} with `{}` instead of 404 with {}",
                answer.status,
                answer.header("content-type"),
                url_path(NOT_FOUND)
            ),
            published.stack.restore("CustomErrorResponses"),
        ));
    }
    Ok(format!("{url} answers 404 with the page for it"))
}
