//! What the processes of a test do.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use rota_keeper::{
    FAILED_FLAG, KeeperOptions, PREVIOUS_FLAG, RESUME_FLAG, Resume, SUPERVISOR_FD, TRIAL_FLAG,
};
use rota_sys::fds::claim_inherited;
use rota_sys::scm;
use rota_sys::spawn::Spawn;

/// `HOME RENDEZVOUS`, with the API socket as 10, the lock as 11, the start request as 12; or what one image tells the
/// next.
pub fn keeper(args: &[String]) -> ExitCode {
    let claim = |number| claim_inherited(number).unwrap();
    let value = |flag: &str| {
        let at = args.iter().position(|arg| arg == flag)?;
        args.get(at + 1)
    };
    let descriptor = |flag| value(flag).map(|number| claim(number.parse().unwrap()));
    if let Some(state) = descriptor(TRIAL_FLAG) {
        return rota_keeper::trial(state);
    }
    if let Some(state) = descriptor(RESUME_FLAG) {
        // One that cannot even read the state, for it may open no more files.
        limit_files(if program_name() == "overstrained" {
            3
        } else {
            1024
        });
        return rota_keeper::resume(Resume {
            state,
            previous: descriptor(PREVIOUS_FLAG),
            failed: value(FAILED_FLAG).cloned(),
        });
    }
    let home = PathBuf::from(&args[0]);
    let mut options = KeeperOptions::new(home, claim(10), claim(11), Some(claim(12)), true);
    options.args = vec!["__supervisor".into(), args[1].clone().into()];
    options.groups = rota_keeper::Where::from_env();
    options.stored = rota_keeper::handed_back();
    rota_keeper::run(options)
}

/// `RENDEZVOUS`: passes its line on, and waits. `doomed` beside the rendezvous makes it exit at once; `doomed-NAME`
/// if NAME is this program's.
pub fn supervisor(args: &[String]) -> ExitCode {
    let beside = |name: &str| PathBuf::from(&args[0]).with_file_name(name);
    let doomed = format!("doomed-{}", program_name());
    if beside("doomed").exists() || beside(&doomed).exists() {
        return ExitCode::from(9);
    }
    let line = claim_inherited(SUPERVISOR_FD).unwrap();
    let rendezvous = UnixStream::connect(&args[0]).unwrap();
    scm::send(
        &rendezvous,
        &std::process::id().to_le_bytes(),
        &[line.as_fd()],
    )
    .unwrap();
    drop(line);
    // The test sends one byte as exit code when it has enough of this supervisor, or kills it.
    let mut code = [0];
    (&rendezvous).read_exact(&mut code).unwrap();
    ExitCode::from(code[0])
}

fn program_name() -> String {
    let program = std::env::current_exe().unwrap();
    program.file_name().unwrap().display().to_string()
}

fn limit_files(soft: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit {
        current: Some(soft),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// `KIND`, with a pipe to the test as 1.
pub fn worker(args: &[String]) -> ExitCode {
    match args[0].as_str() {
        "environment" => {
            let mut all: Vec<_> = std::env::vars()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            all.sort();
            println!("{}", all.join("\n"));
            ExitCode::SUCCESS
        }
        "descriptors" => descriptors(),
        "family" => family(&args[1]),
        "daemon" => daemon(),
        other => panic!("no such worker: {other}"),
    }
}

/// Prints what each open descriptor is, but for the one of this very directory.
fn descriptors() -> ExitCode {
    let mut found: Vec<(u32, String)> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let target = std::fs::read_link(entry.path()).ok()?.display().to_string();
            Some((entry.file_name().to_str()?.parse().ok()?, target))
        })
        .filter(|(_, target)| !target.starts_with("/proc/"))
        .collect();
    found.sort();
    found
        .iter()
        .for_each(|(number, target)| println!("{number} {target}"));
    ExitCode::SUCCESS
}

/// Starts descendants that want to stay: one in the same group, one in a session of its own, which starts another
/// in another session without the mark in its environment. All print their pid and then wait for ever.
fn family(depth: &str) -> ExitCode {
    println!("{}", std::process::id());
    std::io::stdout().flush().unwrap();
    let depth: u32 = depth.parse().unwrap();
    if depth > 0 {
        let child = |new_session, env: bool| {
            let mut spawn = Spawn::new(std::env::current_exe().unwrap());
            spawn.args = vec![
                "__worker".into(),
                "family".into(),
                (depth - 1).to_string().into(),
            ];
            spawn.new_session = new_session;
            if env {
                spawn.env = std::env::vars_os().collect();
            }
            spawn.start().unwrap();
        };
        child(false, false);
        child(true, true);
    }
    wait_for_ever()
}

/// Starts the real thing in another session, says so, and exits like an old-style daemon.
fn daemon() -> ExitCode {
    let mut spawn = Spawn::new("sleep").arg("1000");
    spawn.env = std::env::vars_os().collect();
    spawn.new_session = true;
    println!("{}", spawn.start().unwrap());
    std::io::stdout().flush().unwrap();
    // The test closes this pipe when it has told the keeper.
    let mut go = [0];
    let _ = File::open("/proc/self/fd/4").unwrap().read(&mut go);
    ExitCode::SUCCESS
}

fn wait_for_ever() -> ExitCode {
    loop {
        std::thread::park();
    }
}
