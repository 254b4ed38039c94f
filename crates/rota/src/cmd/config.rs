//! `rota config`.

use std::path::Path;

use rota_api::{ConfigRequest, ConfigResponse, ExitCode, Origin};
use rota_config::file::{KEYS, Part, schema, written};
use serde_json::Value;

use crate::args::{ConfigArgs, ConfigWhat};
use crate::context::Context;
use crate::failure::Done;
use crate::output::{Align, Cell, Column, Ink, Paint, Table, clean};

pub(super) fn run(context: &Context, args: ConfigArgs) -> Done {
    let mut out = context.out();
    match args.what {
        ConfigWhat::Schema => out.pretty_json(&schema())?,
        ConfigWhat::Keys => {
            for line in keys(out.paint) {
                out.line(&line)?;
            }
        }
        ConfigWhat::Show { target, json } => {
            let request = ConfigRequest { target };
            let answer =
                context.block_on(async { Ok(context.client().await?.config(&request).await?) })?;
            if json {
                out.pretty_json(&answer)?;
            } else {
                for line in render(&answer, out.paint) {
                    out.line(&line)?;
                }
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

fn keys(paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for part in Part::ALL {
        lines.push(paint.apply(Ink::Bold, part.title()));
        for key in KEYS.iter().filter(|key| key.part == part) {
            let name = paint.apply(Ink::Cyan, &format!("{:<20}", key.name));
            lines.push(format!("  {name}{}", key.doc.replace('`', "")));
        }
    }
    lines
}

const COLUMNS: [Column; 3] = [
    Column::new("key", Align::Left, 0),
    Column::new("value", Align::Left, 0),
    Column::new("from", Align::Left, 0),
];

fn render(answer: &ConfigResponse, paint: Paint) -> Vec<String> {
    let mut lines = vec![heading(answer, paint)];
    let mut table = Table::new(&COLUMNS);
    let file = answer.file.as_deref();
    for setting in &answer.settings {
        if is_nothing(&setting.value) {
            continue;
        }
        let ink = match setting.origin {
            Origin::Default => Ink::Dim,
            _ => Ink::Plain,
        };
        table.row(vec![
            Cell::new(&setting.key, ink),
            Cell::new(written(&setting.key, &setting.value), ink),
            Cell::new(origin(&setting.origin, file), ink),
        ]);
    }
    lines.extend(table.render(paint));
    if !answer.env.is_empty() {
        let hint = format!("values: rota env {}", clean(&answer.app));
        lines.push(String::new());
        lines.push(format!(
            "environment {}",
            paint.apply(Ink::Dim, &format!("({hint})"))
        ));
        let mut table = Table::new(&[COLUMNS[0], COLUMNS[2]]);
        for variable in &answer.env {
            table.row(vec![
                Cell::from(&variable.name),
                Cell::from(origin(&variable.origin, file)),
            ]);
        }
        lines.extend(table.render(paint));
    }
    lines
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

fn heading(answer: &ConfigResponse, paint: Paint) -> String {
    let name = paint.apply(Ink::Bold, &clean(&answer.app));
    match (&answer.file, &answer.profile) {
        (Some(file), Some(profile)) => format!(
            "{name}, from {} with the profile {}",
            clean(file),
            clean(profile)
        ),
        (Some(file), None) => format!("{name}, from {}", clean(file)),
        (None, _) => format!("{name}, without a configuration file"),
    }
}

fn origin(origin: &Origin, file: Option<&str>) -> String {
    // The app's own file stands in the heading.
    let short = |path: &str| match (file == Some(path), Path::new(path).file_name()) {
        (true, Some(name)) => name.to_string_lossy().into_owned(),
        _ => path.to_owned(),
    };
    match origin {
        Origin::File { file, line, field } => {
            let field = field.as_ref().map(|field| format!(", {}", clean(field)));
            let field = field.unwrap_or_default();
            match line {
                // A program has no lines to point at.
                0 => format!("{}{field}", short(file)),
                line => format!("{}:{line}{field}", short(file)),
            }
        }
        Origin::Named { file, line } => format!("shell, named in {}:{line}", short(file)),
        Origin::Shell => "shell".to_owned(),
        Origin::Given => "command line".to_owned(),
        Origin::Scaled => "rota scale".to_owned(),
        Origin::Default => "default".to_owned(),
        Origin::Unknown => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_with_their_origin() {
        let answer: ConfigResponse = serde_json::from_str(
            r#"{"app":"api","file":"/srv/rota.toml","profile":"production","settings":[
                {"key":"script","value":"app.js","from":"file","file":"/srv/rota.toml","line":3},
                {"key":"max_memory","value":314572800,"from":"file","file":"/srv/rota.toml","line":0,"field":"max_memory_restart"},
                {"key":"instances","value":4,"from":"scaled"},
                {"key":"listen","value":["8080"],"from":"given"},
                {"key":"probe","value":null,"from":"default"},
                {"key":"fork","value":false,"from":"default"}],
              "env":[{"name":"PORT","from":"file","file":"/srv/.env","line":1},
                {"name":"AWS_KEY","from":"named","file":"/srv/rota.toml","line":9},
                {"name":"PATH","from":"shell"}]}"#,
        )
        .unwrap();
        let lines = render(&answer, Paint::PLAIN);
        assert_eq!(
            lines.join("\n"),
            "\
api, from /srv/rota.toml with the profile production
key         value     from
script      \"app.js\"  rota.toml:3
max_memory  \"300M\"    rota.toml, max_memory_restart
instances   4         rota scale
listen      [\"8080\"]  command line
fork        false     default

environment (values: rota env api)
key      from
PORT     /srv/.env:1
AWS_KEY  shell, named in rota.toml:9
PATH     shell"
        );
    }

    #[test]
    fn every_key_is_listed() {
        let lines = keys(Paint::PLAIN);
        assert_eq!(lines.len(), KEYS.len() + Part::ALL.len());
    }
}
