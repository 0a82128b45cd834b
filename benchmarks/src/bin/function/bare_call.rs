//! The least that reading an item can cost: bytes made beforehand, written to a connection that is open.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benchmarks::error::{Context as _, Result};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::dynamodb::{DynamoDb, GET_ITEM};
use crate::http::Message;
use crate::program::SESSION_TOKEN_LENGTH;
use crate::tls::HOST;

const BODY: &str = r#"{"TableName":"UserData","Key":{"userId":{"S":"1"}}}"#;

/// A client of DynamoDB that does nothing but wait for it.
#[derive(Debug)]
pub(crate) struct BareClient {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    request: Vec<u8>,
}

impl BareClient {
    /// Connects to the stand-in.
    ///
    /// # Errors
    /// It can't be reached.
    pub(crate) fn connect(dynamodb: &DynamoDb, tls: Arc<ClientConfig>) -> Result<Self> {
        let stream = TcpStream::connect(dynamodb.address()).context("could not reach the stand-in for DynamoDB")?;
        stream.set_nodelay(true)?;
        let connection = ClientConnection::new(tls, ServerName::try_from(HOST)?)?;
        Ok(Self {
            stream: BufReader::new(StreamOwned::new(connection, stream)),
            request: request(),
        })
    }

    /// Makes `count` calls, one after the other, and gives each one's time from the request to the end of the response.
    ///
    /// # Errors
    /// A call fails.
    pub(crate) fn calls(&mut self, count: usize) -> Result<Vec<Duration>> {
        (0..count)
            .map(|_| self.call().context("a bare call of DynamoDB failed"))
            .collect()
    }

    fn call(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.stream.get_mut().write_all(&self.request)?;
        let response = Message::read(&mut self.stream)?.ok_or("the connection was closed")?;
        let time = start.elapsed();
        if response.second_word() == "200" {
            Ok(time)
        } else {
            Err(response.start_line().into())
        }
    }
}

/// A request as long as the AWS SDK's, which is signed with credentials of Lambda's length.
fn request() -> Vec<u8> {
    let (length, token, signature) = (BODY.len(), "t".repeat(SESSION_TOKEN_LENGTH), "0".repeat(64));
    format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n\
         X-Amz-Target: {GET_ITEM}\r\nX-Amz-Date: 20260101T120000Z\r\nX-Amz-Security-Token: {token}\r\n\
         User-Agent: aws-sdk-rust/1.0.0 os/linux lang/rust/1.95.0\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-central-1/dynamodb/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature={signature}\r\n\r\n{BODY}"
    )
    .into_bytes()
}
