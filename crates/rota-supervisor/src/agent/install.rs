//! The agent's file, and the environment that makes Node load it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rota_config::{AppSpec, GuardLoss};
use rota_node::agent::{Leave, SOURCE, Settings, VARIABLE};

/// The agent's file in `ROTA_HOME`. Its name has a part made from its content, so that workers of an
/// older rota keep theirs.
#[derive(Debug, Clone)]
pub(crate) struct AgentFile {
    path: PathBuf,
}

impl AgentFile {
    /// Writes the file, unless it is there and whole, into a folder that is made if need be.
    pub(crate) fn write(folder: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder)?;
        Self::write_with(folder, 0o600)
    }

    /// The same for workers of other users, in a folder that only we may write to.
    pub(crate) fn for_everybody(folder: &Path) -> io::Result<Self> {
        Self::write_with(folder, 0o644)
    }

    fn write_with(folder: &Path, mode: u32) -> io::Result<Self> {
        let path = folder.join(format!("agent-{:016x}.js", fingerprint(SOURCE.as_bytes())));
        if fs::read(&path).is_ok_and(|there| there == SOURCE.as_bytes()) {
            return Ok(Self { path });
        }
        // By way of another name, so that no worker ever loads half a file.
        let draft = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        // Of an earlier process with the same number.
        let _ = fs::remove_file(&draft);
        let written = options.open(&draft).and_then(|mut file| {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(SOURCE.as_bytes())?;
            fs::rename(&draft, &path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written.map(|()| Self { path })
    }

    /// Where it is, as text.
    pub(crate) fn text(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// The variables that make Node load the agent, for an app with this specification; none where it cannot
    /// be loaded.
    pub(crate) fn env(
        &self,
        spec: &AppSpec,
        cluster: bool,
        keeper: u32,
    ) -> Vec<(&'static str, String)> {
        let (Some(file), true) = (self.path.to_str(), may_load(spec)) else {
            return Vec::new();
        };
        let own = spec.env.get("NODE_OPTIONS");
        let settings = Settings {
            file,
            node_options: own,
            cluster,
            serve_on: spec.agent.guard_loss == GuardLoss::Serve,
            keeper,
            stop_signal: spec.stop.signal.as_str(),
            leave: Leave {
                timeout: spec.stop.drain_timeout.millis(),
                grace: spec.stop.idle_grace.millis(),
            },
        };
        let Ok(settings) = serde_json::to_string(&settings) else {
            return Vec::new();
        };
        let quoted = file.replace('\\', "\\\\").replace('"', "\\\"");
        let mut options = format!("--require \"{quoted}\"");
        // Where a signal opens the inspector. Not where the app has a word on that: `--inspect` alone means the usual port.
        if !words(spec)
            .any(|word| word.starts_with("--inspect") || word.starts_with("--debug-port"))
        {
            options.insert_str(0, "--inspect-port=127.0.0.1:0 ");
        }
        if let Some(own) = own {
            options.push(' ');
            options.push_str(own);
        }
        vec![("NODE_OPTIONS", options), (VARIABLE, settings)]
    }
}

/// Flags of Node's under which a file that nobody has allowed would end the process.
const GUARDED: [&str; 3] = [
    "--permission",
    "--experimental-permission",
    "--experimental-policy",
];

fn may_load(spec: &AppSpec) -> bool {
    let guarded = |word: &str| GUARDED.contains(&word.split('=').next().unwrap_or(word));
    spec.agent.enabled && !words(spec).any(guarded)
}

/// The app's own words to Node: its options and arguments.
fn words(spec: &AppSpec) -> impl Iterator<Item = &str> {
    let own = spec.env.get("NODE_OPTIONS").unwrap_or_default();
    own.split_whitespace()
        .map(|word| word.trim_matches('"'))
        .chain(spec.interpreter_args.iter().map(String::as_str))
}

/// FNV-1a: tells versions of a file apart, nothing more.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_config::AppName;

    fn spec() -> AppSpec {
        AppSpec::new(AppName::new("api").unwrap(), "app.js", "/srv")
    }

    #[test]
    fn is_written_once_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let file = AgentFile::write(&folder.path().join("agent")).unwrap();
        fs::write(&file.path, "half").unwrap();
        AgentFile::write(&folder.path().join("agent")).unwrap();
        assert_eq!(fs::read_to_string(&file.path).unwrap(), SOURCE);
        let names = fs::read_dir(folder.path().join("agent")).unwrap();
        assert_eq!(names.count(), 1);
    }

    #[test]
    fn the_apps_own_options_come_last() {
        let file = AgentFile {
            path: "/a b/agent.js".into(),
        };
        let mut spec = spec();
        spec.env.set("NODE_OPTIONS", "--no-warnings");
        let env = file.env(&spec, true, 1);
        assert_eq!(
            env[0],
            (
                "NODE_OPTIONS",
                "--inspect-port=127.0.0.1:0 --require \"/a b/agent.js\" --no-warnings".to_owned()
            )
        );
        for guarded in [
            "--permission",
            "\"--permission\" --no-warnings",
            "--experimental-policy=policy.json",
        ] {
            spec.env.set("NODE_OPTIONS", guarded);
            assert!(file.env(&spec, true, 1).is_empty(), "{guarded}");
        }
        spec.env.set("NODE_OPTIONS", "--inspect");
        assert_eq!(
            file.env(&spec, true, 1)[0].1,
            "--require \"/a b/agent.js\" --inspect"
        );
        spec.env.set("NODE_OPTIONS", "");
        spec.agent.enabled = false;
        assert!(file.env(&spec, true, 1).is_empty());
    }
}
