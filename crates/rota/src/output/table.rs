//! Tables that fit: columns give way by rank on a narrow terminal, lines never wrap.

use super::paint::{Ink, Paint};
use super::text::{clean, cut};

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Where its text stands.
    pub align: Align,
    /// On a narrow terminal the column with the highest rank goes first; rank 0 never goes.
    pub rank: u8,
}

impl Column {
    /// A column of that heading.
    pub const fn new(title: &'static str, align: Align, rank: u8) -> Self {
        Self { title, align, rank }
    }
}

/// One field.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    ink: Ink,
}

impl Cell {
    /// A field with a colour. Control characters in it are shown.
    pub fn new(text: impl AsRef<str>, ink: Ink) -> Self {
        Self {
            text: clean(text.as_ref()).into_owned(),
            ink,
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Ink::Plain)
    }
}

/// Columns and rows.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// Between two columns.
const GAP: &str = "  ";
/// A column of rank 0 is not cut shorter than this.
const SHORTEST: usize = 4;

impl Table {
    /// An empty table.
    pub fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a field for each column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines, headings first. Without a terminal everything is there in full.
    pub fn render(&self, paint: Paint) -> Vec<String> {
        let mut widths: Vec<Option<usize>> = (0..self.columns.len())
            .map(|column| Some(self.natural_width(column)))
            .collect();
        if let Some(room) = paint.columns {
            self.fit(&mut widths, room);
        }
        let heading: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::new(column.title, Ink::Bold))
            .collect();
        std::iter::once(&heading)
            .chain(&self.rows)
            .map(|row| self.line(row, &widths, paint))
            .collect()
    }

    fn natural_width(&self, column: usize) -> usize {
        let title = self.columns[column].title.chars().count();
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(Cell::width).max().unwrap_or(0).max(title)
    }

    /// Takes columns away, then shortens the widest of those that stay, until all fit.
    fn fit(&self, widths: &mut [Option<usize>], room: usize) {
        while total(widths) > room {
            let last = (0..widths.len())
                .filter(|column| widths[*column].is_some() && self.columns[*column].rank > 0)
                .max_by_key(|column| self.columns[*column].rank);
            match last {
                Some(column) => widths[column] = None,
                None => break,
            }
        }
        while total(widths) > room {
            let widest = widths.iter_mut().flatten().max_by_key(|width| **width);
            match widest {
                Some(width) if *width > SHORTEST => *width -= 1,
                _ => break,
            }
        }
    }

    fn line(&self, row: &[Cell], widths: &[Option<usize>], paint: Paint) -> String {
        let mut line = String::new();
        let mut pending = 0;
        for ((column, cell), width) in self.columns.iter().zip(row).zip(widths) {
            let Some(width) = *width else { continue };
            let text = cut(&cell.text, width);
            let fill = width - text.chars().count();
            // Blanks are only written when something follows: no line ends in blanks.
            let before = match column.align {
                Align::Left => pending,
                Align::Right => pending + fill,
            };
            if !text.is_empty() {
                line.extend(std::iter::repeat_n(' ', before));
                line.push_str(&paint.apply(cell.ink, &text));
                pending = 0;
            } else {
                pending = before;
            }
            if column.align == Align::Left {
                pending += fill;
            }
            pending += GAP.len();
        }
        line
    }
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown: Vec<usize> = widths.iter().copied().flatten().collect();
    shown.iter().sum::<usize>() + GAP.len() * shown.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[
            Column::new("id", Align::Right, 0),
            Column::new("name", Align::Left, 0),
            Column::new("pid", Align::Right, 1),
            Column::new("mem", Align::Right, 2),
        ]);
        table.row(vec!["0".into(), "api".into(), "4711".into(), "58M".into()]);
        table.row(vec![
            "10".into(),
            "worker-queue".into(),
            "".into(),
            "".into(),
        ]);
        table
    }

    fn at(columns: Option<usize>) -> String {
        let paint = Paint {
            colour: false,
            columns,
        };
        table().render(paint).join("\n")
    }

    #[test]
    fn a_pipe_gets_everything() {
        assert_eq!(
            at(None),
            "id  name           pid  mem\n 0  api           4711  58M\n10  worker-queue"
        );
    }

    #[test]
    fn columns_go_by_rank_and_names_are_cut_last() {
        assert_eq!(
            at(Some(24)),
            "id  name           pid\n 0  api           4711\n10  worker-queue"
        );
        assert_eq!(at(Some(20)), "id  name\n 0  api\n10  worker-queue");
        assert_eq!(at(Some(10)), "id  name\n 0  api\n10  worke…");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 8..60 {
            for line in at(Some(columns)).lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn colours_do_not_change_the_widths() {
        let mut table = table();
        table.row(vec![
            "11".into(),
            Cell::new("x", Ink::Green),
            "1".into(),
            "1M".into(),
        ]);
        let paint = Paint {
            colour: true,
            columns: Some(80),
        };
        let last = table.render(paint).pop().unwrap();
        assert_eq!(last, "11  \u{1b}[32mx\u{1b}[0m                1   1M");
    }
}
