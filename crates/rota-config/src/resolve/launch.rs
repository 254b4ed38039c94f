//! The decision what to execute.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{ResolveError, ResolveErrorKind};
use super::files::{self, Found};
use super::kinds::{self, Kind};
use crate::{AppSpec, ExecMode};

/// What is executed for an app.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// The program, an absolute path.
    pub program: PathBuf,
    /// Its arguments: the interpreter's own, the script, the script's.
    pub args: Vec<String>,
    /// Cluster or fork.
    pub mode: ExecMode,
    /// What sort of program it is.
    pub kind: Kind,
    /// The interpreter for showing, if one runs the script.
    pub interpreter: Option<String>,
    /// The script's absolute path; `None` if the command is a shell line.
    pub script: Option<PathBuf>,
}

/// `PATH` of apps whose environment has none (as execvp does it).
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Decides what is executed for an app. Looks at the file system (the script, its folder, `PATH`
/// of the app's own environment); changes nothing.
///
/// # Errors
/// [`ResolveError`] with what is wrong and what to do.
pub fn resolve(spec: &AppSpec) -> Result<Launch, ResolveError> {
    if files::look(&spec.cwd) != Found::Folder {
        let cwd = spec.cwd.clone();
        return Err(fail(ResolveErrorKind::BadCwd { cwd }, None));
    }
    let runner = runner(spec)?;
    let mode = mode(spec, &runner)?;
    let mut args = runner.args;
    args.extend(spec.args.iter().cloned());
    Ok(Launch {
        program: runner.program,
        args,
        mode,
        kind: runner.kind,
        interpreter: runner.interpreter,
        script: runner.script,
    })
}

/// Program and arguments up to the script.
struct Runner {
    program: PathBuf,
    args: Vec<String>,
    kind: Kind,
    interpreter: Option<String>,
    script: Option<PathBuf>,
}

fn fail(kind: ResolveErrorKind, hint: Option<String>) -> ResolveError {
    ResolveError { kind, hint }
}

fn mode(spec: &AppSpec, runner: &Runner) -> Result<ExecMode, ResolveError> {
    match (spec.mode, runner.kind) {
        (Some(ExecMode::Cluster), Kind::Bun | Kind::Deno | Kind::Other) => Err(fail(
            ResolveErrorKind::ClusterNeedsNode {
                script: spec.script.clone(),
                runner: runner.program.display().to_string(),
            },
            Some(
                "leave cluster mode out; with --listen rota opens the port for any program".into(),
            ),
        )),
        (Some(mode), _) => Ok(mode),
        // npm and its like only start the server in another process: as a cluster worker they
        // would never listen.
        (None, Kind::Node) if kinds::is_package_manager(&spec.script) => Ok(ExecMode::Fork),
        (None, Kind::Node) => Ok(ExecMode::Cluster),
        (None, _) => Ok(ExecMode::Fork),
    }
}

fn runner(spec: &AppSpec) -> Result<Runner, ResolveError> {
    let path = spec.cwd.join(&spec.script);
    match files::look(&path) {
        Found::File { executable } => file(spec, path, executable),
        // A bare name may be both a folder here and a command: `rota start node`.
        Found::Folder => match command(spec) {
            Some(program) => Ok(direct(program)),
            None => Err(folder(path)),
        },
        Found::Nothing => match command(spec) {
            Some(program) => file(spec, program, true),
            None if spec.script.trim().contains(char::is_whitespace) => shell(spec),
            None => Err(not_found(spec)),
        },
    }
}

/// The command of that name on the app's `PATH`.
fn command(spec: &AppSpec) -> Option<PathBuf> {
    files::on_path(&spec.script, search_path(spec), &spec.cwd)
}

fn search_path(spec: &AppSpec) -> &str {
    spec.env.get("PATH").unwrap_or(DEFAULT_PATH)
}

fn file(spec: &AppSpec, path: PathBuf, executable: bool) -> Result<Runner, ResolveError> {
    match spec.interpreter.as_deref() {
        Some("none") if executable => return Ok(direct(path)),
        Some("none") => return Err(not_executable(path)),
        Some(interpreter) => return interpreted(spec, interpreter, &[], path),
        None => {}
    }
    if let Some(interpreter) = kinds::by_extension(&path) {
        return interpreted(spec, interpreter, &[], path);
    }
    let head = files::head(&path).map_err(|error| unreadable(&path, &error, executable));
    let head = match head {
        Ok(head) => head,
        Err(None) => return Ok(direct(path)),
        Err(Some(error)) => return Err(error),
    };
    if let Some((program, args)) = kinds::shebang(&head) {
        // Node's scripts are run by the interpreter that they name, but by rota itself: so they
        // become cluster workers and take --node-args. A path that is not there is left to PATH.
        if kinds::by_program(&program) == Kind::Node {
            let known =
                !program.contains('/') || files::look(Path::new(&program)) != Found::Nothing;
            let program = if known { program.as_str() } else { "node" };
            return interpreted(spec, program, &args, path);
        }
        if !executable {
            return interpreted(spec, &program, &args, path);
        }
    }
    if executable {
        return Ok(direct(path));
    }
    Err(not_executable(path))
}

/// A file that may be executed but not read is left to the kernel (`None`).
fn unreadable(path: &Path, error: &std::io::Error, executable: bool) -> Option<ResolveError> {
    if executable {
        return None;
    }
    Some(fail(
        ResolveErrorKind::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        None,
    ))
}

fn direct(path: PathBuf) -> Runner {
    Runner {
        kind: kinds::by_program(&path.to_string_lossy()),
        script: Some(path.clone()),
        program: path,
        args: Vec::new(),
        interpreter: None,
    }
}

fn interpreted(
    spec: &AppSpec,
    interpreter: &str,
    shebang_args: &[String],
    script: PathBuf,
) -> Result<Runner, ResolveError> {
    let program = find_interpreter(spec, interpreter)?;
    // A name says what a program is better than the file that a symbolic link leads to.
    let kind = kinds::by_program(interpreter);
    let mut args = shebang_args.to_vec();
    args.extend(spec.interpreter_args.iter().cloned());
    if kind == Kind::Deno && !args.iter().any(|arg| arg == "run" || arg == "serve") {
        args.insert(0, "run".to_owned());
    }
    args.push(script.to_string_lossy().into_owned());
    Ok(Runner {
        program,
        args,
        kind,
        interpreter: Some(interpreter.to_owned()),
        script: Some(script),
    })
}

fn find_interpreter(spec: &AppSpec, interpreter: &str) -> Result<PathBuf, ResolveError> {
    let found = if interpreter.contains('/') {
        let path = spec.cwd.join(interpreter);
        (files::look(&path) == (Found::File { executable: true })).then_some(path)
    } else {
        files::on_path(interpreter, search_path(spec), &spec.cwd)
    };
    found.ok_or_else(|| {
        let hint = match interpreter.contains('/') {
            true => "it must be an executable file".to_owned(),
            false => format!(
                "install {interpreter}, or name one with --interpreter /path/to/{interpreter}"
            ),
        };
        let interpreter = interpreter.to_owned();
        fail(ResolveErrorKind::NoInterpreter { interpreter }, Some(hint))
    })
}

fn shell(spec: &AppSpec) -> Result<Runner, ResolveError> {
    let path = search_path(spec);
    let shell = ["bash", "sh"]
        .iter()
        .find_map(|name| Some((*name, files::on_path(name, path, &spec.cwd)?)));
    let Some((name, program)) = shell else {
        let interpreter = "sh".to_owned();
        return Err(fail(ResolveErrorKind::NoInterpreter { interpreter }, None));
    };
    // Arguments after `--` reach the line as $1, $2 …; $0 is the shell's own name.
    let mut args = vec!["-c".to_owned(), spec.script.clone()];
    if !spec.args.is_empty() {
        args.push(name.to_owned());
    }
    Ok(Runner {
        program,
        args,
        kind: Kind::Other,
        interpreter: Some(name.to_owned()),
        script: None,
    })
}

fn not_executable(path: PathBuf) -> ResolveError {
    let hint = format!(
        "chmod +x {}, or name what runs it with --interpreter",
        path.display()
    );
    fail(ResolveErrorKind::NotExecutable { path }, Some(hint))
}

/// A folder: if it is a package, say which file is meant by its `package.json`.
fn folder(path: PathBuf) -> ResolveError {
    let candidate = ["index.js", "server.js", "app.js", "main.js"]
        .iter()
        .map(|name| path.join(name))
        .find(|file| matches!(files::look(file), Found::File { .. }));
    let package = matches!(files::look(&path.join("package.json")), Found::File { .. });
    let hint = match (candidate, package) {
        (Some(file), _) => Some(format!(
            "start the file itself: rota start {}",
            file.display()
        )),
        (None, true) => Some(format!(
            "it has a package.json: start the file that its `main` names, or rota start 'npm start' --cwd {}",
            path.display()
        )),
        (None, false) => Some("name a script in it".to_owned()),
    };
    fail(ResolveErrorKind::IsDirectory { path }, hint)
}

fn not_found(spec: &AppSpec) -> ResolveError {
    let path = spec.cwd.join(&spec.script);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    let near = match (path.parent(), name) {
        (Some(folder), Some(name)) => files::similar(folder, &name),
        _ => Vec::new(),
    };
    let hint = (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")));
    fail(
        ResolveErrorKind::NotFound {
            script: spec.script.clone(),
            cwd: spec.cwd.clone(),
        },
        hint,
    )
}
