//! Texts.

/// Whether it is visible ASCII.
#[must_use]
#[inline(never)]
pub fn is_graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Splits a text at the first of these bytes, which must be ASCII; `None` if there is none.
#[must_use]
#[inline(never)]
pub fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Writes UTF-16, as JavaScript has it, as UTF-8 into a buffer; `None` if it does not fit. A lone surrogate becomes U+FFFD.
#[must_use]
#[inline(never)]
pub fn encode_utf16<'b>(units: &[u16], buffer: &'b mut [u8]) -> Option<&'b str> {
    let length = if encode_ascii(units, buffer.get_mut(..units.len())?) {
        units.len()
    } else {
        encode_any(units, buffer)?
    };
    std::str::from_utf8(buffer.get(..length)?).ok()
}

/// Returns whether it is ASCII; otherwise the bytes are anything. Four units at a time: the optimiser of the addon makes no vectors.
fn encode_ascii(units: &[u16], bytes: &mut [u8]) -> bool {
    const OTHERS: u64 = 0xff80_ff80_ff80_ff80;
    let (fours, rest) = units.as_chunks::<4>();
    let (fours_of_bytes, rest_of_bytes) = bytes.as_chunks_mut::<4>();
    let mut all = 0;
    for (four, bytes) in fours.iter().zip(fours_of_bytes) {
        let [a, b, c, d] = four.map(u64::from);
        all |= a | b << 16 | c << 32 | d << 48;
        *bytes = four.map(low_byte);
    }
    for (unit, byte) in rest.iter().zip(rest_of_bytes) {
        all |= u64::from(*unit);
        *byte = low_byte(*unit);
    }
    all & OTHERS == 0
}

#[expect(clippy::cast_possible_truncation)] // The rest is dropped, or there is none.
fn low_byte(unit: u16) -> u8 {
    unit as u8
}

fn encode_any(units: &[u16], buffer: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    for c in char::decode_utf16(units.iter().copied()) {
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        let place = buffer.get_mut(length..length + c.len_utf8())?;
        length += c.encode_utf8(place).len();
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, room: usize) -> Option<String> {
        let units: Vec<u16> = text.encode_utf16().collect();
        encode_utf16(&units, &mut vec![0; room]).map(str::to_owned)
    }

    #[test]
    fn texts_are_encoded_as_they_are_and_none_is_cut() {
        for text in [
            "",
            "a",
            "sophra_live_x",
            "\u{7f}\0",
            "\u{80}",
            "käse",
            "ſ",
            "鍵🔑",
            "ı0.0.0.1",
            "a\u{80}bc",
            "abcdef\u{7ff}",
        ] {
            assert_eq!(encoded(text, text.len()).as_deref(), Some(text));
            if !text.is_empty() {
                assert_eq!(encoded(text, text.len() - 1), None);
            }
        }
    }

    #[test]
    fn a_lone_surrogate_is_replaced() {
        assert_eq!(
            encode_utf16(&[0x61, 0xd800], &mut [0; 4]),
            Some("a\u{fffd}")
        );
        assert_eq!(encode_utf16(&[0xdc00], &mut [0; 2]), None);
    }
}
