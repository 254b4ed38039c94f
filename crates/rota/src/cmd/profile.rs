//! `rota profile`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rota_api::client::Download;
use rota_api::{ExitCode, ProfileKind, ProfileRequest, ProfileSource};
use serde::Serialize;

use crate::args::{ProfileArgs, ProfileWhat};
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};
use crate::output::{bytes, clean};

/// `--json`.
#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    bytes: u64,
    #[serde(flatten)]
    source: &'a ProfileSource,
}

pub(super) fn run(context: &Context, args: ProfileArgs) -> Done {
    let (kind, duration_ms, target) = match args.what {
        ProfileWhat::Cpu {
            target,
            duration,
            to,
        } => (ProfileKind::Cpu, duration.millis(), (target, to)),
        ProfileWhat::Heap { target, to } => (ProfileKind::Heap, 0, (target, to)),
    };
    let (target, to) = target;
    let request = ProfileRequest {
        target,
        kind,
        duration_ms,
    };
    // Before anything is recorded: what cannot be written need not be.
    let mut output = to.output.map(Output::create).transpose()?;
    let (source, length) = context.block_on(async {
        let (source, mut download) = context.client().await?.profile(&request).await?;
        let output = match &mut output {
            Some(output) => output,
            None => output.insert(Output::create(default_name(&source, kind))?),
        };
        let length = output.fill(&mut download).await?;
        Ok((source, length))
    })?;
    let Some(path) = output.map(Output::keep) else {
        return Ok(ExitCode::Failed);
    };
    let mut out = context.out();
    if to.json {
        out.pretty_json(&Written {
            file: &path,
            bytes: length,
            source: &source,
        })?;
    } else {
        out.line(&told(&path, length, &source))?;
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

fn told(path: &Path, length: u64, source: &ProfileSource) -> String {
    let busiest = match source.of {
        0 | 1 => String::new(),
        of => format!(", the busiest of {of} workers"),
    };
    let text = format!(
        "{}: {} of {}:{} (pid {}){busiest}; Chrome DevTools opens it",
        path.display(),
        bytes(length),
        source.app,
        source.slot,
        source.pid,
    );
    clean(&text).into_owned()
}

/// `api-0-20260131T120000.cpuprofile`, in UTC.
fn default_name(source: &ProfileSource, kind: ProfileKind) -> PathBuf {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let stamp: String = now
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == 'T')
        .collect();
    let app = source.app.replace('/', "_");
    format!("{app}-{}-{stamp}.{}", source.slot, kind.extension()).into()
}

/// A file that is gone again if it is not filled.
struct Output {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self, Stop> {
        // A heap snapshot holds whatever the app has in memory: for nobody else's eyes.
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match opened {
            Ok(file) => Ok(Self {
                path,
                file,
                kept: false,
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Failure::usage(format!("{} exists already", path.display()))
                    .hint("choose another file with --output, or remove it")
                    .into())
            }
            Err(error) => Err(cannot(&path, &error).into()),
        }
    }

    async fn fill(&mut self, download: &mut Download) -> Result<u64, Stop> {
        let mut length = 0;
        while let Some(piece) = download.next().await? {
            self.file
                .write_all(&piece)
                .map_err(|error| cannot(&self.path, &error))?;
            length += piece.len() as u64;
        }
        Ok(length)
    }

    fn keep(mut self) -> PathBuf {
        self.kept = true;
        self.path.clone()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.kept {
            // There is nothing in it that anybody could use.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(ExitCode::Failed, format!("cannot write {}", path.display())).because(error)
}
