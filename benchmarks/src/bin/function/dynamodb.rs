//! A stand-in for DynamoDB: it answers GetItem at once, with the same item, over TLS.

use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use benchmarks::error::{Context as _, Result};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::http::{self, Message};
use crate::tls::HOST;

/// The target header of the one operation there is.
pub(crate) const GET_ITEM: &str = "DynamoDB_20120810.GetItem";

const ITEM: &str = r#"{"Item":{"userId":{"S":"1"},"name":{"S":"Test User"},"email":{"S":"test@example.com"},"visits":{"N":"42"},"active":{"BOOL":true},"createdAt":{"S":"2026-01-01T12:00:00Z"}}}"#;

/// The running stand-in. It ends with the process.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    address: SocketAddr,
}

impl DynamoDb {
    /// Starts it on a port of its own.
    ///
    /// # Errors
    /// There is no port for it.
    pub(crate) fn start(tls: Arc<ServerConfig>) -> Result<Self> {
        // The first address that the name has, for a client to reach it at the first attempt.
        let listener = TcpListener::bind((HOST, 0)).context("could not listen for DynamoDB's clients")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tls = Arc::clone(&tls);
                // An error is the end of a client, which is how every measurement ends.
                thread::spawn(move || serve(stream, tls).ok());
            }
        });
        Ok(Self { address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for the AWS SDK. It has a name, as AWS's endpoints do, so that it must be resolved.
    pub(crate) fn url(&self) -> String {
        format!("https://{HOST}:{}", self.address.port())
    }
}

fn serve(stream: TcpStream, tls: Arc<ServerConfig>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let found = found();
    let refused = refused();
    while let Some(request) = Message::read(&mut stream)? {
        let known = request.header("x-amz-target") == Some(GET_ITEM);
        stream.get_mut().write_all(if known { &found } else { &refused })?;
    }
    Ok(())
}

/// The response, headers and all. Its date does no harm: nobody checks the signature that depends on it.
fn found() -> Vec<u8> {
    let checksum = crc32fast::hash(ITEM.as_bytes());
    let headers = format!(
        "Server: Server\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\nContent-Type: application/x-amz-json-1.0\r\n\
         Connection: keep-alive\r\nx-amzn-RequestId: 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF\r\n\
         x-amz-crc32: {checksum}\r\n"
    );
    http::response("200 OK", &headers, ITEM)
}

fn refused() -> Vec<u8> {
    let body = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
    http::response("400 Bad Request", "", body)
}
