//! Distributions read their origins as their templates say: private buckets by origin access control, under the names that
//! they have.

use std::collections::BTreeSet;

use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round};

pub(super) const DISTRIBUTIONS: &[&str] = &["AWS::CloudFront::Distribution"];

pub(super) struct DistributionOrigins;

impl Check for DistributionOrigins {
    fn id(&self) -> &'static str {
        "distribution-origins"
    }

    fn layer(&self) -> Layer {
        Layer::Privacy
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let looks = stage
            .resources_of(DISTRIBUTIONS)
            .map(|found| Look::of(found, move |round| look(stage, found, round)));
        looks.collect()
    }
}

async fn look(stage: &Stage<'_>, distribution: Resource<'_>, round: Round) -> Finding {
    let name = distribution.name;
    let live = stage.distribution(name, round).await?;
    let Some(config) = live.and_then(|live| live.distribution_config) else {
        return Err(Problem::not_proven(
            format!("the distribution {name} can't be looked at"),
            "Allow this identity cloudfront:GetDistribution.",
        ));
    };
    let failed = |evidence: String| Err(Problem::failed(evidence, distribution.restore()));
    let wanted = distribution.property(&["DistributionConfig", "Origins"]);
    let wanted: Vec<(String, &Expected)> = wanted
        .items()
        .into_iter()
        .filter_map(|origin| Some((origin.get("Id")?.known_text()?, origin)))
        .collect();
    let origins = config.origins().map(|origins| origins.items()).unwrap_or_default();
    if let Some(other) = origins
        .iter()
        .find(|origin| !wanted.iter().any(|(id, _)| id == origin.id()))
    {
        return failed(format!(
            "{name} has an origin that its template doesn't have: {} ({})",
            other.id(),
            other.domain_name()
        ));
    }
    let absent = Expected::Absent;
    for (id, origin) in &wanted {
        let Some(is) = origins.iter().find(|one| one.id() == id) else {
            return failed(format!("{name} has no origin {id}"));
        };
        for (what, wanted, is) in [
            ("domain", origin.get("DomainName"), Some(is.domain_name())),
            (
                "origin access control",
                origin.get("OriginAccessControlId"),
                is.origin_access_control_id(),
            ),
        ] {
            let wanted = wanted.unwrap_or(&absent);
            let is = is.unwrap_or_default();
            let fits = match wanted {
                Expected::Absent => is.is_empty() || what == "domain",
                wanted => wanted.matches_text(is),
            };
            if !fits {
                return failed(format!(
                    "the {what} of the origin {id} of {name} is `{is}`, and the template has `{wanted}`"
                ));
            }
        }
    }
    let aliases = distribution.property(&["DistributionConfig", "Aliases"]);
    let aliases: BTreeSet<String> = aliases.items().into_iter().filter_map(Expected::known_text).collect();
    let live: BTreeSet<String> = config
        .aliases()
        .map(|all| all.items().to_vec())
        .unwrap_or_default()
        .into_iter()
        .collect();
    if aliases != live {
        return failed(format!("{name} is known as {live:?}, and the template has {aliases:?}"));
    }
    let names = if live.is_empty() {
        String::new()
    } else {
        format!(", known as {}", live.into_iter().collect::<Vec<_>>().join(", "))
    };
    let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
    Ok(format!("{name} reads {}, as its template says{names}", ids.join(", ")))
}
