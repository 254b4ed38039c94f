//! What is wrong with a file, and where.

use std::ops::Range;

use super::node::Place;

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in bytes of the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What is said beside the mark.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that belong to it, with what is said there.
    pub also: Vec<(Range<usize>, String)>,
    /// Something is missing: not to be told of a text that could only be read in part.
    pub(super) missing: bool,
}

impl Problem {
    pub(super) fn new(at: Place, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            label: None,
            help: None,
            also: Vec::new(),
            missing: false,
        }
    }

    #[must_use]
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(super) fn also(mut self, at: Place, label: impl Into<String>) -> Self {
        self.also.push((at, label.into()));
        self
    }

    #[must_use]
    pub(super) fn missing(mut self) -> Self {
        self.missing = true;
        self
    }
}

/// Line and column of a byte of the text, both from 1; the column counts characters.
pub fn line_and_column(text: &str, byte: usize) -> (u32, u32) {
    let before = text.get(..byte.min(text.len())).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[start..].chars().count() + 1;
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (small(line), small(column))
}

/// The word that was probably meant.
pub fn closest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let limit = 1 + word.chars().count() / 4;
    among
        .into_iter()
        .map(|other| {
            let lower = other.to_lowercase().replace('-', "_");
            (strsim::damerau_levenshtein(&word, &lower), other)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one() {
        let text = "a\nbé c\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, 6), (2, 4));
        assert_eq!(line_and_column(text, 99), (3, 1));
    }

    #[test]
    fn the_closest_word_is_suggested() {
        let words = ["instances", "listen", "interpreter"];
        assert_eq!(closest("instanses", words), Some("instances"));
        assert_eq!(closest("Listen", words), Some("listen"));
        assert_eq!(closest("watch", words), None);
    }
}
