//! Items as the SDK has them, and back.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::project::seed::Attribute;

pub(super) fn to_dynamodb(value: &Attribute) -> AttributeValue {
    match value {
        Attribute::Text(text) => AttributeValue::S(text.clone()),
        Attribute::Number(digits) => AttributeValue::N(digits.clone()),
        Attribute::Binary(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
        Attribute::Flag(flag) => AttributeValue::Bool(*flag),
        Attribute::Null => AttributeValue::Null(true),
        Attribute::List(items) => AttributeValue::L(items.iter().map(to_dynamodb).collect()),
        Attribute::Map(named) => AttributeValue::M(map_to_dynamodb(named)),
        Attribute::TextSet(texts) => AttributeValue::Ss(texts.iter().cloned().collect()),
        Attribute::NumberSet(numbers) => AttributeValue::Ns(numbers.iter().cloned().collect()),
        Attribute::BinarySet(values) => AttributeValue::Bs(values.iter().cloned().map(Blob::new).collect()),
    }
}

pub(crate) fn map_to_dynamodb(named: &BTreeMap<String, Attribute>) -> HashMap<String, AttributeValue> {
    let values = named.iter().map(|(name, value)| (name.clone(), to_dynamodb(value)));
    values.collect()
}

/// A value that a table told, which may have a set in another order and a number in other digits. None of a type that
/// isn't known here.
pub(super) fn from_dynamodb(value: &AttributeValue) -> Option<Attribute> {
    let digits = |written: &String| match Attribute::number(written)? {
        Attribute::Number(digits) => Some(digits),
        _ => None,
    };
    Some(match value {
        AttributeValue::S(text) => Attribute::Text(text.clone()),
        AttributeValue::N(written) => Attribute::number(written)?,
        AttributeValue::B(bytes) => Attribute::Binary(bytes.as_ref().to_vec()),
        AttributeValue::Bool(flag) => Attribute::Flag(*flag),
        AttributeValue::Null(_) => Attribute::Null,
        AttributeValue::L(items) => Attribute::List(items.iter().map(from_dynamodb).collect::<Option<_>>()?),
        AttributeValue::M(named) => Attribute::Map(map_from_dynamodb(named)?),
        AttributeValue::Ss(texts) => Attribute::TextSet(texts.iter().cloned().collect()),
        AttributeValue::Ns(numbers) => Attribute::NumberSet(numbers.iter().map(digits).collect::<Option<_>>()?),
        AttributeValue::Bs(values) => {
            Attribute::BinarySet(values.iter().map(|bytes| bytes.as_ref().to_vec()).collect())
        }
        _ => return None,
    })
}

pub(super) fn map_from_dynamodb(named: &HashMap<String, AttributeValue>) -> Option<BTreeMap<String, Attribute>> {
    let values = named
        .iter()
        .map(|(name, value)| Some((name.clone(), from_dynamodb(value)?)));
    values.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::project::seed::tests::any_attributes;

    proptest! {
        #[test]
        fn any_item_is_the_same_in_the_sdk(attributes in any_attributes()) {
            let told = map_to_dynamodb(&attributes);
            prop_assert_eq!(map_from_dynamodb(&told), Some(attributes));
        }
    }

    #[test]
    fn the_order_of_a_set_and_spare_zeros_mean_nothing() {
        let told = AttributeValue::Ns(vec!["2.50".to_owned(), "1".to_owned()]);
        let same = AttributeValue::Ns(vec!["1.0".to_owned(), "2.5".to_owned()]);
        assert_eq!(from_dynamodb(&told), from_dynamodb(&same));
    }
}
