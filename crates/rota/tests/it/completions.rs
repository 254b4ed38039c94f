//! Words that shells complete, and manual pages.

use std::path::Path;
use std::process::Command;

use crate::support::{Home, run};

/// What Bash would offer for the last of these words.
fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let script = r#"
        eval "$(rota completions bash)"
        COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_TYPE=9
        _clap_complete_rota rota "${COMP_WORDS[COMP_CWORD]}" ""
        printf '%s\n' "${COMPREPLY[@]}""#;
    said_by(shell(home, "bash").args(["-c", script, "bash"]).args(words))
}

/// A shell in which `rota` is found.
fn shell(home: &Home, name: &str) -> Command {
    let rota = Path::new(env!("CARGO_BIN_EXE_rota")).parent().unwrap();
    let path = format!("{}:{}", rota.display(), std::env::var("PATH").unwrap());
    let mut shell = home.program(name);
    shell.env("PATH", path);
    shell
}

fn said_by(shell: &mut Command) -> Vec<String> {
    let output = run(shell).ok();
    let lines = output.out.lines();
    lines.map(|line| line.trim().to_owned()).collect()
}

/// Not every machine has every shell.
fn is_installed(program: &str) -> bool {
    let tried = Command::new(program).arg("--version").output();
    tried.is_ok_and(|output| output.status.success())
}

#[test]
fn bash_completes_verbs_flags_and_the_names_of_apps() {
    let home = Home::new();
    assert!(offered(&home, &["rota", "rel"]).contains(&"reload".to_owned()));
    assert!(offered(&home, &["rota", "start", "--cron-z"]).contains(&"--cron-zone".to_owned()));
    let nothing = offered(&home, &["rota", "stop", "ap"]);
    assert!(!nothing.contains(&"app".to_owned()), "{nothing:?}");
    assert!(home.processes().is_empty(), "no daemon is started for that");
    home.start("queue.js", &["--fork"]);
    for verb in ["stop", "reload", "describe", "reset", "logs"] {
        let words = offered(&home, &["rota", verb, "ap"]);
        assert_eq!(words, ["app"], "{verb}");
    }
    let words = offered(&home, &["rota", "restart", ""]);
    assert!(words.contains(&"all".to_owned()), "{words:?}");
}

#[test]
fn zsh_and_fish_complete_them_too() {
    let home = Home::new();
    home.start("queue.js", &["--fork"]);
    if is_installed("zsh") {
        // Outside of its line editor nobody offers anything: what would be is printed.
        let script = r#"
            compdef() { }
            _describe() { print -l -- ${(P)3} }
            eval "$(rota completions zsh)"
            words=(rota stop ap); CURRENT=3
            _clap_dynamic_completer_rota"#;
        let said = said_by(shell(&home, "zsh").args(["-f", "-c", script]));
        assert_eq!(said, ["app:online, 1 worker"]);
    }
    if is_installed("fish") {
        let script = "rota completions fish | source; complete -C 'rota stop ap'";
        let said = said_by(shell(&home, "fish").args(["--no-config", "-c", script]));
        assert_eq!(said, ["app\tonline, 1 worker"]);
    }
}

#[test]
fn every_shell_has_its_script() {
    let home = Home::new();
    for (shell, word) in [
        ("bash", "complete -o"),
        ("zsh", "#compdef rota"),
        ("fish", "complete --"),
    ] {
        home.rota(&["completions", shell]).ok().says(word);
    }
    home.rota(&["completions", "csh"]).fails(2).says("bash");
}

#[test]
fn manual_pages_are_written_and_in_order() {
    let home = Home::new();
    home.rota(&["man"]).ok().says(".TH rota 1");
    let folder = home.path().join("man1");
    home.rota(&["man", &folder.display().to_string()]).ok();
    for page in [
        "rota.1",
        "rota-start.1",
        "rota-test-reload.1",
        "rota-config-show.1",
    ] {
        let page = folder.join(page);
        assert!(page.is_file(), "{}", page.display());
        if let Ok(output) = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-z"])
            .arg(&page)
            .output()
        {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && said.is_empty(), "{said}");
        }
    }
}
