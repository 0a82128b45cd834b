//! Sending objects, many at once, in little memory.
//!
//! Each request says a sum of its bytes, so that S3 itself refuses what was changed on the way. Of a file sent in one piece it
//! is the MD5 that was compared. Of a part it is a CRC-32, which was reckoned as the file was read; that it is still what it was
//! then is looked at before the parts become an object.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::stream::{self, StreamExt, TryStreamExt};
use md5::{Digest as _, Md5};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::contents::Contents;
use super::progress::Progress;
use crate::cloud::Cloud;
use crate::cloud::repeated::{done, gone};
use crate::cloud::sdk_error::explain;
use crate::error::{Error, OrFail, Result};
use crate::journal::Undone;
use crate::site::sum::{Sum, part_size};
use crate::site::{Body, Content, Object, Site};

/// How many objects of up to [`TURN_BYTES`] bytes are sent at once. A request takes S3 some 30 ms, most of which is waiting: so
/// many make some 2,700 a second, of the 3,500 that it takes under one prefix, and each has some 100 KiB of memory.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html>
const AT_ONCE: usize = 80;

/// Larger ones count as several, so that as many bytes are on their way.
const TURN_BYTES: u64 = 32 << 10;

/// How many of the largest, files and parts of files, are sent at once: enough for all that S3 takes by one connection to be
/// more than most lines have.
const LONG_AT_ONCE: usize = 8;

/// A file up to this size is read at once and sent from memory; a longer one is read as it is sent.
const SMALL_BYTES: u64 = 128 << 10;

/// How much of a long file is read at once: each time one thread wakes another, which costs more than reading.
const PIECE_BYTES: usize = 512 << 10;

/// How many MiB of what isn't on disk as it is sent, rewritten pages above all, may be in memory at once. One of them has
/// 8 MiB at most, or a little more.
const ROOM_MIB: u32 = 12;

/// Sends what it is given to one bucket.
pub(super) struct Uploader<'a> {
    cloud: &'a Cloud,
    bucket: &'a str,
    site: &'a Site,
    progress: Progress<'a>,
    /// For what is being sent.
    turns: Semaphore,
    /// For what is in memory, by the MiB.
    room: Semaphore,
    /// What is there now, where its ETag doesn't tell it.
    sent: Mutex<Contents>,
}

impl<'a> Uploader<'a> {
    /// One that tells how far it is with `progress`.
    pub(super) fn new(cloud: &'a Cloud, bucket: &'a str, site: &'a Site, progress: Progress<'a>) -> Self {
        Self {
            cloud,
            bucket,
            site,
            progress,
            turns: Semaphore::new(AT_ONCE),
            room: Semaphore::new(ROOM_MIB as usize),
            sent: Mutex::default(),
        }
    }

    /// Sends all of `objects`.
    ///
    /// # Errors
    /// One couldn't be sent, or isn't any more what it was; those that were begun are given up.
    pub(super) async fn send_all(&self, objects: &[&Object]) -> Result<()> {
        stream::iter(objects)
            .map(|object| self.send(object))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn send(&self, object: &Object) -> Result<()> {
        let etag = match (&object.sum, part_size(object.size)) {
            (Sum::Md5(md5), _) => self.send_whole(object, md5).await?,
            (Sum::Blake3(_), size) => self.send_in_parts(object, size.unwrap_or(object.size)).await?,
        };
        // Without one, it is sent again the next time.
        if let Some(etag) = etag {
            self.lock_sent().note(&object.key, &object.sum, etag.trim_matches('"'));
        }
        self.progress.sent_object();
        Ok(())
    }

    /// What of that which was sent so far has an ETag that doesn't tell what it is.
    pub(super) fn sent(&self) -> Contents {
        self.lock_sent().clone()
    }

    fn lock_sent(&self) -> MutexGuard<'_, Contents> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the ETag.
    async fn send_whole(&self, object: &Object, md5: &[u8; 16]) -> Result<Option<String>> {
        let _turn = self.turn(object.size).await;
        let _room = match &object.content {
            Content::OnDisk(_) => None,
            Content::Rewritten(..) | Content::Made(_) => {
                let size = u32::try_from(object.size >> 20).unwrap_or(ROOM_MIB).saturating_add(1);
                self.room.acquire_many(size.min(ROOM_MIB)).await.ok()
            }
        };
        let body = match self.site.body(object)? {
            Body::Bytes(bytes) => ByteStream::from(bytes),
            Body::File(path) if object.size <= SMALL_BYTES => ByteStream::from(read(path).await?),
            Body::File(path) => stream_of(&path, 0, object.size).await?,
        };
        let answer = self
            .cloud
            .s3
            .put_object()
            .bucket(self.bucket)
            .key(&*object.key)
            .content_length(length(object.size)?)
            .content_md5(BASE64.encode(md5))
            .content_type(&object.headers.content_type)
            .cache_control(&object.headers.cache_control)
            .set_content_encoding(object.headers.content_encoding.clone())
            .set_content_disposition(object.headers.content_disposition.clone())
            .set_content_language(object.headers.content_language.clone())
            .set_website_redirect_location(object.headers.redirect.clone())
            .body(body)
            .customize()
            // The MD5 is signed, and says as much of the bytes as another sum over them would.
            .disable_payload_signing()
            .config_override(Cloud::for_sending(object.size))
            .send()
            .await;
        match answer {
            Ok(answer) => {
                self.progress.sent_bytes(object.size);
                self.site.check(object)?;
                Ok(answer.e_tag)
            }
            Err(error) => Err(self.refused(object, explain(error, &self.what(object)))),
        }
    }

    /// In parts, for which S3 has no limit of 5 GiB, and of which only the one that failed is sent again.
    /// Returns the ETag.
    async fn send_in_parts(&self, object: &Object, part_size: u64) -> Result<Option<String>> {
        let (s3, what) = (&self.cloud.s3, self.what(object));
        let (Body::File(path), Some(sums)) = (self.site.body(object)?, &object.part_sums) else {
            return Err(Error::failed(what).cause("only files are sent in parts"));
        };
        let id = Arc::new(OnceLock::new());
        let entry = {
            let (cloud, bucket, key) = (self.cloud.clone(), self.bucket.to_owned(), object.key.to_string());
            let id = Arc::clone(&id);
            let undo = move || async move { abort(&cloud, &bucket, &key, id.get()).await.map(|()| Undone::Gone) };
            self.cloud.journal.undoable(undo).await
        };
        let begun = s3
            .create_multipart_upload()
            .bucket(self.bucket)
            .key(&*object.key)
            .content_type(&object.headers.content_type)
            .cache_control(&object.headers.cache_control)
            .set_content_encoding(object.headers.content_encoding.clone())
            .set_content_disposition(object.headers.content_disposition.clone())
            .set_content_language(object.headers.content_language.clone())
            .set_website_redirect_location(object.headers.redirect.clone())
            // Else S3 refuses parts that have one.
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(|error| explain(error, &what))?;
        let upload: &String = id.get_or_init(|| begun.upload_id.unwrap_or_default());
        let sent = stream::iter((0..).zip(sums.iter()))
            .map(|(index, crc)| self.send_part(object, &path, upload, part_size, (index, *crc)))
            .buffered(LONG_AT_ONCE)
            .try_collect::<Vec<CompletedPart>>()
            .await
            .and_then(|parts| self.site.check(object).map(|()| parts));
        let completed = match sent {
            Ok(parts) => self.complete(object, upload, parts).await,
            Err(error) => Err(error),
        };
        // What failed is given up as the run ends, as is what was under way beside it.
        if completed.is_ok() {
            entry.done();
        }
        completed
    }

    async fn complete(&self, object: &Object, upload: &str, parts: Vec<CompletedPart>) -> Result<Option<String>> {
        let s3 = &self.cloud.s3;
        let expected = etag_of(&parts);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = s3.complete_multipart_upload().bucket(self.bucket).key(&*object.key);
        let request = request.upload_id(upload).multipart_upload(parts).customize();
        // S3 may be minutes about it.
        let answer = request.config_override(Cloud::for_sending(object.size)).send().await;
        // The same request again finds no upload, or doesn't come through; the object is there.
        let look = async || {
            let there = s3.head_object().bucket(self.bucket).key(&*object.key).send().await;
            let there = there.ok()?.e_tag?;
            expected
                .filter(|expected| there.trim_matches('"') == expected)
                .map(Some)
        };
        done(answer.map(|answer| answer.e_tag), || self.what(object), look).await
    }

    async fn send_part(
        &self,
        object: &Object,
        path: &Path,
        upload: &str,
        part_size: u64,
        (index, crc): (u64, u32),
    ) -> Result<CompletedPart> {
        let offset = index * part_size;
        let size = part_size.min(object.size - offset);
        let _turn = self.turn(size).await;
        let number = i32::try_from(index + 1).or_fail(|| self.what(object))?;
        let crc = BASE64.encode(crc.to_be_bytes());
        let answer = self
            .cloud
            .s3
            .upload_part()
            .bucket(self.bucket)
            .key(&*object.key)
            .upload_id(upload)
            .part_number(number)
            .content_length(length(size)?)
            .checksum_crc32(&crc)
            .body(stream_of(path, offset, size).await?)
            .customize()
            .config_override(Cloud::for_sending(size))
            .send()
            .await
            .map_err(|error| self.refused(object, explain(error, &self.what(object))))?;
        self.progress.sent_bytes(size);
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(answer.e_tag)
            // The object's own is one of all of them.
            .checksum_crc32(crc)
            .build())
    }

    /// Waits until so many bytes may be sent; they may as long as what it returns lives.
    async fn turn(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let most = AT_ONCE / LONG_AT_ONCE;
        let turns = usize::try_from(bytes.div_ceil(TURN_BYTES))
            .unwrap_or(most)
            .clamp(1, most);
        self.turns.acquire_many(u32::try_from(turns).unwrap_or(1)).await.ok()
    }

    fn what(&self, object: &Object) -> String {
        format!("could not upload {} to {}", object.key, self.bucket)
    }

    /// Why it was refused: if S3 got other bytes than it was told of, the file knows.
    fn refused(&self, object: &Object, error: Error) -> Error {
        self.site.check(object).err().unwrap_or(error)
    }
}

/// Gives an upload in parts up. Where its id never arrived, all uploads of that object are: nobody else publishes beside us.
/// What stays nevertheless the bucket's lifecycle rule removes after a day.
async fn abort(cloud: &Cloud, bucket: &str, key: &str, id: Option<&String>) -> Result<()> {
    let what = || format!("could not give up the upload of {key} to {bucket}");
    let ids = match id {
        Some(id) => vec![id.clone()],
        None => {
            let list = cloud.s3.list_multipart_uploads().bucket(bucket).prefix(key);
            let listed = list.send().await.map_err(|error| explain(error, &what()))?;
            let of_it = listed.uploads.unwrap_or_default().into_iter();
            let of_it = of_it.filter(|upload| upload.key() == Some(key));
            of_it.filter_map(|upload| upload.upload_id).collect()
        }
    };
    for id in ids {
        let abort = cloud.s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
        gone(abort.send().await, what)?;
    }
    Ok(())
}

async fn read(path: PathBuf) -> Result<Vec<u8>> {
    tokio::fs::read(&path)
        .await
        .or_fail(|| format!("could not read {}", path.display()))
}

/// The ETag that S3 gives an object made of these parts, unless it encrypts by KMS: the MD5 of their MD5s, with their
/// number.
fn etag_of(parts: &[CompletedPart]) -> Option<String> {
    let md5 = |part: &CompletedPart| hex::decode(part.e_tag()?.trim_matches('"')).ok();
    let md5s: Vec<Vec<u8>> = parts.iter().map(md5).collect::<Option<_>>()?;
    Some(format!("{}-{}", hex::encode(Md5::digest(md5s.concat())), parts.len()))
}

async fn stream_of(path: &Path, offset: u64, size: u64) -> Result<ByteStream> {
    ByteStream::read_from()
        .path(path)
        .offset(offset)
        .length(Length::Exact(size))
        .buffer_size(PIECE_BYTES)
        .build()
        .await
        .or_fail(|| format!("could not read {}", path.display()))
}

fn length(size: u64) -> Result<i64> {
    i64::try_from(size).or_fail(|| "a file is too large".to_owned())
}
