//! What the project in a folder seems to run.

use std::path::Path;

use rota_config::AppName;
use rota_config::file::Found;
use rota_config::foreign;

use crate::files::read_text;

/// What was found.
#[derive(Debug)]
pub(super) struct Project {
    /// At least one.
    pub(super) apps: Vec<Found>,
    /// A file of variables that is there.
    pub(super) env_file: Option<&'static str>,
    /// What could not be used, for people.
    pub(super) unread: Vec<String>,
}

/// Files that a server often is in, the likeliest first.
const USUAL: [&str; 8] = [
    "server.js",
    "app.js",
    "index.js",
    "main.js",
    "server.mjs",
    "index.mjs",
    "server.ts",
    "index.ts",
];

/// What reads a file of a project.
type Read = fn(&Path, &str) -> foreign::Project;

/// Files that say what a project runs, the first one that says it counts.
const FILES: [(&str, Read); 2] = [
    ("Procfile", foreign::Project::of_procfile),
    ("package.json", foreign::Project::of_package),
];

/// Looks at a project: Procfile, package.json, files with usual names.
pub(super) fn look(folder: &Path) -> Project {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut unread = Vec::new();
    let mut apps = Vec::new();
    for (file, read) in FILES {
        if !apps.is_empty() {
            break;
        }
        let Ok(text) = read_text(&folder.join(file)) else {
            continue;
        };
        let found = read(&folder, &text);
        apps = found.apps;
        unread.extend(found.unread.iter().map(|why| format!("{file}: {why}")));
    }
    if apps.is_empty() {
        apps.push(by_name(&folder));
    }
    Project {
        apps,
        env_file: folder.join(".env").is_file().then_some(".env"),
        unread,
    }
}

fn by_name(folder: &Path) -> Found {
    let there = USUAL.iter().find(|name| folder.join(name).is_file());
    let name = folder.file_name().and_then(|name| name.to_str());
    let name = name.and_then(|name| AppName::new(name).ok());
    let name = name.unwrap_or_else(AppName::placeholder);
    match there {
        Some(script) => found(name, script, "The only file here that looks like a server."),
        None => found(
            name,
            "app.js",
            "Nothing was found here: write what is to be run.",
        ),
    }
}

fn found(name: AppName, script: &str, from: &str) -> Found {
    Found {
        name,
        script: script.to_owned(),
        args: Vec::new(),
        node_args: Vec::new(),
        env: Vec::new(),
        from: from.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;

    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        let shop = folder.path().join("shop");
        fs::create_dir(&shop).unwrap();
        for (name, text) in files {
            let path = shop.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let project = look(&shop);
        (folder, project)
    }

    fn start(command: &str) -> Found {
        let package = format!(
            r#"{{"name":"@acme/web","scripts":{{"start":{}}}}}"#,
            Value::from(command)
        );
        let (_folder, mut project) = project(&[
            ("package.json", &package),
            ("server.js", ""),
            ("node_modules/.bin/next", ""),
        ]);
        project.apps.remove(0)
    }

    #[test]
    fn the_start_script_of_a_package() {
        for (command, script, node_args, args) in [
            ("node server.js", "server.js", "", ""),
            (
                "node --max-old-space-size=512 server.js --port 3000",
                "server.js",
                "--max-old-space-size=512",
                "--port 3000",
            ),
            (
                "next start -p 3000",
                "node_modules/.bin/next",
                "",
                "start -p 3000",
            ),
            ("node missing.js", "node", "", "missing.js"),
            (
                "npm run build && node server.js",
                "npm run build && node server.js",
                "",
                "",
            ),
            ("PORT=80 node server.js", "server.js", "", ""),
            ("PORT=80 next start", "PORT=80 next start", "", ""),
        ] {
            let found = start(command);
            assert_eq!(found.name.as_str(), "web");
            assert_eq!(
                (
                    found.script.as_str(),
                    found.node_args.join(" "),
                    found.args.join(" ")
                ),
                (script, node_args.to_owned(), args.to_owned()),
                "{command}"
            );
        }
    }

    #[test]
    fn a_procfile_comes_first() {
        let (_folder, project) = project(&[
            (
                "Procfile",
                "# comment: x\nweb: node server.js\nworker:  ruby work.rb 2>&1\nrelease: ./migrate\n\nbad/name: x\nweb: twice\n",
            ),
            ("package.json", r#"{"scripts":{"start":"x"}}"#),
            ("server.js", ""),
            (".env", ""),
        ]);
        let apps: Vec<(&str, &str)> = project
            .apps
            .iter()
            .map(|app| (app.name.as_str(), app.script.as_str()))
            .collect();
        assert_eq!(
            apps,
            [
                ("web", "server.js"),
                ("worker", "ruby work.rb 2>&1"),
                ("bad-name", "x")
            ]
        );
        assert_eq!(
            project.unread,
            ["Procfile: line 7: there are two apps called web"]
        );
        assert_eq!(project.env_file, Some(".env"));
    }

    #[test]
    fn otherwise_files_with_usual_names() {
        let (_folder, main) = project(&[
            ("package.json", r#"{"name":"7","main":"lib/a.js"}"#),
            ("lib/a.js", ""),
        ]);
        assert_eq!(
            (main.apps[0].name.as_str(), main.apps[0].script.as_str()),
            ("shop", "lib/a.js")
        );
        let (_folder, usual) = project(&[("index.js", ""), ("package.json", "{")]);
        assert_eq!(
            (usual.apps[0].script.as_str(), usual.unread.len()),
            ("index.js", 1)
        );
        assert_eq!(usual.apps[0].name.as_str(), "shop");
        let (_folder, empty) = project(&[]);
        assert_eq!(empty.apps[0].script, "app.js");
    }
}
