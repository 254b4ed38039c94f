//! Command lines as package.json and Procfile have them.

use std::path::Path;

use crate::{AppSpec, Env, ExecMode};

/// Splits a text as a shell does, quotes included; `None` if one is not closed.
pub(super) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' | '"' => {
                let open = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        '\\' if c == '"' => match chars.next()? {
                            escaped @ ('"' | '\\' | '$' | '`') => open.push(escaped),
                            other => open.extend(['\\', other]),
                        },
                        other => open.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// What only a shell understands, outside of quotes and escapes; in doubt, it does.
fn needs_shell(command: &str) -> bool {
    command.contains([
        '$', '`', '|', '&', ';', '<', '>', '(', ')', '{', '}', '*', '?', '[', '#', '~', '!', '\n',
    ])
}

/// Node's flags whose value is the next word.
const WITH_VALUE: [&str; 9] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--title",
];
/// Node's flags with which it does something else than to run the script by itself.
const NOT_PLAIN: [&str; 10] = [
    "-e",
    "--eval",
    "-p",
    "--print",
    "-i",
    "--interactive",
    "--run",
    "--watch",
    "--test",
    "-c",
];

/// `VAR=x node --flag server.js --port 3000`: a script that Node runs by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) script: String,
    pub(super) node_args: Vec<String>,
    pub(super) args: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
}

impl Plain {
    /// What a line says, if it is that; `main` is what a package calls its main file, for `node .`.
    pub(super) fn read(folder: &Path, command: &str, main: Option<&str>) -> Option<Self> {
        if needs_shell(command) {
            return None;
        }
        let mut words = split(command)?.into_iter().peekable();
        let mut variables = Vec::new();
        words.next_if(|word| word == "cross-env" || word == "exec");
        while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
            if !is_name(name) {
                return None;
            }
            variables.push((name.to_owned(), value.to_owned()));
            words.next();
        }
        if words.next()? != "node" {
            return None;
        }
        let mut node_args = Vec::new();
        while let Some(flag) = words.next_if(|word| word.starts_with('-')) {
            if NOT_PLAIN.contains(&flag.as_str()) || flag.starts_with("--watch") {
                return None;
            }
            let value = WITH_VALUE.contains(&flag.as_str());
            node_args.push(flag);
            if value {
                node_args.push(words.next()?);
            }
        }
        let script = file(folder, &words.next()?, main)?;
        Some(Self {
            script,
            node_args,
            args: words.collect(),
            variables,
        })
    }
}

/// The file that Node would run for this word.
fn file(folder: &Path, word: &str, main: Option<&str>) -> Option<String> {
    let candidates = match (word, main) {
        ("." | "./", Some(main)) => {
            vec![main.to_owned(), format!("{main}.js"), "index.js".to_owned()]
        }
        ("." | "./", None) => vec!["index.js".to_owned()],
        (word, _) => vec![
            word.to_owned(),
            format!("{word}.js"),
            format!("{word}/index.js"),
        ],
    };
    candidates
        .into_iter()
        .find(|name| folder.join(name).is_file())
}

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(good) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A program and its arguments; `None` for what needs a shell, if only to set a variable.
pub(super) fn program(command: &str) -> Option<(String, Vec<String>)> {
    if needs_shell(command) {
        return None;
    }
    let mut words = split(command)?.into_iter();
    let first = words.next().filter(|first| !first.contains('='))?;
    Some((first, words.collect()))
}

/// Puts a command into a specification: as a cluster worker if it is plain, else through a shell in fork mode. Its own
/// variables are given back.
pub(super) fn put(spec: &mut AppSpec, command: &str, main: Option<&str>) -> Env {
    let Some(plain) = Plain::read(&spec.cwd, command, main) else {
        spec.script = "sh".to_owned();
        spec.interpreter = Some("none".to_owned());
        spec.args = vec!["-c".to_owned(), command.to_owned()];
        spec.mode = Some(ExecMode::Fork);
        return Env::new();
    };
    spec.script = plain.script;
    spec.interpreter = Some("node".to_owned());
    spec.interpreter_args = plain.node_args;
    spec.args = plain.args;
    plain.variables.into_iter().collect()
}

/// `PATH` with the programs of the project's packages before it, as npm has it for its scripts.
pub(super) fn path_with_packages(folder: &Path, path: &str) -> String {
    let folders = folder
        .ancestors()
        .map(|folder| folder.join("node_modules/.bin"));
    let mut parts: Vec<String> = folders
        .filter(|folder| folder.is_dir())
        .map(|folder| folder.display().to_string())
        .collect();
    parts.push(path.to_owned());
    parts.retain(|part| !part.is_empty());
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_by_a_shell() {
        for (text, words) in [
            ("", vec![]),
            ("  a  b ", vec!["a", "b"]),
            (
                "--name='a b' \"c \\\" d\" e\\ f ''",
                vec!["--name=a b", "c \" d", "e f", ""],
            ),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert_eq!(split("a 'b"), None);
    }

    #[test]
    fn programs_with_their_arguments() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(
            program("next start 'a b'"),
            Some(("next".to_owned(), words(&["start", "a b"])))
        );
        for shell in ["A=1 next start", "a && b", "a 'b", "", "echo $A"] {
            assert_eq!(program(shell), None, "{shell}");
        }
    }

    #[test]
    fn what_node_runs_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["server.js", "main.js", "lib.js"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let read = |command| Plain::read(folder.path(), command, Some("main.js"));
        for (command, script, node_args, args, variables) in [
            ("node server.js", "server.js", "", "", 0),
            ("node server", "server.js", "", "", 0),
            ("node .", "main.js", "", "", 0),
            (
                "NODE_ENV=production A= node -r ./lib.js --max-old-space-size=512 server.js --port 80",
                "server.js",
                "-r ./lib.js --max-old-space-size=512",
                "--port 80",
                2,
            ),
            (
                "cross-env NODE_ENV=production node server.js \"a b\"",
                "server.js",
                "",
                "a b",
                1,
            ),
        ] {
            let plain = read(command).unwrap_or_else(|| panic!("{command}"));
            assert_eq!(
                (
                    plain.script.as_str(),
                    plain.node_args.join(" "),
                    plain.args.join(" ")
                ),
                (script, node_args.to_owned(), args.to_owned()),
                "{command}"
            );
            assert_eq!(plain.variables.len(), variables);
        }
        for command in [
            "next start",
            "node server.js && echo",
            "node -e 1",
            "node --watch server.js",
            "node none.js",
            "node",
            "",
            "node server.js $PORT",
            "npm run x",
            "node 'a",
        ] {
            assert_eq!(read(command), None, "{command}");
        }
    }
}
