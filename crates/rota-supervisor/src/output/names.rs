//! The names of the log files: `<app>-out-<slot>.log` and `<app>-error-<slot>.log`, as PM2 names them
//! when each instance has its own; `<app>-out.log` and `<app>-error.log` when they share them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Stream;

/// One log file: what all incarnations of a worker wrote to one stream, or all workers of the app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileKey {
    pub app: Arc<str>,
    /// `None`: of all workers.
    pub slot: Option<u32>,
    pub stream: Stream,
}

impl FileKey {
    pub fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.file_name())
    }

    /// The file's name in the folder.
    pub fn file_name(&self) -> String {
        self.name_with(self.slot.map(|slot| slot.to_string()).as_deref())
    }

    /// The same with a word in the place of the slot's number.
    pub fn name_with(&self, slot: Option<&str>) -> String {
        // App names are validated long before; a name must not lead out of the folder all the same.
        let app: String = self
            .app
            .chars()
            .map(|c| if c == '/' || c.is_control() { '_' } else { c })
            .collect();
        match slot {
            Some(slot) => format!("{app}-{}-{slot}.log", word(self.stream)),
            None => format!("{app}-{}.log", word(self.stream)),
        }
    }

    /// Reads a file's name; `None` for files that are not ours.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, last) = name.strip_suffix(".log")?.rsplit_once('-')?;
        let (app, stream, slot) = match stream(last) {
            Some(stream) => (rest, stream, None),
            None => {
                let (app, word) = rest.rsplit_once('-')?;
                let is_plain = last == "0" || !last.starts_with(['0', '+']);
                let slot = last.parse().ok().filter(|_| is_plain)?;
                (app, stream(word)?, Some(slot))
            }
        };
        (!app.is_empty()).then(|| Self {
            app: app.into(),
            slot,
            stream,
        })
    }
}

fn stream(word: &str) -> Option<Stream> {
    match word {
        "out" => Some(Stream::Out),
        "error" => Some(Stream::Err),
        _ => None,
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
                for slot in [None, Some(0), Some(7), Some(u32::MAX)] {
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
            "api-out-x.log",
            "api-out-01.log",
            "api-out-+1.log",
            "api-out--1.log",
            "api-err-1.log",
            "-out-1.log",
            "-out.log",
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
            slot: Some(0),
            stream: Stream::Out,
        };
        assert_eq!(
            key.path(Path::new("/logs")),
            Path::new("/logs/.._.._etc_x__-out-0.log")
        );
    }
}
