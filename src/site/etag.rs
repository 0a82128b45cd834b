//! What S3 says of an object's content: its ETag.
//!
//! Of an object that was sent in one piece, and that S3 encrypts by itself, it is the MD5. Of one that was sent in parts
//! it is the MD5 of the parts' MD5s, with their number. So what is in a bucket can be compared with files without being
//! read, as long as all agree on when to use parts, and on their size.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>

use std::array;
use std::io;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use md5_lanes::{LANES, Lanes};

use super::parallel;
use crate::ident::hex;

/// An MD5.
pub type Md5Sum = [u8; 16];

/// Up to this many bytes are sent in one piece. S3 would take 5 GiB, but who sends that again for one lost connection?
const WHOLE: u64 = 16 << 20;

/// The size of a part, but for the last. S3 takes no less than 5 MiB,
const PART: u64 = 8 << 20;

/// and no more parts than this.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MOST_PARTS: u64 = 10_000;

/// In parts of which size an object of `size` bytes is sent; none if it is sent in one piece.
pub fn part_size(size: u64) -> Option<u64> {
    (size > WHOLE).then(|| {
        let least = size.div_ceil(MOST_PARTS);
        // In whole MiB.
        PART.max(least.div_ceil(1 << 20) << 20)
    })
}

/// How much of each part is read at once when several are summed at the same time: as little as the processor's caches
/// like, and as much as disks need.
const LANE: usize = 32 << 10;

/// What an object's content is, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    md5: Md5Sum,
    parts: Option<Arc<[Md5Sum]>>,
}

impl Sum {
    /// Of a content that is sent in one piece.
    pub fn whole(md5: Md5Sum) -> Self {
        Self { md5, parts: None }
    }

    /// Of a content that is sent in parts.
    pub fn in_parts(parts: Vec<Md5Sum>) -> Self {
        Self {
            md5: Md5::digest(parts.as_flattened()).into(),
            parts: Some(parts.into()),
        }
    }

    /// Sums a content of `size` bytes, which is sent in parts of `part` bytes, on all cores, and on each of them several
    /// parts at once. `read` fills a buffer from a place of the content.
    ///
    /// # Errors
    /// It can't be read, or ends before.
    pub fn read_in_parts(
        size: u64,
        part: u64,
        read: impl Fn(&mut [u8], u64) -> io::Result<()> + Sync,
    ) -> io::Result<Self> {
        let whole = size / part;
        let firsts: Vec<u64> = (0..whole).step_by(LANES).collect();
        let buffer = || vec![[0; LANE]; LANES];
        let groups = parallel::map(&firsts, buffer, |buffer, first| -> io::Result<Vec<Md5Sum>> {
            // The last lanes may have nothing to do; what they sum is left out.
            let count = usize::try_from(whole - first).map_or(LANES, |left| left.min(LANES));
            let mut lanes = Lanes::default();
            for at in (0..part).step_by(LANE) {
                for (index, piece) in (*first..).zip(&mut buffer[..count]) {
                    read(piece, index * part + at)?;
                }
                lanes.update(array::from_fn(|lane| buffer[lane].as_slice()));
            }
            Ok(lanes.finish()[..count].to_vec())
        });
        let mut parts = groups.into_iter().collect::<io::Result<Vec<_>>>()?.concat();
        let mut at = whole * part;
        if at < size {
            let (mut md5, mut buffer) = (Md5::new(), [0; LANE]);
            while at < size {
                let left = usize::try_from(size - at).map_or(LANE, |left| left.min(LANE));
                read(&mut buffer[..left], at)?;
                md5.update(&buffer[..left]);
                at += left as u64;
            }
            parts.push(md5.finalize().into());
        }
        Ok(Self::in_parts(parts))
    }

    /// The MD5 of the content, or of the MD5s of its parts.
    pub fn md5(&self) -> &Md5Sum {
        &self.md5
    }

    /// The MD5s of the parts, if it is sent in parts.
    pub fn parts(&self) -> Option<&[Md5Sum]> {
        self.parts.as_deref()
    }

    /// As S3 writes it, without the quotes.
    pub fn etag(&self) -> String {
        match &self.parts {
            None => hex(&self.md5),
            Some(parts) => format!("{}-{}", hex(&self.md5), parts.len()),
        }
    }
}

/// Sums a content of a known size as it comes.
#[derive(Debug)]
pub struct Hasher {
    md5: Md5,
    /// The size of a part and how much of the present one has come.
    part: Option<(u64, u64)>,
    parts: Vec<Md5Sum>,
}

impl Hasher {
    /// For `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            md5: Md5::new(),
            part: part_size(size).map(|size| (size, 0)),
            parts: Vec::new(),
        }
    }

    /// The next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while let Some((size, come)) = &mut self.part {
            let (now, rest) = bytes.split_at(bytes.len().min(usize::try_from(*size - *come).unwrap_or(usize::MAX)));
            self.md5.update(now);
            *come += now.len() as u64;
            if come == size {
                self.parts.push(self.md5.finalize_reset().into());
                *come = 0;
            }
            if rest.is_empty() {
                return;
            }
            bytes = rest;
        }
        self.md5.update(bytes);
    }

    /// What they were.
    pub fn finish(mut self) -> Sum {
        match self.part {
            None => Sum::whole(self.md5.finalize().into()),
            Some((_, come)) => {
                if come > 0 {
                    self.parts.push(self.md5.finalize().into());
                }
                Sum::in_parts(self.parts)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(content: &[u8]) -> impl Fn(&mut [u8], u64) -> io::Result<()> + Sync {
        |buffer, at| {
            let rest = &content[content.len().min(at as usize)..];
            let bytes = rest.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(bytes);
            Ok(())
        }
    }

    #[test]
    fn parts_are_as_large_as_s3_wants() {
        assert_eq!(part_size(WHOLE), None);
        assert_eq!(part_size(WHOLE + 1), Some(PART));
        let largest = 5 << 40;
        let size = part_size(largest).expect("parts");
        assert!(largest.div_ceil(size) <= MOST_PARTS && size < 5 << 30);
    }

    #[test]
    fn a_sum_is_the_etag_however_the_content_comes() {
        let content: Vec<u8> = (0..WHOLE + 5).map(|n| (n % 251) as u8).collect();
        let parts = content
            .chunks(PART as usize)
            .map(|part| Md5::digest(part).into())
            .collect();
        let expected = Sum::in_parts(parts);
        assert!(expected.etag().ends_with("-3"));
        for piece in [1 << 10, 1000 * 1000, content.len()] {
            let mut hasher = Hasher::new(content.len() as u64);
            content.chunks(piece).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), expected);
        }
        let read = Sum::read_in_parts(content.len() as u64, PART, from(&content));
        assert_eq!(read.expect("read"), expected);
        let mut hasher = Hasher::new(5);
        hasher.update(b"hello");
        assert_eq!(hasher.finish().etag(), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn parts_are_summed_in_their_order_however_many_they_are() {
        let content: Vec<u8> = (0..35 * LANE + 5).map(|n| (n / 7 % 251) as u8).collect();
        for size in [LANE + 1, 16 * LANE, 16 * LANE + 1, 17 * LANE, content.len()] {
            let content = &content[..size];
            let read = |size| Sum::read_in_parts(size, LANE as u64, from(content));
            let parts = content.chunks(LANE).map(|part| Md5::digest(part).into()).collect();
            assert_eq!(read(size as u64).expect("read"), Sum::in_parts(parts), "{size}");
            assert!(read(size as u64 + 1).is_err(), "it ends before");
        }
    }
}
