//! What the S3 server remembers: an index of each bucket's objects, in memory. Pure: nothing here speaks HTTP.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use md5::{Digest as _, Md5};

/// What S3 demands of every part of an upload but the last.
const SMALLEST_PART: u64 = 5 << 20;

/// An object without, as a rule, its content.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// In bytes.
    pub(crate) size: u64,
    /// Without its quotes.
    pub(crate) etag: String,
    /// When it was put there.
    pub(crate) modified: SystemTime,
    /// What it was sent with.
    pub(crate) headers: Headers,
    /// None if it was too long to be kept.
    pub(crate) content: Option<Bytes>,
}

/// The headers that S3 gives back as it got them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) cache_control: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_type: Option<String>,
}

/// What a write asks of the object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    Always,
    /// That there is none (`If-None-Match: *`).
    Absent,
    /// That it has this ETag (`If-Match`).
    Unchanged(String),
}

/// Why something isn't done; each is an error of S3's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    InvalidPart,
    InvalidPartOrder,
    EntityTooSmall,
    PreconditionFailed,
}

/// A result that S3 has an error for.
pub(crate) type Done<T> = Result<T, Refusal>;

/// A part of an upload.
#[derive(Debug, Clone, Copy)]
struct Part {
    md5: [u8; 16],
    size: u64,
}

#[derive(Debug, Default)]
struct Upload {
    key: String,
    headers: Headers,
    parts: BTreeMap<i32, Part>,
}

/// A bucket.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    objects: BTreeMap<String, Object>,
    uploads: HashMap<String, Upload>,
    begun: u64,
}

/// Some of a bucket's objects, by key.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<(String, Object)>,
    /// Whether there are more after these.
    pub(crate) truncated: bool,
}

/// All buckets; there are never others than at the beginning.
#[derive(Debug)]
pub(crate) struct Store {
    buckets: BTreeMap<String, Mutex<Bucket>>,
}

impl Store {
    /// Empty buckets.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let buckets = names.into_iter().map(|name| (name.to_owned(), Mutex::default()));
        Self {
            buckets: buckets.collect(),
        }
    }

    /// A bucket, for as long as it takes to do one thing with it.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn bucket(&self, name: &str) -> Done<MutexGuard<'_, Bucket>> {
        let bucket = self.buckets.get(name).ok_or(Refusal::NoSuchBucket)?;
        Ok(bucket.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bucket {
    /// Puts an object in the place of any other.
    ///
    /// # Errors
    /// The condition isn't met.
    pub(crate) fn put(&mut self, key: String, object: Object, condition: &Condition) -> Done<()> {
        let there = self.objects.get(&key);
        match (condition, there) {
            (Condition::Always, _) | (Condition::Absent, None) => {}
            (Condition::Unchanged(_), None) => return Err(Refusal::NoSuchKey),
            (Condition::Unchanged(etag), Some(object)) if *etag == object.etag => {}
            (Condition::Absent | Condition::Unchanged(_), Some(_)) => return Err(Refusal::PreconditionFailed),
        }
        self.objects.insert(key, object);
        Ok(())
    }

    /// An object.
    ///
    /// # Errors
    /// There is none of this key.
    pub(crate) fn get(&self, key: &str) -> Done<&Object> {
        self.objects.get(key).ok_or(Refusal::NoSuchKey)
    }

    /// All objects, by key.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.iter()
    }

    /// Removes an object, if there is one.
    pub(crate) fn remove(&mut self, key: &str) {
        self.objects.remove(key);
    }

    /// At most `most` objects whose keys begin with `prefix` and come after `after`.
    pub(crate) fn list(&self, prefix: &str, after: Option<&str>, most: usize) -> Page {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut matching = self
            .objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix));
        let taken = matching.by_ref().take(most);
        let objects = taken.map(|(key, object)| (key.clone(), object.clone())).collect();
        Page {
            objects,
            truncated: matching.next().is_some(),
        }
    }

    /// Begins an upload in parts, and gives its id.
    pub(crate) fn begin(&mut self, key: String, headers: Headers) -> String {
        self.begun += 1;
        let id = format!("upload-{}", self.begun);
        let upload = Upload {
            key,
            headers,
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id.clone(), upload);
        id
    }

    /// Takes a part of an upload, in the place of any other of its number.
    ///
    /// # Errors
    /// There is no such upload.
    pub(crate) fn take_part(&mut self, id: &str, number: i32, md5: [u8; 16], size: u64) -> Done<()> {
        let upload = self.uploads.get_mut(id).ok_or(Refusal::NoSuchUpload)?;
        upload.parts.insert(number, Part { md5, size });
        Ok(())
    }

    /// Makes an object of these parts, named by number and ETag, and gives its ETag.
    ///
    /// # Errors
    /// The parts aren't those that were sent, one of them is too small, or the condition isn't met.
    pub(crate) fn complete(&mut self, id: &str, named: &[(i32, String)], condition: &Condition) -> Done<String> {
        let upload = self.uploads.get(id).ok_or(Refusal::NoSuchUpload)?;
        if !named.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(Refusal::InvalidPartOrder);
        }
        let sent =
            |(number, etag): &(i32, String)| upload.parts.get(number).filter(|part| hex::encode(part.md5) == *etag);
        let parts: Option<Vec<&Part>> = named.iter().map(sent).collect();
        let parts = parts.ok_or(Refusal::InvalidPart)?;
        let (_, all_but_last) = parts.split_last().ok_or(Refusal::InvalidPart)?;
        if all_but_last.iter().any(|part| part.size < SMALLEST_PART) {
            return Err(Refusal::EntityTooSmall);
        }
        let md5s: Vec<u8> = parts.iter().flat_map(|part| part.md5).collect();
        let etag = format!("{}-{}", hex::encode(Md5::digest(md5s)), parts.len());
        let object = Object {
            size: parts.iter().map(|part| part.size).sum(),
            etag: etag.clone(),
            modified: SystemTime::now(),
            headers: upload.headers.clone(),
            content: None,
        };
        self.put(upload.key.clone(), object, condition)?;
        self.uploads.remove(id);
        Ok(etag)
    }

    /// Forgets an upload.
    ///
    /// # Errors
    /// There is no such upload.
    pub(crate) fn abort(&mut self, id: &str) -> Done<()> {
        self.uploads.remove(id).map(|_| ()).ok_or(Refusal::NoSuchUpload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(etag: &str) -> Object {
        Object {
            size: 1,
            etag: etag.to_owned(),
            modified: SystemTime::UNIX_EPOCH,
            headers: Headers::default(),
            content: None,
        }
    }

    fn keys(page: &Page) -> Vec<&str> {
        page.objects.iter().map(|(key, _)| key.as_str()).collect()
    }

    #[test]
    fn a_write_looks_at_what_is_there() {
        let mut bucket = Bucket::default();
        let mut put = |etag: &str, condition: Condition| bucket.put("lease".to_owned(), object(etag), &condition);
        let unchanged = |etag: &str| Condition::Unchanged(etag.to_owned());
        assert_eq!(put("1", unchanged("0")), Err(Refusal::NoSuchKey));
        assert_eq!(put("1", Condition::Absent), Ok(()));
        assert_eq!(put("2", Condition::Absent), Err(Refusal::PreconditionFailed));
        assert_eq!(put("2", unchanged("0")), Err(Refusal::PreconditionFailed));
        assert_eq!(put("2", unchanged("1")), Ok(()));
        assert_eq!(put("3", Condition::Always), Ok(()));
        assert_eq!(bucket.get("lease").map(|object| object.etag.as_str()), Ok("3"));
    }

    #[test]
    fn pages_follow_one_another() {
        let mut bucket = Bucket::default();
        for key in ["a", "b/1", "b/2", "b/3", "c"] {
            bucket.put(key.to_owned(), object(key), &Condition::Always).expect(key);
        }
        let first = bucket.list("b/", None, 2);
        assert_eq!((keys(&first), first.truncated), (vec!["b/1", "b/2"], true));
        let last = bucket.list("b/", Some("b/2"), 2);
        assert_eq!((keys(&last), last.truncated), (vec!["b/3"], false));
        assert_eq!(keys(&bucket.list("b/", Some("a"), 9)), ["b/1", "b/2", "b/3"]);
        assert_eq!(keys(&bucket.list("", Some("b/3"), 9)), ["c"]);
    }

    #[test]
    fn an_upload_in_parts_has_an_etag_of_its_own() {
        let mut bucket = Bucket::default();
        let id = bucket.begin("large".to_owned(), Headers::default());
        let [one, two] = [[1; 16], [2; 16]];
        bucket.take_part(&id, 1, one, SMALLEST_PART).expect("begun");
        bucket.take_part(&id, 2, two, 7).expect("begun");
        let named = [(1, hex::encode(one)), (2, hex::encode(two))];
        let mut complete = |named: &[(i32, String)]| bucket.complete(&id, named, &Condition::Always);
        let reversed = [named[1].clone(), named[0].clone()];
        assert_eq!(complete(&reversed), Err(Refusal::InvalidPartOrder));
        assert_eq!(complete(&[(1, hex::encode(two))]), Err(Refusal::InvalidPart));
        assert_eq!(complete(&[]), Err(Refusal::InvalidPart));
        // What md5sum says of both MD5s, one after the other.
        assert_eq!(complete(&named).as_deref(), Ok("a2178117d5e9ed5f7660ab3e6719c6a2-2"));
        assert_eq!(complete(&named), Err(Refusal::NoSuchUpload));
        assert_eq!(bucket.get("large").map(|object| object.size), Ok(SMALLEST_PART + 7));
    }

    #[test]
    fn a_part_before_the_last_is_not_small() {
        let mut bucket = Bucket::default();
        let id = bucket.begin("large".to_owned(), Headers::default());
        let md5 = [0; 16];
        for number in [1, 2] {
            bucket.take_part(&id, number, md5, 7).expect("begun");
        }
        let named = [(1, hex::encode(md5)), (2, hex::encode(md5))];
        assert_eq!(
            bucket.complete(&id, &named, &Condition::Always),
            Err(Refusal::EntityTooSmall)
        );
    }
}
