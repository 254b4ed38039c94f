//! What a project seems to run, for a rota.toml that is to be written: the same reading as where its apps are started.

use std::collections::BTreeSet;
use std::path::Path;

use super::command::Plain;
use super::{command, package, procfile};
use crate::AppName;
use crate::file::Found;

/// What a file of a project says.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// Its apps, in the order of the file.
    pub apps: Vec<Found>,
    /// What could not be used, for people.
    pub unread: Vec<String>,
}

impl Project {
    /// Of the text of a Procfile, a line for each app; what runs once before a release is none. `folder` is absolute.
    pub fn of_procfile(folder: &Path, text: &str) -> Self {
        let mut project = Self::default();
        let mut names = BTreeSet::new();
        for entry in procfile::entries(text) {
            let app = entry.and_then(|entry| {
                if entry.is_release() {
                    return Ok(None);
                }
                let name = entry.own_name(&mut names)?;
                Ok(Some(found(folder, name, entry.command, None, "Procfile")))
            });
            match app {
                Ok(app) => project.apps.extend(app),
                Err(mistake) => project.unread.push(mistake.to_string()),
            }
        }
        project
    }

    /// Of the text of a package.json: what `npm start` would start. `folder` is absolute.
    pub fn of_package(folder: &Path, text: &str) -> Self {
        let package = match package::read(text) {
            Ok(package) => package,
            Err(mistake) => {
                return Self {
                    apps: Vec::new(),
                    unread: vec![mistake.to_string()],
                };
            }
        };
        let app = package::start(&package, folder).map(|start| {
            let from = match start.way {
                [] => "server.js, which npm starts".to_owned(),
                way => format!("package.json, {}", way.join(".")),
            };
            let name = package::name(&package, folder);
            found(folder, name, &start.command, start.main.as_deref(), &from)
        });
        Self {
            apps: app.into_iter().collect(),
            unread: Vec::new(),
        }
    }
}

/// A command as script and arguments; what needs a shell as it is.
fn found(folder: &Path, name: AppName, command: &str, main: Option<&str>, from: &str) -> Found {
    let found = Found {
        name,
        script: command.to_owned(),
        args: Vec::new(),
        node_args: Vec::new(),
        env: Vec::new(),
        from: from.to_owned(),
    };
    if let Some(plain) = Plain::read(folder, command, main) {
        return Found {
            script: plain.script,
            args: plain.args,
            node_args: plain.node_args,
            env: plain.variables,
            ..found
        };
    }
    let Some((program, args)) = command::program(command) else {
        return found;
    };
    let local = format!("node_modules/.bin/{program}");
    let script = match folder.join(&local).is_file() {
        true => local,
        false => program,
    };
    Found {
        script,
        args,
        ..found
    }
}
