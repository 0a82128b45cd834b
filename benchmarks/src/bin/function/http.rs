//! As much of HTTP/1.1 as the programs measured here speak: messages whose length is in their head.

use std::io::{BufRead, Error, ErrorKind, Result};

/// A request or a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    head: String,
    /// The body, possibly empty.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads the next message; none when the other side has closed the connection.
    ///
    /// # Errors
    /// The connection ends within a message, or this is no such message.
    pub(crate) fn read(reader: &mut impl BufRead) -> Result<Option<Self>> {
        let mut head = String::new();
        loop {
            let start = head.len();
            if reader.read_line(&mut head)? == 0 {
                return if head.is_empty() {
                    Ok(None)
                } else {
                    Err(ErrorKind::UnexpectedEof.into())
                };
            }
            if head[start..].trim_end().is_empty() {
                break;
            }
        }
        let mut message = Self { head, body: Vec::new() };
        if message.header("transfer-encoding").is_some() {
            return Err(Error::new(ErrorKind::InvalidData, "a message of unknown length"));
        }
        if let Some(length) = message.header("content-length") {
            let length = length
                .parse()
                .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            message.body = vec![0; length];
            reader.read_exact(&mut message.body)?;
        }
        Ok(Some(message))
    }

    /// The first line: "GET /path HTTP/1.1", or "HTTP/1.1 200 OK".
    pub(crate) fn start_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// A request's path, or a response's status.
    pub(crate) fn second_word(&self) -> &str {
        self.start_line().split(' ').nth(1).unwrap_or_default()
    }

    /// A header's value; case doesn't matter in its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
    }
}

/// A response with these lines of headers, each ending in CRLF, and the header for its length.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_one_after_the_other() {
        let mut text: &[u8] =
            b"POST /a/response HTTP/1.1\r\nContent-length: 3\r\n\r\n{}\nGET /next HTTP/1.1\r\nHost: x:1\r\n\r\n";
        let post = Message::read(&mut text).expect("a message").expect("not the end");
        assert_eq!(
            (post.second_word(), post.body.as_slice()),
            ("/a/response", &b"{}\n"[..])
        );
        let get = Message::read(&mut text).expect("a message").expect("not the end");
        assert_eq!(
            (get.start_line(), get.header("host")),
            ("GET /next HTTP/1.1", Some("x:1"))
        );
        assert!(get.body.is_empty());
        assert_eq!(Message::read(&mut text).expect("the end"), None);
    }

    #[test]
    fn a_message_that_ends_early_is_an_error() {
        for text in [
            "GET /next HTTP/1.1\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert!(Message::read(&mut text.as_bytes()).is_err(), "{text}");
        }
    }
}
