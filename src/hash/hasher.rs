//! Hashes and verifies keys.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;

use super::imported::{Algorithm as ForeignAlgorithm, ImportedHash};
use super::pool::{HashPool, HashStats, Reservation, expected_ns};
use super::record::HashRecord;
use crate::error::Error;
use crate::model::{HashParams, Plaintext, StoredHash};

/// Bytes of the hashes generated here.
const OUTPUT_BYTES: usize = 32;
/// Bytes of the salts generated here, as RFC 9106 recommends.
pub const SALT_BYTES: usize = 16;

/// The result of comparing a key with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The hash is of this key.
    Match {
        /// The hash has weaker parameters than the configured ones, so a new one should be stored. Stronger ones are
        /// kept, so that processes with different parameters do not undo each other's work.
        outdated: bool,
    },
    /// The hash is of another key.
    Mismatch,
    /// The stored text is not a hash, or computing it would cost too much.
    Unreadable,
}

/// Hashes and verifies keys. Clones share one pool.
///
/// Its functions need a Tokio runtime, on whose blocking threads the work runs.
#[derive(Clone, Debug)]
pub struct Hasher {
    params: HashParams,
    /// The hash that unknown keys are compared with.
    dummy_hash: StoredHash,
    pool: Arc<HashPool>,
}

impl Hasher {
    /// New hashes get `params`; at most `permits` (at least 1) are computed at once.
    #[must_use]
    pub fn new(params: HashParams, permits: usize) -> Self {
        let dummy_hash = HashRecord {
            params,
            salt: vec![0; SALT_BYTES],
            output: vec![0; OUTPUT_BYTES],
        };
        Self {
            params,
            dummy_hash: dummy_hash.to_stored(),
            pool: Arc::new(HashPool::new(params, permits)),
        }
    }

    /// Hashes a new key. `salt` must come fresh from a cryptographic generator.
    ///
    /// # Errors
    /// [`Error::Overloaded`] at once when too much is queued, [`Error::Internal`] when the work was aborted. `verify`
    /// and `dummy` return the same errors.
    pub async fn hash(&self, key: Plaintext, salt: [u8; SALT_BYTES]) -> Result<StoredHash, Error> {
        let function = Function::Argon2id {
            params: self.params,
            salt: salt.to_vec(),
            length: OUTPUT_BYTES,
        };
        let output = self.compute(key, function).await?;
        Ok(self.stored(salt, output))
    }

    /// Hashes a key only while no caller waits for a hash: for background work.
    ///
    /// # Errors
    /// [`Error::Internal`] when the work was aborted.
    pub async fn hash_when_idle(
        &self,
        key: Plaintext,
        salt: [u8; SALT_BYTES],
    ) -> Result<StoredHash, Error> {
        let params = self.params;
        let output = HashPool::run_when_idle(&self.pool, params, move |blocks| {
            argon2id(&key, params, &salt, OUTPUT_BYTES, blocks)
        })
        .await??;
        Ok(self.stored(salt, output))
    }

    fn stored(&self, salt: [u8; SALT_BYTES], output: Vec<u8>) -> StoredHash {
        HashRecord {
            params: self.params,
            salt: salt.to_vec(),
            output,
        }
        .to_stored()
    }

    /// Compares a key with a stored hash, in time that does not depend on where they differ. A hash that cannot be read
    /// or would cost too much is not computed.
    ///
    /// # Errors
    /// The errors of [`hash`](Self::hash).
    pub async fn verify(&self, key: Plaintext, stored: StoredHash) -> Result<Proof, Error> {
        let Some(record) = HashRecord::read(stored.as_str()) else {
            return Ok(Proof::Unreadable);
        };
        let HashRecord {
            params,
            salt,
            output,
        } = record;
        let function = Function::Argon2id {
            params,
            salt,
            length: output.len(),
        };
        let computed = self.compute(key, function).await?;
        if !bool::from(computed.ct_eq(&output)) {
            return Ok(Proof::Mismatch);
        }
        Ok(Proof::Match {
            outdated: self.is_weaker(params),
        })
    }

    /// Whether the key is the one of an imported hash. `secret` is the key of an HMAC. What is fast needs no permit.
    ///
    /// # Errors
    /// The errors of [`hash`](Self::hash).
    pub async fn is_imported(
        &self,
        key: &Plaintext,
        hash: ImportedHash,
        secret: &[u8],
    ) -> Result<bool, Error> {
        let Some(part) = hash.part_of(key.expose()) else {
            return Ok(false);
        };
        if !hash.is_slow() {
            return Ok(hash.is(&hash.digest(part.as_bytes(), secret)));
        }
        let part = Plaintext::new(part.to_owned());
        let computed = self.compute(part, Function::of(&hash)).await?;
        Ok(hash.is(&computed))
    }

    /// Whether a stored hash has weaker parameters than the configured ones, as [`verify`](Self::verify) would say.
    #[must_use]
    pub fn is_outdated(&self, stored: &StoredHash) -> bool {
        HashRecord::read(stored.as_str()).is_some_and(|record| self.is_weaker(record.params))
    }

    fn is_weaker(&self, params: HashParams) -> bool {
        params.work() < self.params.work()
    }

    /// Takes as long as a [`verify`](Self::verify) of a hash with the configured parameters, and is rejected under the
    /// same load, so that a caller cannot distinguish an unknown key from a wrong one.
    ///
    /// # Errors
    /// The errors of [`hash`](Self::hash).
    pub async fn dummy(&self, key: Plaintext) -> Result<(), Error> {
        self.verify(key, self.dummy_hash.clone()).await.map(drop)
    }

    /// The hash that unknown keys are compared with.
    #[must_use]
    pub fn dummy_hash(&self) -> &StoredHash {
        &self.dummy_hash
    }

    /// Reserves a hash that will be needed soon. If it could not start in a reasonable time, this fails, and the caller
    /// can skip the work before it.
    ///
    /// # Errors
    /// [`Error::Overloaded`].
    pub fn reserve(&self) -> Result<Reservation, Error> {
        Reservation::take(&self.pool)
    }

    /// The counters of the pool.
    #[must_use]
    pub fn stats(&self) -> HashStats {
        self.pool.stats()
    }

    async fn compute(&self, key: Plaintext, function: Function) -> Result<Vec<u8>, Error> {
        let (params, expected_ns) = (function.params(), function.expected_ns());
        HashPool::run(&self.pool, params, expected_ns, move |blocks| {
            function.of_key(&key, blocks)
        })
        .await?
    }
}

/// What is computed of a key.
enum Function {
    Argon2id {
        params: HashParams,
        salt: Vec<u8>,
        length: usize,
    },
    Foreign(ImportedHash),
}

impl Function {
    fn of(hash: &ImportedHash) -> Self {
        match hash.algorithm {
            ForeignAlgorithm::Argon2id(params) => Self::Argon2id {
                params,
                salt: hash.salt.clone(),
                length: hash.digest.len(),
            },
            _ => Self::Foreign(hash.clone()),
        }
    }

    /// The memory that it needs of the pool.
    fn params(&self) -> HashParams {
        match self {
            Self::Argon2id { params, .. } => *params,
            // It has its own.
            Self::Foreign(_) => HashParams::LEAST,
        }
    }

    /// The time that it is expected to take, so that few slow ones fill the queue.
    fn expected_ns(&self) -> u64 {
        match self {
            Self::Argon2id { params, .. } => expected_ns(*params),
            Self::Foreign(hash) => hash.expected_ns(),
        }
    }

    fn of_key(&self, key: &Plaintext, blocks: &mut [Block]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Argon2id {
                params,
                salt,
                length,
            } => argon2id(key, *params, salt, *length, blocks),
            Self::Foreign(hash) => Ok(hash.digest(key.expose().as_bytes(), &[])),
        }
    }
}

fn argon2id(
    key: &Plaintext,
    params: HashParams,
    salt: &[u8],
    length: usize,
    blocks: &mut [Block],
) -> Result<Vec<u8>, Error> {
    let internal = |error| Error::internal(format!("argon2id failed: {error}"));
    let params = Params::new(
        params.memory_kib(),
        params.iterations(),
        params.parallelism(),
        Some(length),
    )
    .map_err(internal)?;
    let mut output = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(key.expose().as_bytes(), salt, &mut output, blocks)
        .map_err(internal)?;
    Ok(output)
}

#[cfg(test)]
mod tests;
