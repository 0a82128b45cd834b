//! Whoever is to be told by mail has agreed to it: until then SNS sends nothing, and says so to nobody.

use aws_sdk_sns::types::Subscription;

use crate::verify::expected::Expected;
use crate::verify::layer::Layer;
use crate::verify::stage::{Resource, Stage};
use crate::verify::{Check, Look, Problem, Proof, asked};

pub(super) struct MailConfirmed;

impl Check for MailConfirmed {
    fn id(&self) -> &'static str {
        "mail-confirmed"
    }

    fn layer(&self) -> Layer {
        Layer::Function
    }

    fn looks<'a>(&self, stage: &'a Stage<'_>) -> Vec<Look<'a>> {
        let subscriptions = stage.resources_of(&["AWS::SNS::Subscription"]);
        let by_mail = subscriptions.filter(|found| {
            let protocol = found.property(&["Protocol"]);
            protocol.matches_text("email") || protocol.matches_text("email-json")
        });
        by_mail
            .map(|found| Look::of(found, move |_| confirmed(found)))
            .collect()
    }
}

async fn confirmed(subscription: Resource<'_>) -> Result<Proof, Problem> {
    let unknown = |what: &str| {
        Problem::not_proven(
            format!("which {what} it has only CloudFormation knows"),
            "Look at the topic's subscriptions: one that nobody has confirmed is `PendingConfirmation`.",
        )
    };
    let topic = subscription.property(&["TopicArn"]);
    let topic = topic.known_text().ok_or_else(|| unknown("topic"))?;
    let endpoint = subscription.property(&["Endpoint"]);
    if endpoint == Expected::Unknown {
        return Err(unknown("address"));
    }
    let mut next = None;
    loop {
        let request = subscription.cloud().sns.list_subscriptions_by_topic();
        let answer = request.topic_arn(&topic).set_next_token(next).send().await;
        let page = asked(answer, &format!("could not read the subscriptions of {topic}"))?;
        let is_it = |found: &&Subscription| endpoint.matches_text(found.endpoint().unwrap_or_default());
        if let Some(found) = page.subscriptions().iter().find(is_it) {
            let address = found.endpoint().unwrap_or_default();
            return Ok(told(address, found.subscription_arn().unwrap_or_default()));
        }
        next = page.next_token.filter(|next| !next.is_empty());
        if next.is_none() {
            return Ok(Proof {
                evidence: format!("{topic} has no subscription of {endpoint} any more"),
                warnings: vec![format!(
                    "nobody is told by mail: AWS has deleted the subscription of {endpoint}, as it does with one that nobody \
                     confirms within days; `aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint …` \
                     asks again"
                )],
            });
        }
    }
}

/// What SNS says of a subscription: its ARN, or a word where it would stand.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Subscription.html>
fn told(address: &str, arn: &str) -> Proof {
    let waiting = arn == "PendingConfirmation";
    let warning = format!(
        "nobody is told by mail yet: whoever reads {address} has to follow the link in the mail that AWS sent, within days"
    );
    Proof {
        evidence: if waiting {
            format!("the subscription of {address} waits for its confirmation")
        } else {
            format!("{address} has confirmed it")
        },
        warnings: waiting.then_some(warning).into_iter().collect(),
    }
}
