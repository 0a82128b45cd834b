//! Asking a port on loopback who is there.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::time::Duration;

use reqwest::{Response, StatusCode, redirect};
use serde::Deserialize;

use super::VERSION;
use crate::http;

/// How long connecting and answering may take, each.
const TIMEOUT: Duration = Duration::from_secs(2);
/// In bytes, more than the answer ever has.
const LONGEST_BYTES: usize = 256 * 1024;

/// Who is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nobody listens.
    Nobody,
    /// A ministack.
    Emulator(Answer),
    /// Somebody else; what is known.
    Stranger(String),
}

/// What a ministack says about itself.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Answer {
    version: String,
    auth: String,
}

impl Health {
    /// Whether it is a ministack as this deployer starts it.
    pub(super) fn is_local_cloud(&self) -> bool {
        matches!(self, Self::Emulator(Answer { version, auth }) if version == VERSION && auth == "enabled")
    }

    /// Who has the port, when somebody has.
    pub(super) fn description(&self) -> Option<String> {
        match self {
            Self::Nobody => None,
            Self::Emulator(Answer { version, .. }) => Some(format!(
                "a ministack {version} answers there that wasn't started with this state folder"
            )),
            Self::Stranger(known) => Some(known.clone()),
        }
    }
}

/// Asks who is at `port`.
pub(super) async fn ask(port: u16) -> Health {
    match send(port).await {
        Ok(Some(answer)) => Health::Emulator(answer),
        Ok(None) => stranger("an HTTP server that isn't the local cloud answers there"),
        Err(error) if is_refused(&error) => Health::Nobody,
        Err(error) if error.is_connect() => stranger(&format!("connecting to it fails: {error}")),
        Err(error) if error.is_timeout() => stranger("something listens there and doesn't answer"),
        Err(_) => stranger("something listens there that doesn't speak HTTP"),
    }
}

fn stranger(known: &str) -> Health {
    Health::Stranger(known.to_owned())
}

/// What a ministack at `port` says; none if what answers is none. No proxy has a say in what is on this machine.
async fn send(port: u16) -> reqwest::Result<Option<Answer>> {
    let client = http::client()
        .no_proxy()
        .redirect(redirect::Policy::none())
        // The address isn't one of TLS: no certificates need be read.
        .tls_certs_only([])
        .connect_timeout(TIMEOUT)
        .timeout(2 * TIMEOUT)
        .build()?;
    let url = format!("http://127.0.0.1:{port}/_ministack/health");
    let response = client.get(url).send().await?;
    Ok(match response.status() {
        StatusCode::OK => body(response).await.and_then(|body| serde_json::from_slice(&body).ok()),
        _ => None,
    })
}

/// The body, unless it breaks off or is longer than it can be.
async fn body(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.ok()? {
        body.extend_from_slice(&bytes);
        if body.len() > LONGEST_BYTES {
            return None;
        }
    }
    Some(body)
}

fn is_refused(error: &reqwest::Error) -> bool {
    let mut causes = successors(error.source(), |&cause| cause.source());
    causes.any(|cause| cause.downcast_ref().map(io::Error::kind) == Some(io::ErrorKind::ConnectionRefused))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Who is at a port whose owner answers so.
    async fn answered(answer: &str) -> Health {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answer = answer.to_owned();
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let _ = client.read(&mut [0; 1024]).expect("a request");
            // It may have gone before it has all.
            let _ = client.write_all(answer.as_bytes());
        });
        ask(port).await
    }

    fn ministack(version: &str, auth: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
             {{\"services\": {{\"s3\": \"available\"}}, \"auth\": \"{auth}\", \"version\": \"{version}\"}}"
        )
    }

    #[tokio::test]
    async fn only_the_pinned_version_with_authorization_is_the_local_cloud() {
        assert!(answered(&ministack(VERSION, "enabled")).await.is_local_cloud());
        assert!(!answered(&ministack(VERSION, "disabled")).await.is_local_cloud());
        let other = answered(&ministack("1.0.0", "enabled")).await;
        assert!(!other.is_local_cloud());
        assert!(other.description().expect("somebody").contains("ministack 1.0.0"));
    }

    #[tokio::test]
    async fn what_else_answers_is_described() {
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(2 * LONGEST_BYTES));
        for (answer, expected) in [
            ("", "doesn't speak HTTP"),
            ("SSH-2.0-OpenSSH\r\n", "doesn't speak HTTP"),
            ("HTTP/1.1 404 Not Found\r\n\r\n{}", "isn't the local cloud"),
            ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "isn't the local cloud"),
            ("HTTP/1.1 200 OK\r\n\r\n<html>", "isn't the local cloud"),
            (&endless, "isn't the local cloud"),
            (
                &ministack(VERSION, "enabled").replace("200 OK", "503 No"),
                "isn't the local cloud",
            ),
        ] {
            let described = answered(answer).await.description().expect("somebody");
            assert!(described.contains(expected), "{answer:.80}: {described}");
        }
    }

    #[tokio::test]
    async fn nobody_is_told_from_somebody_who_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert!(matches!(ask(port).await, Health::Stranger(known) if known.contains("doesn't answer")));
        drop(listener);
        assert_eq!(ask(port).await, Health::Nobody);
    }
}
