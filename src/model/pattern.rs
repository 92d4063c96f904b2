//! Patterns for `LIKE`.

/// A pattern for `LIKE` that matches the text anywhere, literally.
#[must_use]
pub fn contains_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_like_is_escaped() {
        assert_eq!(contains_pattern("50% of a_b\\"), "%50\\% of a\\_b\\\\%");
    }
}
