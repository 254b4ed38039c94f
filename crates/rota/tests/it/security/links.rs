//! `ROTA_HOME`: whose it must be, and that links in it lead nowhere.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::support::{Home, eventually};

#[test]
fn a_home_that_others_may_write_to_is_refused() {
    let home = Home::new();
    let script = home.write(
        "app.js",
        "console.log('hello'); setInterval(() => {}, 1000)",
    );
    fs::create_dir(home.rota_home()).unwrap();
    fs::set_permissions(home.rota_home(), fs::Permissions::from_mode(0o777)).unwrap();
    home.rota(&["start", &script])
        .fails(3)
        .says("others may write to")
        .says("chmod 700");
    assert!(fs::read_dir(home.rota_home()).unwrap().next().is_none());
    fs::set_permissions(home.rota_home(), fs::Permissions::from_mode(0o755)).unwrap();
    home.rota(&["start", &script, "--fork", "--observe", "0"])
        .ok();
    eventually("it has a log", || {
        let logs = fs::read_dir(home.rota_home().join("logs")).ok()?;
        (logs.count() > 0).then_some(())
    });
    let mode = |name: &str| {
        let path = home.rota_home().join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        (mode(""), mode("rota.sock"), mode("logs")),
        (0o700, 0o600, 0o700)
    );
    assert_eq!((mode("daemon.log"), mode("daemon.lock")), (0o600, 0o600));
}

#[test]
fn links_in_place_of_logs_are_not_followed() {
    let home = Home::new();
    let logs = home.rota_home().join("logs");
    fs::create_dir_all(&logs).unwrap();
    fs::set_permissions(home.rota_home(), fs::Permissions::from_mode(0o700)).unwrap();
    let victim = home.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    symlink(&victim, logs.join("app-out-0.log")).unwrap();
    let script = home.write(
        "app.js",
        "console.log('hello'); console.error('seen'); setInterval(() => {}, 1000)",
    );
    home.start_script(&script, &["--fork"]);
    eventually("its other output is in its log", || {
        let text = fs::read_to_string(logs.join("app-error-0.log")).unwrap_or_default();
        text.contains("seen").then_some(())
    });
    eventually("the trouble is told", || {
        home.daemon_log()
            .contains("cannot be written")
            .then_some(())
    });
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    let shown = home.rota(&["logs", "app"]).ok();
    assert!(!shown.out.contains("untouched"), "{shown}");
}

#[test]
fn a_link_in_place_of_the_logs_folder_is_not_followed() {
    let home = Home::new();
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(home.rota_home()).unwrap();
    fs::set_permissions(home.rota_home(), fs::Permissions::from_mode(0o700)).unwrap();
    symlink(&elsewhere, home.rota_home().join("logs")).unwrap();
    let script = home.write(
        "app.js",
        "console.log('hello'); setInterval(() => {}, 1000)",
    );
    home.start_script(&script, &["--fork"]);
    eventually("the trouble is told", || {
        home.daemon_log()
            .contains("symbolic link, which is not followed")
            .then_some(())
    });
    assert!(fs::read_dir(&elsewhere).unwrap().next().is_none());
}
