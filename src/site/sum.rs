//! What tells one content from another without reading it again: a sum of it.
//!
//! Of what is sent in one piece it is the MD5, which S3 lists as the object's ETag unless it encrypts by KMS. An object
//! that is sent in parts has an ETag that says how it was cut, and isn't worth the reckoning: its sum is the BLAKE3, which
//! takes a third of SHA-256's time. Where the ETag isn't the sum, the publishing ledger has both.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>

use std::fmt;
use std::str::FromStr;

use md5::{Digest as _, Md5};

/// Up to this many bytes are sent in one piece. S3 would take 5 GiB, but who sends that again for one lost connection?
const WHOLE_BYTES: u64 = 16 << 20;

/// The size of a part, but for the last. S3 takes no less than 5 MiB,
const PART_BYTES: u64 = 8 << 20;

/// and no more parts than this.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MOST_PARTS: u64 = 10_000;

/// In parts of which size an object of `size` bytes is sent; none if it is sent in one piece.
pub(crate) fn part_size(size: u64) -> Option<u64> {
    (size > WHOLE_BYTES).then(|| {
        let least = size.div_ceil(MOST_PARTS);
        // In whole MiB.
        PART_BYTES.max(least.div_ceil(1 << 20) << 20)
    })
}

/// What comes before a BLAKE3, which else would be read as an MD5.
const BLAKE3: &str = "blake3-";

/// What an object's content is, in short. Written, it is hexadecimal: an MD5 as S3 has it in ETags, without the quotes; a
/// BLAKE3 after [`BLAKE3`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    /// Of a content that is sent in one piece.
    Md5([u8; 16]),
    /// Of a content that is sent in parts: the first half, as there are many sums in memory, and nobody but who made both
    /// contents could have them collide.
    Blake3([u8; 16]),
}

impl Sum {
    /// Of a content that is in memory, and so is sent in one piece.
    pub(crate) fn of(content: impl AsRef<[u8]>) -> Self {
        Self::Md5(Md5::digest(content).into())
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Md5(bytes) | Self::Blake3(bytes) => bytes,
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self, Self::Blake3(_)) {
            f.write_str(BLAKE3)?;
        }
        f.write_str(&hex::encode(self.bytes()))
    }
}

impl FromStr for Sum {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = |hexadecimal: &str| hex::decode(hexadecimal).map_err(|_| ());
        match text.strip_prefix(BLAKE3) {
            Some(blake3) => bytes(blake3)?.try_into().map(Self::Blake3).map_err(|_| ()),
            None => bytes(text)?.try_into().map(Self::Md5).map_err(|_| ()),
        }
    }
}

/// Sums each part of a content as it comes: a CRC-32, by which S3 tells whether it got what was read.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>
#[derive(Debug)]
pub(super) struct PartSums {
    part_size: u64,
    /// How much of the part is still to come.
    left: u64,
    crc: crc32fast::Hasher,
    sums: Vec<u32>,
}

impl PartSums {
    /// For `size` bytes; none if they are sent in one piece.
    pub(super) fn new(size: u64) -> Option<Self> {
        let part_size = part_size(size)?;
        Some(Self {
            part_size,
            left: part_size,
            crc: crc32fast::Hasher::new(),
            sums: Vec::new(),
        })
    }

    /// The next bytes.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let here = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (now, later) = bytes.split_at(here);
            self.crc.update(now);
            self.left -= here as u64;
            if self.left == 0 {
                self.end_part();
            }
            bytes = later;
        }
    }

    /// The sum of each part, in order.
    pub(super) fn finish(mut self) -> Vec<u32> {
        if self.left < self.part_size {
            self.end_part();
        }
        self.sums
    }

    fn end_part(&mut self) {
        self.sums.push(std::mem::take(&mut self.crc).finalize());
        self.left = self.part_size;
    }
}

/// Sums a content as it comes.
#[derive(Debug)]
pub(crate) struct Hasher {
    md5: Option<Md5>,
    /// It has room for a path through a tree, which is much for each of many small files.
    blake3: Option<Box<blake3::Hasher>>,
    size: u64,
}

impl Hasher {
    /// For `size` bytes. Where that isn't known, it costs both sums.
    pub(crate) fn new(size: Option<u64>) -> Self {
        let in_parts = size.map(|size| part_size(size).is_some());
        Self {
            md5: (in_parts != Some(true)).then(Md5::new),
            blake3: (in_parts != Some(false)).then(Box::default),
            size: 0,
        }
    }

    /// The next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(blake3) = &mut self.blake3 {
            blake3.update(bytes);
        }
        self.size += bytes.len() as u64;
    }

    /// What they were.
    pub(crate) fn finish(self) -> Sum {
        match (self.md5, self.blake3) {
            (Some(md5), Some(_)) if part_size(self.size).is_none() => Sum::Md5(md5.finalize().into()),
            (_, Some(blake3)) => {
                let mut first = [0; 16];
                blake3.finalize_xof().fill(&mut first);
                Sum::Blake3(first)
            }
            (md5, None) => Sum::Md5(md5.unwrap_or_default().finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_large_as_s3_wants() {
        assert_eq!(part_size(WHOLE_BYTES), None);
        assert_eq!(part_size(WHOLE_BYTES + 1), Some(PART_BYTES));
        let largest = 5 << 40;
        let size = part_size(largest).expect("parts");
        assert!(largest.div_ceil(size) <= MOST_PARTS && size < 5 << 30);
    }

    #[test]
    fn each_part_has_its_sum_however_it_comes() {
        let content: Vec<u8> = (0..2 * PART_BYTES + 5).map(|n| (n % 251) as u8).collect();
        assert!(PartSums::new(WHOLE_BYTES).is_none());
        for piece in [1000, 1 << 20, content.len()] {
            let mut sums = PartSums::new(content.len() as u64).expect("parts");
            content.chunks(piece).for_each(|piece| sums.update(piece));
            let expected = content.chunks(PART_BYTES as usize).map(crc32fast::hash);
            assert_eq!(sums.finish(), expected.collect::<Vec<u32>>(), "{piece}");
        }
        let even = &content[..2 * PART_BYTES as usize + 1];
        let mut sums = PartSums::new(even.len() as u64).expect("parts");
        sums.update(&even[..2 * PART_BYTES as usize]);
        assert_eq!(sums.finish().len(), 2, "no empty part at the end");
    }

    #[test]
    fn a_sum_goes_by_how_a_content_is_sent_and_not_by_how_it_comes() {
        let long: Vec<u8> = (0..WHOLE_BYTES + 5).map(|n| (n % 251) as u8).collect();
        for (content, sum) in [
            (&b"hello"[..], "5d41402abc4b2a76b9719d911017c592".to_owned()),
            (
                &long[..WHOLE_BYTES as usize],
                hex::encode(Md5::digest(&long[..WHOLE_BYTES as usize])),
            ),
            (&long, format!("blake3-{}", &blake3::hash(&long).to_hex()[..32])),
        ] {
            for (known, piece) in [(true, 1000 * 1000), (true, content.len()), (false, 1 << 20)] {
                let mut hasher = Hasher::new(known.then_some(content.len() as u64));
                content.chunks(piece).for_each(|piece| hasher.update(piece));
                assert_eq!(hasher.finish().to_string(), sum);
            }
        }
    }

    #[test]
    fn a_sum_is_read_as_it_is_written() {
        for sum in [Sum::of("hello"), Sum::Blake3([7; 16])] {
            assert_eq!(sum.to_string().parse(), Ok(sum));
        }
        let sha256 = "ff".repeat(32);
        for text in [
            "",
            "ff",
            "x",
            &sha256,
            "blake3-ff",
            "5d41402abc4b2a76b9719d911017c592-2",
        ] {
            assert_eq!(text.parse::<Sum>(), Err(()), "{text}");
        }
    }
}
