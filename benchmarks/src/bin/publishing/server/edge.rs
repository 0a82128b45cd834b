//! What the site's visitors get: CloudFront's part, with what the template says of it.

use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use s3s::Body;

use super::store::{Object, Store};
use super::{LABEL, SITE};

/// What the response headers policy of the smallest example adds to each answer.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        HeaderName::from_static("content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; connect-src 'self'",
    ),
    (HeaderName::from_static("strict-transport-security"), "max-age=31536000"),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("x-frame-options"), "DENY"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
];

/// Whether a name is the distribution's.
pub(crate) fn is_asked(host: &str) -> bool {
    host.split_once('.')
        .is_some_and(|(label, rest)| label == LABEL && rest.starts_with("cloudfront.localhost"))
}

/// What a visitor gets who asks for this path.
pub(crate) fn answer(store: &Store, method: &Method, path: &str) -> Response<Body> {
    let key = match path.strip_prefix('/').unwrap_or(path) {
        "" => "index.html",
        key => key,
    };
    let Ok(bucket) = store.bucket(SITE) else {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let found = bucket.get(key).map(|object| (StatusCode::OK, object));
    let missing = |_| bucket.get("404.html").map(|object| (StatusCode::NOT_FOUND, object));
    let Ok((status_code, object)) = found.or_else(missing) else {
        return status(StatusCode::FORBIDDEN);
    };
    let Some(content) = object
        .content
        .clone()
        .or_else(|| (method == Method::HEAD).then(Default::default))
    else {
        // It forgot the content, and nobody is to take this for it.
        return status(StatusCode::NOT_IMPLEMENTED);
    };
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = status_code;
    add_headers(&mut response, object);
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn add_headers(response: &mut Response<Body>, object: &Object) {
    let headers = response.headers_mut();
    let own = [
        (CACHE_CONTROL, object.headers.cache_control.clone()),
        (CONTENT_ENCODING, object.headers.content_encoding.clone()),
        (CONTENT_TYPE, object.headers.content_type.clone()),
        (CONTENT_LENGTH, Some(object.size.to_string())),
        (ETAG, Some(format!("\"{}\"", object.etag))),
    ];
    for (name, value) in own {
        // S3 took it as a header's value before.
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
