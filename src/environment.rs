//! Variables that are set and empty, as files for CI and containers have them, are as unset: so it is for the AWS CLI. The
//! AWS SDK takes some of them for values.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Whether an empty variable of this name means nothing. An empty `AWS_PAGER` means that there is none.
fn means_nothing_empty(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name != "AWS_PAGER"
        && ["AWS_", "DEPLOYER_", "XDG_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Starts this program anew without such variables, if there are any, in the same process: that is the one way to take them
/// from everything in it that looks, and it has done nothing yet. Where that can't be, it goes on as it is.
pub(crate) fn without_empty_variables() {
    let empty: Vec<_> = std::env::vars_os()
        .filter(|(name, value)| value.is_empty() && means_nothing_empty(name))
        .map(|(name, _)| name)
        .collect();
    let Some(program) = std::env::current_exe().ok().filter(|_| !empty.is_empty()) else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut anew = Command::new(program);
    if let Some(name) = arguments.next() {
        anew.arg0(name);
    }
    anew.args(arguments);
    for name in empty {
        anew.env_remove(name);
    }
    // It returns only if it failed.
    let _ = anew.exec();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_or_the_sdks_is_taken_away() {
        for (name, expected) in [
            ("AWS_REGION", true),
            ("AWS_ENDPOINT_URL_S3", true),
            ("DEPLOYER_LOCAL_PORT", true),
            ("XDG_STATE_HOME", true),
            ("AWS_PAGER", false),
            ("PATH", false),
            // To an empty one in lower case the tools of the internet give a meaning.
            ("http_proxy", false),
        ] {
            assert_eq!(means_nothing_empty(OsStr::new(name)), expected, "{name}");
        }
    }
}
