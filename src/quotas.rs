//! What an account may have only so many of, and a stage takes one of. CloudFormation finds out late, when the rest of the stage is made.

use aws_sdk_cloudfront::types::ResponseHeadersPolicyType;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::explain;
use crate::error::Result;
use crate::stack::events::HEADERS_POLICIES_REMEDY;

/// The type that is counted.
pub(crate) const HEADERS_POLICY: &str = "AWS::CloudFront::ResponseHeadersPolicy";

/// How many of an account's own CloudFront allows, unless the quota was raised.
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>
const HEADERS_POLICIES: usize = 20;

/// The names of those that the account has, all pages of them; AWS's own aren't among them. `what` says what failed.
///
/// # Errors
/// They can't be listed.
pub(crate) async fn headers_policies(cloud: &Cloud, what: impl Fn() -> String) -> Result<Vec<String>> {
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let request = cloud
            .cloudfront
            .list_response_headers_policies()
            .r#type(ResponseHeadersPolicyType::Custom)
            .set_marker(marker);
        let page = request.send().await.map_err(|error| explain(error, &what()))?;
        let Some(list) = page.response_headers_policy_list else {
            return Ok(names);
        };
        names.extend(list.items().iter().map(|item| {
            let policy = item.response_headers_policy();
            let config = policy.and_then(|policy| policy.response_headers_policy_config());
            config.map(|config| config.name().to_owned()).unwrap_or_default()
        }));
        marker = list.next_marker.filter(|next| !next.is_empty());
        if marker.is_none() {
            return Ok(names);
        }
    }
}

/// What is to be known before a stage makes `new` ones beside those that are `there`; `expired` stages could go. Only CloudFront
/// knows whether the quota was raised, so nothing is refused for it.
pub(crate) fn warning(there: usize, new: usize, expired: &[String]) -> Option<String> {
    // More than it allows: then it was raised, nobody here knows how far.
    if there + new <= HEADERS_POLICIES || there > HEADERS_POLICIES {
        return None;
    }
    let go = if expired.is_empty() {
        String::new()
    } else {
        format!(
            " These stages have expired, and `deployer down --expired` removes them: {}.",
            expired.join(", ")
        )
    };
    Some(format!(
        "this account has {there} of CloudFront's response headers policies, this stage is to make {new}, and an account may have \
         {HEADERS_POLICIES} unless its quota was raised. {HEADERS_POLICIES_REMEDY}{go}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_too_much_is_told() {
        for (there, new, told) in [
            (0, 1, false),
            (19, 1, false),
            (20, 1, true),
            (18, 3, true),
            (21, 1, false),
            (20, 0, false),
        ] {
            assert_eq!(warning(there, new, &[]).is_some(), told, "{there} {new}");
        }
        let text = warning(20, 1, &["pr-3".to_owned(), "pr-7".to_owned()]).expect("told");
        for said in [
            "has 20",
            "may have 20",
            "service-quotas",
            "pr-3, pr-7",
            "deployer down --expired",
        ] {
            assert!(text.contains(said), "{said} in {text}");
        }
    }
}
