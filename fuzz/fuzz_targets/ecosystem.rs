//! Files of other programs: whatever they say, there are apps whose specifications are good, or mistakes that can be shown.
//!
//! The first byte says which reader is asked.

#![no_main]

use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use rota_config::Env;
use rota_config::file::{Outside, differences};
use rota_config::foreign::pm2::Dump;
use rota_config::foreign::{Foreign, Mistake, json, yaml};

fn file(kind: u8, text: &str) -> Result<Foreign, Mistake> {
    let path = "/srv/ecosystem";
    Ok(match kind % 6 {
        0 => Foreign::ecosystem(path, json(text)?),
        1 => Foreign::ecosystem(path, yaml(text)?),
        2 => Foreign::procfile(path, text),
        3 => Foreign::package(path, text)?,
        4 => Foreign::ecosystem(path, Dump::read(&json(text)?, Path::new("/home/me/.pm2"))?.ecosystem),
        _ => Foreign::ecosystem(path, serde_json::from_str(text).unwrap_or_default()),
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let file = match file(*kind, text) {
        Ok(file) => file,
        Err(mistake) => {
            assert!(!mistake.to_string().is_empty());
            return;
        }
    };
    let caller: Env = [("PATH", "/bin"), ("HOME", "/home/me"), ("PORT", "80")].into_iter().collect();
    let read = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let outside = Outside { caller: &caller, read: &read };
    let profile = file.profiles().into_iter().next();
    for profile in [None, profile.as_deref()] {
        match file.apps(profile, &outside) {
            Ok(taken) => {
                assert!(!taken.apps.is_empty());
                for app in &taken.apps {
                    assert!(app.spec.problems().is_empty(), "{:?}", app.spec.problems());
                    let side = (&app.spec, Some(&app.origins));
                    assert!(differences(side, side).is_empty());
                    let json = serde_json::to_string(&app.spec).expect("it can be written");
                    assert_eq!(serde_json::from_str::<rota_config::AppSpec>(&json).expect("it can be read"), app.spec);
                }
            }
            Err(mistakes) => {
                assert!(!mistakes.is_empty());
                assert!(mistakes.iter().all(|mistake| !mistake.to_string().is_empty()));
            }
        }
    }
});
