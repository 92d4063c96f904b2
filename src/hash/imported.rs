//! Hashes that other programs made of their keys, checked until a key is used for the first time.
//!
//! They are stored as `$import$<part>$<algorithm>$<costs>$<salt>$<digest>`, salt and digest in base64 without padding. The part is
//! `whole` or `after=` and the separator in hex. After `argon2id` the version precedes the costs, as in its own strings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use blowfish::Blowfish;
use ring::{digest, hmac};
use subtle::ConstantTimeEq;

use super::record::HashRecord;
use super::scrypt::{pbkdf2_sha256, scrypt};
use crate::model::{HashParams, StoredHash, from_hex, to_hex};

/// What is stored of an imported key begins so. It is never plaintext, and never accepted as a key.
const MARKER: &str = "$import$";

/// Bytes of a salt, and of the key of an HMAC.
const SALT_MAX: usize = 128;
/// Bytes of a digest where the algorithm leaves it open.
const DIGEST_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;
/// Bytes of a key that bcrypt takes into account.
const BCRYPT_KEY_MAX: usize = 72;
const BCRYPT_SALT_BYTES: usize = 16;
const BCRYPT_DIGEST_BYTES: usize = 23;
const ITERATIONS_MAX: u32 = 2_000_000;
/// The memory of scrypt, 256 MiB, and the work of all its lanes together.
const SCRYPT_BYTES_MAX: u64 = 256 << 20;
const SCRYPT_WORK_MAX: u64 = 2 * SCRYPT_BYTES_MAX;
/// `r` · `p` of scrypt: PBKDF2 makes 128 bytes for each, and these take more time than as many of the memory.
const SCRYPT_BLOCKS_MAX: u64 = 8_192;

/// Whether the text stands for an imported key.
#[must_use]
pub fn is_imported(text: &str) -> bool {
    text.starts_with(MARKER)
}

/// Whether the text is a hash that could have been stored here, or stands for an imported key.
#[must_use]
pub fn is_stored_hash(text: &str) -> bool {
    text.starts_with('$') && (is_imported(text) || HashRecord::read(text).is_some())
}

/// How a foreign digest was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Algorithm {
    Sha256,
    Sha512,
    /// Its key is stored elsewhere.
    HmacSha256,
    Pbkdf2 {
        iterations: u32,
    },
    Scrypt {
        n: u32,
        r: u32,
        p: u32,
    },
    Bcrypt {
        cost: u32,
    },
    Argon2id(HashParams),
}

impl Algorithm {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::HmacSha256 => "hmac-sha256",
            Self::Pbkdf2 { .. } => "pbkdf2-sha256",
            Self::Scrypt { .. } => "scrypt",
            Self::Bcrypt { .. } => "bcrypt",
            Self::Argon2id(_) => "argon2id",
        }
    }

    /// Whether it is made to take long, so that it is computed with a permit.
    fn is_slow(&self) -> bool {
        !matches!(self, Self::Sha256 | Self::Sha512 | Self::HmacSha256)
    }

    fn costs(&self) -> String {
        match self {
            Self::Sha256 | Self::Sha512 | Self::HmacSha256 => String::new(),
            Self::Pbkdf2 { iterations } => format!("i={iterations}"),
            Self::Scrypt { n, r, p } => format!("n={n},r={r},p={p}"),
            Self::Bcrypt { cost } => format!("c={cost}"),
            Self::Argon2id(params) => format!(
                "m={},t={},p={}",
                params.memory_kib(),
                params.iterations(),
                params.parallelism()
            ),
        }
    }

    /// The algorithm of this name with these costs, as [`costs`](Self::costs) writes them.
    fn read(name: &str, costs: &str) -> Option<Self> {
        let mut numbers = costs.split(',').filter_map(|cost| {
            let (_, number) = cost.split_once('=')?;
            number.parse().ok()
        });
        let mut number = || numbers.next();
        let algorithm = match name {
            "sha256" => Self::Sha256,
            "sha512" => Self::Sha512,
            "hmac-sha256" => Self::HmacSha256,
            "pbkdf2-sha256" => Self::Pbkdf2 {
                iterations: number()?,
            },
            "scrypt" => Self::Scrypt {
                n: number()?,
                r: number()?,
                p: number()?,
            },
            "bcrypt" => Self::Bcrypt { cost: number()? },
            "argon2id" => Self::Argon2id(HashParams::new(number()?, number()?, number()?)?),
            _ => return None,
        };
        (algorithm.costs() == costs).then_some(algorithm)
    }

    /// What is wrong with its costs: they would take too long, or are none.
    fn problem(&self) -> Option<&'static str> {
        let is_right = match *self {
            Self::Sha256 | Self::Sha512 | Self::HmacSha256 | Self::Argon2id(_) => true,
            Self::Pbkdf2 { iterations } => (1..=ITERATIONS_MAX).contains(&iterations),
            Self::Bcrypt { cost } => BCRYPT_COSTS.contains(&cost),
            Self::Scrypt { n, r, p } => {
                let bytes = u64::from(n)
                    .saturating_mul(u64::from(r))
                    .saturating_mul(128);
                let work = bytes.saturating_mul(u64::from(p));
                let blocks = u64::from(r).saturating_mul(u64::from(p));
                n.is_power_of_two()
                    && n > 1
                    && (1..=SCRYPT_BLOCKS_MAX).contains(&blocks)
                    && bytes <= SCRYPT_BYTES_MAX
                    && work <= SCRYPT_WORK_MAX
            }
        };
        let problem = match self {
            Self::Pbkdf2 { .. } => "must have 1 to 2000000 iterations",
            Self::Bcrypt { .. } => "must have a cost from 4 to 14",
            _ => {
                "must have N as a power of two, r times p from 1 to 8192, and need at most 256 MiB, all p together 512 MiB"
            }
        };
        (!is_right).then_some(problem)
    }
}

/// The expected time of an iteration of PBKDF2, of a block of 128 bytes of scrypt, and of a round of bcrypt.
const PBKDF2_NS: u64 = 400;
const SCRYPT_NS: u64 = 300;
const BCRYPT_NS: u64 = 50_000;

/// A foreign hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedHash {
    /// What precedes the part of the key that was hashed; empty if all of it was.
    pub separator: String,
    pub algorithm: Algorithm,
    pub salt: Vec<u8>,
    pub digest: Vec<u8>,
}

impl ImportedHash {
    /// What is wrong with it: its costs, or the length of the salt or the digest.
    pub fn problem(&self) -> Option<&'static str> {
        if let Some(problem) = self.algorithm.problem() {
            return Some(problem);
        }
        let is_length = |bytes| self.digest.len() == bytes;
        let digest_holds = match self.algorithm {
            Algorithm::Sha256 | Algorithm::HmacSha256 => is_length(32),
            Algorithm::Sha512 => is_length(64),
            Algorithm::Bcrypt { .. } => is_length(BCRYPT_DIGEST_BYTES),
            _ => DIGEST_BYTES.contains(&self.digest.len()),
        };
        if !digest_holds {
            return Some("must be a hash of the length that its algorithm has");
        }
        let salt_holds = match self.algorithm {
            Algorithm::HmacSha256 => self.salt.is_empty(),
            Algorithm::Bcrypt { .. } => self.salt.len() == BCRYPT_SALT_BYTES,
            Algorithm::Argon2id(_) => (8..=48).contains(&self.salt.len()),
            _ => self.salt.len() <= SALT_MAX,
        };
        (!salt_holds).then_some(
            "must have a salt of at most 128 bytes, of the length that its algorithm has",
        )
    }

    /// What [`to_stored`](Self::to_stored) has written; `None` for anything else.
    #[must_use]
    pub fn read(stored: &str) -> Option<Self> {
        let (part, rest) = stored.strip_prefix(MARKER)?.split_once('$')?;
        let separator = match part.strip_prefix("after=") {
            Some(hex) => String::from_utf8(from_hex(hex)?).ok()?,
            None => (part == "whole").then(String::new)?,
        };
        let rest = rest.replacen("argon2id$v=19$", "argon2id$", 1);
        let mut fields = rest.split('$');
        let algorithm = Algorithm::read(fields.next()?, fields.next()?)?;
        let mut bytes = || STANDARD_NO_PAD.decode(fields.next()?).ok();
        let hash = Self {
            separator,
            algorithm,
            salt: bytes()?,
            digest: bytes()?,
        };
        (hash.problem().is_none() && hash.to_stored().as_str() == stored).then_some(hash)
    }

    #[must_use]
    pub fn to_stored(&self) -> StoredHash {
        let [salt, digest] = [&self.salt, &self.digest].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        let part = if self.separator.is_empty() {
            "whole".to_owned()
        } else {
            format!("after={}", to_hex(self.separator.as_bytes()))
        };
        let version = if matches!(self.algorithm, Algorithm::Argon2id(_)) {
            "$v=19"
        } else {
            ""
        };
        let (name, costs) = (self.algorithm.name(), self.algorithm.costs());
        StoredHash::new(format!(
            "{MARKER}{part}${name}{version}${costs}${salt}${digest}"
        ))
    }

    /// The hash of an argon2id string of another program.
    #[must_use]
    pub fn of_argon2id(text: &str) -> Option<Self> {
        let HashRecord {
            params,
            salt,
            output,
        } = HashRecord::read(text)?;
        Some(Self {
            separator: String::new(),
            algorithm: Algorithm::Argon2id(params),
            salt,
            digest: output,
        })
    }

    /// The same work with a result that no key has.
    #[must_use]
    pub fn dummy(&self) -> Self {
        Self {
            digest: vec![0; self.digest.len()],
            ..self.clone()
        }
    }

    /// Whether it was made with a key that is stored elsewhere.
    #[must_use]
    pub fn needs_secret(&self) -> bool {
        self.algorithm == Algorithm::HmacSha256
    }

    pub(super) fn is_slow(&self) -> bool {
        self.algorithm.is_slow()
    }

    /// The time that its computation is expected to take, in nanoseconds.
    pub(super) fn expected_ns(&self) -> u64 {
        match self.algorithm {
            Algorithm::Pbkdf2 { iterations } => {
                let blocks = self.digest.len().div_ceil(32) as u64;
                u64::from(iterations) * blocks * PBKDF2_NS
            }
            Algorithm::Scrypt { n, r, p } => u64::from(n) * u64::from(r) * u64::from(p) * SCRYPT_NS,
            Algorithm::Bcrypt { cost } => BCRYPT_NS << cost,
            _ => 0,
        }
    }

    pub(super) fn is(&self, digest: &[u8]) -> bool {
        self.digest.ct_eq(digest).into()
    }

    /// The part of a presented key that was hashed; `None` if it has none.
    pub(super) fn part_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        let part = if self.separator.is_empty() {
            key
        } else {
            key.split_once(&self.separator)?.1
        };
        let is_bcrypt = matches!(self.algorithm, Algorithm::Bcrypt { .. });
        (!is_bcrypt || part.len() <= BCRYPT_KEY_MAX).then_some(part)
    }

    /// The digest of a key with the same salt and costs, but for argon2id.
    pub(super) fn digest(&self, key: &[u8], secret: &[u8]) -> Vec<u8> {
        let mut output = vec![0; self.digest.len()];
        match self.algorithm {
            Algorithm::Sha256 => return self.sha(&digest::SHA256, key),
            Algorithm::Sha512 => return self.sha(&digest::SHA512, key),
            Algorithm::HmacSha256 => {
                let keyed = hmac::Key::new(hmac::HMAC_SHA256, secret);
                return hmac::sign(&keyed, key).as_ref().to_vec();
            }
            Algorithm::Pbkdf2 { iterations } => {
                pbkdf2_sha256(key, &self.salt, iterations, &mut output);
            }
            Algorithm::Scrypt { n, r, p } => {
                let [n, r, p] = [n, r, p].map(|number| number as usize);
                scrypt(key, &self.salt, n, r, p, &mut output);
            }
            Algorithm::Bcrypt { cost } => return bcrypt(key, &self.salt, cost),
            Algorithm::Argon2id(_) => {}
        }
        output
    }

    fn sha(&self, algorithm: &'static digest::Algorithm, key: &[u8]) -> Vec<u8> {
        let mut context = digest::Context::new(algorithm);
        context.update(&self.salt);
        context.update(key);
        context.finish().as_ref().to_vec()
    }
}

/// bcrypt (Provos and Mazières, 1999) as the versions 2a, 2b and 2y compute it for keys of at most 72 bytes.
fn bcrypt(key: &[u8], salt: &[u8], cost: u32) -> Vec<u8> {
    const ROUNDS: usize = 64;
    let mut key = key.to_vec();
    key.push(0);
    key.truncate(BCRYPT_KEY_MAX);
    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(salt, &key);
    for _ in 0..1_u32 << cost {
        state.bc_expand_key(&key);
        state.bc_expand_key(salt);
    }
    let mut output = Vec::with_capacity(BCRYPT_DIGEST_BYTES + 1);
    for text in [
        [*b"Orph", *b"eanB"],
        [*b"ehol", *b"derS"],
        [*b"cryD", *b"oubt"],
    ] {
        let mut block = text.map(u32::from_be_bytes);
        for _ in 0..ROUNDS {
            block = state.bc_encrypt(block);
        }
        output.extend(block.into_iter().flat_map(u32::to_be_bytes));
    }
    output.truncate(BCRYPT_DIGEST_BYTES);
    output
}

/// The lookup of the row that a key may belong to, if rows are found by this form; `None` if the key has not that form.
///
/// A form is `import:row:`, `import:sha256:` or `import:sha512:`, the separator in hex, and a colon. What precedes the separator
/// finds the row, or the digest of what follows it, or of the whole key if there is none.
#[must_use]
pub fn import_lookup(form: &str, key: &str) -> Option<String> {
    let (by, separator) = form
        .strip_prefix("import:")?
        .strip_suffix(':')?
        .split_once(':')?;
    let separator = String::from_utf8(from_hex(separator)?).ok()?;
    let (before, after) = if separator.is_empty() {
        ("", key)
    } else {
        key.split_once(&separator)?
    };
    let hex = |algorithm| to_hex(digest::digest(algorithm, after.as_bytes()).as_ref());
    let found_by = match by {
        "row" => before.to_owned(),
        "sha256" => hex(&digest::SHA256),
        "sha512" => hex(&digest::SHA512),
        _ => return None,
    };
    Some(form.to_owned() + &found_by)
}

#[cfg(test)]
mod tests;
