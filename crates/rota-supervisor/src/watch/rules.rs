//! What does not count as a change of an app's code.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::output::SLOT;

/// What tools leave for a moment beside the files that they write, and what no app's own code is in.
const NEVER: [&str; 7] = [
    ".*",
    "node_modules",
    "*~",
    "4913",
    "\\#*#",
    "*___jb_tmp___",
    "*___jb_old___",
];

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is no pattern as in .gitignore: {why}")]
pub(crate) struct RulesError {
    pattern: String,
    why: String,
}

/// What is watched: a folder with all that is in it, or a file.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// Absolute.
    pub(crate) path: PathBuf,
    /// Folders above it whose `.gitignore` counts: up to the top of its repository.
    above: Vec<PathBuf>,
}

/// What does not count, in this order of precedence: the user's patterns, rota's own files, [`NEVER`], `.gitignore`.
#[derive(Debug)]
pub(crate) struct Rules {
    user: Gitignore,
    own: Vec<PathBuf>,
    never: Gitignore,
    /// By the folder in which the `.gitignore` is.
    by_folder: HashMap<PathBuf, Gitignore>,
}

impl Rules {
    /// Patterns of the user are relative to `base`; `own` are files and folders that rota itself writes.
    ///
    /// # Errors
    /// The first pattern that cannot be used.
    pub(crate) fn new(
        base: &Path,
        patterns: &[String],
        own: Vec<PathBuf>,
    ) -> Result<Self, RulesError> {
        let never = NEVER.map(str::to_owned);
        Ok(Self {
            user: compile(base, patterns)?,
            own,
            never: compile(Path::new("/"), &never)?,
            by_folder: HashMap::new(),
        })
    }

    /// What is known of a root. One that is named although its own repository ignores it is meant all the same.
    pub(crate) fn root(&mut self, path: PathBuf) -> Root {
        let mut root = Root {
            above: repository(&path),
            path,
        };
        for folder in root.above.clone() {
            self.read(&folder);
        }
        if self.by_git(&root, &root.path, true) {
            root.above.clear();
        }
        root
    }

    /// Reads the `.gitignore` of a folder, or forgets what it was.
    pub(crate) fn read(&mut self, folder: &Path) {
        let file = folder.join(".gitignore");
        self.by_folder.remove(folder);
        if file.is_file() {
            let mut builder = GitignoreBuilder::new(folder);
            // A line that cannot be used leaves the others as they are, as with git.
            let _ = builder.add(&file);
            if let Ok(rules) = builder.build() {
                self.by_folder.insert(folder.to_owned(), rules);
            }
        }
    }

    /// True if a path in a root does not count, by itself or by a folder that it is in.
    pub(crate) fn ignore(&self, root: &Root, path: &Path, is_folder: bool) -> bool {
        let Ok(inside) = path.strip_prefix(&root.path) else {
            return true;
        };
        let mut part = root.path.clone();
        let mut names = inside.components().peekable();
        while let Some(name) = names.next() {
            part.push(name);
            let folder = is_folder || names.peek().is_some();
            if self.ignore_part(root, &part, folder) {
                return true;
            }
        }
        false
    }

    fn ignore_part(&self, root: &Root, path: &Path, is_folder: bool) -> bool {
        match self.user.matched(path, is_folder) {
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
            Match::None => {}
        }
        self.is_own(path)
            || self.never.matched(path, is_folder).is_ignore()
            || self.by_git(root, path, is_folder)
    }

    /// The home, log files, and what becomes of them when they are put aside.
    fn is_own(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_encoded_bytes();
        self.own.iter().any(|own| {
            let rest = behind(path, own.as_os_str().as_encoded_bytes());
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'.' | b'-' | b'/')))
        })
    }

    fn by_git(&self, root: &Root, path: &Path, is_folder: bool) -> bool {
        let Some(parent) = path.parent() else {
            return false;
        };
        for folder in parent.ancestors() {
            if !folder.starts_with(&root.path) && !root.above.iter().any(|above| above == folder) {
                return false;
            }
            let Some(rules) = self.by_folder.get(folder) else {
                continue;
            };
            match rules.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

/// What follows in a path on one of ours, in which any number may stand for the worker's.
fn behind<'a>(path: &'a [u8], own: &[u8]) -> Option<&'a [u8]> {
    let Some(at) = memchr::memmem::find(own, SLOT.as_bytes()) else {
        return path.strip_prefix(own);
    };
    let rest = path.strip_prefix(&own[..at])?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest.get(digits..).filter(|_| digits > 0)?;
    behind(rest, &own[at + SLOT.len()..])
}

/// The folders above a path up to the top of its repository; none if it is in none.
fn repository(path: &Path) -> Vec<PathBuf> {
    if path.join(".git").exists() {
        return Vec::new();
    }
    let mut above = Vec::new();
    for folder in path.ancestors().skip(1) {
        above.push(folder.to_owned());
        if folder.join(".git").exists() {
            return above;
        }
    }
    Vec::new()
}

fn compile(base: &Path, patterns: &[String]) -> Result<Gitignore, RulesError> {
    let wrong = |pattern: &str, error: &ignore::Error| RulesError {
        pattern: pattern.to_owned(),
        why: error.to_string(),
    };
    let mut builder = GitignoreBuilder::new(base);
    for pattern in patterns {
        builder
            .add_line(None, pattern)
            .map_err(|error| wrong(pattern, &error))?;
    }
    builder.build().map_err(|error| wrong("", &error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn ignored(rules: &Rules, root: &Root, path: &str) -> bool {
        rules.ignore(root, &root.path.join(path), path.ends_with('/'))
    }

    #[test]
    fn what_never_counts_and_what_the_user_says() {
        let patterns = ["*.md".to_owned(), "!.config/".to_owned(), "/gen".to_owned()];
        let own = ["/p/home", "/p/out.log", "/p/{slot}-{slot}.txt"];
        let own = own.map(PathBuf::from).to_vec();
        let mut rules = Rules::new(Path::new("/p"), &patterns, own).unwrap();
        let root = rules.root("/p".into());
        for path in [
            ".git/HEAD",
            "node_modules/x/index.js",
            "lib/node_modules/x.js",
            ".env",
            "a.js~",
            "4913",
            "lib/#a.js#",
            "README.md",
            "gen/a.js",
            "home/logs/x",
            "out.log",
            "out.log.1",
            "0-12.txt",
            "0-12.txt.20260131T235959.123Z.gz",
            "lib/.server.js.swp",
        ] {
            assert!(ignored(&rules, &root, path), "{path}");
        }
        for path in [
            "server.js",
            "lib/gen/a.js",
            ".config/a.json",
            "out.logic",
            "0-.txt",
            "1-1.txts",
            "homes/a.js",
        ] {
            assert!(!ignored(&rules, &root, path), "{path}");
        }
        assert!(Rules::new(Path::new("/p"), &["a{b".to_owned()], Vec::new()).is_err());
    }

    #[test]
    fn gitignore_files_count_up_to_the_top_of_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        fs::create_dir_all(top.join("repo/.git")).unwrap();
        fs::create_dir_all(top.join("repo/app/dist")).unwrap();
        fs::write(top.join(".gitignore"), "*.js\n").unwrap();
        fs::write(top.join("repo/.gitignore"), "*.log\ndist/\n").unwrap();
        fs::write(top.join("repo/app/.gitignore"), "!keep.log\n/local.js\n").unwrap();
        let mut rules = Rules::new(top, &[], Vec::new()).unwrap();
        let root = rules.root(top.join("repo/app"));
        rules.read(&top.join("repo/app"));
        for path in ["a.log", "lib/a.log", "dist/a.js", "local.js"] {
            assert!(ignored(&rules, &root, path), "{path}");
        }
        for path in ["a.js", "keep.log", "lib/local.js"] {
            assert!(!ignored(&rules, &root, path), "{path}");
        }
        // Named by itself, it is meant.
        let built = rules.root(top.join("repo/app/dist"));
        assert!(!ignored(&rules, &built, "a.js"));
    }
}
