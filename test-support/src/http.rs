//! A small HTTP client of the tests' own: so that what is judged isn't judged by the code under test.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
    /// The body, as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body, which must be JSON.
    ///
    /// # Panics
    /// It isn't.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }
}

/// `GET`s an address of this machine's.
///
/// # Errors
/// Nobody answers, or not in HTTP.
pub fn get(url: &str) -> Result<Answer> {
    request("GET", url, &[])
}

/// One request; every host below `localhost` is this host, as browsers have it.
///
/// # Errors
/// Nobody answers, or not in HTTP.
///
/// # Panics
/// The address is another machine's.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let rest = url.strip_prefix("http://").ok_or(ErrorKind::InvalidInput)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.rsplit_once(':').ok_or(ErrorKind::InvalidInput)?;
    assert!(
        host == "127.0.0.1" || host == "localhost" || host.ends_with(".localhost"),
        "{host} isn't loopback"
    );
    let port: u16 = port.parse().map_err(|_| ErrorKind::InvalidInput)?;
    let all: Vec<(&str, &str)> = [("Host", authority)]
        .into_iter()
        .chain(headers.iter().copied())
        .collect();
    raw(port, method, &format!("/{path}"), &all, "")
}

/// One request to this host, with just these headers and those that say how long it is.
///
/// # Errors
/// Nobody answers, or not in HTTP.
pub fn raw(port: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
    let mut stream = send(
        port,
        method,
        target,
        &[&[("Connection", "close")], headers].concat(),
        body,
    )?;
    let mut raw = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        // Not all servers hang up when they are asked to.
        let is_complete = method != "HEAD" && announced(&raw).is_some_and(|length| raw.len() >= length);
        let read = if is_complete { 0 } else { stream.read(&mut piece)? };
        if read == 0 {
            return parse(&raw);
        }
        raw.extend_from_slice(&piece[..read]);
    }
}

/// How long the whole answer is that begins so, if it says that.
fn announced(raw: &[u8]) -> Option<usize> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&raw[..end]);
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = length.next()?;
    Some(end + 4 + length.trim().parse::<usize>().ok()?)
}

/// The status of one request, as soon as it is told: a connection that is upgraded stays open.
///
/// # Errors
/// Nobody answers, or not in HTTP.
pub fn begun(port: u16, method: &str, target: &str, headers: &[(&str, &str)]) -> Result<u16> {
    let mut stream = send(port, method, target, headers, "")?;
    let mut raw = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut raw)?;
    let status = String::from_utf8_lossy(&raw)
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok());
    status.ok_or_else(|| Error::new(ErrorKind::InvalidData, "malformed answer"))
}

fn send(port: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    write!(stream, "{method} {target} HTTP/1.1\r\n")?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    if !body.is_empty() {
        write!(stream, "Content-Length: {}\r\n", body.len())?;
    }
    write!(stream, "\r\n{body}")?;
    Ok(stream)
}

fn parse(raw: &[u8]) -> Result<Answer> {
    let malformed = || Error::new(ErrorKind::InvalidData, "malformed answer");
    let end = raw
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(malformed)?;
    let head = String::from_utf8_lossy(&raw[..end]);
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or_else(malformed)?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked"));
    let body = &raw[end + 4..];
    let body = if chunked {
        unchunk(body).ok_or_else(malformed)?
    } else {
        body.to_vec()
    };
    Ok(Answer {
        status,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        bytes: body,
    })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}
