//! `check`, `init`, `config`, and what is refused.

use super::write;
use crate::support::Home;

#[test]
fn check_tells_all_mistakes() {
    let home = Home::new();
    home.rota(&["check"]).fails(5).says("rota init");
    home.write(
        "rota.toml",
        "[apps.web]\nscript = \"none.js\"\ninstanses = 2\n[apps.api]\nscript = \"app.js\"\nkill_timeout = \"soon\"\n",
    );
    let output = home.rota(&["check"]).fails(1);
    let output = output
        .says("rota.toml:3:1")
        .says("3 | instanses = 2")
        .says("did you mean `instances`?")
        .says("there are 2 mistakes");
    assert!(!output.err.contains('\u{1b}'), "{output}");
    let json = home.rota(&["check", "--json"]).fails(1).json();
    assert_eq!(json["problems"][1]["line"], 6);
    assert_eq!(
        (&json["ok"], &json["apps"][1]),
        (&false.into(), &"api".into())
    );
    // What the file cannot say by itself.
    home.write(
        "rota.toml",
        "[apps.web]\nscript = \"none.js\"\n[env.production]\nA = 1\n",
    );
    home.rota(&["check", "rota.toml"])
        .fails(1)
        .says("web: none.js is neither a file in");
    home.rota(&["start"]).fails(5).says("nothing was done");
    home.rota(&["ping"]).fails(3);
    home.write("none.js", "");
    let json = home.rota(&["check", "--json"]).ok().json();
    assert_eq!(
        (&json["ok"], &json["profiles"][0]),
        (&true.into(), &"production".into())
    );
}

#[test]
fn init_writes_a_file_that_starts() {
    let home = Home::new();
    home.copy("http.js");
    home.write(
        "package.json",
        r#"{"name": "@acme/shop", "scripts": {"start": "node http.js --port 3000"}}"#,
    );
    home.rota(&["init", "--stdout"]).ok().says("[apps.shop]");
    assert!(!home.path().join("rota.toml").exists());
    home.rota(&["init"]).ok().says("shop");
    home.rota(&["init"]).fails(1).says("already");
    home.rota(&["init", "--force"]).ok();
    home.rota(&["check"]).ok().says("shop");
    let text = std::fs::read_to_string(home.path().join("rota.toml")).unwrap();
    let text = text.replace(
        "[defaults]",
        "[defaults]\ninherit_env = [\"TEST_HOME_TAG\"]\nobserve = 0",
    );
    home.write("rota.toml", &text);
    home.rota(&["start"]).ok();
    assert_eq!(home.app("shop").0["args"][0], "--port");
}

#[test]
fn keys_and_schema_are_shown() {
    let home = Home::new();
    home.rota(&["config", "keys"])
        .ok()
        .says("kill_timeout")
        .says("How it stops");
    let schema = home.rota(&["config", "schema"]).ok().json();
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn what_stands_in_the_file_is_no_flag() {
    let home = Home::new();
    home.rota(&["start"])
        .fails(2)
        .says("there is no rota.toml here");
    home.rota(&["start", "app.js", "--env", "NOVALUE"])
        .fails(2)
        .says("KEY=VALUE")
        .says("profile");
    home.rota(&["start", "app.js", "--only", "x"])
        .fails(2)
        .says("--only");
    write(&home, "[apps.web]\nscript = \"{http.js}\"\n");
    for line in [
        "start rota.toml -i 4",
        "start rota.toml --env A=1",
        "start rota.toml app.js",
        "run rota.toml --fork",
        "stop rota.toml web",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        home.rota(&args).fails(2).says("file");
    }
    home.rota(&["reload", "rota.toml"]).fails(3);
    home.rota(&["start"]).ok();
    home.rota(&["reload", "rota.toml", "--update-env"])
        .fails(2)
        .says("file");
    write(
        &home,
        "[apps.web]\nscript = \"{http.js}\"\n[apps.new]\nscript = \"{http.js}\"\n",
    );
    home.rota(&["reload", "rota.toml"])
        .fails(4)
        .says("new is in the file and not in the list")
        .says("rota start rota.toml");
    write(&home, "[apps.web]\nscirpt = \"x\"\n");
    home.rota(&["stop", "rota.toml"])
        .fails(2)
        .says("did you mean `script`?");
    assert_eq!(home.app("web").status(), "online");
}
