//! Randomness: each secret gets a fresh generator, seeded by the operating system.

use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};

use crate::error::Error;

/// A fresh generator for cryptographic use.
pub fn generator() -> Result<StdRng, Error> {
    StdRng::try_from_rng(&mut SysRng)
        .map_err(|_| Error::internal("The operating system provided no random bytes"))
}

pub fn bytes<const N: usize>(rng: &mut StdRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A random UUID (RFC 9562, version 4).
pub fn id(rng: &mut StdRng) -> String {
    uuid::Builder::from_random_bytes(bytes(rng))
        .into_uuid()
        .to_string()
}
