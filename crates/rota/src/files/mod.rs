//! Files that say what is to run: finding and reading them.

mod evaluate;
mod kind;
mod source;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rota_api::ExitCode;
use rota_config::file::ConfigFile;
use rota_config::foreign::{self, Foreign, Mistake};

pub use evaluate::evaluate;
pub use kind::{Kind, usual};
pub use source::{Fault, Source};

use crate::cmd::specs;
use crate::context::remark;
use crate::failure::Failure;

/// A larger file is none of ours, in bytes.
pub const LARGEST: u64 = 1 << 20;

/// Reads a file of the sort that its name says; what is wrong with its apps is in it. What a JavaScript file prints, and
/// functions in it, are told on standard error.
///
/// # Errors
/// If it cannot be read, or is not even data.
pub fn read(path: &Path) -> Result<Source, Failure> {
    let absolute = specs::absolute(path)?;
    let kind = Kind::of(&absolute).unwrap_or(Kind::Rota);
    let text = read_text(&absolute).map_err(|error| unreadable(path, &error))?;
    let broken = |mistake: Mistake| broken(path, &mistake);
    Ok(match kind {
        Kind::Rota => Source::Rota(Box::new(ConfigFile::parse(absolute, text))),
        Kind::JavaScript => {
            let evaluated = evaluate(&absolute, &specs::caller_env())?;
            for text in &evaluated.remarks {
                remark(text);
            }
            Source::Foreign(Foreign::ecosystem(absolute, evaluated.value))
        }
        Kind::Json => {
            let value = foreign::json(&text).map_err(broken)?;
            Source::Foreign(Foreign::ecosystem(absolute, value).with_lines_of(&text))
        }
        Kind::Yaml => {
            let value = foreign::yaml(&text).map_err(broken)?;
            Source::Foreign(Foreign::ecosystem(absolute, value).with_lines_of(&text))
        }
        Kind::Procfile => Source::Foreign(Foreign::procfile(absolute, text)),
        Kind::Package => Source::Foreign(Foreign::package(absolute, &text).map_err(broken)?),
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(
        ExitCode::CannotRun,
        format!("cannot read {}", path.display()),
    );
    let failure = failure.because(error);
    match error.kind() {
        io::ErrorKind::NotFound => {
            failure.hint("`rota init` writes a rota.toml for the project in this folder")
        }
        _ => failure,
    }
}

fn broken(path: &Path, mistake: &Mistake) -> Failure {
    let failure = Failure::usage(format!("{}: {mistake}", path.display()));
    match &mistake.help {
        Some(help) => failure.hint(help.clone()),
        None => failure,
    }
}

/// The text of a file that is not too large.
///
/// # Errors
/// Those of the system.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_string(&mut text)?;
    match text.len() as u64 > LARGEST {
        true => Err(io::Error::other("it is larger than 1 MiB")),
        false => Ok(text),
    }
}
