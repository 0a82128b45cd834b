//! Sentences for what nobody has described: what API Gateway knows of it, and no more.

/// What a status is called.
pub(super) fn reason(status: &str) -> &'static str {
    let known = status
        .parse::<u16>()
        .ok()
        .and_then(|status| reqwest::StatusCode::from_u16(status).ok())
        .and_then(|status| status.canonical_reason());
    known.unwrap_or(match status.as_bytes() {
        [b'2', ..] => "Done",
        [b'3', ..] => "Elsewhere",
        [b'4', ..] => "Refused",
        [b'5', ..] => "Failed",
        _ => "An answer",
    })
}

/// A response of the method's: with the model that its body is, and what that says of itself.
pub(super) fn response(status: &str, model: Option<&str>, described: Option<&str>) -> String {
    if status == "default" {
        return "What the integration answers; the API's definition says no more of it.".to_owned();
    }
    let reason = reason(status);
    match (model, described) {
        (Some(model), Some(text)) => format!("{reason}, with the model {model}: {}", sentence(text)),
        (Some(model), None) => format!("{reason}, with the model {model}."),
        _ => format!("{reason}; the API's definition says nothing of a body."),
    }
}

/// Whether a description says no more than its status: what API Gateway writes where nobody has written one.
pub(super) fn says_nothing(description: &str, status: &str) -> bool {
    let description = description.trim();
    description.is_empty() || description == format!("{status} response")
}

/// A parameter in the path: by what stands before it.
pub(super) fn path_parameter(path: &str, name: &str) -> String {
    let place = format!("{{{name}}}");
    let mut before = "";
    for part in path.split('/') {
        if part == place {
            break;
        }
        before = part;
    }
    match before {
        "" => format!("The part {{{name}}} of the path {path}."),
        before if before.starts_with('{') => format!("The part {{{name}}} of the path {path}, after {before}."),
        before => format!("Which of {before}: the part {{{name}}} of the path {path}."),
    }
}

/// The same of one that takes all the rest of the path.
pub(super) fn rest_of_path(path: &str, name: &str) -> String {
    format!("All the rest of the path {path}, slashes among it: {{{name}}}.")
}

/// A parameter of the query or a header.
pub(super) fn parameter(place: &str, name: &str, required: bool) -> String {
    let what = match place {
        "query" => "query parameter",
        "header" => "header",
        "cookie" => "cookie",
        _ => "parameter",
    };
    if required {
        format!("The {what} {name}; it has to be there.")
    } else {
        format!("The {what} {name}; it may be left out.")
    }
}

/// A header of a response; with its value, where that is always the same.
pub(super) fn header(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("The header {name}: always `{value}`."),
        None => format!("The header {name}."),
    }
}

/// A body that a caller sends.
pub(super) fn body(model: Option<&str>, described: Option<&str>) -> String {
    match (model, described) {
        (Some(model), Some(text)) => format!("The model {model}: {}", sentence(text)),
        (Some(model), None) => format!("The model {model}."),
        _ => "What is sent with the request.".to_owned(),
    }
}

/// As the text of a sentence: it ends.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?', ':']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// The name of an operation that has none: its method and its path.
pub(super) fn operation_id(method: &str, path: &str) -> String {
    let mut id = method.to_lowercase();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let inner = part.trim_start_matches('{').trim_end_matches('}');
        if inner.len() < part.len() {
            id.push_str("By");
        }
        id.push_str(&pascal(inner));
    }
    if path.trim_matches('/').is_empty() {
        id.push_str("Root");
    }
    id
}

/// `order-lines` as `OrderLines`.
pub(super) fn pascal(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.map(|word| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        })
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_say_what_is_known() {
        assert_eq!(
            path_parameter("/customers/{id}/orders", "id"),
            "Which of customers: the part {id} of the path /customers/{id}/orders."
        );
        assert_eq!(path_parameter("/{id}", "id"), "The part {id} of the path /{id}.");
        assert_eq!(
            response("404", Some("Failure"), Some("What went wrong, in a sentence.")),
            "Not Found, with the model Failure: What went wrong, in a sentence."
        );
        assert_eq!(
            response("299", None, None),
            "Done; the API's definition says nothing of a body."
        );
        assert!(says_nothing("400 response", "400") && !says_nothing("400 response", "404"));
        assert_eq!(
            parameter("query", "q", false),
            "The query parameter q; it may be left out."
        );
    }

    #[test]
    fn operations_are_named_by_method_and_path() {
        assert_eq!(
            operation_id("GET", "/orders/{id}/order-lines"),
            "getOrdersByIdOrderLines"
        );
        assert_eq!(operation_id("POST", "/"), "postRoot");
        assert_eq!(operation_id("GET", "/v1.2/x_y"), "getV12XY");
    }
}
