//! Results as tables for people and as data for programs.

use std::fmt;

use serde::Serialize;

use crate::machine::Machine;

/// All results of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    pub(crate) sections: Vec<Section>,
    #[serde(skip)]
    announced: bool,
}

/// The results of one measure.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) title: String,
    /// What was done, in a sentence.
    pub(crate) how: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) aims: Vec<Aim>,
}

/// One contender: absolute values (and ratios) as text, and the number behind the first of them.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) cells: Vec<String>,
}

/// What the project wants to reach, and whether this run did.
#[derive(Debug, Serialize)]
pub(crate) struct Aim {
    pub(crate) text: String,
    pub(crate) met: bool,
}

impl Aim {
    pub(crate) fn new(met: bool, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            met,
        }
    }
}

impl Report {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            sections: Vec::new(),
            announced: false,
        }
    }

    /// Prints the machine once, before the first table.
    pub(crate) fn announce(&mut self) {
        if !std::mem::replace(&mut self.announced, true) {
            println!("{}", self.machine);
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} CPUs, {} MiB, Linux {} (autogroup {}), load {} at the start",
            self.processor,
            self.cpus,
            self.memory_mib,
            self.kernel,
            if self.autogroup { "on" } else { "off" },
            self.load
        )?;
        write!(f, "Node {}", self.node)?;
        if let Some(rota) = &self.rota {
            write!(f, "; {rota}")?;
        }
        if let Some(pm2) = &self.pm2 {
            write!(f, "; PM2 {pm2}")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Section {
    /// A Markdown table whose columns also line up on a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.title, self.how)?;
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| row.cell(column).chars().count());
                cells
                    .chain([self.columns[column].chars().count(), 3])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let line = |f: &mut fmt::Formatter<'_>, cell: &dyn Fn(usize) -> String| {
            for (column, width) in widths.iter().enumerate() {
                match column {
                    0 => write!(f, "| {:width$} |", cell(column))?,
                    _ => write!(f, " {:>width$} |", cell(column))?,
                }
            }
            writeln!(f)
        };
        line(f, &|column| self.columns[column].clone())?;
        line(f, &|column| {
            let dashes = "-".repeat(widths[column] - 1);
            if column == 0 {
                format!("-{dashes}")
            } else {
                format!("{dashes}:")
            }
        })?;
        for row in &self.rows {
            line(f, &|column| row.cell(column).to_owned())?;
        }
        writeln!(f)?;
        for aim in &self.aims {
            writeln!(
                f,
                "- {}: {}",
                aim.text,
                if aim.met { "met" } else { "missed" }
            )?;
        }
        Ok(())
    }
}

impl Row {
    fn cell(&self, column: usize) -> &str {
        match column {
            0 => &self.name,
            other => self.cells.get(other - 1).map_or("", String::as_str),
        }
    }
}

/// The median; 0 for no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// A ratio as text; a dash when there is nothing to compare with.
pub(crate) fn ratio(value: f64, base: Option<f64>) -> String {
    match base {
        Some(base) if base > 0.0 => format!("{:.2}", value / base),
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
        assert_eq!(ratio(3.0, Some(2.0)), "1.50");
        assert_eq!(ratio(3.0, None), "–");
    }

    #[test]
    fn a_section_is_a_markdown_table() {
        let section = Section {
            title: "Speed".to_owned(),
            how: "As fast as it goes.".to_owned(),
            columns: vec!["who".to_owned(), "per second".to_owned()],
            rows: vec![Row {
                name: "rota".to_owned(),
                value: 12.0,
                cells: vec!["12".to_owned()],
            }],
            aims: vec![Aim::new(true, "at least 10")],
        };
        let expected = "## Speed\n\nAs fast as it goes.\n\n\
            | who  | per second |\n| ---- | ---------: |\n| rota |         12 |\n\n- at least 10: met\n";
        assert_eq!(section.to_string(), expected);
    }
}
