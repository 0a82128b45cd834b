//! Asking a port on loopback who is there, and to prove it: another user of the machine may have the port before the local
//! cloud has it, or after.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Response, StatusCode, redirect};
use serde::Deserialize;
use sha2::Sha256;

use super::{Credentials, VERSION};
use crate::http;

/// How long an answer may take, with the connection.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// In bytes, more than the answer ever has.
const LONGEST_BYTES: usize = 256 * 1024;

/// The headers with what is to be proved, and with the proof: only who has the owner's secret can make it. `guard.py` adds
/// it, and has both names, too.
const CHALLENGE: &str = "x-deployer-challenge";
const PROOF: &str = "x-deployer-proof";

/// Who is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nobody listens.
    Nobody,
    /// A ministack.
    Emulator(Answer),
    /// Somebody takes connections and says nothing: it hangs, or has too much to do.
    Silent,
    /// Somebody else; what is known.
    Stranger(String),
}

/// What a ministack says about itself.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Answer {
    version: String,
    auth: String,
    /// Whether it proved that it has the owner's secret.
    #[serde(skip)]
    is_ours: bool,
}

impl Health {
    /// Whether it is a ministack as this deployer starts it, started for this user.
    pub(super) fn is_local_cloud(&self) -> bool {
        matches!(
            self,
            Self::Emulator(Answer { version, auth, is_ours: true }) if version == VERSION && auth == "enabled"
        )
    }

    /// Who has the port, when somebody has.
    pub(super) fn description(&self) -> Option<String> {
        match self {
            Self::Nobody => None,
            Self::Silent => Some("something listens there and doesn't answer".to_owned()),
            Self::Emulator(Answer { version, .. }) => Some(format!(
                "a ministack {version} answers there that wasn't started with this state folder"
            )),
            Self::Stranger(known) => Some(known.clone()),
        }
    }
}

/// Asks who is at `port`; the local cloud there would have these credentials.
pub(super) async fn ask(port: u16, credentials: &Credentials) -> Health {
    let mut random = [0; 32];
    if let Err(error) = getrandom::fill(&mut random) {
        return stranger(&format!("who has it can't be asked without random numbers: {error}"));
    }
    match send(port, credentials, &hex::encode(random)).await {
        Ok(Some(answer)) => Health::Emulator(answer),
        Ok(None) => stranger("an HTTP server that isn't the local cloud answers there"),
        Err(error) if is_refused(&error) => Health::Nobody,
        Err(error) if error.is_connect() => stranger(&format!("connecting to it fails: {error}")),
        Err(error) if error.is_timeout() => Health::Silent,
        Err(_) => stranger("something listens there that doesn't speak HTTP"),
    }
}

fn stranger(known: &str) -> Health {
    Health::Stranger(known.to_owned())
}

/// What a ministack at `port` says; none if what answers is none. No proxy has a say in what is on this machine.
async fn send(port: u16, credentials: &Credentials, challenge: &str) -> reqwest::Result<Option<Answer>> {
    let client = http::client()
        .no_proxy()
        .redirect(redirect::Policy::none())
        // The address isn't one of TLS: no certificates need be read.
        .tls_certs_only([])
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .build()?;
    let url = format!("http://127.0.0.1:{port}/_ministack/health");
    let response = client.get(url).header(CHALLENGE, challenge).send().await?;
    if response.status() != StatusCode::OK {
        return Ok(None);
    }
    let proof = response
        .headers()
        .get(PROOF)
        .and_then(|proof| hex::decode(proof.as_bytes()).ok());
    let is_ours = proof
        .is_some_and(|proof| mac(port, credentials, challenge).is_some_and(|mac| mac.verify_slice(&proof).is_ok()));
    let answer = body(response).await.and_then(|body| serde_json::from_slice(&body).ok());
    Ok(answer.map(|answer| Answer { is_ours, ..answer }))
}

/// What proves that who has `port` has the secret of these credentials. The port is part of it, so that nobody else can get
/// the proof from the local cloud at another one.
fn mac(port: u16, credentials: &Credentials, challenge: &str) -> Option<Hmac<Sha256>> {
    let key = format!("health:{}", credentials.secret_access_key);
    let mac = Hmac::new_from_slice(key.as_bytes()).ok()?;
    Some(mac.chain_update(format!("{port} {challenge}")))
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

    fn credentials(secret: &str) -> Credentials {
        Credentials {
            access_key_id: "LOCAL".to_owned(),
            secret_access_key: secret.to_owned(),
        }
    }

    /// Who is at a port whose owner answers so, given the port and what is to be proved.
    async fn told_by(answer: impl Fn(u16, &str) -> String + Send + 'static) -> Health {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let mut asked = [0; 1024];
            let length = client.read(&mut asked).expect("a request");
            let asked = String::from_utf8_lossy(&asked[..length]);
            let challenge = asked
                .lines()
                .find_map(|line| line.strip_prefix("x-deployer-challenge: "));
            let answer = answer(port, challenge.expect("a challenge"));
            // It may have gone before it has all.
            let _ = client.write_all(answer.as_bytes());
        });
        ask(port, &credentials("secret")).await
    }

    /// The same, with the right proof.
    async fn answered(answer: &str) -> Health {
        let answer = answer.to_owned();
        told_by(move |port, challenge| answer.replace("PROOF", &proof(port, "secret", challenge))).await
    }

    fn proof(port: u16, secret: &str, challenge: &str) -> String {
        let mac = mac(port, &credentials(secret), challenge).expect("any key will do");
        hex::encode(mac.finalize().into_bytes())
    }

    fn ministack(version: &str, auth: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-deployer-proof: PROOF\r\n\r\n\
             {{\"services\": {{\"s3\": \"available\"}}, \"auth\": \"{auth}\", \"version\": \"{version}\"}}"
        )
    }

    #[tokio::test]
    async fn who_cannot_prove_to_have_the_secret_is_somebody_else() {
        let told = async |proof: fn(u16, &str) -> String| {
            told_by(move |port, challenge| ministack(VERSION, "enabled").replace("PROOF", &proof(port, challenge)))
                .await
        };
        assert!(
            told(|port, challenge| proof(port, "secret", challenge))
                .await
                .is_local_cloud()
        );
        for forged in [
            |_, _: &str| String::new(),
            |_, challenge: &str| challenge.to_owned(),
            |port, challenge: &str| proof(port, "another", challenge),
            // As it was once proved, or is proved at another port.
            |port, _: &str| proof(port, "secret", &"0".repeat(64)),
            |port, challenge: &str| proof(port ^ 1, "secret", challenge),
            |port, challenge: &str| proof(port, "secret", challenge)[..32].to_owned(),
        ] {
            let health = told(forged).await;
            assert!(!health.is_local_cloud(), "{health:?}");
            let described = health.description().expect("somebody");
            assert!(
                described.contains("wasn't started with this state folder"),
                "{described}"
            );
        }
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
        assert!(matches!(ask(port, &credentials("secret")).await, Health::Silent));
        drop(listener);
        assert_eq!(ask(port, &credentials("secret")).await, Health::Nobody);
    }
}
