//! Scopes as texts.

use crate::bytes;

/// Whether it is a text of 1 to `length_max` bytes that a scope may have.
#[must_use]
#[inline(never)]
pub fn is_scope(text: &str, length_max: usize) -> bool {
    (1..=length_max).contains(&text.len()) && text.bytes().all(bytes::is_of_scopes)
}

/// Whether each line is such a text.
#[must_use]
#[inline(never)]
pub fn are_scopes(lines: &str, length_max: usize) -> bool {
    lines.split('\n').all(|line| is_scope(line, length_max))
}

/// Whether a held scope covers the required one, in which `*` has no meaning. In the held one a segment `*` stands for one that is
/// not empty, and a last one for all the rest. Compared byte by byte: most scopes differ early.
#[must_use]
#[inline(never)]
pub fn covers(held: &str, required: &str) -> bool {
    let (held, required) = (held.as_bytes(), required.as_bytes());
    let (mut at, mut of_required) = (0, 0);
    loop {
        // Here a segment begins.
        match (held.get(at), held.get(at + 1)) {
            (Some(b'*'), None) => return true,
            (Some(b'*'), Some(b':')) => {
                let rest = required.get(of_required..).unwrap_or_default();
                let length = rest.iter().position(|byte| *byte == b':');
                at += 1;
                of_required += length.unwrap_or_default();
                if length == Some(0) {
                    return false;
                }
            }
            _ => {}
        }
        loop {
            let (byte, wanted) = (held.get(at), required.get(of_required));
            if byte != wanted {
                return false;
            }
            at += 1;
            of_required += 1;
            match byte {
                None => return true,
                Some(b':') => break,
                _ => {}
            }
        }
    }
}
