//! Text from elsewhere, made fit for a terminal.

use std::borrow::Cow;

/// The text with control characters shown instead of sent: a worker's message must not move the
/// cursor. Tabs stay.
pub fn clean(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c.is_control() && c != '\t';
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match bad(c) {
            true => clean.extend(c.escape_default()),
            false => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// The text in at most `columns` characters; what is cut off is replaced by `…`.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if text.chars().count() <= columns {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns > 0 {
        short.push('…');
    }
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(clean("a\tb"), "a\tb");
        assert_eq!(clean("a\u{1b}[2Jb\r"), "a\\u{1b}[2Jb\\r");
    }

    #[test]
    fn long_text_is_cut_at_characters() {
        assert_eq!(cut("café", 4), "café");
        assert_eq!(cut("café au", 4), "caf…");
        assert_eq!(cut("x", 0), "");
    }
}
