//! The input of callers about a foreign hash, in the forms in which other programs store it.

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use crate::hash::{Algorithm, ImportedHash};
use crate::input::{Fields, Parsed, Value, rules};
use crate::model::from_hex;

const ALGORITHMS: [&str; 7] = [
    "sha256",
    "sha512",
    "hmac-sha256",
    "argon2id",
    "scrypt",
    "bcrypt",
    "pbkdf2-sha256",
];
const ENCODINGS: [&str; 4] = ["hex", "base64", "base64url", "phc"];
const HASHED: [&str; 2] = ["after", "whole"];
const SEPARATOR_MAX: usize = 8;

/// A foreign hash, and what finds its row.
pub(super) struct ForeignHash {
    pub(super) hash: ImportedHash,
    /// The key of an HMAC; empty for others.
    pub(super) secret: Vec<u8>,
    /// The separator behind what finds the row.
    pub(super) row_before: Option<String>,
}

#[derive(Default)]
struct Part {
    separator: String,
    is_whole: bool,
    finds_row: bool,
}

/// The parts of a hash that is written out.
#[derive(Default)]
struct Written {
    n: Option<i64>,
    r: Option<i64>,
    p: Option<i64>,
    iterations: Option<i64>,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

pub(super) fn foreign_hash(value: Value) -> Parsed<ForeignHash> {
    let mut fields = Fields::of(value);
    fields.treat_null_as_absent_except(&[]);
    let algorithm = choice(&mut fields, "algorithm", &ALGORITHMS);
    let encoding = choice(&mut fields, "encoding", &ENCODINGS);
    let value = fields.required("value", rules::any_text);
    let salt = fields.optional("salt", rules::any_text);
    let parameters = fields.optional("parameters", parameters);
    let part = fields.optional("part", part).unwrap_or_default();
    let (Some(algorithm), Some(encoding), Some(value)) = (algorithm, encoding, value) else {
        return fields.finish_nested(None);
    };
    let parsed = if encoding == "phc" {
        if salt.is_some() || parameters.is_some() {
            fields.fail("encoding", "has salt and parameters of its own with phc");
        }
        phc(algorithm, &value)
    } else {
        let mut written = parameters.unwrap_or_default();
        let salt = salt.map_or(Some(Vec::new()), |salt| decoded(encoding, &salt));
        match (decoded(encoding, &value), salt) {
            (Some(digest), Some(salt)) => {
                (written.digest, written.salt) = (digest, salt);
                of_written(algorithm, written)
            }
            _ => None,
        }
    };
    let Some(mut hash) = parsed else {
        let message = "must be a hash of its algorithm in its encoding, with the parameters and the salt that it needs";
        fields.fail("value", message);
        return fields.finish_nested(None);
    };
    let mut secret = Vec::new();
    if hash.needs_secret() {
        secret = std::mem::take(&mut hash.salt);
        if secret.is_empty() || secret.len() > SECRET_MAX {
            fields.fail("salt", "must be the key of the HMAC, of 1 to 128 bytes");
        }
    }
    if let Some(problem) = hash.problem() {
        fields.fail("", problem);
    }
    if !part.is_whole {
        hash.separator.clone_from(&part.separator);
    }
    if !part.finds_row && !finds_itself(&hash) {
        fields.fail(
            "part",
            "must have before: 'row', with a prefix or an id of the item: a salted hash cannot find its row",
        );
    }
    if !part.finds_row && part.is_whole {
        fields.fail("part.before", "is required with hashed: 'whole'");
    }
    fields.finish_nested(Some(ForeignHash {
        hash,
        secret,
        row_before: part.finds_row.then_some(part.separator),
    }))
}

const SECRET_MAX: usize = 128;

/// One of these names.
fn choice(fields: &mut Fields, field: &str, names: &[&'static str]) -> Option<&'static str> {
    let text = fields.required(field, rules::any_text)?;
    let known = names.iter().copied().find(|name| *name == text);
    if known.is_none() {
        fields.fail(field, &format!("must be one of {}", names.join(", ")));
    }
    known
}

/// Whether the digest of a presented key finds the row.
fn finds_itself(hash: &ImportedHash) -> bool {
    matches!(hash.algorithm, Algorithm::Sha256 | Algorithm::Sha512) && hash.salt.is_empty()
}

fn part(value: Value) -> Parsed<Part> {
    let mut fields = Fields::of(value);
    fields.treat_null_as_absent_except(&[]);
    let separator = fields.required("separator", |value| {
        let separator = rules::any_text(value)?;
        let is_visible = separator.bytes().all(|byte| byte.is_ascii_graphic());
        if is_visible && (1..=SEPARATOR_MAX).contains(&separator.len()) {
            Ok(separator)
        } else {
            Err("must have 1 to 8 visible ASCII characters".into())
        }
    });
    let hashed = choice(&mut fields, "hashed", &HASHED);
    let before = fields.optional("before", rules::any_text);
    if before.as_deref().is_some_and(|before| before != "row") {
        fields.fail("before", "must be row");
    }
    let part = separator.zip(hashed).map(|(separator, hashed)| Part {
        separator,
        is_whole: hashed == "whole",
        finds_row: before.is_some(),
    });
    fields.finish_nested(part)
}

fn parameters(value: Value) -> Parsed<Written> {
    let mut fields = Fields::of(value);
    let mut number = |name| fields.optional(name, rules::large_integer(1..=i64::from(u32::MAX)));
    let written = Written {
        n: number("N"),
        r: number("r"),
        p: number("p"),
        iterations: number("iterations"),
        ..Written::default()
    };
    fields.finish_nested(Some(written))
}

/// Other encodings of base64 are first written in the common one. Padding is left out.
fn decoded(encoding: &str, text: &str) -> Option<Vec<u8>> {
    match encoding {
        "hex" => from_hex(text),
        "base64url" if text.contains(['+', '/']) => None,
        "base64url" => base64(&text.replace('-', "+").replace('_', "/")),
        _ => base64(text),
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn of_written(algorithm: &str, written: Written) -> Option<ImportedHash> {
    let number = |number: Option<i64>| u32::try_from(number?).ok();
    let Written {
        n,
        r,
        p,
        iterations,
        salt,
        digest,
    } = written;
    let algorithm = match algorithm {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        "hmac-sha256" => Algorithm::HmacSha256,
        "pbkdf2-sha256" => Algorithm::Pbkdf2 {
            iterations: number(iterations)?,
        },
        "scrypt" => Algorithm::Scrypt {
            n: number(n)?,
            r: number(r)?,
            p: number(p)?,
        },
        // Their hashes are written in one text.
        _ => return None,
    };
    Some(ImportedHash {
        separator: String::new(),
        algorithm,
        salt,
        digest,
    })
}

/// A hash in one text, which begins with its algorithm.
fn phc(algorithm: &str, text: &str) -> Option<ImportedHash> {
    match algorithm {
        "argon2id" => ImportedHash::of_argon2id(text),
        "bcrypt" => bcrypt(text),
        "scrypt" | "pbkdf2-sha256" => {
            let mut fields = text.strip_prefix('$')?.split('$');
            let named = fields.next()?;
            let costs = fields.next()?;
            // passlib has `.` in place of `+`.
            let mut bytes = || base64(&fields.next()?.replace('.', "+"));
            let (salt, digest) = (bytes()?, bytes()?);
            if named != algorithm || fields.next().is_some() {
                return None;
            }
            let mut written = Written {
                salt,
                digest,
                ..Written::default()
            };
            for cost in costs.split(',') {
                // passlib writes the iterations alone.
                let (name, number) = cost.split_once('=').unwrap_or(("i", cost));
                let number: i64 = number.parse().ok()?;
                match name {
                    "ln" => written.n = 1_i64.checked_shl(u32::try_from(number).ok()?),
                    "r" => written.r = Some(number),
                    "p" => written.p = Some(number),
                    "i" => written.iterations = Some(number),
                    "l" if usize::try_from(number).ok()? == written.digest.len() => {}
                    _ => return None,
                }
            }
            of_written(algorithm, written)
        }
        _ => None,
    }
}

/// The versions differ only in faults of old implementations with keys that cannot be presented here.
fn bcrypt(text: &str) -> Option<ImportedHash> {
    const SALT_DIGITS: usize = 22;
    const DIGITS: usize = 53;
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone);
    let mut fields = text.strip_prefix('$')?.split('$');
    let (version, cost, digits) = (fields.next()?, fields.next()?, fields.next()?);
    let is_known = matches!(version, "2a" | "2b" | "2y") && cost.len() == 2;
    if !is_known || fields.next().is_some() || digits.len() != DIGITS {
        return None;
    }
    let (salt, digest) = digits.split_at_checked(SALT_DIGITS)?;
    let engine = GeneralPurpose::new(&BCRYPT, LENIENT);
    Some(ImportedHash {
        separator: String::new(),
        algorithm: Algorithm::Bcrypt {
            cost: cost.parse().ok()?,
        },
        salt: engine.decode(salt).ok()?,
        digest: engine.decode(digest).ok()?,
    })
}
