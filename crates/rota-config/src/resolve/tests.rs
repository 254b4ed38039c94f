use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::{AppName, AppSpec, ExecMode};

/// A folder with a `bin` that is the only entry of PATH, so that the machine does not matter.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let fixture = Self { folder };
        for program in ["node", "bash", "python3", "deno", "bun"] {
            fixture.file(&format!("bin/{program}"), "\u{7f}ELF", 0o755);
        }
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn spec(&self, script: &str) -> AppSpec {
        let mut spec = AppSpec::new(AppName::new("a").unwrap(), script, self.folder.path());
        spec.env
            .set("PATH", self.path("bin").to_string_lossy().into_owned());
        spec
    }

    fn launch(&self, script: &str) -> Launch {
        resolve(&self.spec(script)).unwrap()
    }

    fn error(&self, script: &str) -> String {
        let error = resolve(&self.spec(script)).unwrap_err();
        let text = error
            .to_string()
            .replace(&*self.path("").to_string_lossy(), "DIR/");
        match error.hint {
            Some(hint) => format!("{text} | {hint}"),
            None => text,
        }
    }
}

fn summary(launch: &Launch, folder: &Path) -> String {
    let args: Vec<_> = launch
        .args
        .iter()
        .map(|arg| arg.replace(&*folder.to_string_lossy(), "DIR"))
        .collect();
    let program = launch.program.file_name().unwrap().to_string_lossy();
    format!(
        "{:?} {} {program} {}",
        launch.kind,
        launch.mode,
        args.join(" ")
    )
}

#[test]
fn scripts_find_their_interpreter() {
    let fixture = Fixture::new();
    fixture.file("app.js", "", 0o644);
    fixture.file("app.ts", "", 0o644);
    fixture.file("app.py", "", 0o644);
    fixture.file("run.sh", "", 0o644);
    fixture.file("tool", "#!/usr/bin/env node\n", 0o755);
    fixture.file(
        "tool-644",
        "#!/usr/bin/env -S node --trace-warnings\n",
        0o644,
    );
    fixture.file("py-644", "#!/usr/bin/env python3\n", 0o644);
    fixture.file("perl-755", "#!/usr/bin/perl\n", 0o755);
    fixture.file("server", "\u{7f}ELF", 0o755);
    fixture.file("bin/npm", "#!/usr/bin/env node\n", 0o755);
    fixture.file("bin/next", "#!/usr/bin/env node\n", 0o755);
    symlink(fixture.path("tool"), fixture.path("linked")).unwrap();
    for (script, expected) in [
        ("app.js", "Node cluster node DIR/app.js"),
        ("./app.js", "Node cluster node DIR/./app.js"),
        ("app.ts", "Node cluster node DIR/app.ts"),
        ("app.py", "Other fork python3 DIR/app.py"),
        ("run.sh", "Other fork bash DIR/run.sh"),
        ("tool", "Node cluster node DIR/tool"),
        ("linked", "Node cluster node DIR/linked"),
        (
            "tool-644",
            "Node cluster node --trace-warnings DIR/tool-644",
        ),
        ("py-644", "Other fork python3 DIR/py-644"),
        ("perl-755", "Other fork perl-755 "),
        ("server", "Other fork server "),
        ("next", "Node cluster node DIR/bin/next"),
        ("npm", "Node fork node DIR/bin/npm"),
        ("python3", "Other fork python3 "),
        ("sleep 5 | cat", "Other fork bash -c sleep 5 | cat"),
    ] {
        let launch = fixture.launch(script);
        assert_eq!(
            summary(&launch, fixture.folder.path()),
            expected,
            "{script}"
        );
    }
}

#[test]
fn interpreter_and_mode_can_be_chosen() {
    let fixture = Fixture::new();
    fixture.file("app.js", "", 0o755);
    let choose = |interpreter: &str, mode| {
        let mut spec = fixture.spec("app.js");
        spec.interpreter = Some(interpreter.into());
        spec.interpreter_args = vec!["--x".into()];
        spec.args = vec!["--y".into()];
        spec.mode = mode;
        resolve(&spec).map(|launch| summary(&launch, fixture.folder.path()))
    };
    for (interpreter, expected) in [
        ("node", "Node cluster node --x DIR/app.js --y"),
        ("bin/node", "Node cluster node --x DIR/app.js --y"),
        ("bun", "Bun fork bun --x DIR/app.js --y"),
        ("deno", "Deno fork deno run --x DIR/app.js --y"),
        ("none", "Other fork app.js --y"),
    ] {
        assert_eq!(choose(interpreter, None).unwrap(), expected);
    }
    let fork = choose("node", Some(ExecMode::Fork)).unwrap();
    assert_eq!(fork, "Node fork node --x DIR/app.js --y");
    let error = choose("bun", Some(ExecMode::Cluster)).unwrap_err();
    assert!(matches!(
        error.kind,
        ResolveErrorKind::ClusterNeedsNode { .. }
    ));
    let error = choose("nod", None).unwrap_err();
    assert_eq!(error.to_string(), "the interpreter nod was not found");
}

#[test]
fn errors_say_what_to_do() {
    let fixture = Fixture::new();
    fixture.file("server.js", "", 0o644);
    fixture.file("data", "text", 0o644);
    fs::create_dir(fixture.path("folder")).unwrap();
    fs::create_dir(fixture.path("package")).unwrap();
    fixture.file("package/package.json", "{}", 0o644);
    fixture.file("package/index.js", "", 0o644);
    let dir = fixture.path("").to_string_lossy().into_owned();
    for (script, expected) in [
        (
            "sever.js",
            "sever.js is neither a file in DIR nor a command | did you mean server.js?",
        ),
        (
            "nothing-like-it",
            "nothing-like-it is neither a file in DIR nor a command",
        ),
        ("folder", "DIR/folder is a folder | name a script in it"),
        (
            "package",
            "DIR/package is a folder | start the file itself: rota start DIR/package/index.js",
        ),
        (
            "data",
            "DIR/data is not executable, and its name does not say what runs it | chmod +x DIR/data, or name what runs it with --interpreter",
        ),
    ] {
        let error = fixture
            .error(script)
            .replace(&dir, "DIR/")
            .replace(dir.trim_end_matches('/'), "DIR");
        assert_eq!(error, expected, "{script}");
    }
    let mut spec = fixture.spec("server.js");
    spec.cwd = fixture.path("none");
    assert!(matches!(
        resolve(&spec).unwrap_err().kind,
        ResolveErrorKind::BadCwd { .. }
    ));
}

#[test]
fn arguments_reach_a_shell_line() {
    let fixture = Fixture::new();
    let mut spec = fixture.spec("echo \"$1\"");
    spec.args = vec!["hello".into()];
    let launch = resolve(&spec).unwrap();
    assert_eq!(launch.args, ["-c", "echo \"$1\"", "bash", "hello"]);
    assert_eq!(launch.script, None);
}
