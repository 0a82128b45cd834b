//! A server as generators have them for trying a site out: it answers from a folder, and sends no policy of any kind.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::lock;

/// What a generator's own server makes of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `/x/` is `x/index.html`, and `/x` leads there.
    Folders,
    /// `/x` is `x.html`; folders are as for [`Kind::Folders`].
    Html,
    /// Files have their own names, and folders their index, as everywhere.
    Plain,
    /// What has no ending and isn't there is the app's page.
    App,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "folders" => Ok(Self::Folders),
            "html" => Ok(Self::Html),
            "plain" => Ok(Self::Plain),
            "app" => Ok(Self::App),
            _ => Err(format!("no kind of server is called `{text}`")),
        }
    }
}

impl Kind {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folders => "folders",
            Self::Html => "html",
            Self::Plain => "plain",
            Self::App => "app",
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This file, with this status.
    File(u16, String),
    /// The address to go to instead.
    Moved(String),
    /// Nothing is there, and no page says so.
    Nothing,
}

/// What `kind` of server answers, when it is asked for `path` (decoded, without a query) and has these files.
pub fn answer(kind: Kind, files: &BTreeSet<String>, path: &str) -> Answer {
    let key = path.trim_start_matches('/');
    let has = |name: &str| files.contains(name);
    let file = |name: &str| Answer::File(200, name.to_owned());
    if key.is_empty() || key.ends_with('/') {
        let index = format!("{key}index.html");
        if has(&index) {
            return file(&index);
        }
    } else {
        if has(key) {
            return file(key);
        }
        let page = format!("{key}.html");
        if kind == Kind::Html && has(&page) {
            return file(&page);
        }
        if has(&format!("{key}/index.html")) {
            return Answer::Moved(format!("/{key}/"));
        }
    }
    let has_ending = key.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if kind == Kind::App
        && !has_ending
        && let Some(app) = ["200.html", "index.html"].into_iter().find(|name| has(name))
    {
        return file(app);
    }
    // Of the nearest folder that has one.
    let mut folder = key;
    loop {
        folder = folder.rfind('/').map_or("", |slash| &folder[..slash]);
        let page = if folder.is_empty() {
            "404.html".to_owned()
        } else {
            format!("{folder}/404.html")
        };
        if has(&page) {
            return Answer::File(404, page);
        }
        if folder.is_empty() {
            return Answer::Nothing;
        }
    }
}

/// The type that a file is sent with. A page that says its own character set, by a byte order mark or a `meta`, is sent
/// without one.
fn content_type(name: &str, content: &[u8]) -> &'static str {
    let ending = name.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
    match ending.map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("html" | "htm") if declares_charset(content) => "text/html",
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs" | "cjs") => "text/javascript; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("xml" | "rss" | "atom") => "application/xml",
        Some("txt" | "md" | "vtt") => "text/plain; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("avif") => "image/avif",
        Some("ico") => "image/vnd.microsoft.icon",
        Some("woff") => "font/woff",
        Some("woff2") => "font/woff2",
        Some("ttf") => "font/ttf",
        Some("otf") => "font/otf",
        Some("wasm") => "application/wasm",
        Some("pdf") => "application/pdf",
        Some("mp4") => "video/mp4",
        Some("webm") => "video/webm",
        Some("mp3") => "audio/mpeg",
        _ => "application/octet-stream",
    }
}

fn declares_charset(content: &[u8]) -> bool {
    // As far as browsers look.
    let head = String::from_utf8_lossy(&content[..content.len().min(1024)]).to_ascii_lowercase();
    content.starts_with(b"\xef\xbb\xbf") || head.contains("charset=")
}

/// A running server, which ends with the process.
#[derive(Debug)]
pub struct Plain {
    port: u16,
    served: Arc<Mutex<Served>>,
}

/// A folder, and what is in it.
#[derive(Debug, Clone)]
struct Served {
    folder: PathBuf,
    files: Arc<BTreeSet<String>>,
    /// How long each answer takes, one after the other.
    pace: Duration,
}

impl Served {
    fn read(folder: &Path) -> Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            files: Arc::new(files(folder)?),
            pace: Duration::ZERO,
        })
    }
}

impl Plain {
    /// Serves what is in `folder`.
    ///
    /// # Errors
    /// It can't be read, or there is no port.
    pub fn serve(kind: Kind, folder: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let served = Arc::new(Mutex::new(Served::read(folder)?));
        let shared = Arc::clone(&served);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // One who hangs up has got what it wanted.
                    let _ = converse(&client, kind, &shared);
                });
            }
        });
        Ok(Self { port, served })
    }

    /// From now on serves what is in another folder.
    ///
    /// # Errors
    /// It can't be read.
    pub fn change_to(&self, folder: &Path) -> Result<()> {
        *lock(&self.served) = Served::read(folder)?;
        Ok(())
    }

    /// From now on takes so long for each answer, one after the other, as a server does that has much to do.
    pub fn set_pace(&self, pace: Duration) {
        lock(&self.served).pace = pace;
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// The path of each file in a folder, from there.
///
/// # Errors
/// It can't be read.
pub fn files(folder: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut left = vec![String::new()];
    while let Some(prefix) = left.pop() {
        for entry in std::fs::read_dir(folder.join(&prefix))? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                left.push(format!("{name}/"));
            } else {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

fn converse(client: &TcpStream, kind: Kind, served: &Mutex<Served>) -> Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if reader.read_until(b'\n', &mut head)? == 0 {
                return Ok(());
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<u64>().ok())?
        });
        std::io::copy(&mut reader.by_ref().take(length.unwrap_or(0)), &mut std::io::sink())?;
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or("/"));
        let served = {
            // Kept meanwhile: the next one waits.
            let served = lock(served);
            std::thread::sleep(served.pace);
            served.clone()
        };
        respond(client, method, target, kind, &served)?;
    }
}

fn respond(mut client: &TcpStream, method: &str, target: &str, kind: Kind, served: &Served) -> Result<()> {
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(path, query)| (path, Some(query)));
    let (status, extra, body) = match answer(kind, &served.files, &decoded(path)) {
        Answer::File(status, name) => {
            let body = std::fs::read(served.folder.join(&name))?;
            (
                status,
                format!("Content-Type: {}\r\n", content_type(&name, &body)),
                body,
            )
        }
        Answer::Moved(to) => {
            let query = query.map_or_else(String::new, |query| format!("?{query}"));
            (301, format!("Location: {to}{query}\r\n"), Vec::new())
        }
        Answer::Nothing => (404, "Content-Type: text/plain\r\n".to_owned(), b"Not found".to_vec()),
    };
    let words = match status {
        200 => "OK",
        301 => "Moved Permanently",
        _ => "Not Found",
    };
    // As servers for trying out do, so that a second publication is seen.
    let head = format!(
        "HTTP/1.1 {status} {words}\r\n{extra}Cache-Control: no-cache\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    if method != "HEAD" {
        client.write_all(&body)?;
    }
    Ok(())
}

/// A path as it was before it was written for a URL.
pub(crate) fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: Kind, path: &str) -> Answer {
        let files = [
            "index.html",
            "404.html",
            "a.html",
            "b/index.html",
            "de/404.html",
            "LICENSE",
            "x.js",
        ];
        answer(kind, &files.map(str::to_owned).into(), path)
    }

    fn found(name: &str) -> Answer {
        Answer::File(200, name.to_owned())
    }

    fn missing(page: &str) -> Answer {
        Answer::File(404, page.to_owned())
    }

    #[test]
    fn folders_have_their_index() {
        for kind in [Kind::Folders, Kind::Html, Kind::Plain, Kind::App] {
            assert_eq!(asked(kind, "/"), found("index.html"));
            assert_eq!(asked(kind, "/b/"), found("b/index.html"));
            assert_eq!(asked(kind, "/b"), Answer::Moved("/b/".to_owned()));
            assert_eq!(asked(kind, "/LICENSE"), found("LICENSE"));
        }
    }

    #[test]
    fn a_page_may_be_named_without_its_ending() {
        assert_eq!(asked(Kind::Html, "/a"), found("a.html"));
        assert_eq!(asked(Kind::Folders, "/a"), missing("404.html"));
    }

    #[test]
    fn an_app_has_every_address_but_those_of_files() {
        assert_eq!(asked(Kind::App, "/any/where"), found("index.html"));
        assert_eq!(asked(Kind::App, "/gone.js"), missing("404.html"));
    }

    #[test]
    fn the_nearest_folder_says_that_nothing_is_there() {
        assert_eq!(asked(Kind::Folders, "/de/x/y"), missing("de/404.html"));
        assert_eq!(asked(Kind::Folders, "/fr/x/"), missing("404.html"));
        assert_eq!(answer(Kind::Folders, &BTreeSet::new(), "/x/y"), Answer::Nothing);
    }

    #[test]
    fn a_page_that_says_its_character_set_is_left_to_itself() {
        assert_eq!(content_type("a.html", b"<meta charset=\"iso-8859-1\">"), "text/html");
        assert_eq!(content_type("a.html", b"<p>"), "text/html; charset=utf-8");
    }

    #[test]
    fn paths_are_decoded() {
        assert_eq!(decoded("/%C3%BC%20%2"), "/ü %2");
    }
}
