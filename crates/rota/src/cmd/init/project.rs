//! What the project in a folder seems to run.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rota_config::AppName;
use rota_config::file::Found;
use serde_json::Value;

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
/// More of a file is not looked at, in bytes.
const LARGEST: u64 = 1 << 20;

/// Looks at a project: Procfile, package.json, files with usual names.
pub(super) fn look(folder: &Path) -> Project {
    let mut unread = Vec::new();
    let mut apps = procfile(folder).unwrap_or_default();
    if apps.is_empty() {
        apps.extend(package(folder, &mut unread));
    }
    if apps.is_empty() {
        apps.push(by_name(folder));
    }
    Project {
        apps,
        env_file: folder.join(".env").is_file().then_some(".env"),
        unread,
    }
}

fn text(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path)
        .ok()?
        .take(LARGEST)
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

/// `web: node server.js`, a line for each.
fn procfile(folder: &Path) -> Option<Vec<Found>> {
    let text = text(&folder.join("Procfile"))?;
    let mut apps: Vec<Found> = Vec::new();
    for line in text.lines() {
        let Some((name, command)) = line
            .trim()
            .split_once(':')
            .filter(|(name, _)| !name.starts_with('#'))
        else {
            continue;
        };
        // What runs once before a release is no server.
        let Some(name) = AppName::new(name.trim())
            .ok()
            .filter(|name| name.as_str() != "release")
        else {
            continue;
        };
        if !command.trim().is_empty() && apps.iter().all(|app| app.name != name) {
            apps.push(by_command(folder, name, command.trim(), "Procfile"));
        }
    }
    Some(apps)
}

fn package(folder: &Path, unread: &mut Vec<String>) -> Option<Found> {
    let text = text(&folder.join("package.json"))?;
    let package: Value = match serde_json::from_str(&text) {
        Ok(package) => package,
        Err(error) => {
            unread.push(format!("package.json was not read: {error}"));
            return None;
        }
    };
    let name = package["name"]
        .as_str()
        .and_then(|name| name.rsplit('/').next());
    let name = name
        .and_then(|name| AppName::new(name).ok())
        .unwrap_or_else(fallback);
    if let Some(command) = package["scripts"]["start"]
        .as_str()
        .filter(|c| !c.trim().is_empty())
    {
        return Some(by_command(
            folder,
            name,
            command.trim(),
            "package.json, scripts.start",
        ));
    }
    let main = package["main"]
        .as_str()
        .filter(|main| folder.join(main).is_file())?;
    Some(found(name, main, "package.json, main"))
}

fn by_name(folder: &Path) -> Found {
    let there = USUAL.iter().find(|name| folder.join(name).is_file());
    let name = folder.canonicalize().ok().and_then(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        AppName::new(name).ok()
    });
    let name = name.unwrap_or_else(fallback);
    match there {
        Some(script) => found(name, script, "The only file here that looks like a server."),
        None => found(
            name,
            "app.js",
            "Nothing was found here: write what is to be run.",
        ),
    }
}

/// `node --flag server.js --port 3000` as script and arguments; anything that needs a shell as it is.
fn by_command(folder: &Path, name: AppName, command: &str, from: &str) -> Found {
    let plain = |c: char| c.is_alphanumeric() || "-_./=,:@% ".contains(c);
    let words: Vec<&str> = command.split_whitespace().collect();
    let first_is_variable = words.first().is_some_and(|word| word.contains('='));
    let simple = command.chars().all(plain) && !first_is_variable;
    let Some((first, rest)) = words.split_first().filter(|_| simple) else {
        return found(name, command, from);
    };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let flags = rest
        .iter()
        .take_while(|word| word.starts_with('-') && word.contains('='))
        .count();
    let script = rest
        .get(flags)
        .filter(|script| folder.join(script).is_file());
    if let ("node", Some(script)) = (*first, script) {
        return Found {
            node_args: owned(&rest[..flags]),
            args: owned(&rest[flags + 1..]),
            ..found(name, script, from)
        };
    }
    let local = format!("node_modules/.bin/{first}");
    let script = match folder.join(&local).is_file() {
        true => local,
        false => (*first).to_owned(),
    };
    Found {
        args: owned(rest),
        ..found(name, &script, from)
    }
}

fn found(name: AppName, script: &str, from: &str) -> Found {
    Found {
        name,
        script: script.to_owned(),
        args: Vec::new(),
        node_args: Vec::new(),
        from: from.to_owned(),
    }
}

/// The name of an app that has no usable one.
fn fallback() -> AppName {
    AppName::placeholder()
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            ("PORT=80 node server.js", "PORT=80 node server.js", "", ""),
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
            [("web", "server.js"), ("worker", "ruby work.rb 2>&1")]
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
            ("app", "lib/a.js")
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
