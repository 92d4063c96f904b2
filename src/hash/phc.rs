//! How a hash is stored.

use std::fmt;

use argon2::ARGON2ID_IDENT;
use argon2::password_hash::phc::PasswordHash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::HashParams;

/// Argon2 version 1.3 (0x13), the one of RFC 9106.
const VERSION: u32 = 19;

/// A stored hash: a string of the PHC format, redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Phc(String);

impl Phc {
    /// Takes over what is stored; it is read when a key is verified.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether this text is a hash that could have been stored here.
    #[must_use]
    pub fn is_hash(text: &str) -> bool {
        text.starts_with('$') && Record::read(text).is_some()
    }

    /// What to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phc(…)")
    }
}

/// What a stored hash says.
pub(super) struct Record {
    pub(super) params: HashParams,
    pub(super) salt: Vec<u8>,
    pub(super) output: Vec<u8>,
}

impl Record {
    /// `None` unless it is argon2id, version 19, written as the reference implementation does, with
    /// parameters inside the bounds, a salt of 8–48 and an output of 16–64 bytes.
    pub(super) fn read(stored: &str) -> Option<Self> {
        let hash = PasswordHash::new(stored).ok()?;
        if hash.algorithm != ARGON2ID_IDENT || hash.version != Some(VERSION) {
            return None;
        }
        let number = |name: &str| hash.params.get_decimal(name);
        let params = HashParams::new(number("m")?, number("t")?, number("p")?)?;
        if hash.params.as_str() != costs(params) {
            return None;
        }
        let (salt, output) = (hash.salt?, hash.hash?);
        let lengths_hold = salt.len() >= 8 && output.len() >= 16;
        lengths_hold.then(|| Self {
            params,
            salt: salt.to_vec(),
            output: output.as_bytes().to_vec(),
        })
    }

    pub(super) fn to_phc(&self) -> Phc {
        let [salt, output] = [&self.salt, &self.output].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        let costs = costs(self.params);
        Phc(format!(
            "${ARGON2ID_IDENT}$v={VERSION}${costs}${salt}${output}"
        ))
    }
}

/// The only spelling of the parameters that is accepted.
fn costs(params: HashParams) -> String {
    let (memory, iterations, lanes) = (
        params.memory_kib(),
        params.iterations(),
        params.parallelism(),
    );
    format!("m={memory},t={iterations},p={lanes}")
}
