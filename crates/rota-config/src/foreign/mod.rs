//! Files of other programs that say what is to run: PM2's ecosystem files, Procfiles and package.json.
//!
//! [`Foreign`] is one of them, read; [`Foreign::apps`] makes of it what a rota.toml would give.

mod command;
mod data;
mod lines;
mod mistake;
mod package;
pub mod pm2;
mod procfile;
mod project;
mod shared;

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

pub use data::{json, yaml};
pub use mistake::Mistake;
pub use project::Project;

use lines::Lines;

use crate::file::{FileApp, Outside};

/// A file of another program.
#[derive(Debug, Clone)]
pub struct Foreign {
    path: PathBuf,
    folder: PathBuf,
    content: Content,
    lines: Lines,
}

#[derive(Debug, Clone)]
enum Content {
    /// What a PM2 ecosystem file comes to.
    Ecosystem(Json),
    /// The text of a Procfile.
    Procfile(String),
    /// What a package.json says.
    Package(Json),
}

/// The apps of a file, with what is to be said about it.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// In the order of the file.
    pub apps: Vec<FileApp>,
    /// What has no meaning here, what is unknown, what is done in another way. For people, without secrets.
    pub warnings: Vec<String>,
}

impl Taken {
    /// Apps of which nothing is to be said.
    pub fn of(apps: Vec<FileApp>) -> Self {
        Self {
            apps,
            ..Self::default()
        }
    }
}

impl Foreign {
    /// What a PM2 ecosystem file comes to, whatever it was written in; `path` is absolute.
    pub fn ecosystem(path: impl Into<PathBuf>, value: Json) -> Self {
        Self::new(path.into(), Content::Ecosystem(value))
    }

    /// The text of a Procfile; `path` is absolute.
    pub fn procfile(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self::new(path.into(), Content::Procfile(text.into()))
    }

    /// The text of a package.json; `path` is absolute.
    ///
    /// # Errors
    /// If it is no JSON.
    pub fn package(path: impl Into<PathBuf>, text: &str) -> Result<Self, Mistake> {
        let value = package::read(text)?;
        Ok(Self::new(path.into(), Content::Package(value)).with_lines_of(text))
    }

    fn new(path: PathBuf, content: Content) -> Self {
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        Self {
            path,
            folder,
            content,
            lines: Lines::default(),
        }
    }

    /// The same, with what the text that it was read from tells of lines, if it is JSON or YAML.
    #[must_use]
    pub fn with_lines_of(mut self, text: &str) -> Self {
        self.lines = Lines::of(text);
        self
    }

    /// The same, with relative paths meant from another folder than that of the file; absolute.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The apps of the file under a profile.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn apps(
        &self,
        profile: Option<&str>,
        outside: &Outside<'_>,
    ) -> Result<Taken, Vec<Mistake>> {
        let place = shared::Place {
            file: &self.path,
            folder: &self.folder,
            lines: &self.lines,
            profile,
            outside,
        };
        match &self.content {
            Content::Ecosystem(value) => pm2::apps(value, &place),
            Content::Procfile(text) => procfile::apps(text, &place),
            Content::Package(value) => package::apps(value, &place),
        }
    }

    /// The names of its profiles.
    pub fn profiles(&self) -> Vec<String> {
        match &self.content {
            Content::Ecosystem(value) => pm2::profiles(value),
            Content::Procfile(_) | Content::Package(_) => Vec::new(),
        }
    }
}
