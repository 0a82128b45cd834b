//! What holds for any event and any item.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use proptest::{
    collection::{hash_map, vec},
    prelude::*,
    test_runner::RngSeed,
};
use retrieve_user_data::{
    event::{Event, MAX_USER_ID_BYTES},
    item,
};
use serde_json::{Value, json};

use crate::support::{FakeTable, answer, item as string_item};

/// The same cases in every run: a failure here is a failure everywhere.
fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Names that the function reads, that parsers treat specially, or that are anything.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "httpMethod", "queryStringParameters", "multiValueQueryStringParameters", "userId", "requestContext",
            "$serde_json::private::Number", "$serde_json::private::RawValue", "",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["GET", "HEAD", "OPTIONS", "POST", "1", ""]).prop_map(str::to_owned),
        any::<String>(),
        (MAX_USER_ID_BYTES - 2..MAX_USER_ID_BYTES + 2).prop_map(|length| "x".repeat(length)),
    ]
}

/// Any JSON text. Text and not `Value`, which cannot hold repeated keys.
fn json_text() -> impl Strategy<Value = String> {
    let quote = |text: String| Value::String(text).to_string();
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false", "1e999", "-0", "\"\\ud800\""]).prop_map(str::to_owned),
        any::<i128>().prop_map(|number| number.to_string()),
        text().prop_map(quote),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let field = (name().prop_map(quote), inner.clone()).prop_map(|(name, value)| format!("{name}:{value}"));
        prop_oneof![
            vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            vec(field, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    })
}

/// JSON of an event's shape with anything in its places.
fn event_text() -> impl Strategy<Value = String> {
    let query = prop_oneof![
        json_text(),
        json_text().prop_map(|id| format!(r#"{{"userId":{id}}}"#)),
        json_text().prop_map(|id| format!(r#"{{"userId":[{id}]}}"#)),
    ];
    (json_text(), query.clone(), query).prop_map(|(method, single, multi)| {
        format!(
            r#"{{"httpMethod":{method},"queryStringParameters":{single},"multiValueQueryStringParameters":{multi}}}"#
        )
    })
}

/// Numbers as DynamoDB writes them: up to 38 significant digits, plain or with an exponent.
fn number() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec!["", "-"]);
    prop_oneof![
        (sign.clone(), "0|[1-9][0-9]{0,37}").prop_map(|(sign, digits)| format!("{sign}{digits}")),
        (sign.clone(), "0|[1-9][0-9]{0,17}", "[0-9]{1,20}").prop_map(|(sign, int, part)| format!("{sign}{int}.{part}")),
        (sign, "[1-9](\\.[0-9]{1,37})?", -130..=125_i32)
            .prop_map(|(sign, digits, exponent)| format!("{sign}{digits}E{exponent:+}")),
    ]
}

/// An attribute, and the JSON text that it has to become.
fn attribute() -> impl Strategy<Value = (AttributeValue, String)> {
    // A number is the same text but for the exponent's letter.
    let plain = |digits: &String| digits.replace('E', "e");
    let quote = |text: &str| Value::String(text.to_owned()).to_string();
    let leaf = prop_oneof![
        number().prop_map(move |digits| {
            let text = plain(&digits);
            (AttributeValue::N(digits), text)
        }),
        any::<String>().prop_map(move |text| {
            let json = quote(&text);
            (AttributeValue::S(text), json)
        }),
        any::<bool>().prop_map(|flag| (AttributeValue::Bool(flag), flag.to_string())),
        Just((AttributeValue::Null(true), "null".to_owned())),
        vec(number(), 1..4).prop_map(move |set| {
            let json = format!("[{}]", set.iter().map(plain).collect::<Vec<_>>().join(","));
            (AttributeValue::Ns(set), json)
        }),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| {
                let (values, texts): (Vec<_>, Vec<_>) = values.into_iter().unzip();
                (AttributeValue::L(values), format!("[{}]", texts.join(",")))
            }),
            hash_map(name(), inner, 0..4).prop_map(move |map| {
                let mut fields: Vec<_> = map
                    .iter()
                    .map(|(name, (_, text))| (name.clone(), text.clone()))
                    .collect();
                fields.sort();
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, text)| format!("{}:{text}", quote(name)))
                    .collect();
                let map = map.into_iter().map(|(name, (value, _))| (name, value)).collect();
                (AttributeValue::M(map), format!("{{{}}}", fields.join(",")))
            }),
        ]
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_json_gets_a_well_formed_response(event in prop_oneof![json_text(), event_text()]) {
        // `answer` checks the form.
        let found = block_on(answer(FakeTable::holding([]), &event));
        let failed = block_on(answer(FakeTable::failing("cause"), &event));
        prop_assert!(found.status_code != 500, "nothing but the table's failure is a 500");
        prop_assert!(!failed.body.contains("cause"));
    }

    #[test]
    fn any_text_at_all_gets_a_well_formed_response(event in any::<String>()) {
        block_on(answer(FakeTable::holding([]), &event));
    }

    #[test]
    fn every_key_that_dynamodb_takes_is_looked_up_as_it_is(user_id in "\\PC{1,40}|(?s:.{1,40})") {
        let event = json!({"httpMethod": "GET", "queryStringParameters": {"userId": user_id}}).to_string();
        prop_assert_eq!(Event::parse(&event).user_id, Some(user_id.clone()));
        let table = FakeTable::holding([string_item([("userId", user_id.as_str())])]);
        let response = block_on(answer(table, &event));
        prop_assert_eq!(response.body, json!({"userId": user_id}).to_string());
    }

    #[test]
    fn items_become_plain_json_with_exact_numbers((value, expected) in attribute()) {
        let json = item::to_json(HashMap::from([("x".to_owned(), value)])).expect("known types");
        prop_assert_eq!(json.to_string(), format!(r#"{{"x":{expected}}}"#));
    }
}
