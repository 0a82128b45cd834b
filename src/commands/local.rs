//! `deployer local`: the local cloud.

use serde::Serialize;

use crate::cli::{EnvFormat, Global, LocalCommand, Output};
use crate::context::Session;
use crate::error::{OrFail, Result};
use crate::local::{self, LocalCloud, LocalStatus};
use crate::project::Project;
use crate::report::{CommandResult, Paint};
use crate::text::quoted_for_shell;

/// Runs the command.
pub(crate) async fn run(command: LocalCommand, session: Session<'_>) -> Result<()> {
    let Session { global, reporter, .. } = session;
    match command {
        LocalCommand::Start => {
            local::ensure_running(reporter).await?;
        }
        LocalCommand::Stop => {
            local::stop(reporter).await?;
        }
        LocalCommand::Status => {}
        LocalCommand::Reset => {
            reporter
                .confirm(
                    "empty the local cloud",
                    &["every stage, table and bucket in it".to_owned()],
                    "Nothing was changed.",
                )
                .await?;
            local::reset(reporter).await?;
        }
        LocalCommand::Env { format } => {
            let region = region(global);
            let variables = variables(&local::running().await?, &region);
            let format = match global.output {
                Output::Human | Output::Github => format,
                Output::Json => EnvFormat::Json,
            };
            let set_here = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
            return reporter.print(written(&variables, format, set_here)?);
        }
    }
    reporter.result(&Shown(local::status().await?))
}

/// Where `up --local` works, run here.
fn region(global: &Global) -> String {
    let of_stage = || {
        let folder = super::folder(global).ok()?;
        Project::open(&folder, &global.stage).ok()?.stage.region
    };
    let region = global.region.clone().or_else(of_stage);
    region.unwrap_or_else(|| local::REGION.to_owned())
}

/// What the AWS CLI, the SDKs, Terraform and others read.
fn variables(cloud: &LocalCloud, region: &str) -> [(&'static str, String); 5] {
    [
        ("AWS_ACCESS_KEY_ID", cloud.credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", cloud.credentials.secret_access_key.clone()),
        ("AWS_ENDPOINT_URL", cloud.endpoint.clone()),
        ("AWS_REGION", region.to_owned()),
        // The AWS CLI knows only this one.
        ("AWS_DEFAULT_REGION", region.to_owned()),
    ]
}

/// What would lead elsewhere, or make these keys another's, if it is set.
const IN_THE_WAY: [&str; 7] = [
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
];

/// The profile that `aws --profile` takes.
const PROFILE: &str = "deployer-local";

/// What a profile calls what is in a variable; none if that needs no second name there.
fn setting(variable: &str) -> Option<&'static str> {
    match variable {
        "AWS_ACCESS_KEY_ID" => Some("aws_access_key_id"),
        "AWS_SECRET_ACCESS_KEY" => Some("aws_secret_access_key"),
        "AWS_ENDPOINT_URL" => Some("endpoint_url"),
        "AWS_REGION" => Some("region"),
        _ => None,
    }
}

fn written(variables: &[(&str, String)], format: EnvFormat, set_here: impl Iterator<Item = String>) -> Result<String> {
    Ok(match format {
        EnvFormat::Sh => {
            // An endpoint for one service goes before the common one.
            let of_service = |name: &String| {
                name.strip_prefix("AWS_ENDPOINT_URL_")
                    .is_some_and(|service| service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
            };
            let mut unset: Vec<String> = set_here.filter(of_service).collect();
            unset.extend(IN_THE_WAY.map(str::to_owned));
            unset.sort();
            let exports = variables
                .iter()
                .map(|(name, value)| format!("export {name}={}\n", quoted_for_shell(value)));
            format!("unset {}\n{}", unset.join(" "), exports.collect::<String>())
        }
        EnvFormat::Dotenv => variables
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect(),
        EnvFormat::Profile => variables
            .iter()
            .filter_map(|(name, value)| Some(format!("{} = {value}\n", setting(name)?)))
            .fold(format!("[profile {PROFILE}]\n"), |section, line| section + &line),
        EnvFormat::Json => {
            let object: serde_json::Map<_, _> = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
                .collect();
            let text = serde_json::to_string(&object).or_fail(|| "could not write the result".to_owned())?;
            format!("{text}\n")
        }
    })
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(LocalStatus);

impl CommandResult for Shown {
    fn text(&self, paint: &Paint) -> String {
        let status = &self.0;
        if status.running {
            format!(
                "The local cloud runs at {}; its state is in {}\n",
                paint.bold(&status.endpoint),
                status.state_dir.display()
            )
        } else if let Some(pid) = status.pid {
            format!(
                "The local cloud's process {pid} runs and doesn't answer at {}. {}\n",
                paint.bold(&status.endpoint),
                local::without_answer(pid)
            )
        } else {
            format!(
                "The local cloud isn't running. `deployer up --local` starts it; its state is in {}\n",
                status.state_dir.display()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_written_as_its_readers_read_it() {
        let variables = [("A", "x".to_owned()), ("B", "it's; $HOME".to_owned())];
        let text = |format| {
            let set_here = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_$(x)", "HOME"];
            written(&variables, format, set_here.map(str::to_owned).into_iter()).expect("text")
        };
        assert_eq!(
            text(EnvFormat::Sh),
            "unset AWS_DEFAULT_PROFILE AWS_ENDPOINT_URL_S3 AWS_IGNORE_CONFIGURED_ENDPOINT_URLS AWS_PROFILE \
             AWS_SECURITY_TOKEN AWS_SESSION_TOKEN AWS_USE_DUALSTACK_ENDPOINT AWS_USE_FIPS_ENDPOINT\n\
             export A=x\nexport B='it'\\''s; $HOME'\n"
        );
        assert_eq!(text(EnvFormat::Dotenv), "A=x\nB=it's; $HOME\n");
        let of_region = [("AWS_REGION", "r".to_owned()), ("AWS_DEFAULT_REGION", "r".to_owned())];
        let profile = written(&of_region, EnvFormat::Profile, std::iter::empty()).expect("text");
        assert_eq!(profile, "[profile deployer-local]\nregion = r\n");
        assert_eq!(text(EnvFormat::Json), "{\"A\":\"x\",\"B\":\"it's; $HOME\"}\n");
    }
}
