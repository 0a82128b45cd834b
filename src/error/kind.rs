//! What kinds of errors there are, and the exit code of each.

use serde::Serialize;

/// What kind of thing went wrong. Each has a stable code, its name in kebab case, for scripts to match on: `"code"` in an
/// error's JSON line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The command line asks for something that isn't there, or contradicts itself.
    InvalidUsage,
    /// A file of the project is wrong or missing: a template, a setting, seed items, the contract, the site.
    InvalidProject,
    /// What is to be a function's code can't run on Lambda, or can't be read.
    InvalidPackage,
    /// The functions don't compile.
    BuildFailed,
    /// This machine lacks a program, a setting or a free port, or has a variable, profile, proxy or certificates that can't be
    /// used.
    InvalidSetup,
    /// The credentials are of another account than the stage is to be in.
    WrongAccount,
    /// There are no credentials.
    CredentialsMissing,
    /// There were, until a moment ago.
    CredentialsExpired,
    /// AWS doesn't know them, or the signature is wrong.
    CredentialsInvalid,
    /// Who the credentials are of can't be asked.
    IdentityUnknown,
    /// The credentials lack a permission.
    AccessDenied,
    /// CloudFormation refuses a template before it does anything.
    TemplateRefused,
    /// A name that the stage is to have is somebody else's.
    NameTaken,
    /// A stack of the stage's names is somebody else's.
    StackForeign,
    /// Another operation runs on a stack.
    StackBusy,
    /// CloudFormation began and could not do it.
    StackFailed,
    /// A stack is in a state that nothing can be done in.
    StackBlocked,
    /// A protection is in the way.
    Protected,
    /// What is asked about, or needed, isn't deployed.
    NotDeployed,
    /// Somebody else changed the same thing meanwhile.
    ChangedMeanwhile,
    /// AWS had too many requests.
    Throttled,
    /// There was no connection, no answer, or one of something that lies between here and the service.
    Unreachable,
    /// A service refused a request for a reason that has no kind here; the message has its own code.
    ServiceError,
    /// Something took longer than it may.
    TimedOut,
    /// A function that was called ended with an error.
    FunctionFailed,
    /// The local cloud doesn't do what it should.
    LocalCloud,
    /// Several parts of a run failed, for reasons of several kinds.
    SeveralFailed,
    /// Anything else.
    Failed,
    /// What is deployed isn't as it should be, or what credentials are allowed isn't enough.
    Unverified,
    /// The user said no, or nobody could be asked.
    Declined,
    /// A signal ended the run.
    Interrupted,
}

impl ErrorKind {
    /// Its name for scripts, such as `stack-busy`.
    pub fn code(self) -> String {
        let named = serde_json::to_value(self).ok();
        named
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// Whether a run has changed something yet, on AWS or in the local cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Everything is as it was.
    Reading,
    /// Something was changed, or may have been: no run that failed then may say that nothing was begun.
    Changing,
}

/// The exit codes of `deployer`; part of its interface, see the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// Something failed on the way.
    Failed = 1,
    /// The command line, the project's files or the machine's set-up must change first; nothing was begun.
    Usage = 2,
    /// What is deployed isn't as it should be.
    Unverified = 3,
    /// Something would change, where that was asked (`diff --exit-code`).
    Different = 4,
    /// The user said no, nobody could be asked, or the run was interrupted.
    Refused = 5,
}

impl Exit {
    /// The exit code of an error.
    pub fn of(kind: ErrorKind, phase: Phase) -> Self {
        match kind {
            ErrorKind::InvalidUsage
            | ErrorKind::InvalidProject
            | ErrorKind::InvalidPackage
            | ErrorKind::BuildFailed
            | ErrorKind::InvalidSetup
            | ErrorKind::WrongAccount
            | ErrorKind::CredentialsMissing
            | ErrorKind::CredentialsExpired
            | ErrorKind::CredentialsInvalid
            | ErrorKind::IdentityUnknown
            | ErrorKind::TemplateRefused
            | ErrorKind::NameTaken
            | ErrorKind::StackForeign => match phase {
                Phase::Reading => Self::Usage,
                Phase::Changing => Self::Failed,
            },
            ErrorKind::AccessDenied
            | ErrorKind::StackBusy
            | ErrorKind::StackFailed
            | ErrorKind::StackBlocked
            | ErrorKind::Protected
            | ErrorKind::NotDeployed
            | ErrorKind::ChangedMeanwhile
            | ErrorKind::Throttled
            | ErrorKind::Unreachable
            | ErrorKind::ServiceError
            | ErrorKind::TimedOut
            | ErrorKind::FunctionFailed
            | ErrorKind::LocalCloud
            | ErrorKind::SeveralFailed
            | ErrorKind::Failed => Self::Failed,
            ErrorKind::Unverified => Self::Unverified,
            ErrorKind::Declined | ErrorKind::Interrupted => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name() {
        assert_eq!(ErrorKind::StackBusy.code(), "stack-busy");
        assert_eq!(ErrorKind::CredentialsExpired.code(), "credentials-expired");
    }

    #[test]
    fn each_kind_is_in_the_list_of_codes() {
        let list = include_str!("../../docs/error-codes.md");
        let this = include_str!("kind.rs");
        let (_, variants) = this.split_once("pub enum ErrorKind {").expect("the kinds");
        let (variants, _) = variants.split_once("\n}\n").expect("their end");
        let names = variants.lines().filter_map(|line| line.trim().strip_suffix(','));
        let mut count = 0;
        for name in names.filter(|name| !name.starts_with("///")) {
            let code = name.chars().enumerate().fold(String::new(), |code, (at, c)| {
                let dash = if at > 0 && c.is_uppercase() { "-" } else { "" };
                format!("{code}{dash}{}", c.to_lowercase())
            });
            assert!(list.contains(&format!("| `{code}` | ")), "{code} has no row");
            count += 1;
        }
        assert_eq!(count, list.matches("| `").count(), "a row too many");
    }

    #[test]
    fn nothing_says_that_nothing_was_begun_after_a_change() {
        assert_eq!(Exit::of(ErrorKind::CredentialsExpired, Phase::Reading), Exit::Usage);
        assert_eq!(Exit::of(ErrorKind::CredentialsExpired, Phase::Changing), Exit::Failed);
        assert_eq!(Exit::of(ErrorKind::Interrupted, Phase::Changing), Exit::Refused);
    }
}
