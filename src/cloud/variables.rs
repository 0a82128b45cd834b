//! What the environment and the profiles say, looked at before the SDK does: it takes a line's end in a key for a part of it,
//! and a profile that isn't there for one that says nothing.

use std::borrow::Cow;
use std::path::PathBuf;

use aws_config::profile::{self, ProfileSet};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::os_shim_internal::{Env, Fs};

use crate::error::{Error, ErrorKind, Result};
use crate::network::{BUNDLE_VARIABLE, Bundle};
use crate::project::did_you_mean;

/// What profiles are chosen by, beside `--profile`.
const PROFILE: &str = "AWS_PROFILE";
/// The profile of who chooses none.
const DEFAULT: &str = "default";

/// Refuses variables that a stray character makes useless, by their names: what is in them may be secret. Those that
/// `has_profile` and `has_region` put aside aren't looked at.
///
/// # Errors
/// Names the variable and what is wrong with it.
pub(super) fn check(has_profile: bool, has_region: bool) -> Result<()> {
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    for (name, value) in variables {
        let counts = match name.as_str() {
            "AWS_REGION" | "AWS_DEFAULT_REGION" => !has_region,
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" => !has_profile,
            PROFILE => !has_profile,
            other => other == "AWS_ENDPOINT_URL" || other.starts_with("AWS_ENDPOINT_URL_"),
        };
        // A profile's name may have blanks in it.
        let is_name = name == PROFILE;
        let wrong = match value.to_str() {
            _ if !counts => None,
            None => Some("isn't text".to_owned()),
            Some(value) if is_name && value.trim() == value && !value.contains(char::is_control) => None,
            Some(value) => stray(value).map(|stray| format!("has {stray}")),
        };
        if let Some(wrong) = wrong {
            return Err(Error::new(ErrorKind::InvalidSetup, format!("{name} {wrong}")).hint(format!(
                "Set {name} again without it. A file of variables that was written on Windows has a carriage return at each \
                 line's end: `tr -d '\\r'` takes them away."
            )));
        }
    }
    Ok(())
}

/// The first character that is in no key, region or URL, and where it stands.
fn stray(value: &str) -> Option<String> {
    let is_stray = |c: char| c.is_whitespace() || c.is_control() || !c.is_ascii();
    let (at, found) = value.char_indices().find(|(_, c)| is_stray(*c))?;
    let what = match found {
        '\r' => "a carriage return",
        '\n' => "a line feed",
        '\t' => "a tab",
        c if c.is_whitespace() => "a blank",
        c if c.is_control() => "a control character",
        _ => "a character that isn't ASCII",
    };
    let before = value[..at].chars().all(is_stray);
    let after = value[at..].chars().all(is_stray);
    Some(format!(
        "{what} {}",
        match (before, after) {
            (_, true) => "at its end",
            (true, false) => "at its beginning",
            (false, false) => "inside",
        }
    ))
}

/// The profiles of this user.
#[derive(Debug)]
pub(super) struct Profiles {
    set: ProfileSet,
    /// The one that was chosen, by flag, setting or variable.
    pub(super) chosen: Option<String>,
}

impl Profiles {
    /// Reads them; `chosen` goes before the variable.
    ///
    /// # Errors
    /// A file can't be understood, or there is no profile of the name that was chosen.
    pub(super) async fn read(chosen: Option<&str>) -> Result<Self> {
        let of_variable = || std::env::var(PROFILE).ok().filter(|name| !name.is_empty());
        let chosen = chosen.map(str::to_owned).or_else(of_variable);
        let name = chosen.clone().unwrap_or_else(|| DEFAULT.to_owned());
        let set = profile::load(&Fs::real(), &Env::real(), &Default::default(), Some(Cow::Owned(name)))
            .await
            .map_err(|error| {
                Error::new(ErrorKind::InvalidSetup, "could not read the profiles")
                    .cause(error)
                    .hint(format!("Correct {}.", files()))
            })?;
        let profiles = Self { set, chosen };
        match &profiles.chosen {
            Some(chosen) if profiles.set.get_profile(chosen).is_none() => Err(profiles.missing(chosen)),
            _ => Ok(profiles),
        }
    }

    fn missing(&self, chosen: &str) -> Error {
        let mut known: Vec<&str> = self.set.profiles().collect();
        known.sort_unstable();
        let error = Error::new(ErrorKind::InvalidSetup, format!("there is no profile `{chosen}`")).cause(
            match known.as_slice() {
                [] => format!("there is none in {}", files()),
                known => format!("in {} there is {}", files(), known.join(", ")),
            },
        );
        match did_you_mean(chosen, &known) {
            Some(near) => error.hint(format!("Did you mean `--profile {near}`?")),
            None => error.hint(format!(
                "Name one that is there by --profile, `profile:` in stacks/stages.yaml or {PROFILE}; `aws configure sso` makes one."
            )),
        }
    }

    fn name(&self) -> &str {
        self.chosen.as_deref().unwrap_or(DEFAULT)
    }

    /// The certificates that the profile says are to be trusted.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn bundle(&self) -> Result<Option<Bundle>> {
        let profile = self.set.get_profile(self.name());
        let file = profile
            .and_then(|profile| profile.get("ca_bundle"))
            .filter(|file| !file.is_empty());
        let from = format!("`ca_bundle` of the profile `{}`", self.name());
        file.map(|file| Bundle::read(&expanded(file), &from)).transpose()
    }

    /// How to sign in anew, if the profile's credentials come from signing in: its own, or those that it takes on from
    /// another.
    pub(super) fn sign_in(&self) -> Option<String> {
        let mut name = self.name();
        // As deep as anybody nests them; a circle ends here, too.
        for _ in 0..10 {
            let profile = self.set.get_profile(name)?;
            for (setting, command) in [
                ("sso_session", "aws sso login"),
                ("sso_start_url", "aws sso login"),
                ("login_session", "aws login"),
            ] {
                if profile.get(setting).is_some() {
                    return Some(format!("{command} --profile {}", crate::text::quoted_for_shell(name)));
                }
            }
            name = profile.get("source_profile")?;
        }
        None
    }
}

/// `~` is the home folder, as the AWS CLI has it.
fn expanded(file: &str) -> PathBuf {
    match (file.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(file),
    }
}

/// The files that have the profiles, as they are to be named.
fn files() -> String {
    let file = |variable: &str, otherwise: &str| {
        let said = std::env::var(variable).ok().filter(|file| !file.is_empty());
        said.unwrap_or_else(|| otherwise.to_owned())
    };
    format!(
        "{} and {}",
        file("AWS_CONFIG_FILE", "~/.aws/config"),
        file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    )
}

/// Credentials that are looked at before a request is signed with them: the SDK's signer can't be given all that a file may
/// have.
#[derive(Debug)]
pub(super) struct Checked {
    provider: SharedCredentialsProvider,
    /// Who gave them, for messages.
    source: String,
}

impl Checked {
    pub(super) fn provider(provider: SharedCredentialsProvider, profile: Option<&str>) -> SharedCredentialsProvider {
        let source = match profile {
            Some(profile) => format!("the profile `{profile}`"),
            None => "where the credentials come from".to_owned(),
        };
        SharedCredentialsProvider::new(Self { provider, source })
    }

    async fn credentials(&self) -> provider::Result {
        let found = self.provider.provide_credentials().await?;
        match wrong(&found) {
            None => Ok(found),
            Some(wrong) => Err(CredentialsError::invalid_configuration(format!(
                "{wrong}; correct it in {}",
                self.source
            ))),
        }
    }
}

fn wrong(credentials: &Credentials) -> Option<String> {
    let parts = [
        ("access key id", Some(credentials.access_key_id())),
        ("secret access key", Some(credentials.secret_access_key())),
        ("session token", credentials.session_token()),
    ];
    parts
        .into_iter()
        .find_map(|(name, value)| Some(format!("the {name} has {}", stray(value?)?)))
}

impl ProvideCredentials for Checked {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}

/// That `AWS_CA_BUNDLE` goes before the profile's.
pub(super) fn has_own_bundle() -> bool {
    std::env::var_os(BUNDLE_VARIABLE).is_some_and(|file| !file.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stray_is_told_with_its_place_and_without_the_rest() {
        for (value, expected) in [
            ("AKIA\r", Some("a carriage return at its end")),
            ("AKIA\r\n", Some("a carriage return at its end")),
            ("\tAKIA", Some("a tab at its beginning")),
            (" AKIA", Some("a blank at its beginning")),
            ("AK IA", Some("a blank inside")),
            ("AKIA\u{200b}", Some("a character that isn't ASCII at its end")),
            ("AK\u{1}IA", Some("a control character inside")),
            ("http://[::1]:4566/base", None),
            ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=", None),
        ] {
            assert_eq!(stray(value).as_deref(), expected, "{value:?}");
        }
        let credentials = Credentials::new("AKIA", "s3cret\n", None, None, "test");
        let told = wrong(&credentials).expect("wrong");
        assert_eq!(told, "the secret access key has a line feed at its end");
    }
}
