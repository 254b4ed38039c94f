//! rota.toml and `.env` files: every mistake has a place in the text and can be shown, and what has none becomes apps
//! whose specifications are good.
//!
//! What stands behind a zero byte is a file of variables, which the apps are given.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use rota_config::Env;
use rota_config::file::{ConfigFile, Outside, Style, differences, line_and_column, render};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (toml, variables) = text.split_once('\0').unwrap_or((text, ""));
    let file = ConfigFile::parse("/srv/rota.toml", toml);
    let caller: Env = [("PATH", "/bin"), ("AWS_REGION", "eu")].into_iter().collect();
    let read = |_: &Path| Ok(variables.to_owned());
    let outside = Outside { caller: &caller, read: &read };
    let profile = file.profiles().first().map(|&name| name.to_owned());
    for profile in [None, profile.as_deref()] {
        match file.apps(profile, &outside) {
            Ok(apps) => {
                assert!(file.problems().is_empty() && !apps.is_empty());
                let order: usize = file.order().iter().map(Vec::len).sum();
                assert_eq!(order, apps.len());
                for app in &apps {
                    assert!(app.spec.problems().is_empty(), "{:?}", app.spec.problems());
                    let side = (&app.spec, Some(&app.origins));
                    assert!(differences(side, side).is_empty());
                    let json = serde_json::to_string(&app.spec).expect("it can be written");
                    assert_eq!(serde_json::from_str::<rota_config::AppSpec>(&json).expect("it can be read"), app.spec);
                }
            }
            Err(problems) => {
                assert!(!problems.is_empty());
                // To draw many marks takes long.
                for problem in problems.iter().take(4) {
                    let (line, column) = line_and_column(toml, problem.at.start);
                    assert!(line > 0 && column > 0 && !problem.message.is_empty());
                    let style = Style { colour: false, columns: 80 };
                    let shown = render("rota.toml", toml, problem, style);
                    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
                }
            }
        }
    }
});
