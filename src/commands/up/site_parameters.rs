//! The parameters that the site's files give the stack that it is published to, and in which order the policy changes: what
//! is there and what comes both have to work, so it is loosened before the site is published and tightened after.

use std::collections::BTreeMap;

use super::Up;
use crate::cloud::Endpoint;
use crate::project::stacks::StackId;
use crate::project::wiring::{SITE_APP_PATHS, SITE_FALLBACK, SITE_FRAMES, SITE_POLICY, SITE_REDIRECTS, Source};
use crate::site::parameters::{Edges, SiteParameters};
use crate::site::policy;

/// What edges do at this endpoint.
pub(super) fn edges(endpoint: &Endpoint) -> Edges {
    if endpoint.is_aws() {
        Edges::CloudFront
    } else if endpoint.is_loopback() && has_node() {
        // The local cloud runs functions by it, if it runs on this machine; without it all of a distribution that has one
        // would be unavailable.
        Edges::EmulatedWithFunctions
    } else {
        Edges::Emulated
    }
}

fn has_node() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("node").is_file())
}

/// What the site wants each parameter to be.
pub(super) fn wanted(site: &SiteParameters, edges: Edges) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (SITE_POLICY, site.policy.text.clone()),
        (SITE_FRAMES, frames(site.policy.has_frames)),
        (SITE_REDIRECTS, site.redirects(edges).to_string()),
        (SITE_FALLBACK, site.fallback(edges).as_str().to_owned()),
        (SITE_APP_PATHS, site.app_paths(edges).to_owned()),
    ])
}

fn frames(own: bool) -> String {
    if own { "SAMEORIGIN" } else { "DENY" }.to_owned()
}

impl Up<'_> {
    /// Adds what the site gives a stack, but for what is said already.
    pub(super) fn add_site_values(&self, stack: &StackId, inputs: &mut BTreeMap<String, String>) {
        let sources = self.context.project.wiring().sources(stack);
        for (parameter, _) in sources.filter(|(_, source)| **source == Source::Site) {
            if let Some(value) = self
                .site_value(stack, parameter)
                .filter(|_| !inputs.contains_key(parameter))
            {
                inputs.insert(parameter.to_owned(), value);
            }
        }
    }

    /// What a parameter is deployed with before the site is published: what the site wants, as loose as it is now. Without a
    /// site in this run it stays as it is.
    fn site_value(&self, stack: &StackId, parameter: &str) -> Option<String> {
        let deployed = self
            .before
            .get(stack)
            .and_then(|before| before.stack.parameters.get(parameter));
        let Some(wanted) = self.site_wants.get(parameter) else {
            return deployed.cloned();
        };
        let Some(deployed) = deployed else {
            return Some(wanted.clone());
        };
        Some(match parameter {
            SITE_POLICY => policy::looser(wanted, deployed),
            SITE_FRAMES if deployed == &frames(true) => deployed.clone(),
            _ => wanted.clone(),
        })
    }

    /// Says what the site can't do under the policy that is deployed, if this run doesn't change its stack.
    pub(super) fn warn_of_site_values(&self, stack: &StackId, deployed: &BTreeMap<String, String>) {
        let Some(policy) = deployed.get(SITE_POLICY).filter(|_| !self.scope.has(stack)) else {
            return;
        };
        let loosened = self.site_parameters.iter().flat_map(|site| &site.policy.loosened);
        let refused: Vec<String> = loosened
            .filter(|one| one.is_refused_by(policy))
            .map(|one| format!("{} ({})", one.what, one.place))
            .collect();
        if !refused.is_empty() {
            self.reporter().warn(format!(
                "the policy that is deployed refuses what the site needs: {}. `deployer up` without --only loosens it",
                refused.join(", ")
            ));
        }
    }

    /// Says what the policy allows that a stricter one wouldn't, and for which file.
    pub(super) fn tell_of_policy(&self) {
        let Some(site) = &self.site_parameters else {
            return;
        };
        let loosened: Vec<String> = site
            .policy
            .loosened
            .iter()
            .map(|one| format!("{} ({})", one.what, one.place))
            .collect();
        if !loosened.is_empty() {
            self.reporter()
                .finished("policy", format!("allows {}", loosened.join(", ")), false);
        }
    }

    /// What the stack is to be updated with once the site is published, if this run changes stacks: by name.
    pub(super) fn tightened(&self, stack: &StackId, deployed: &BTreeMap<String, String>) -> Vec<(String, String)> {
        let sources = self.context.project.wiring().sources(stack);
        let of_site = sources.filter(|(_, source)| **source == Source::Site);
        of_site
            .filter_map(|(parameter, _)| Some((parameter, self.site_wants.get(parameter)?)))
            .filter(|(parameter, wanted)| deployed.get(*parameter) != Some(wanted))
            .map(|(parameter, wanted)| (parameter.to_owned(), wanted.clone()))
            .collect()
    }
}
