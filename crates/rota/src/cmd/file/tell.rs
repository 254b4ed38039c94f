//! Mistakes in a file, for people and for programs.

use std::io::Write as _;
use std::path::Path;

use rota_config::file::{ConfigFile, Problem, Style, line_and_column, render};
use serde::Serialize;

use crate::context::Context;

/// Shows mistakes on standard error, each with its line and a mark.
pub(in crate::cmd) fn show(
    context: &Context,
    path: &Path,
    file: &ConfigFile,
    problems: &[Problem],
) {
    let paint = context.err_paint();
    let style = Style {
        colour: paint.colour,
        columns: paint.columns.unwrap_or(140),
    };
    let name = path.display().to_string();
    let mut err = std::io::stderr().lock();
    for problem in problems {
        // Nothing is left to tell it to.
        let _closed = writeln!(err, "{}\n", render(&name, file.text(), problem, style));
    }
}

/// A mistake for programs.
#[derive(Debug, Serialize)]
pub(in crate::cmd) struct Mistake {
    line: u32,
    column: u32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Mistakes for programs.
pub(in crate::cmd) fn as_json(file: &ConfigFile, problems: &[Problem]) -> Vec<Mistake> {
    let mistake = |problem: &Problem| {
        let (line, column) = line_and_column(file.text(), problem.at.start);
        Mistake {
            line,
            column,
            message: problem.message.clone(),
            label: problem.label.clone(),
            help: problem.help.clone(),
        }
    };
    problems.iter().map(mistake).collect()
}
