//! What kind of character a byte is, looked up: comparing takes longer.

const ALPHANUMERIC: u8 = 1;
const OF_SCOPES: u8 = 2;

static KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < kinds.len() {
        #[expect(clippy::cast_possible_truncation)] // It is below 256.
        let character = byte as u8;
        if character.is_ascii_alphanumeric() {
            kinds[byte] = ALPHANUMERIC | OF_SCOPES;
        } else if matches!(character, b':' | b'.' | b'_' | b'*' | b'/' | b'-') {
            kinds[byte] = OF_SCOPES;
        }
        byte += 1;
    }
    kinds
};

fn is(kind: u8, byte: u8) -> bool {
    KINDS[usize::from(byte)] & kind != 0
}

pub(crate) fn is_alphanumeric(byte: u8) -> bool {
    is(ALPHANUMERIC, byte)
}

/// Whether a scope may have it.
pub(crate) fn is_of_scopes(byte: u8) -> bool {
    is(OF_SCOPES, byte)
}
