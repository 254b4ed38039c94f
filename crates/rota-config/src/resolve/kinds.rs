//! What runs a file: by its extension, by its shebang, by the interpreter's name.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What sort of program it is; decides about cluster mode and about Node's IPC channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Node.js.
    Node,
    /// Bun; fork mode.
    Bun,
    /// Deno; fork mode.
    Deno,
    /// Anything else; fork mode.
    Other,
}

/// The interpreter for a file with this extension.
pub(super) fn by_extension(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "jsx" | "tsx" => "node",
        "py" => "python3",
        "rb" => "ruby",
        "sh" | "bash" => "bash",
        "php" => "php",
        "pl" => "perl",
        _ => return None,
    })
}

/// The kind of a program by its file name: `node`, `nodejs`, `node18`, `/opt/node-20/bin/node`.
pub(super) fn by_program(program: &str) -> Kind {
    let name = program.rsplit('/').next().unwrap_or(program);
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || "-.v".contains(c));
    match stem {
        "node" | "nodejs" => Kind::Node,
        "bun" => Kind::Bun,
        "deno" => Kind::Deno,
        _ => Kind::Other,
    }
}

/// True for commands that are Node scripts but run the app as another process.
pub(super) fn is_package_manager(script: &str) -> bool {
    let name = script.rsplit('/').next().unwrap_or(script);
    ["npm", "npx", "yarn", "yarnpkg", "pnpm", "pnpx", "corepack"].contains(&name)
}

/// False if Node certainly does not run the script itself, by what is written: files are not looked at.
pub(crate) fn may_be_node(script: &str, interpreter: Option<&str>) -> bool {
    if let Some(interpreter) = interpreter {
        return by_program(interpreter) == Kind::Node;
    }
    let other = by_extension(Path::new(script)).is_some_and(|program| program != "node");
    !other && !is_package_manager(script) && !script.trim().contains(char::is_whitespace)
}

/// What a first line `#!…` says: the program, and its arguments.
pub(super) fn shebang(head: &[u8]) -> Option<(String, Vec<String>)> {
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let program = words.next()?;
    let rest: Vec<String> = words.collect();
    if program.rsplit('/').next() != Some("env") {
        return Some((program, rest));
    }
    // `env` looks the program up on PATH; `-S` lets it have arguments; NAME=value may come first.
    let mut rest = rest
        .into_iter()
        .skip_while(|word| word.starts_with('-') || word.contains('='));
    Some((rest.next()?, rest.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_file_name() {
        for (program, kind) in [
            ("node", Kind::Node),
            ("/opt/node-v20.1/bin/node", Kind::Node),
            ("nodejs", Kind::Node),
            ("node18", Kind::Node),
            ("node-22.3", Kind::Node),
            ("/usr/bin/bun", Kind::Bun),
            ("deno", Kind::Deno),
            ("ts-node", Kind::Other),
            ("nodemon", Kind::Other),
            ("python3", Kind::Other),
        ] {
            assert_eq!(by_program(program), kind, "{program}");
        }
    }

    #[test]
    fn shebangs_name_their_program() {
        for (head, expected) in [
            ("#!/usr/bin/env node\nx", Some(("node", vec![]))),
            ("#!/usr/bin/node", Some(("/usr/bin/node", vec![]))),
            ("#! /bin/sh -e\n", Some(("/bin/sh", vec!["-e"]))),
            (
                "#!/usr/bin/env -S node --enable-source-maps\n",
                Some(("node", vec!["--enable-source-maps"])),
            ),
            ("#!/usr/bin/env -S A=1 node\n", Some(("node", vec![]))),
            ("#!/usr/bin/env\n", None),
            ("#!\n", None),
            ("console.log(1)", None),
            ("", None),
        ] {
            let read = shebang(head.as_bytes());
            let expected = expected.map(|(p, args)| {
                (
                    p.to_owned(),
                    args.into_iter().map(str::to_owned).collect::<Vec<_>>(),
                )
            });
            assert_eq!(read, expected, "{head:?}");
        }
    }

    #[test]
    fn extensions_name_their_interpreter() {
        for (file, interpreter) in [
            ("a.js", Some("node")),
            ("a.MJS", Some("node")),
            ("a.ts", Some("node")),
            ("a.py", Some("python3")),
            ("a.sh", Some("bash")),
            ("a.exe", None),
            ("js", None),
            (".js", None),
        ] {
            assert_eq!(by_extension(Path::new(file)), interpreter, "{file}");
        }
    }
}
