//! Generates keys, and parses presented ones.

use rand::CryptoRng;
use sophra_primitives::split_once;

use super::base62;
use super::format::KeyFormat;
use super::keyring::Keyring;
use super::shape::{
    CRC_DIGITS, LOOKUP_DIGITS, MAX_LENGTH, SECRET_DIGITS, TAG_DIGITS, checksum, is_presentable,
    split_end,
};
use crate::model::{Environment, KeyClass, KindNumber, Plaintext};

/// A new key.
#[derive(Debug)]
pub struct Generated {
    /// The whole key, returned to its owner once.
    pub plaintext: Plaintext,
    /// The public id that finds the row.
    pub lookup: String,
    /// The displayable beginning, `<prefix>_<environment>_<lookup>`. It contains no secret.
    pub start: String,
}

/// A string that may be a key. Only its stored hash can authenticate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParsedKey<'a> {
    /// Issued here: the checksum holds, and one of our signing keys made the tag.
    Issued {
        /// The public id that finds the row.
        lookup: &'a str,
        /// Fingerprint of the signing key that made the tag.
        signing_key: &'a str,
        class: KeyClass,
    },
    /// A string in the shape of a legacy key: visible ASCII without an accepted prefix.
    Legacy,
}

/// Generates and parses keys.
#[derive(Debug)]
pub struct Tokens {
    format: KeyFormat,
    keyring: Keyring,
}

impl Tokens {
    /// Generates and parses keys of this format, signed and verified by this keyring.
    #[must_use]
    pub fn new(format: KeyFormat, keyring: Keyring) -> Self {
        Self { format, keyring }
    }

    /// The signing keys. The signer's fingerprint is stored with a generated key.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    #[must_use]
    pub fn format(&self) -> &KeyFormat {
        &self.format
    }

    /// Generates a key of this kind and environment, signed by the first signing key. `rng` is the operating system's generator,
    /// or seeded by it.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(&self, class: KeyClass, rng: &mut R) -> Generated {
        // Enough capacity for the whole key: a reallocation would leave the secret behind in freed memory.
        let mut text = String::with_capacity(MAX_LENGTH);
        text.extend([
            self.format.prefix(class.kind),
            "_",
            class.environment.name(),
            "_",
        ]);
        let mut lookup = String::with_capacity(LOOKUP_DIGITS);
        base62::push_random(&mut lookup, LOOKUP_DIGITS, rng);
        text.push_str(&lookup);
        let start = text.clone();
        text.push('_');
        base62::push_random(&mut text, SECRET_DIGITS, rng);
        let tag = self.keyring.signer().tag(&text);
        text.extend(tag.map(char::from));
        let checksum = checksum(&text);
        text.extend(checksum.map(char::from));
        Generated {
            plaintext: Plaintext::new(text),
            lookup,
            start,
        }
    }

    /// Parses `text`; `None` if it cannot be a key.
    ///
    /// Pure computation, cheapest check first: length, characters, prefix, shape, environment, tag, checksum. Nothing
    /// is allocated.
    #[must_use]
    pub fn parse<'a>(&'a self, text: &'a str) -> Option<ParsedKey<'a>> {
        if !is_presentable(text) {
            return None;
        }
        match split_once(text, b'_') {
            Some((prefix, rest)) => match self.format.kind_of(prefix) {
                Some(kind) => self.parse_issued(text, rest, kind),
                None => Some(ParsedKey::Legacy),
            },
            None => Some(ParsedKey::Legacy),
        }
    }

    /// The public id in a text of the shape of an issued key, authentic or not. It identifies what was presented, and
    /// does not authenticate it.
    #[must_use]
    pub fn public_part<'a>(&self, text: &'a str) -> Option<&'a str> {
        let (prefix, rest) = text.split_once('_')?;
        let (_, rest) = rest.split_once('_')?;
        let (lookup, _) = rest.split_once('_')?;
        let shaped = self.format.accepts(prefix)
            && lookup.len() == LOOKUP_DIGITS
            && base62::is_base62(lookup);
        shaped.then_some(lookup)
    }

    /// The text without the key that was presented, and without the secrets of others, authentic or not. A key that was adopted has
    /// no beginning by which it could be found.
    #[must_use]
    pub fn redact(&self, text: &str, key: &str) -> String {
        if key.is_empty() {
            return self.format.redact(text);
        }
        self.format.redact(&text.replace(key, "…"))
    }

    fn parse_issued<'a>(
        &'a self,
        text: &'a str,
        after_prefix: &'a str,
        kind: KindNumber,
    ) -> Option<ParsedKey<'a>> {
        let (environment, rest) = split_once(after_prefix, b'_')?;
        let environment = Environment::of_name(environment)?;
        let (lookup, digits) = split_once(rest, b'_')?;
        let shaped = self.format.environments().contain(environment)
            && lookup.len() == LOOKUP_DIGITS
            && digits.len() == SECRET_DIGITS + TAG_DIGITS + CRC_DIGITS
            && base62::is_base62(lookup)
            && base62::is_base62(digits);
        if !shaped {
            return None;
        }
        let (tagged, crc) = split_end(text, CRC_DIGITS)?;
        let (signed, tag) = split_end(tagged, TAG_DIGITS)?;
        // Before the checksum, which everyone can make: a forged key would cost both.
        let signing_key = self.keyring.author_of(signed, tag)?.fingerprint();
        (checksum(tagged) == crc.as_bytes()).then_some(ParsedKey::Issued {
            lookup,
            signing_key,
            class: KeyClass { kind, environment },
        })
    }
}

#[cfg(test)]
mod tests;
