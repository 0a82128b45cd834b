//! The services beside S3 that `deployer up --only site` asks: answers as AWS gives them, of a stage of the smallest
//! example that is deployed.

use std::net::SocketAddr;

use hyper::{Method, Response, StatusCode};
use s3s::Body;

use super::{ACCOUNT, ARTIFACTS, DISTRIBUTION, LABEL, SITE};

/// The stack with the bucket and the distribution.
const WEB: &str = "website-prod-web";
/// The deployer's own.
const OWN: &str = "website-prod-artifacts";

const INVALIDATION: &str = "<Invalidation><Id>I1BENCHMARK000</Id><Status>Completed</Status>\
    <CreateTime>2026-01-01T00:00:00Z</CreateTime><InvalidationBatch><Paths><Quantity>0</Quantity></Paths>\
    <CallerReference>benchmark</CallerReference></InvalidationBatch></Invalidation>";

/// A request to one of them.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The service, as the signature's scope names it.
    pub(crate) service: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) body: &'a str,
}

/// The answer; an error as AWS writes it to what isn't known here.
pub(crate) fn answer(question: &Question<'_>, address: SocketAddr) -> Response<Body> {
    let Question {
        service,
        method,
        path,
        body,
    } = *question;
    let distribution = path.strip_prefix("/2020-05-31/distribution/").unwrap_or_default();
    match (service, method, field(body, "Action"), distribution) {
        ("sts", _, Some("GetCallerIdentity"), _) => xml(StatusCode::OK, &caller()),
        ("cloudformation", _, Some("DescribeStacks"), _) => {
            stack(field(body, "StackName").unwrap_or_default(), address)
        }
        ("cloudformation", _, Some("ListStackResources"), _) => resources(field(body, "StackName").unwrap_or_default()),
        ("cloudfront", &Method::POST, _, rest) if rest.ends_with("/invalidation") => {
            xml(StatusCode::CREATED, INVALIDATION)
        }
        ("cloudfront", &Method::GET, _, rest) if rest.contains("/invalidation/") => xml(StatusCode::OK, INVALIDATION),
        ("cloudfront", &Method::GET, _, DISTRIBUTION) => xml(StatusCode::OK, &distribution_document()),
        _ => error(
            "InvalidAction",
            &format!("the benchmark's server has no answer to {service}: {method} {path} {body}"),
        ),
    }
}

/// A field of a form; none that is looked for here has escaped characters.
fn field<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = body.split('&').filter_map(|field| field.split_once('='));
    fields.find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn xml(status: StatusCode, document: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!(r#"<?xml version="1.0"?>{document}"#)));
    *response.status_mut() = status;
    response
}

fn error(code: &str, message: &str) -> Response<Body> {
    xml(
        StatusCode::BAD_REQUEST,
        &format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"),
    )
}

fn caller() -> String {
    format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/benchmark</Arn>\
         <UserId>AIDABENCHMARK</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>\
         </GetCallerIdentityResponse>"
    )
}

/// What a stack says of whose it is.
const OWNER: [(&str, &str); 3] = [
    ("DeployerProject", "website"),
    ("DeployerStage", "prod"),
    ("DeployerDigest", "0123456789abcdef"),
];

/// The stack of this name, or whose ARN it is: there the name is between escaped slashes.
fn named(asked: &str) -> Option<&'static str> {
    [WEB, OWN].into_iter().find(|name| asked.contains(name))
}

/// A stack with the outputs that its template has.
fn stack(asked: &str, address: SocketAddr) -> Response<Body> {
    let port = address.port();
    let (name, outputs) = match named(asked) {
        Some(OWN) => (OWN, vec![("CodeBucket", ARTIFACTS.to_owned())]),
        Some(name) => (
            name,
            vec![
                ("SiteBucket", SITE.to_owned()),
                ("DistributionId", DISTRIBUTION.to_owned()),
                ("SiteOrigin", format!("http://{LABEL}.cloudfront.localhost:{port}")),
            ],
        ),
        None => return error("ValidationError", &format!("Stack with id {asked} does not exist")),
    };
    let outputs: String = outputs
        .iter()
        .map(|(key, value)| format!("<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"))
        .collect();
    let parameters: String = OWNER
        .iter()
        .map(|(key, value)| {
            format!("<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member>")
        })
        .collect();
    xml(
        StatusCode::OK,
        &format!(
            "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>{name}</StackName>\
             <StackId>arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{name}/1</StackId>\
             <StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime>\
             <Parameters>{parameters}</Parameters><Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        ),
    )
}

/// What a stack has, as its template says.
fn resources(asked: &str) -> Response<Body> {
    let found: &[(&str, &str, &str)] = match named(asked) {
        Some(OWN) => &[
            ("Bucket", ARTIFACTS, "AWS::S3::Bucket"),
            ("BucketPolicy", ARTIFACTS, "AWS::S3::BucketPolicy"),
        ],
        Some(_) => &[
            ("Bucket", SITE, "AWS::S3::Bucket"),
            ("BucketPolicy", SITE, "AWS::S3::BucketPolicy"),
            (
                "OriginAccessControl",
                "E1ACCESS",
                "AWS::CloudFront::OriginAccessControl",
            ),
            ("ResponseHeaders", "1headers", "AWS::CloudFront::ResponseHeadersPolicy"),
            ("Distribution", DISTRIBUTION, "AWS::CloudFront::Distribution"),
        ],
        None => &[],
    };
    let found: String = found
        .iter()
        .map(|(logical, physical, kind)| {
            format!(
                "<member><LogicalResourceId>{logical}</LogicalResourceId>\
                 <PhysicalResourceId>{physical}</PhysicalResourceId><ResourceType>{kind}</ResourceType>\
                 <ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
                 <LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp></member>"
            )
        })
        .collect();
    xml(
        StatusCode::OK,
        &format!(
            "<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries>{found}\
             </StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>"
        ),
    )
}

/// So much of it as has a place in an answer.
fn distribution_document() -> String {
    format!(
        "<Distribution><Id>{DISTRIBUTION}</Id><ARN>arn:aws:cloudfront::{ACCOUNT}:distribution/{DISTRIBUTION}</ARN>\
         <Status>Deployed</Status><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime>\
         <InProgressInvalidationBatches>0</InProgressInvalidationBatches>\
         <DomainName>{LABEL}.cloudfront.net</DomainName><DistributionConfig>\
         <CallerReference>benchmark</CallerReference><Aliases><Quantity>0</Quantity></Aliases>\
         <Origins><Quantity>1</Quantity><Items><Origin><Id>bucket</Id>\
         <DomainName>{SITE}.s3.us-east-1.amazonaws.com</DomainName>\
         <OriginAccessControlId>E1ACCESS</OriginAccessControlId>\
         <S3OriginConfig><OriginAccessIdentity></OriginAccessIdentity></S3OriginConfig></Origin></Items></Origins>\
         <DefaultCacheBehavior><TargetOriginId>bucket</TargetOriginId>\
         <ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy></DefaultCacheBehavior>\
         <Comment>website prod</Comment><Enabled>true</Enabled></DistributionConfig></Distribution>"
    )
}
