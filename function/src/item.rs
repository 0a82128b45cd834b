//! From DynamoDB's typed attributes to plain JSON.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Number, Value};

/// A table's item: its attributes by name.
pub type Item = HashMap<String, AttributeValue>;

/// An attribute of a type that DynamoDB had not when this was built. Leaving it out would be a silently wrong answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownType;

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the item has an attribute of a type that this build of the AWS SDK does not know")
    }
}

impl std::error::Error for UnknownType {}

/// The item as a JSON object, its attributes sorted by name: DynamoDB keeps no order, and the same item should read the
/// same every time.
///
/// # Errors
/// When an attribute, at any depth, has a type that is not known here.
pub fn to_json(item: Item) -> Result<Value, UnknownType> {
    // `Map` alone sorts only as long as no dependency turns on serde_json's `preserve_order`.
    let sorted: BTreeMap<String, AttributeValue> = item.into_iter().collect();
    let fields = sorted.into_iter().map(|(name, value)| Ok((name, plain(value)?)));
    fields.collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

/// One attribute. It calls itself for lists and maps, which DynamoDB nests 32 levels deep at most.
fn plain(value: AttributeValue) -> Result<Value, UnknownType> {
    Ok(match value {
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::N(digits) => number(digits),
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::B(bytes) => binary(bytes.as_ref()),
        AttributeValue::M(map) => to_json(map)?,
        AttributeValue::L(list) => list.into_iter().map(plain).collect::<Result<_, _>>()?,
        AttributeValue::Ss(texts) => texts.into_iter().map(Value::String).collect(),
        AttributeValue::Ns(numbers) => numbers.into_iter().map(number).collect(),
        AttributeValue::Bs(blobs) => blobs.iter().map(|bytes| binary(bytes.as_ref())).collect(),
        _ => return Err(UnknownType),
    })
}

/// A number with all of its digits (DynamoDB has 38, more than any float), as it is written there: never by way of a
/// float. Text that is no JSON number, which DynamoDB itself does not send, stays text rather than being lost.
fn number(digits: String) -> Value {
    digits.parse::<Number>().map_or(Value::String(digits), Value::Number)
}

/// Base64 with padding, as DynamoDB's own JSON has it.
fn binary(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;
    use serde_json::json;

    use super::*;

    fn text_of(value: AttributeValue) -> String {
        plain(value).expect("a known type").to_string()
    }

    #[test]
    fn every_type_becomes_its_plain_form() {
        let s = |text: &str| AttributeValue::S(text.into());
        let n = |digits: &str| AttributeValue::N(digits.into());
        let item = HashMap::from([
            ("s".to_owned(), s("")),
            ("n".to_owned(), n("-1.5")),
            ("t".to_owned(), AttributeValue::Bool(true)),
            ("f".to_owned(), AttributeValue::Bool(false)),
            ("null".to_owned(), AttributeValue::Null(true)),
            ("b".to_owned(), AttributeValue::B(Blob::new([0xff, 0x00]))),
            (
                "l".to_owned(),
                AttributeValue::L(vec![s("x"), n("1"), AttributeValue::L(vec![])]),
            ),
            (
                "m".to_owned(),
                AttributeValue::M(HashMap::from([("k".to_owned(), AttributeValue::M(HashMap::new()))])),
            ),
            ("ss".to_owned(), AttributeValue::Ss(vec!["a".into(), "b".into()])),
            ("ns".to_owned(), AttributeValue::Ns(vec!["1".into(), "2.50".into()])),
            ("bs".to_owned(), AttributeValue::Bs(vec![Blob::new("hi")])),
        ]);
        let json = to_json(item).expect("known types").to_string();
        let expected = r#"{"b":"/wA=","bs":["aGk="],"f":false,"l":["x",1,[]],"m":{"k":{}},"n":-1.5,"ns":[1,2.50],"null":null,"s":"","ss":["a","b"],"t":true}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn numbers_keep_every_digit() {
        for digits in [
            "0",
            "-0",
            "12345678901234567890123456789012345678",
            "-0.12345678901234567890123456789012345678",
            "9007199254740993",
            "1.10",
        ] {
            assert_eq!(text_of(AttributeValue::N(digits.into())), digits);
        }
    }

    #[test]
    fn the_extremes_of_the_range_are_numbers() {
        let largest = "9.9999999999999999999999999999999999999E+125";
        assert_eq!(text_of(AttributeValue::N(largest.into())), largest.replace('E', "e"));
        assert_eq!(text_of(AttributeValue::N("-1E-130".into())), "-1e-130");
        assert_eq!(text_of(AttributeValue::N("1E125".into())), "1e+125");
    }

    #[test]
    fn what_is_no_json_number_stays_text() {
        for text in ["", "NaN", "Infinity", "+1", "007", ".5", "5.", "1 ", "0x10", "1,5"] {
            assert_eq!(plain(AttributeValue::N(text.into())), Ok(json!(text)), "{text}");
        }
    }

    #[test]
    fn keys_that_mean_something_to_the_serializer_are_only_keys() {
        let key = "$serde_json::private::Number";
        let map = HashMap::from([(key.to_owned(), AttributeValue::S("x".into()))]);
        assert_eq!(text_of(AttributeValue::M(map)), format!(r#"{{"{key}":"x"}}"#));
    }
}
