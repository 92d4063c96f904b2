//! Argon2id (RFC 9106) of keys, on a pool: never more hashes at once than permits, and no queue
//! longer than a caller would wait.
//!
//! Keys carry 190 random bits, so this is defence in depth against a stolen database.

mod params;
mod phc;
mod pool;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::{Algorithm, Argon2, Block, Version};
use subtle::ConstantTimeEq;

use crate::error::Error;
use crate::token::Plaintext;

pub use params::HashParams;
pub use phc::Phc;
pub use pool::HashStats;

use phc::Record;
use pool::Pool;

/// Bytes of a hash that we make.
const OUTPUT_BYTES: usize = 32;
/// Bytes of a salt that we make, as RFC 9106 recommends.
pub const SALT_BYTES: usize = 16;

/// What comparing a key with a stored hash showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is the key.
    Match {
        /// The hash was made with weaker parameters than today's: store a new one. Stronger ones stay, so that
        /// processes with different parameters do not undo each other's work.
        outdated: bool,
    },
    /// It is another key.
    Mismatch,
    /// What is stored is not a hash that may be computed.
    Unreadable,
}

/// As many permits as leave one core to everything else: cores − 1, at least 1.
#[must_use]
pub fn default_permits() -> usize {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    cores.saturating_sub(1).max(1)
}

/// Hashes and verifies keys. Clones share one pool.
///
/// Its functions need a Tokio runtime, on whose blocking threads the work runs.
#[derive(Clone, Debug)]
pub struct Hasher {
    params: HashParams,
    /// The hash of nothing, to compare keys with that nobody has.
    nobodys: Phc,
    pool: Arc<Pool>,
}

impl Hasher {
    /// New hashes get `params`; at most `permits` (at least 1) are computed at once.
    #[must_use]
    pub fn new(params: HashParams, permits: usize) -> Self {
        let nobodys = Record {
            params,
            salt: vec![0; SALT_BYTES],
            output: vec![0; OUTPUT_BYTES],
        };
        Self {
            params,
            nobodys: nobodys.to_phc(),
            pool: Arc::new(Pool::new(params, permits)),
        }
    }

    /// Hashes a new key. `salt` must come fresh from the system's generator.
    ///
    /// # Errors
    /// [`Error::Overloaded`] at once when too much is queued, [`Error::Internal`] when the work was
    /// aborted; the same goes for `verify` and `dummy`.
    pub async fn hash(&self, key: Plaintext, salt: [u8; SALT_BYTES]) -> Result<Phc, Error> {
        let output = self
            .compute(key, self.params, salt.to_vec(), OUTPUT_BYTES)
            .await?;
        Ok(self.phc(salt, output))
    }

    /// The same, but only while nobody waits for a hash: for work that has time.
    ///
    /// # Errors
    /// [`Error::Internal`] when the work was aborted.
    pub async fn hash_when_idle(
        &self,
        key: Plaintext,
        salt: [u8; SALT_BYTES],
    ) -> Result<Phc, Error> {
        let params = self.params;
        let output = Pool::run_when_idle(&self.pool, params, move |blocks| {
            argon2id(&key, params, &salt, OUTPUT_BYTES, blocks)
        })
        .await??;
        Ok(self.phc(salt, output))
    }

    fn phc(&self, salt: [u8; SALT_BYTES], output: Vec<u8>) -> Phc {
        Record {
            params: self.params,
            salt: salt.to_vec(),
            output,
        }
        .to_phc()
    }

    /// Compares a key with a stored hash, in time that does not depend on where they differ. What
    /// cannot be read, or would cost too much, is not computed.
    ///
    /// # Errors
    /// As [`hash`](Self::hash).
    pub async fn verify(&self, key: Plaintext, stored: Phc) -> Result<Proof, Error> {
        let Some(record) = Record::read(stored.as_str()) else {
            return Ok(Proof::Unreadable);
        };
        let Record {
            params,
            salt,
            output,
        } = record;
        let computed = self.compute(key, params, salt, output.len()).await?;
        if !bool::from(computed.ct_eq(&output)) {
            return Ok(Proof::Mismatch);
        }
        Ok(Proof::Match {
            outdated: params.work() < self.params.work(),
        })
    }

    /// Takes as long as a [`verify`](Self::verify) of a hash with today's parameters, and is as
    /// overloaded, so that a caller cannot tell an unknown key from a wrong one.
    ///
    /// # Errors
    /// As [`hash`](Self::hash).
    pub async fn dummy(&self, key: Plaintext) -> Result<(), Error> {
        self.verify(key, self.nobodys.clone()).await.map(drop)
    }

    /// Whether a hash behind so many others would begin in a reasonable time, so that the work before it need not be
    /// begun either.
    ///
    /// # Errors
    /// [`Error::Overloaded`].
    pub fn admit(&self, ahead: usize) -> Result<(), Error> {
        self.pool.admit(ahead)
    }

    /// What the pool is doing and has done.
    #[must_use]
    pub fn stats(&self) -> HashStats {
        self.pool.stats()
    }

    async fn compute(
        &self,
        key: Plaintext,
        params: HashParams,
        salt: Vec<u8>,
        length: usize,
    ) -> Result<Vec<u8>, Error> {
        Pool::run(&self.pool, params, move |blocks| {
            argon2id(&key, params, &salt, length, blocks)
        })
        .await?
    }
}

fn argon2id(
    key: &Plaintext,
    params: HashParams,
    salt: &[u8],
    length: usize,
    blocks: &mut [Block],
) -> Result<Vec<u8>, Error> {
    let internal = |error| Error::Internal(format!("argon2id failed: {error}"));
    let params = params.to_argon2(length).map_err(internal)?;
    let mut output = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(key.expose().as_bytes(), salt, &mut output, blocks)
        .map_err(internal)?;
    Ok(output)
}
