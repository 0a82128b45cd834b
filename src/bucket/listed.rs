//! A page of a bucket's listing, read for the keys and ETags alone.
//!
//! The SDK reads a page of a thousand objects in 2.5 ms, most of them for what nobody here wants. A site that hasn't changed
//! is listed and nothing else, and so takes longer to be read than to be asked for. Errors the SDK reads as ever, and what
//! isn't understood here is for it to ask for again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, Error, Output,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_types::config_bag::ConfigBag;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use super::Etag;

/// What a page has of each of its objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) objects: Vec<(Box<str>, Etag)>,
    pub(super) is_truncated: bool,
}

impl From<ListObjectsV2Output> for Listed {
    fn from(page: ListObjectsV2Output) -> Self {
        let objects = page.contents.unwrap_or_default().into_iter();
        Self {
            is_truncated: page.is_truncated == Some(true),
            objects: objects
                .map(|object| {
                    let etag = object.e_tag.unwrap_or_default().into();
                    (object.key.unwrap_or_default().into(), etag)
                })
                .collect(),
        }
    }
}

/// Has an answer to `ListObjectsV2` read so. The SDK's own output then has nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadKeysOnly(Arc<Mutex<Option<Listed>>>);

impl ReadKeysOnly {
    /// What the page has; none if it isn't understood.
    pub(super) fn take(&self) -> Option<Listed> {
        self.page().take()
    }

    fn page(&self) -> MutexGuard<'_, Option<Listed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for ReadKeysOnly {
    fn name(&self) -> &'static str {
        "ReadKeysOnly"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Errors are the SDK's to read, which knows those to try again after. Once there was a page, nothing is tried again.
        if context.response().status().as_u16() == 200 {
            let instead = SharedResponseDeserializer::new(self.clone());
            bag.interceptor_state().store_put(instead);
        }
        Ok(())
    }
}

impl DeserializeResponse for ReadKeysOnly {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<Error>> {
        *self.page() = response.body().bytes().and_then(parse);
        Ok(Output::erase(ListObjectsV2Output::builder().build()))
    }
}

/// Reads a `ListBucketResult`; none if it is anything else, or unusual where it matters.
fn parse(text: &[u8]) -> Option<Listed> {
    let mut reader = Reader::from_reader(text);
    let mut page = Listed::default();
    let (mut depth, mut is_a_page, mut is_wanted) = (0_usize, false, false);
    let (mut value, mut key, mut etag) = (String::new(), None, None);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => {
                depth += 1;
                let name = element.local_name();
                is_a_page |= depth == 1 && name.as_ref() == b"ListBucketResult";
                if !is_a_page || is_wanted {
                    return None;
                }
                is_wanted = match depth {
                    2 => name.as_ref() == b"IsTruncated",
                    3 => matches!(name.as_ref(), b"Key" | b"ETag"),
                    _ => false,
                };
                value.clear();
            }
            // A reader is to see line ends as one character each, which S3 writes as references.
            Event::Text(part) if is_wanted => match part.decode().ok()? {
                part if part.contains('\r') => return None,
                part => value.push_str(&part),
            },
            Event::GeneralRef(reference) if is_wanted => match reference.resolve_char_ref().ok()? {
                Some(character) => value.push(character),
                None => value.push_str(resolve_xml_entity(&reference.decode().ok()?)?),
            },
            Event::End(element) => {
                match (depth, element.local_name().as_ref()) {
                    (2, b"IsTruncated") => page.is_truncated = value.parse().ok()?,
                    // Also each prefix that keys have in common has a `Prefix`, but no `Key`.
                    (3, b"Key") => key = Some(value.as_str().into()),
                    (3, b"ETag") => etag = Some(value.as_str().into()),
                    (2, b"Contents") => page.objects.push((key.take()?, etag.take()?)),
                    _ => {}
                }
                (depth, is_wanted) = (depth.checked_sub(1)?, false);
            }
            Event::CData(_) if is_wanted => return None,
            Event::DocType(_) => return None,
            Event::Eof => return (is_a_page && depth == 0).then_some(page),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of S3's, from its documentation, with two objects.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
    const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Name>quotes</Name>
    <Prefix/>
    <KeyCount>2</KeyCount>
    <MaxKeys>3</MaxKeys>
    <IsTruncated>true</IsTruncated>
    <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
    <Contents>
        <Key>a &amp; b&#13;&#x10;&lt;.html</Key>
        <LastModified>2009-10-12T17:50:30.000Z</LastModified>
        <ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag>
        <ChecksumAlgorithm>CRC32</ChecksumAlgorithm>
        <Size>434234</Size>
        <Owner><ID>75aa57f0</ID><Key>not this</Key></Owner>
        <StorageClass>STANDARD</StorageClass>
    </Contents>
    <Contents>
        <Key> z</Key>
        <ETag>"fba9dede5f27731c9771645a39863328-2"</ETag>
    </Contents>
    <CommonPrefixes><Prefix>photos/</Prefix></CommonPrefixes>
</ListBucketResult>"#;

    #[test]
    fn a_page_has_its_keys_and_etags() {
        let page = parse(ANSWER.as_bytes()).expect("a page");
        let etag = "fba9dede5f27731c9771645a39863328";
        assert_eq!(
            page.objects,
            [
                ("a & b\r\u{10}<.html".into(), Etag::from(etag)),
                (" z".into(), Etag::from(format!("{etag}-2"))),
            ]
        );
        assert!(page.is_truncated);
        let whole = ANSWER.replace("<IsTruncated>true", "<IsTruncated>false");
        assert!(!parse(whole.as_bytes()).expect("a page").is_truncated);
    }

    #[test]
    fn what_is_unusual_is_not_understood() {
        for (from, to) in [
            ("ListBucketResult", "Error"),
            ("</ListBucketResult>", ""),
            ("<Key> z</Key>", ""),
            ("<Key> z</Key>", "<Key/>"),
            ("<Key> z</Key>", "<Key><b>z</b></Key>"),
            ("<Key> z</Key>", "<Key>z\r\n</Key>"),
            ("<Key> z</Key>", "<Key><![CDATA[z]]></Key>"),
            ("<Key> z</Key>", "<Key>&unknown;</Key>"),
            ("<Key> z</Key>", "<Key>z</ETag>"),
            ("<ETag>\"", "<Tag>\""),
            ("<IsTruncated>true", "<IsTruncated>perhaps"),
        ] {
            let text = ANSWER.replace(from, to);
            assert_ne!(text, ANSWER, "{from}");
            assert_eq!(parse(text.as_bytes()), None, "{from} as {to}");
        }
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"<?xml version=\"1.0\"?>"), None);
        assert_eq!(parse(b"\xff"), None);
    }
}
