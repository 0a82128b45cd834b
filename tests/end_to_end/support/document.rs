//! What `up` and `status` say with `--output json`, as programs read it.

use serde_json::Value;

/// A stack's output, by its name; the first of the stacks that has one.
pub(crate) fn output_if_any<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    let stacks = document["stacks"].as_array().expect("stacks");
    stacks.iter().find_map(|stack| stack["outputs"][name].as_str())
}

/// The same, which must be there.
#[track_caller]
pub(crate) fn output<'a>(document: &'a Value, name: &str) -> &'a str {
    output_if_any(document, name).unwrap_or_else(|| panic!("no output {name} in {document:#}"))
}

/// The site's address.
#[track_caller]
pub(crate) fn site_url(document: &Value) -> &str {
    document["site"]["url"]
        .as_str()
        .unwrap_or_else(|| panic!("no site in {document:#}"))
}

/// The whole address that the API's stack outputs, path included.
#[track_caller]
pub(crate) fn api_url(document: &Value) -> &str {
    output(document, "ApiUrl")
}

/// The id of the only API.
#[track_caller]
pub(crate) fn api_id(document: &Value) -> &str {
    let apis = document["apis"].as_array().expect("APIs");
    assert_eq!(apis.len(), 1, "{apis:?}");
    apis[0]["id"].as_str().expect("an id")
}

/// The names of what is in a list of the document: `functions`, `tables`.
#[track_caller]
pub(crate) fn names<'a>(document: &'a Value, list: &str) -> Vec<&'a str> {
    let items = document[list]
        .as_array()
        .unwrap_or_else(|| panic!("no {list} in {document:#}"));
    items.iter().filter_map(|item| item["name"].as_str()).collect()
}
