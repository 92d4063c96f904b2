//! The written form of a hash: the PHC string format.

use argon2::ARGON2ID_IDENT;
use argon2::password_hash::phc::PasswordHash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::model::{HashParams, StoredHash};

/// Argon2 version 1.3 (0x13), as in RFC 9106.
const VERSION: u32 = 19;

/// The parts of a stored hash.
pub(super) struct HashRecord {
    pub(super) params: HashParams,
    pub(super) salt: Vec<u8>,
    pub(super) output: Vec<u8>,
}

impl HashRecord {
    /// `None` unless the text is argon2id, version 19, written as the reference implementation does, with parameters
    /// inside the bounds, a salt of 8–48 and an output of 16–64 bytes.
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

    pub(super) fn to_stored(&self) -> StoredHash {
        let [salt, output] = [&self.salt, &self.output].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        let costs = costs(self.params);
        StoredHash::new(format!(
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
