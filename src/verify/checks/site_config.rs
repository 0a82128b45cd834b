//! The page is told what is deployed: the object for that, `config.json` unless the stage says otherwise, has the outputs that
//! it should.

use reqwest::Method;
use serde_json::{Value, json};

use crate::verify::http::send;
use crate::verify::layer::Layer;
use crate::verify::stage::{Published, Stage};
use crate::verify::{Check, Finding, Look, Problem, Round};

pub(super) struct SiteConfig;

impl Check for SiteConfig {
    fn id(&self) -> &'static str {
        "site-config"
    }

    fn layer(&self) -> Layer {
        Layer::Site
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let Some(published) = stage.published() else {
            return Vec::new();
        };
        // An `up` without the site hasn't read it, and may have changed what it is told.
        let key = &*stage.project.stage.site.config_file;
        let has_own = stage
            .site
            .map_or_else(|| stage.project.site_dir().join(key).is_file(), |site| site.has(key));
        let config = match stage.project.site_config(has_own) {
            Ok(config) if !config.is_empty() => config,
            // What is wrong with it was told before anything began.
            _ => return Vec::new(),
        };
        let mut stacks = vec![published.stack.definition.id.clone()];
        stacks.extend(config.iter().map(|(_, stack, _)| stack.clone()));
        let mut look = published.look(stage, move |published, round| {
            let config = config.clone();
            async move {
                let expected = config.iter().map(|(name, stack, output)| {
                    let value = stage
                        .stack(stack)
                        .and_then(|stack| stack.deployed.stack.outputs.get(output));
                    (name.clone(), json!(value))
                });
                look(stage, &published, Value::Object(expected.collect()), round).await
            }
        });
        look.stacks = stacks;
        vec![look]
    }
}

async fn look(stage: &Stage<'_>, published: &Published<'_>, expected: Value, round: Round) -> Finding {
    let key = &*stage.project.stage.site.config_file;
    published.is_deployed(stage, round).await?;
    published.is_published(stage, key, round).await?;
    let url = format!("{}/{key}", published.origin);
    let answer = send(&stage.http, Method::GET, &url, &[]).await?;
    let config: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 || config != expected {
        return Err(Problem::failed(
            format!(
                "{url} answers {} with {} instead of {expected}",
                answer.status,
                answer.beginning().trim_end()
            ),
            Published::REMEDY,
        ));
    }
    let kind = answer.header("content-type");
    if !kind.starts_with("application/json") {
        return Err(Problem::failed(
            format!("{url} calls itself `{kind}` instead of JSON"),
            format!(
                "`aws s3 rm s3://{}/{key}`, then `deployer up --only site`, which publishes it anew.",
                published.bucket
            ),
        ));
    }
    Ok(format!("{url} has {expected}"))
}
