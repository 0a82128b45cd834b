//! Letting go of what a stack protects, as an update of the stack, so that its deletion deletes all of it.

use serde_json::{Value, json};

use crate::project::template::Template;

/// The deployed template with every protection lifted: deletion policies, and deletion protection of tables.
///
/// CloudFormation takes a changed deletion policy alone for no update, so each resource's metadata says it, too.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html>
pub(crate) fn release(deployed: &Template) -> Template {
    let mut released = deployed.clone();
    for (_, resource) in released.resources_mut().into_iter().flatten() {
        if resource.get("DeletionPolicy").is_some_and(|policy| policy != "Delete") {
            resource["DeletionPolicy"] = json!("Delete");
            resource["Metadata"]["Released"] = json!("for deletion");
        }
        if let Some(properties) = resource.get_mut("Properties").and_then(Value::as_object_mut)
            && properties.contains_key("DeletionProtectionEnabled")
        {
            properties.insert("DeletionProtectionEnabled".to_owned(), json!(false));
        }
    }
    released
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_protections_change() {
        let text = "
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: RetainExceptOnCreate
    Properties: { DeletionProtectionEnabled: !If [P, true, false], TableName: x }
  Bucket: { Type: AWS::S3::Bucket, DeletionPolicy: Delete }
";
        let template = Template::of_text(text);
        let value = release(&template).as_value();
        let table = &value["Resources"]["Table"];
        assert_eq!(table["DeletionPolicy"], "Delete");
        assert_eq!(
            table["Properties"],
            json!({ "DeletionProtectionEnabled": false, "TableName": "x" })
        );
        assert!(table["Metadata"]["Released"].is_string());
        assert_eq!(value["Resources"]["Bucket"], template.as_value()["Resources"]["Bucket"]);
    }
}
