//! The server's process: one endpoint for all services, as the deployer demands, told apart by what a request is
//! signed for. What isn't signed is a visitor's.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use benchmarks::error::{Context as _, Result};
use benchmarks::server;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{HeaderMap, Request, Response, StatusCode};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result};
use tokio::net::TcpListener;

use super::control_plane::{self, Question};
use super::s3::Backend;
use super::store::Store;
use super::{ACCESS_KEY, ARTIFACTS, COPIES, Entry, Listing, OBJECTS, REQUESTS, SECRET_KEY, SITE, edge};

/// Serves until stdin ends, so that no server outlives who started it, whatever happens to them. The URL goes to stdout.
///
/// # Errors
/// It can't listen.
pub(crate) fn serve(latency: Duration) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("could not start the server's threads")?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("could not listen on this machine")?;
        let address = listener.local_addr()?;
        writeln!(io::stdout(), "http://{address}")?;
        let front = Arc::new(Front::new(address, latency));
        let serving = server::serve(listener, move |request| {
            let front = Arc::clone(&front);
            async move { front.answer(request).await }
        });
        let orphaned = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        tokio::select! {
            failure = serving => Err(failure.into()),
            _ = orphaned => Ok(()),
        }
    })
}

struct Front {
    s3: S3Service,
    store: Arc<Store>,
    address: SocketAddr,
    /// How much later each request is looked at than it came.
    latency: Duration,
    /// Requests since somebody asked, but for those of who measures.
    requests: AtomicU64,
}

impl Front {
    fn new(address: SocketAddr, latency: Duration) -> Self {
        let store = Arc::new(Store::new([SITE, COPIES[0], COPIES[1], ARTIFACTS]));
        let mut s3 = S3ServiceBuilder::new(Backend::new(Arc::clone(&store)));
        s3.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        s3.set_access(Everybody);
        Self {
            s3: s3.build(),
            store,
            address,
            latency,
            requests: AtomicU64::new(0),
        }
    }

    /// What is told to who measures, if this is asked by them.
    fn told(&self, path: &str) -> Option<Response<Body>> {
        if path == REQUESTS {
            let count = self.requests.swap(0, Ordering::Relaxed);
            return Some(Response::new(Body::from(count.to_string())));
        }
        let bucket = path.strip_prefix(OBJECTS)?;
        let Ok(bucket) = self.store.bucket(bucket) else {
            return Some(failure("there is no such bucket"));
        };
        let listing: Listing = bucket
            .objects()
            .map(|(key, object)| {
                let entry = Entry {
                    size: object.size,
                    etag: object.etag.clone(),
                    modified: object.modified,
                };
                (key.clone(), entry)
            })
            .collect();
        let told = serde_json::to_vec(&listing).map(Body::from);
        Some(told.map_or_else(|_| failure("the objects can't be told"), Response::new))
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if let Some(told) = self.told(path) {
            return told;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match service(request.headers()).map(str::to_owned).as_deref() {
            None if edge::is_asked(host(request.headers())) => {
                edge::answer(&self.store, request.method(), request.uri().path())
            }
            // As S3 answers a stranger.
            None => refusal(),
            Some("s3") => {
                // Looking at signatures takes time that on AWS is nobody's on this machine. Only what is sent in signed
                // chunks can't be read without.
                if !in_chunks(request.headers()) {
                    request.headers_mut().remove(AUTHORIZATION);
                }
                let answer = self.s3.call(request.map(Body::from)).await;
                answer.unwrap_or_else(|_| failure("the answer couldn't be written"))
            }
            Some(service) => {
                let (head, body) = request.into_parts();
                let Ok(body) = body.collect().await else {
                    return failure("the request couldn't be read");
                };
                let body = body.to_bytes();
                let question = Question {
                    service,
                    method: &head.method,
                    path: head.uri.path(),
                    body: &String::from_utf8_lossy(&body),
                };
                control_plane::answer(&question, self.address)
            }
        }
    }
}

fn host(headers: &HeaderMap) -> &str {
    headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default()
}

/// What a request is signed for; none if it isn't signed.
fn service(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    // Key, date, region, service.
    credential.split('/').nth(3)
}

fn in_chunks(headers: &HeaderMap) -> bool {
    let payload = headers.get("x-amz-content-sha256").map(|value| value.as_bytes());
    payload.is_some_and(|payload| payload.starts_with(b"STREAMING-"))
}

fn refusal() -> Response<Body> {
    let text = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

fn failure(why: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(why.to_owned()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Lets everybody do everything: most signatures aren't even looked at.
#[derive(Debug)]
struct Everybody;

#[async_trait::async_trait]
impl S3Access for Everybody {
    async fn check(&self, _: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_service_is_in_the_signature() {
        let mut headers = HeaderMap::new();
        assert_eq!(service(&headers), None);
        let signature = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, \
                         Signature=00";
        headers.insert(AUTHORIZATION, HeaderValue::from_static(signature));
        assert_eq!(service(&headers), Some("sts"));
    }
}
