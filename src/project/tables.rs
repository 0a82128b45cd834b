//! The tables that the templates have, with their keys.

use std::collections::BTreeMap;

use serde_json::Value;

use super::seed::{KeyAttribute, KeyKind, SeedTable};
use super::stacks::StackTemplate;
use super::template::{Scope, Template};

/// The types of a table.
pub(crate) const TABLES: &[&str] = &["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"];

/// The tables of a stack that will be made, as far as `scope` tells.
pub(crate) fn of_stack(stack: &StackTemplate, scope: &Scope) -> Vec<SeedTable> {
    let resources = stack.template.resources().filter(|(_, resource)| {
        TABLES.contains(&Template::type_of(resource)) && stack.template.is_wanted(resource, scope)
    });
    resources
        .map(|(id, resource)| SeedTable {
            stack: stack.id.to_string(),
            logical_id: id.to_owned(),
            keys: keys(&stack.template, resource, scope),
        })
        .collect()
}

/// The key attributes of a table, the partition key first; none of one whose template doesn't say it plainly.
pub(crate) fn keys(template: &Template, table: &Value, scope: &Scope) -> Vec<KeyAttribute> {
    let Some(properties) = table.get("Properties") else {
        return Vec::new();
    };
    let text = |value: &Value, key: &str| template.text_of(value.get(key)?, scope);
    let list = |name: &str| properties.get(name).and_then(Value::as_array).into_iter().flatten();
    let kinds: BTreeMap<String, KeyKind> = list("AttributeDefinitions")
        .filter_map(|definition| {
            let kind = match text(definition, "AttributeType")?.as_str() {
                "S" => KeyKind::Text,
                "N" => KeyKind::Number,
                "B" => KeyKind::Binary,
                _ => return None,
            };
            Some((text(definition, "AttributeName")?, kind))
        })
        .collect();
    let mut keys: Vec<(bool, KeyAttribute)> = list("KeySchema")
        .filter_map(|element| {
            let name = text(element, "AttributeName")?;
            let kind = *kinds.get(&name)?;
            let is_sort = text(element, "KeyType")? == "RANGE";
            Some((is_sort, KeyAttribute { name, kind }))
        })
        .collect();
    keys.sort_by_key(|(is_sort, _)| *is_sort);
    keys.into_iter().map(|(_, key)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_the_template_has_them() {
        let stack = StackTemplate::of_text(
            "data",
            r#"
Parameters: { Key: { Type: String, Default: customer }, DesiredStack: { Type: String, Default: "no" } }
Conditions: { IsWanted: !Equals [!Ref DesiredStack, "yes"] }
Resources:
  Topic: { Type: AWS::SNS::Topic }
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions:
        - { AttributeName: at, AttributeType: N }
        - { AttributeName: !Ref Key, AttributeType: S }
        - { AttributeName: other, AttributeType: B }
      KeySchema: [{ AttributeName: at, KeyType: RANGE }, { AttributeName: !Ref Key, KeyType: HASH }]
  Absent: { Type: AWS::DynamoDB::Table, Condition: IsWanted, Properties: {} }
"#,
        );
        let scope = stack.template.known_parameters(&BTreeMap::new());
        let tables = of_stack(&stack, &scope);
        assert_eq!(tables.len(), 1);
        let keys: Vec<(&str, KeyKind)> = tables[0].keys.iter().map(|key| (key.name.as_str(), key.kind)).collect();
        assert_eq!(keys, [("customer", KeyKind::Text), ("at", KeyKind::Number)]);
    }
}
