//! A proxy between a tool and the local cloud, which is as far away as it says and writes down each call.

use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::error::{Context as _, Error, Result};
use crate::server;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, EXPECT, TRANSFER_ENCODING};
use hyper::{HeaderMap, Request, Response, StatusCode, Uri, client};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// A running proxy; it ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    road: Arc<Road>,
    accepting: AbortHandle,
}

/// The way to the local cloud.
#[derive(Debug)]
struct Road {
    to: SocketAddr,
    latency: Duration,
    calls: Mutex<Vec<Call>>,
}

impl Proxy {
    /// Starts one that passes each request on to `port` of this machine, `latency` after it came.
    ///
    /// # Errors
    /// It can't listen.
    pub async fn start(port: u16, latency: Duration) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("could not listen on this machine")?;
        let address = listener.local_addr()?;
        let road = Arc::new(Road {
            to: (Ipv4Addr::LOCALHOST, port).into(),
            latency,
            calls: Mutex::default(),
        });
        let answering = Arc::clone(&road);
        let accepting = server::serve(listener, move |request| {
            let road = Arc::clone(&answering);
            async move { road.answer(request).await }
        });
        let accepting = tokio::spawn(accepting).abort_handle();
        Ok(Self {
            address,
            road,
            accepting,
        })
    }

    /// What to call it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls since this was asked last.
    pub fn take(&self) -> Vec<Call> {
        mem::take(&mut *self.road.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Road {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let began = Instant::now();
        let (name, answer) = self.pass_on(request).await;
        let call = Call {
            name,
            began,
            ended: Instant::now(),
        };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        answer.unwrap_or_else(|error| {
            let mut response = Response::new(Full::from(error.to_string()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        })
    }

    /// What the request is called, and its answer.
    async fn pass_on(&self, request: Request<Incoming>) -> (String, Result<Response<Full<Bytes>>>) {
        let (head, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return (
                    name(&head.headers, head.method.as_str(), &head.uri, b""),
                    Err(error.into()),
                );
            }
        };
        let name = name(&head.headers, head.method.as_str(), &head.uri, &body);
        tokio::time::sleep(self.latency).await;
        let answer = pass_on(self.to, Request::from_parts(head, body)).await;
        (name, answer.map(|answer| answer.map(Full::from)))
    }
}

/// The answer of who listens there to a request, on a connection of its own: one that is kept may be closed just as it is used
/// again.
///
/// # Errors
/// There is none.
pub async fn pass_on(to: SocketAddr, request: Request<Bytes>) -> Result<Response<Bytes>> {
    let (mut head, body) = request.into_parts();
    // All other headers stay, `Host` among them: the signature covers it, and an API is told by it.
    for of_connection in [CONNECTION, EXPECT, TRANSFER_ENCODING] {
        head.headers.remove(of_connection);
    }
    let connection = TcpStream::connect(to).await?;
    connection.set_nodelay(true)?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(connection)).await?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let request = Request::from_parts(head, Full::<Bytes>::from(body));
        let (mut head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        head.headers.remove(CONNECTION);
        head.headers.remove(TRANSFER_ENCODING);
        Ok::<_, Error>(Response::from_parts(head, body))
    };
    let answer = answer.await;
    connection.abort();
    answer
}

/// AWS's name of the operation where the request has it, else method and path.
fn name(headers: &HeaderMap, method: &str, uri: &Uri, body: &[u8]) -> String {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some((_, operation)) = target.and_then(|target| target.rsplit_once('.')) {
        return operation.to_owned();
    }
    let body = str::from_utf8(body).unwrap_or_default();
    let mut fields = body.split('&').filter_map(|field| field.split_once('='));
    match fields.find(|(field, _)| *field == "Action") {
        Some((_, action)) => action.to_owned(),
        None => format!("{method} {uri}"),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_call_is_called_by_its_operation() {
        let uri = Uri::from_static("/bucket?list-type=2");
        let mut headers = HeaderMap::new();
        assert_eq!(name(&headers, "GET", &uri, b""), "GET /bucket?list-type=2");
        assert_eq!(
            name(&headers, "POST", &uri, b"Version=2010-05-15&Action=DescribeStacks"),
            "DescribeStacks"
        );
        headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.PutItem"));
        assert_eq!(name(&headers, "POST", &uri, b"{}"), "PutItem");
    }
}
