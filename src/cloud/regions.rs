//! Regions as they are mistyped. AWS may have one that this version doesn't know, so whether one is right is for AWS to say;
//! elsewhere nobody says anything, and what is deployed under `us-esat-1` is looked for in vain under `us-east-1`.

use crate::error::{Error, ErrorKind, Result};
use crate::project::did_you_mean;

const LIST: &str = include_str!("regions.txt");

fn known() -> impl Iterator<Item = &'static str> {
    LIST.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// A region as far as the list tells.
#[derive(Debug, PartialEq, Eq)]
enum Region {
    Known,
    /// Only its number isn't known.
    Sibling(&'static str),
    Unknown,
}

fn region(name: &str) -> Region {
    if known().any(|one| one == name) {
        return Region::Known;
    }
    let place = |name: &str| {
        let (place, number) = name.rsplit_once('-')?;
        number
            .bytes()
            .all(|digit| digit.is_ascii_digit())
            .then(|| place.to_owned())
    };
    match known().find(|one| place(one) == place(name)) {
        Some(sibling) if place(name).is_some() => Region::Sibling(sibling),
        _ => Region::Unknown,
    }
}

fn near(name: &str) -> Option<&'static str> {
    let known: Vec<&'static str> = known().collect();
    did_you_mean(name, &known)
}

/// Refuses a region that an emulator would take like any other. One that resembles none may be an emulator's own, or new.
///
/// # Errors
/// It is mistyped: nearly one that AWS has, in more than its number.
pub(super) fn check_off_aws(name: &str) -> Result<()> {
    if region(name) != Region::Unknown {
        return Ok(());
    }
    let Some(near) = near(name) else { return Ok(()) };
    let error = Error::new(ErrorKind::InvalidUsage, format!("AWS has no region `{name}`"));
    Err(error.hint(format!(
        "Did you mean {near}? It stands in --region, `region:` of the stage, or AWS_REGION."
    )))
}

/// What is to be known of a region that isn't in the list, in a sentence; nothing of one that is.
pub(super) fn doubt(name: &str) -> Option<String> {
    match region(name) {
        Region::Known => None,
        Region::Sibling(sibling) => Some(format!(
            "the region {name} isn't one that this version of deployer knows; it knows {sibling}"
        )),
        Region::Unknown => Some(format!(
            "the region {name} isn't one that this version of deployer knows"
        )),
    }
}

/// Says of a failure to reach AWS that the region may be mistyped, if it may.
pub(super) fn doubted(error: Error, name: &str) -> Error {
    let Some(doubt) = doubt(name) else { return error };
    let error = error.cause(doubt);
    match near(name) {
        Some(near) => error.hint_first(format!("Did you mean the region {near}?")),
        None => {
            error.hint_first("Check the region's name: --region, `region:` of the stage, AWS_REGION or the profile's.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_known_nearly_known_or_not_at_all() {
        for (name, expected) in [
            ("us-east-1", Region::Known),
            ("eusc-de-east-1", Region::Known),
            ("us-east-9", Region::Sibling("us-east-1")),
            ("eu-central-12", Region::Sibling("eu-central-1")),
            ("us-esat-1", Region::Unknown),
            ("us-east", Region::Unknown),
            ("us-east-1a", Region::Unknown),
            ("frankfurt", Region::Unknown),
        ] {
            assert_eq!(region(name), expected, "{name}");
        }
        assert!(known().count() > 40);
    }

    #[test]
    fn a_mistyped_region_is_told_with_the_nearest() {
        let error = check_off_aws("eu-cental-1").expect_err("mistyped");
        assert!(
            error.next_step().is_some_and(|hint| hint.contains("eu-central-1")),
            "{error}"
        );
        check_off_aws("us-east-9").expect("perhaps newer than the list");
        let failed = doubted(Error::failed("no connection"), "us-esat-1");
        assert_eq!(failed.next_step(), Some("Did you mean the region us-east-1?"));
        assert_eq!(doubted(Error::failed("no connection"), "us-east-1").next_step(), None);
    }
}
