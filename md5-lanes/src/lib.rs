//! The MD5s of several equally long contents at once.
//!
//! Each of MD5's 64 steps needs the one before, so a processor spends most of one sum's time waiting. Sums of several
//! contents don't need one another: here each has a lane of the processor's vectors, and together they take about a
//! quarter of the time that they take one by one. S3's ETag of a large object is a sum over the MD5s of its parts, which are
//! such contents. The crates for this (`md5-simd`, `md5-many`) are first versions, and unsafe code for the most part; this is
//! RFC 1321, <https://www.rfc-editor.org/rfc/rfc1321>, step by step.

use std::array;

use wide::u32x16;

/// How many contents are summed at once.
pub const LANES: usize = 16;

/// Contents are taken in multiples of so many bytes.
pub const BLOCK: usize = 64;

/// An MD5.
pub type Md5Sum = [u8; 16];

/// The registers A, B, C and D, of all lanes.
type State = [u32x16; 4];

/// Sums of contents that are still coming.
#[derive(Debug, Clone)]
pub struct Lanes {
    state: State,
    /// The length of what has come in each lane, in bytes.
    length: u64,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476].map(u32x16::splat),
            length: 0,
        }
    }
}

impl Lanes {
    /// The next bytes of each content: as many of all, and whole blocks.
    ///
    /// # Panics
    /// They aren't.
    pub fn update(&mut self, pieces: [&[u8]; LANES]) {
        let length = pieces[0].len();
        let pieces = pieces.map(|piece| {
            let (blocks, rest) = piece.as_chunks::<BLOCK>();
            assert!(
                piece.len() == length && rest.is_empty(),
                "pieces are whole blocks, as many in each lane"
            );
            blocks
        });
        for index in 0..length / BLOCK {
            self.state = compressed(self.state, pieces.map(|blocks| &blocks[index]));
        }
        self.length += length as u64;
    }

    /// The sums of what has come.
    pub fn finish(self) -> [Md5Sum; LANES] {
        // As all contents end with a whole block, what RFC 1321 appends is a block by itself.
        let mut end = [0; BLOCK];
        end[0] = 0x80;
        end[BLOCK - 8..].copy_from_slice(&self.length.wrapping_mul(8).to_le_bytes());
        let registers = compressed(self.state, [&end; LANES]).map(u32x16::to_array);
        array::from_fn(|lane| {
            let mut sum = Md5Sum::default();
            for (bytes, register) in sum.as_chunks_mut::<4>().0.iter_mut().zip(registers) {
                *bytes = register[lane].to_le_bytes();
            }
            sum
        })
    }
}

/// The state after one more block in each lane.
fn compressed(before: State, blocks: [&[u8; BLOCK]; LANES]) -> State {
    let blocks = blocks.map(|block| block.as_chunks::<4>().0);
    let words = array::from_fn(|word| {
        let words = blocks.map(|block| u32::from_le_bytes(block[word]));
        u32x16::new(words)
    });
    // The RFC's F and G, each an operation shorter.
    let state = round::<0>(before, &words, |step| step, |b, c, d| d ^ (b & (c ^ d)));
    let state = round::<1>(state, &words, |step| 5 * step + 1, |b, c, d| c ^ (d & (b ^ c)));
    let state = round::<2>(state, &words, |step| 3 * step + 5, |b, c, d| b ^ c ^ d);
    let after = round::<3>(state, &words, |step| 7 * step, |b, c, d| c ^ (b | !d));
    array::from_fn(|register| before[register] + after[register])
}

/// One of the four rounds: with its own order of the words, and its own function.
#[inline(always)]
fn round<const ROUND: usize>(
    [mut a, mut b, mut c, mut d]: State,
    words: &[u32x16; 16],
    word: impl Fn(usize) -> usize,
    mix: impl Fn(u32x16, u32x16, u32x16) -> u32x16,
) -> State {
    for first in (0..16).step_by(4) {
        let step = |a, b, c, d, nth: usize| {
            let sum = a + mix(b, c, d) + words[word(first + nth) % 16] + u32x16::splat(SINES[ROUND][first + nth]);
            let shift = SHIFTS[ROUND][nth];
            b + ((sum << shift) | (sum >> (32 - shift)))
        };
        // Four steps, after which each register has its place again, are as much as the compiler unrolls by itself.
        a = step(a, b, c, d, 0);
        d = step(d, a, b, c, 1);
        c = step(c, d, a, b, 2);
        b = step(b, c, d, a, 3);
    }
    [a, b, c, d]
}

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The RFC's table T: whole parts of 2^32 times the sines of 1 to 64, without their signs.
#[rustfmt::skip]
const SINES: [[u32; 16]; 4] = [
    [
        0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
        0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    ],
    [
        0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
        0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    ],
    [
        0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
        0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    ],
    [
        0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
        0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;
    use md5::{Digest as _, Md5};

    #[test]
    fn each_lane_has_the_sum_that_its_content_has_alone() {
        for (length, piece) in [
            (0, BLOCK),
            (BLOCK, BLOCK),
            (48 * BLOCK, BLOCK),
            (48 * BLOCK, 16 * BLOCK),
        ] {
            let contents: [Vec<u8>; LANES] =
                array::from_fn(|lane| (0..length).map(|at| ((at * (lane + 7)) % 251) as u8).collect());
            let mut lanes = Lanes::default();
            for from in (0..length).step_by(piece) {
                lanes.update(array::from_fn(|lane| &contents[lane][from..from + piece]));
            }
            let expected = contents.map(|content| Md5Sum::from(Md5::digest(content)));
            assert_eq!(lanes.finish(), expected, "{length} bytes by {piece}");
        }
    }

    #[test]
    #[should_panic(expected = "as many in each lane")]
    fn lanes_of_different_lengths_are_refused() {
        let mut pieces: [&[u8]; LANES] = [&[0; BLOCK]; LANES];
        pieces[3] = &[0; 2 * BLOCK];
        Lanes::default().update(pieces);
    }
}
