//! scrypt (RFC 7914). PBKDF2 is that of ring, which is linked anyway.

use std::num::NonZeroU32;

use ring::pbkdf2;

/// Words of a block of Salsa20.
const WORDS: usize = 16;

/// PBKDF2 with HMAC-SHA-256 (RFC 8018).
pub(super) fn pbkdf2_sha256(key: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, key, output);
}

/// `n` is a power of two, and `r` and `p` are at least 1.
pub(super) fn scrypt(key: &[u8], salt: &[u8], n: usize, r: usize, p: usize, output: &mut [u8]) {
    let width = 2 * r * WORDS;
    let mut bytes = vec![0; 4 * width * p];
    pbkdf2_sha256(key, salt, 1, &mut bytes);
    let mut memory = vec![0_u32; width * n];
    for lane in bytes.chunks_exact_mut(4 * width) {
        let mut words: Vec<u32> = Vec::with_capacity(width);
        words.extend(lane.chunks_exact(4).map(word));
        mix(&mut words, &mut memory, n);
        for (bytes, word) in lane.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
    pbkdf2_sha256(key, &bytes, 1, output);
}

fn word(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// `scryptROMix` of the RFC.
fn mix(words: &mut [u32], memory: &mut [u32], n: usize) {
    let width = words.len();
    let mut spare = vec![0; width];
    for step in memory.chunks_exact_mut(width) {
        step.copy_from_slice(words);
        mix_blocks(words, &mut spare);
    }
    for _ in 0..n {
        // The first word of the last block, modulo a power of two.
        let chosen = words.get(width - WORDS).map_or(0, |word| *word as usize) & (n - 1);
        if let Some(step) = memory.chunks_exact(width).nth(chosen) {
            for (word, other) in words.iter_mut().zip(step) {
                *word ^= other;
            }
        }
        mix_blocks(words, &mut spare);
    }
}

/// `scryptBlockMix` of the RFC.
fn mix_blocks(words: &mut [u32], spare: &mut [u32]) {
    let half = words.len() / WORDS / 2;
    let mut block = [0; WORDS];
    if let Some(last) = words.last_chunk() {
        block = *last;
    }
    for (index, other) in words.chunks_exact(WORDS).enumerate() {
        for (word, other) in block.iter_mut().zip(other) {
            *word ^= other;
        }
        salsa20_8(&mut block);
        let place = (index / 2 + index % 2 * half) * WORDS;
        if let Some(to) = spare.get_mut(place..place + WORDS) {
            to.copy_from_slice(&block);
        }
    }
    words.copy_from_slice(spare);
}

/// The places of a quarter round of Salsa20: the columns, then the rows.
const ROUNDS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [5, 9, 13, 1],
    [10, 14, 2, 6],
    [15, 3, 7, 11],
    [0, 1, 2, 3],
    [5, 6, 7, 4],
    [10, 11, 8, 9],
    [15, 12, 13, 14],
];

fn salsa20_8(block: &mut [u32; WORDS]) {
    let mut x = *block;
    for _ in 0..4 {
        for [a, b, c, d] in ROUNDS {
            x[b] ^= x[a].wrapping_add(x[d]).rotate_left(7);
            x[c] ^= x[b].wrapping_add(x[a]).rotate_left(9);
            x[d] ^= x[c].wrapping_add(x[b]).rotate_left(13);
            x[a] ^= x[d].wrapping_add(x[c]).rotate_left(18);
        }
    }
    for (word, mixed) in block.iter_mut().zip(x) {
        *word = word.wrapping_add(mixed);
    }
}
