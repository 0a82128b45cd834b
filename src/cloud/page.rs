//! Answers that aren't the service's: the page of a proxy, a load balancer or a network that wants a sign-in, where AWS's own
//! words were expected. The SDK tells of those that its parser failed.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use reqwest::StatusCode;

use super::way;

/// How much of a page is looked at, in bytes.
const BEGINNING_BYTES: usize = 4096;
/// How many characters of a page's title are shown.
const TITLE: usize = 80;

/// Statuses that are of what lies between here and a service, unless the service's own words say otherwise.
const OF_THE_WAY: [u16; 6] = [407, 413, 502, 503, 504, 511];

/// What an answer says that nobody understood and that isn't the service's, and what to do.
pub(super) fn told(response: &HttpResponse) -> Option<(String, &'static str)> {
    let status = response.status().as_u16();
    let body = response.body().bytes().unwrap_or_default();
    let text = String::from_utf8_lossy(&body[..body.len().min(BEGINNING_BYTES)]).into_owned();
    let kind = response.headers().get("content-type").unwrap_or_default();
    // Each of AWS's services gives its answers a number.
    let is_numbered = ["x-amzn-requestid", "x-amz-request-id", "x-amz-cf-id"]
        .iter()
        .any(|name| response.headers().get(*name).is_some());
    let is_bare = text.trim().is_empty() && OF_THE_WAY.contains(&status) && !is_numbered;
    let is_redirect = matches!(status, 302 | 303 | 307) && !is_numbered;
    if !is_page(kind, &text) && !is_bare && !is_redirect {
        return None;
    }
    let mut said = match StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
    {
        Some(reason) => format!("`{status} {reason}`"),
        None => format!("the status {status}"),
    };
    said.push_str(" came back, and not from AWS");
    if let Some(server) = response.headers().get("server").filter(|server| !server.is_empty()) {
        said.push_str(&format!(": {server} says it"));
    }
    if let Some(title) = title(&text) {
        said.push_str(&format!(", with a page `{title}`"));
    }
    if let Some(proxy) = way::proxy(response) {
        said.push_str(&format!("; the way was through the proxy {proxy}"));
    }
    Some((said, advice(status)))
}

fn is_page(kind: &str, text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim_start().to_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") || kind.contains("text/html") {
        return true;
    }
    // Plain words; AWS's are XML or JSON, whatever they are called.
    kind.starts_with("text/plain") && !text.is_empty() && !text.starts_with(['<', '{', '['])
}

fn title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower[start..].find("</title>")?;
    let words: Vec<&str> = text[start..end].split_whitespace().collect();
    let title: String = words.join(" ").chars().take(TITLE).collect();
    (!title.is_empty()).then_some(title)
}

/// What to do about a status that isn't the service's.
pub(super) fn advice(status: u16) -> &'static str {
    match status {
        407 => {
            "The proxy wants a user and a password: put them into its URL, as in \
             HTTPS_PROXY=http://USER:PASSWORD@proxy.example:3128 (`@` in a password is `%40`)."
        }
        413 => {
            "Something between here and the service takes no requests of that size. Ask who runs it to let larger ones through, or \
             name the service's host in NO_PROXY."
        }
        200 | 302 | 303 | 307 | 511 => {
            "Does this network want you to sign in? Open any page in a browser on this machine, then run the same command again; \
             else check the proxy (HTTPS_PROXY, NO_PROXY) and the endpoint (AWS_ENDPOINT_URL)."
        }
        _ => {
            "A proxy or load balancer between here and the service said it. Run the same command again; if it stays, ask who runs \
             that, and check HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_from_answers() {
        for (kind, text, expected) in [
            ("text/html", "<html><head><title>502 Bad Gateway</title></head>", true),
            ("text/xml", "<!DOCTYPE html><p>", true),
            ("text/plain; charset=utf-8", "upstream connect error", true),
            ("text/xml", "<ErrorResponse><Error/></ErrorResponse>", false),
            ("text/plain", "{\"__type\": \"X\"}", false),
            ("application/x-amz-json-1.0", "", false),
        ] {
            assert_eq!(is_page(kind, text), expected, "{text}");
        }
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(title("<TITLE>\n 502\tBad </TITLE>").as_deref(), Some("502 Bad"));
        assert_eq!(title("<title></title>"), None);
        assert_eq!(title("İ<title>x"), None);
    }
}
