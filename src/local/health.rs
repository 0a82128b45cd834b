//! Asking a port on loopback who is there.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::VERSION;

/// How long connecting, and then answering, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than the answer ever has.
const LONGEST: u64 = 256 * 1024;

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
    let stream = match timeout(PATIENCE, TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => return Health::Nobody,
        Ok(Err(error)) => return Health::Stranger(format!("connecting to it fails: {error}")),
        Err(_) => return Health::Stranger("something listens there and accepts no connections".to_owned()),
    };
    let mut answer = Vec::new();
    // What has come until it fails or takes too long says enough.
    let _ = timeout(PATIENCE, exchange(stream, port, &mut answer)).await;
    read(&String::from_utf8_lossy(&answer))
}

/// HTTP/1.0, so that the answer ends with the connection and has no chunks.
async fn exchange(mut stream: TcpStream, port: u16, answer: &mut Vec<u8>) -> std::io::Result<()> {
    let request = format!("GET /_ministack/health HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.take(LONGEST).read_to_end(answer).await?;
    Ok(())
}

fn read(answer: &str) -> Health {
    let stranger = |known: &str| Health::Stranger(known.to_owned());
    if answer.is_empty() {
        return stranger("something listens there and doesn't answer");
    }
    let Some((head, body)) = answer
        .split_once("\r\n\r\n")
        .filter(|(head, _)| head.starts_with("HTTP/1."))
    else {
        return stranger("something listens there that doesn't speak HTTP");
    };
    let ok = head.split(' ').nth(1) == Some("200");
    match serde_json::from_str(body) {
        Ok(answer) if ok => Health::Emulator(answer),
        _ => stranger("an HTTP server that isn't the local cloud answers there"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: &str, auth: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
             {{\"services\": {{\"s3\": \"available\"}}, \"auth\": \"{auth}\", \"version\": \"{version}\"}}"
        )
    }

    #[test]
    fn only_the_pinned_version_with_authorization_is_the_local_cloud() {
        assert!(read(&answer(VERSION, "enabled")).is_local_cloud());
        assert!(!read(&answer(VERSION, "disabled")).is_local_cloud());
        let other = read(&answer("1.0.0", "enabled"));
        assert!(!other.is_local_cloud());
        assert!(other.description().expect("somebody").contains("ministack 1.0.0"));
    }

    #[test]
    fn what_else_answers_is_described() {
        for (answer, expected) in [
            ("", "doesn't answer"),
            ("SSH-2.0-OpenSSH\r\n", "doesn't speak HTTP"),
            ("HTTP/1.1 404 Not Found\r\n\r\n{}", "isn't the local cloud"),
            ("HTTP/1.1 200 OK\r\n\r\n<html>", "isn't the local cloud"),
            (
                &answer(VERSION, "enabled").replace("200 OK", "503 No"),
                "isn't the local cloud",
            ),
        ] {
            let described = read(answer).description().expect("somebody");
            assert!(described.contains(expected), "{answer:?}: {described}");
        }
    }

    #[tokio::test]
    async fn nobody_is_told_from_somebody_who_is_silent() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert!(matches!(ask(port).await, Health::Stranger(known) if known.contains("doesn't answer")));
        drop(listener);
        assert_eq!(ask(port).await, Health::Nobody);
    }
}
