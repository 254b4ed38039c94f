//! The names of the log files: `<app>-out-<slot>.log` and `<app>-error-<slot>.log`, as PM2 names them
//! when each instance has its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rota_config::AppSpec;

use super::{Source, Stream};

/// One log file: what all incarnations of a worker wrote to one stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileKey {
    pub app: Arc<str>,
    pub slot: u32,
    pub stream: Stream,
}

impl FileKey {
    pub fn of(source: &Source) -> Self {
        Self {
            app: Arc::clone(&source.app),
            slot: source.slot,
            stream: source.stream,
        }
    }

    pub fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.file_name())
    }

    /// The file's name in the folder.
    pub fn file_name(&self) -> String {
        // App names are validated long before; a name must not lead out of the folder all the same.
        let app: String = self
            .app
            .chars()
            .map(|c| if c == '/' || c.is_control() { '_' } else { c })
            .collect();
        format!("{app}-{}-{}.log", word(self.stream), self.slot)
    }

    /// Reads a file's name; `None` for files that are not ours.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, slot) = name.strip_suffix(".log")?.rsplit_once('-')?;
        let (app, stream) = rest.rsplit_once('-')?;
        let slot_is_plain = slot == "0" || !slot.starts_with(['0', '+']);
        let stream = match stream {
            "out" => Stream::Out,
            "error" => Stream::Err,
            _ => return None,
        };
        (slot_is_plain && !app.is_empty()).then_some(())?;
        Some(Self {
            app: app.into(),
            slot: slot.parse().ok()?,
            stream,
        })
    }
}

/// Where the output of a worker goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogPaths {
    pub(crate) out: PathBuf,
    pub(crate) err: PathBuf,
}

/// Where the output of a slot's workers goes; `/dev/null` where it goes nowhere.
pub(crate) fn log_paths(spec: &AppSpec, dir: &Path, slot: u32) -> LogPaths {
    let path = |stream, own: &Option<PathBuf>| match (spec.logs.disabled, own) {
        (true, _) => PathBuf::from("/dev/null"),
        (false, Some(path)) => path.clone(),
        (false, None) => FileKey {
            app: Arc::from(spec.name.as_str()),
            slot,
            stream,
        }
        .path(dir),
    };
    LogPaths {
        out: path(Stream::Out, &spec.logs.out),
        err: path(Stream::Err, &spec.logs.err),
    }
}

fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Out => "out",
        Stream::Err => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_as_it_was_written() {
        for app in ["api", "api-out-1", "my app", "zwölf", "-", "a.log"] {
            for stream in [Stream::Out, Stream::Err] {
                for slot in [0, 7, u32::MAX] {
                    let key = FileKey {
                        app: app.into(),
                        slot,
                        stream,
                    };
                    let path = key.path(Path::new("/logs"));
                    let name = path.file_name().unwrap().to_str().unwrap();
                    assert_eq!(FileKey::parse(name), Some(key));
                }
            }
        }
    }

    #[test]
    fn other_files_are_not_ours() {
        for name in [
            "",
            "api.log",
            "api-out.log",
            "api-out-x.log",
            "api-out-01.log",
            "api-out-+1.log",
            "api-out--1.log",
            "api-err-1.log",
            "-out-1.log",
            "api-out-1.log.1",
            "api-out-4294967296.log",
        ] {
            assert_eq!(FileKey::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        let key = FileKey {
            app: "../../etc/x\n\0".into(),
            slot: 0,
            stream: Stream::Out,
        };
        assert_eq!(
            key.path(Path::new("/logs")),
            Path::new("/logs/.._.._etc_x__-out-0.log")
        );
    }
}
