//! Each role's policies, what is attached to it, who may assume it and its boundary are those of the templates.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::try_join_all;
use serde_json::Value;

use crate::verify::documents::{difference, pairs, read};
use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::live::{self, LiveRole};
use crate::verify::roles::{self, Role};
use crate::verify::shared::Round;
use crate::verify::stage::Stage;
use crate::verify::{Check, Look, Problem, ProblemKind, Proof};

pub(super) struct RolePolicies;

impl Check for RolePolicies {
    fn id(&self) -> &'static str {
        "role-policies"
    }

    fn layer(&self) -> Layer {
        Layer::Permissions
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let looks = roles::of_stage(stage).into_iter().map(|role| {
            let role = Arc::new(role);
            Look::new(role.resource.id(), role.stacks(), move |round| {
                policies(stage, Arc::clone(&role), round)
            })
        });
        looks.collect()
    }
}

async fn policies(stage: &Stage<'_>, role: Arc<Role<'_>>, round: Round) -> Result<Proof, Problem> {
    let resource = role.resource;
    // Policies of the templates with names of their own: somebody may have given one another version.
    let own = role.own.iter().map(async |policy| {
        let arn = policy.resource.name;
        let live = live::managed_policy(stage, resource.cloud(), arn, round).await?;
        match difference(&policy.document, &live) {
            None => Ok(()),
            Some(difference) => Err(Problem::failed(
                format!("the policy {arn} {difference}"),
                policy.resource.restore(),
            )),
        }
    });
    let (live, _) = tokio::try_join!(live::role(stage, resource, round), try_join_all(own))?;
    inline(&role, &live)?;
    attached(&role, &live)?;
    let trust = resource.property(&["AssumeRolePolicyDocument"]);
    let document = read(live.role.assume_role_policy_document().unwrap_or_default());
    if let Some(difference) = difference(&trust, &document) {
        return Err(Problem::failed(
            format!("who may assume {}: its trust policy {difference}", resource.name),
            resource.restore(),
        ));
    }
    boundary(&role, &live)?;
    Ok(Proof {
        evidence: seen(&role, &trust),
        warnings: role.policies().flat_map(roles::Policy::wildcards).collect(),
    })
}

/// What there is more than the templates tell is a fault, unless they can't be read to the end.
fn more(role: &Role<'_>, evidence: String) -> Problem {
    if role.is_open {
        let next = "Some policies only CloudFormation knows: look whether it is one of those.";
        Problem::not_proven(evidence, next)
    } else {
        Problem::failed(evidence, role.resource.restore())
    }
}

fn inline(role: &Role<'_>, live: &LiveRole) -> Result<(), Problem> {
    let name = role.resource.name;
    let found: Vec<(&String, &Value)> = live.inline.iter().collect();
    let found: Vec<&(&String, &Value)> = found.iter().collect();
    let wanted: Vec<&roles::Inline<'_>> = role.inline.iter().collect();
    let (missing, extra) = pairs(&wanted, &found, |wanted, (name, _)| wanted.name.matches_text(name));
    if let Some((policy, document)) = extra.first() {
        let evidence = format!("{name} has an inline policy that no template has, {policy}: {document}");
        return Err(more(role, evidence));
    }
    if let Some(missing) = missing.first() {
        return Err(Problem::failed(
            format!("{name} has no inline policy {}", missing.name),
            missing.policy.resource.restore(),
        ));
    }
    for wanted in wanted {
        // The first of those whose names fit that has the document, else the one that is told of.
        let fitting = || live.inline.iter().filter(|(name, _)| wanted.name.matches_text(name));
        if fitting().any(|(_, document)| difference(&wanted.policy.document, document).is_none()) {
            continue;
        }
        if let Some((policy, document)) = fitting().next()
            && let Some(difference) = difference(&wanted.policy.document, document)
        {
            return Err(Problem::failed(
                format!("the policy {policy} of {name} {difference}"),
                wanted.policy.resource.restore(),
            ));
        }
    }
    Ok(())
}

fn attached(role: &Role<'_>, live: &LiveRole) -> Result<(), Problem> {
    let name = role.resource.name;
    let wanted: Vec<&Expected> = role.attached.iter().collect();
    let found: Vec<&String> = live.attached.iter().collect();
    let (missing, extra) = pairs(&wanted, &found, |wanted, arn| wanted.matches_text(arn));
    if let Some(arn) = extra.first() {
        return Err(more(
            role,
            format!("the policy {arn} is attached to {name}, and by no template"),
        ));
    }
    match missing.first() {
        None => Ok(()),
        Some(arn) => Err(Problem::failed(
            format!("the policy {arn} isn't attached to {name}"),
            role.resource.restore(),
        )),
    }
}

fn boundary(role: &Role<'_>, live: &LiveRole) -> Result<(), Problem> {
    let resource = role.resource;
    let wanted = resource.property(&["PermissionsBoundary"]);
    let is = live.role.permissions_boundary();
    let is = is.and_then(|boundary| boundary.permissions_boundary_arn());
    bounded(resource.name, &wanted, is, resource.cloud().endpoint.is_aws()).map_err(|(kind, evidence)| Problem {
        kind,
        evidence,
        next_step: match kind {
            ProblemKind::NotProven => "Verify it on AWS.".to_owned(),
            ProblemKind::Failed | ProblemKind::Pending => resource.restore(),
        },
    })
}

/// Whether a role's boundary is the one that is `wanted`, and if it isn't, whether that says anything.
fn bounded(role: &str, wanted: &Expected, is: Option<&str>, is_aws: bool) -> Result<(), (ProblemKind, String)> {
    match (wanted, is) {
        (Expected::Absent | Expected::Unknown, None) => Ok(()),
        (Expected::Absent, Some(is)) => Err((
            ProblemKind::Failed,
            format!("{role} has the permissions boundary {is}, and the template has none"),
        )),
        (wanted, Some(is)) if wanted.matches_text(is) => Ok(()),
        (wanted, None) if !is_aws => Err((
            ProblemKind::NotProven,
            format!("{role} has no permissions boundary, and the template says {wanted}; emulators drop it"),
        )),
        (wanted, is) => Err((
            ProblemKind::Failed,
            format!(
                "{role} has the permissions boundary {}, and the template says {wanted}",
                is.unwrap_or("none")
            ),
        )),
    }
}

fn seen(role: &Role<'_>, trust: &Expected) -> String {
    let inline: Vec<String> = role.inline.iter().map(|inline| inline.name.to_string()).collect();
    let attached: Vec<String> = role.attached.iter().map(ToString::to_string).collect();
    let listed = |names: Vec<String>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let documents = role.policies().map(|policy| &policy.document).chain([trust]);
    let open: BTreeSet<String> = documents
        .filter(|document| !document.is_known())
        .flat_map(open_texts)
        .collect();
    let mut seen = format!(
        "as the templates say: inline {}; attached {}; who may assume it; the boundary",
        listed(inline),
        listed(attached)
    );
    if !open.is_empty() {
        let open = open.into_iter().collect::<Vec<_>>().join(" ");
        seen.push_str(&format!("; the gaps in {open} only CloudFormation can fill"));
    }
    seen
}

/// The texts of a document that aren't known to the end.
fn open_texts(value: &Expected) -> Vec<String> {
    match value {
        Expected::List(items) => items.iter().flat_map(open_texts).collect(),
        Expected::Map(map) => map.values().flat_map(open_texts).collect(),
        open if !open.is_known() => vec![open.to_string()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::expected::Part;

    const BOUNDARY: &str = "arn:aws:iam::1:policy/shop-prod-function-boundary";
    const OTHER: &str = "arn:aws:iam::1:policy/anything";

    fn text(parts: &[Part]) -> Expected {
        Expected::Text(parts.to_vec())
    }

    /// What is wrong, on AWS and off it.
    fn judged(wanted: &Expected, is: Option<&str>) -> [Option<ProblemKind>; 2] {
        [true, false].map(|is_aws| bounded("role", wanted, is, is_aws).err().map(|(kind, _)| kind))
    }

    #[test]
    fn a_boundary_is_the_templates_or_a_failure() {
        let wanted = text(&[Part::Known(BOUNDARY.to_owned())]);
        let failed = Some(ProblemKind::Failed);
        assert_eq!(judged(&wanted, Some(BOUNDARY)), [None, None], "it matches");
        assert_eq!(judged(&wanted, Some(OTHER)), [failed, failed], "another one");
        // An emulator keeps none of them: there it says nothing.
        assert_eq!(
            judged(&wanted, None),
            [failed, Some(ProblemKind::NotProven)],
            "it was detached"
        );
        assert_eq!(
            judged(&Expected::Absent, Some(OTHER)),
            [failed, failed],
            "nobody asked for one"
        );
        assert_eq!(
            judged(&Expected::Absent, None),
            [None, None],
            "there is none, as the template says"
        );
    }

    /// As much as is known counts.
    #[test]
    fn a_boundary_that_only_cloudformation_knows_matches_what_fits() {
        let ends = text(&[
            Part::Open,
            Part::Known(":policy/shop-prod-function-boundary".to_owned()),
        ]);
        let failed = Some(ProblemKind::Failed);
        assert_eq!(judged(&ends, Some(BOUNDARY)), [None, None]);
        assert_eq!(judged(&ends, Some(OTHER)), [failed, failed]);
        assert_eq!(judged(&ends, None), [failed, Some(ProblemKind::NotProven)]);
        assert_eq!(judged(&Expected::Unknown, Some(OTHER)), [None, None]);
        assert_eq!(judged(&Expected::Unknown, None), [None, None]);
    }
}
