//! Mistakes in a file, for people and for programs.

use std::io::Write as _;
use std::path::Path;

use rota_config::file::{Style, line_and_column, render};
use serde::Serialize;

use crate::context::{Context, remark};
use crate::files::{Fault, Source};
use crate::output::{Ink, clean};

/// Shows mistakes on standard error, each with its line and a mark, or with its app and field.
pub(in crate::cmd) fn show(context: &Context, path: &Path, file: &Source, faults: &[Fault]) {
    let paint = context.err_paint();
    let style = Style {
        colour: paint.colour,
        columns: paint.columns.unwrap_or(140),
    };
    let name = path.display().to_string();
    let mut err = std::io::stderr().lock();
    for fault in faults {
        let text = match (fault, file) {
            (Fault::Line(problem), Source::Rota(file)) => {
                render(&name, file.text(), problem, style)
            }
            (Fault::Line(problem), Source::Foreign(_)) => problem.message.clone(),
            (Fault::Field(mistake), _) => {
                let label = paint.apply(Ink::Red, "error");
                let mut text = format!("{label}: {}", clean(&mistake.to_string()));
                if let Some(help) = &mistake.help {
                    text.push_str(&format!("\n  help: {}", clean(help)));
                }
                text
            }
        };
        // Nothing is left to tell it to.
        let _closed = writeln!(err, "{text}\n");
    }
}

/// Says on standard error what is no mistake.
pub(in crate::cmd) fn warn(warnings: &[String]) {
    for warning in warnings {
        remark(&format!("warning: {}", clean(warning)));
    }
}

/// A mistake for programs.
#[derive(Debug, Serialize)]
pub(in crate::cmd) struct Mistake {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Mistakes for programs.
pub(in crate::cmd) fn as_json(file: &Source, faults: &[Fault]) -> Vec<Mistake> {
    faults.iter().map(|fault| mistake(file, fault)).collect()
}

fn mistake(file: &Source, fault: &Fault) -> Mistake {
    match fault {
        Fault::Line(problem) => {
            let text = match file {
                Source::Rota(file) => file.text(),
                Source::Foreign(_) => "",
            };
            let (line, column) = line_and_column(text, problem.at.start);
            Mistake {
                line: Some(line),
                column: Some(column),
                app: None,
                field: None,
                message: problem.message.clone(),
                label: problem.label.clone(),
                help: problem.help.clone(),
            }
        }
        Fault::Field(mistake) => Mistake {
            line: None,
            column: None,
            app: mistake.app.clone(),
            field: mistake.field.clone(),
            message: mistake.to_string(),
            label: None,
            help: mistake.help.clone(),
        },
    }
}
