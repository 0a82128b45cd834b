//! The checks, one a file, in the order of the layers.

mod api_deployment;
mod api_error_answers;
mod api_preflight;
mod api_routes;
mod bucket_policy;
mod bucket_protection;
mod bucket_public_access;
mod bucket_unreadable;
mod distribution_origins;
mod event_sources;
mod function_access;
mod function_code;
mod function_environment;
mod function_permissions;
mod function_state;
mod invocations;
mod mail_confirmed;
mod requests;
mod role_policies;
mod role_simulated;
mod seed_items;
mod site_addresses;
mod site_config;
mod site_files;
mod site_headers;
mod site_https;
mod table_protection;
mod table_schema;

use super::Check;

/// What the checks about buckets look at.
const BUCKETS: &[&str] = &["AWS::S3::Bucket"];

/// All there are.
pub(super) const ALL: &[&dyn Check] = &[
    // data
    &table_schema::TableSchema,
    &table_protection::TableProtection,
    &seed_items::SeedItems,
    // function
    &function_state::FunctionState,
    &function_code::FunctionCode,
    &function_environment::FunctionEnvironment,
    &function_access::FunctionAccess,
    &event_sources::EventSources,
    &mail_confirmed::MailConfirmed,
    // api
    &api_deployment::ApiDeployment,
    &api_routes::ApiRoutes,
    &api_preflight::ApiPreflight,
    &api_error_answers::ApiErrorAnswers,
    // app
    &requests::Requests,
    &invocations::Invocations,
    // site
    &site_files::SiteFiles,
    &site_addresses::SiteAddresses,
    &site_https::SiteHttps,
    &site_headers::SiteHeaders,
    &site_config::SiteConfig,
    // privacy
    &bucket_unreadable::BucketUnreadable,
    &bucket_public_access::BucketPublicAccess,
    &bucket_policy::BucketPolicy,
    &bucket_protection::BucketProtection,
    &distribution_origins::DistributionOrigins,
    // permissions
    &role_policies::RolePolicies,
    &role_simulated::RoleSimulated,
    &function_permissions::FunctionPermissions,
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_check_has_an_id_of_its_own_and_a_page() {
        let mut ids: Vec<&str> = ALL.iter().map(|check| check.id()).collect();
        for id in &ids {
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{id}");
            let page = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("docs/checks")
                .join(format!("{id}.md"));
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            for part in [
                "## What it proves",
                "## What it doesn't",
                "## How it is shown to fail",
                "## How to mend",
            ] {
                assert!(text.contains(part), "{} has no `{part}`", page.display());
            }
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks");
        assert_eq!(
            std::fs::read_dir(pages).expect("readable").count(),
            count,
            "a page for each, and no other"
        );
    }
}
