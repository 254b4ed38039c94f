//! `rota init`.

mod ecosystem;
mod project;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use rota_api::ExitCode;
use rota_config::file::template;

use super::file::DEFAULT;
use crate::args::InitArgs;
use crate::context::{Context, remark};
use crate::failure::{Done, Failure, Stop};

pub(super) fn run(context: &Context, args: &InitArgs) -> Done {
    let folder = Path::new(".");
    let Written { text, names } = match ecosystem::find(folder) {
        Some(path) => ecosystem::translate(&path)?,
        None => by_project(folder),
    };
    let mut out = context.out();
    if args.stdout {
        out.bytes(text.as_bytes())?;
    } else {
        write(&folder.join(DEFAULT), &text, args.force)?;
        out.line(&format!("wrote {DEFAULT}: {}", names.join(", ")))?;
        out.line("`rota check` looks for mistakes, `rota start` starts it")?;
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

/// What is written.
struct Written {
    text: String,
    /// The names of the apps in it.
    names: Vec<String>,
}

fn by_project(folder: &Path) -> Written {
    let project = project::look(folder);
    for left in &project.unread {
        remark(&format!("note: {left}"));
    }
    Written {
        text: template(&project.apps, project.env_file),
        names: project
            .apps
            .iter()
            .map(|app| app.name.to_string())
            .collect(),
    }
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Stop> {
    let mut options = OpenOptions::new();
    options.write(true);
    match force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Failure::new(
                ExitCode::Failed,
                format!("there is a {DEFAULT} here already"),
            )
            .hint("`rota init --stdout` only shows a new one, `--force` overwrites it")
            .into();
        }
        Failure::new(ExitCode::Failed, format!("cannot write {DEFAULT}"))
            .because(&error)
            .into()
    })
}
