//! Lines `key  value` under titles.

use crate::output::{Ink, Paint, clean};

/// Lines `key  value`, collected.
pub(super) struct Sheet {
    pub(super) paint: Paint,
    pub(super) lines: Vec<String>,
}

/// Keys have this width, values stand behind it.
const KEY: usize = 18;
/// In front of a key.
const INDENT: usize = 2;

impl Sheet {
    pub(super) fn new(paint: Paint) -> Self {
        Self {
            paint,
            lines: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, key: &str, value: impl AsRef<str>) {
        let key = self.paint.apply(Ink::Dim, &format!("  {key:<KEY$}"));
        self.lines.push(format!("{key}{}", clean(value.as_ref())));
    }

    /// A row with a colour.
    pub(super) fn row_in(&mut self, ink: Ink, key: &str, value: &str) {
        let key = self.paint.apply(Ink::Dim, &format!("  {key:<KEY$}"));
        let value = self.paint.apply(ink, &clean(value));
        self.lines.push(format!("{key}{value}"));
    }

    /// A row with parts, as many lines as it takes: a terminal would break them anywhere.
    pub(super) fn parts(&mut self, key: &str, parts: &[String]) {
        let room = self.paint.columns.map_or(usize::MAX, |columns| {
            columns.saturating_sub(KEY + INDENT).max(20)
        });
        let mut line = String::new();
        let mut key = key;
        for part in parts {
            let width = line.chars().count() + 2 + part.chars().count();
            if !line.is_empty() && width > room {
                self.row(key, format!("{line},"));
                line.clear();
                key = "";
            }
            if !line.is_empty() {
                line.push_str(", ");
            }
            line.push_str(part);
        }
        if !line.is_empty() {
            self.row(key, line);
        }
    }

    pub(super) fn title(&mut self, text: &str) {
        self.lines.push(self.paint.apply(Ink::Bold, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_broken_between_them() {
        let mut sheet = Sheet::new(Paint {
            colour: false,
            columns: Some(45),
        });
        let parts: Vec<String> = (1..=5).map(|n| format!("part number {n}")).collect();
        sheet.parts("memory", &parts[..1]);
        sheet.parts("responses", &parts);
        sheet.parts("nothing", &[]);
        assert_eq!(
            sheet.lines,
            [
                "  memory            part number 1",
                "  responses         part number 1,",
                "                    part number 2,",
                "                    part number 3,",
                "                    part number 4,",
                "                    part number 5"
            ]
        );
    }
}
