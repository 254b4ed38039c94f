//! The table of fields as people read it, in docs/pm2-files.md.

use std::fmt::Write as _;

use super::field::{Field, Set};
use super::fields::FIELDS;

/// The reference in Markdown: fields that mean something here, and those that do not.
pub fn reference() -> String {
    let mut text = String::from("| field | value | what it is here |\n| --- | --- | --- |\n");
    let (with, without): (Vec<&Field>, Vec<&Field>) = FIELDS
        .iter()
        .partition(|field| matches!(field.set, Set::To(_)));
    for field in with {
        row(&mut text, field);
        if field.name == "env" {
            text.push_str("| `env_NAME` | table of variables | a profile, chosen by `--env NAME`; its variables win over those of `env` |\n");
        }
    }
    text.push_str("\nWithout a meaning here; one warning names those that a file has:\n\n| field | why |\n| --- | --- |\n");
    for field in without {
        // Writing into a text does not fail.
        let _ok = writeln!(text, "| {} | {} |", names(field), field.here);
    }
    text
}

fn row(text: &mut String, field: &Field) {
    let _ok = writeln!(
        text,
        "| {} | {} | {} |",
        names(field),
        field.kind.words(),
        field.here
    );
}

fn names(field: &Field) -> String {
    let names: Vec<String> = field.names().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
