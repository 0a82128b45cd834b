//! What AWS's own schemas say of resource types: their properties, and what `Fn::GetAtt` gives.
//!
//! `schemas.zip` is made by `make.py` of the schemas that AWS publishes, as cfn-lint has them. AWS may have more by now, so
//! that what isn't in it may well be there: only what looks like a slip of something known is one.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use serde::Deserialize;
use zip::ZipArchive;

const SCHEMAS: &[u8] = include_bytes!("schemas.zip");

/// The objects that a type's properties are made of; "" is the one of all properties. A property's own object is named, if
/// it has one or is a list of such.
type Objects = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// A resource type.
#[derive(Debug, Deserialize)]
pub(super) struct ResourceSchema {
    /// What `Fn::GetAtt` gives, with dots.
    pub(super) attributes: Vec<String>,
    objects: Objects,
}

impl ResourceSchema {
    /// The properties of one of its objects, if that is known.
    pub(super) fn properties(&self, object: &str) -> Option<&BTreeMap<String, Option<String>>> {
        self.objects.get(object)
    }
}

/// The schemas, read service by service as they are asked for; by default none.
#[derive(Default)]
pub(super) struct Schemas {
    archive: Option<ZipArchive<Cursor<&'static [u8]>>>,
    services: BTreeMap<String, BTreeMap<String, ResourceSchema>>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        Self {
            archive: ZipArchive::new(Cursor::new(SCHEMAS)).ok(),
            services: BTreeMap::new(),
        }
    }

    /// The types of a service by name, such as those of `DynamoDB`; none if the service isn't known.
    pub(super) fn of_service(&mut self, service: &str) -> &BTreeMap<String, ResourceSchema> {
        let archive = &mut self.archive;
        self.services.entry(service.to_owned()).or_insert_with(|| {
            let file = archive
                .as_mut()
                .and_then(|archive| archive.by_name(&format!("{service}.json")).ok());
            let text = file.and_then(|mut file| {
                // Whole: a parser that reads it asks for each byte.
                let mut text = String::new();
                file.read_to_string(&mut text).ok().map(|_| text)
            });
            text.and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default()
        })
    }

    /// One type's.
    pub(super) fn of_type(&mut self, resource_type: &str) -> Option<&ResourceSchema> {
        self.of_service(service_of(resource_type)?).get(resource_type)
    }

    /// All services.
    pub(super) fn service_names(&self) -> Vec<String> {
        let names = self.archive.iter().flat_map(|archive| archive.file_names());
        names
            .filter_map(|name| Some(name.ok()?.strip_suffix(".json")?.to_owned()))
            .collect()
    }
}

/// `DynamoDB` of `AWS::DynamoDB::Table`.
fn service_of(resource_type: &str) -> Option<&str> {
    match resource_type.split("::").collect::<Vec<_>>().as_slice() {
        ["AWS", service, _] => Some(service),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use test_support::tools;

    use super::*;

    fn entries(archive: &[u8]) -> BTreeMap<String, String> {
        let mut archive = ZipArchive::new(Cursor::new(archive)).expect("an archive");
        let mut entries = BTreeMap::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).expect("an entry");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("text");
            entries.insert(file.name().expect("a name").into_owned(), text);
        }
        entries
    }

    /// `DEPLOYER_RENEW_DATA=1` writes it anew instead, after another version of cfn-lint was taken.
    #[test]
    fn the_schemas_are_those_that_cfn_lint_has() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/project/template/schema");
        let made = tempfile::NamedTempFile::new().expect("a file");
        let ran = Command::new(tools::cfn_lint().with_file_name("python"))
            .arg("-I")
            .arg(folder.join("make.py"))
            .arg(made.path())
            .status();
        assert!(ran.expect("Python starts").success());
        let made = std::fs::read(made.path()).expect("made");
        if std::env::var_os("DEPLOYER_RENEW_DATA").is_some() {
            std::fs::write(folder.join("schemas.zip"), &made).expect("written");
            return;
        }
        // Not as a comparison of all: it would be a page of a million signs.
        let (own, made) = (entries(SCHEMAS), entries(&made));
        let services = |all: &BTreeMap<String, String>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(services(&own), services(&made));
        let differ: Vec<&String> = own.keys().filter(|name| own[*name] != made[*name]).collect();
        assert!(differ.is_empty(), "renew schemas.zip: {differ:?}");
    }

    #[test]
    fn a_type_has_its_properties_and_attributes() {
        let mut schemas = Schemas::new();
        let table = schemas.of_type("AWS::DynamoDB::Table").expect("known");
        assert!(table.attributes.iter().any(|attribute| attribute == "StreamArn"));
        let properties = table.properties("").expect("its own");
        let object = properties["AttributeDefinitions"]
            .as_deref()
            .expect("a list of objects");
        assert!(table.properties(object).expect("known").contains_key("AttributeName"));
        assert!(schemas.of_type("AWS::DynamoDB::Nothing").is_none());
        assert!(schemas.of_type("Custom::Thing").is_none());
        assert!(schemas.service_names().len() > 200);
    }
}
