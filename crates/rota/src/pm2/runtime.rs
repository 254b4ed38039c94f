//! `pm2-runtime`: the daemon in the foreground, for containers, with PM2's exit codes.

use std::collections::BTreeMap;
use std::time::Duration;

use rota_api::RunOptions;
use rota_config::{AppSpec, ShowAs};

use super::run::Pm2;
use super::{file, specs};
use crate::failure::{Done, Failure};

/// PM2's exit code when nothing is left online.
const NOTHING_LEFT: u8 = 2;

impl Pm2<'_> {
    /// `pm2-runtime [start] SCRIPT|FILE`.
    pub(super) fn runtime(&self) -> Done {
        if self.flags.version {
            return self.version();
        }
        let words = match self.flags.words.split_first() {
            Some((first, rest)) if first == "start" && !rest.is_empty() => rest,
            _ => &self.flags.words[..],
        };
        let [word] = words else {
            return Err(
                Failure::usage("pm2-runtime needs a script or an ecosystem file")
                    .hint("`pm2-runtime ecosystem.config.js --env production`")
                    .into(),
            );
        };
        if let Some(seconds) = self.flags.delay {
            std::thread::sleep(Duration::from_secs(seconds));
        }
        let (apps, origins) = match file::is_config(word) {
            true => self.apps_of_file(word)?,
            false => (vec![specs::app(&self.flags, word)?], BTreeMap::new()),
        };
        let apps = apps.into_iter().map(|app| self.shown(app)).collect();
        let options = RunOptions {
            stay: self.flags.no_auto_exit,
            empty_code: Some(NOTHING_LEFT),
            ..RunOptions::default()
        };
        self.in_foreground(apps, origins, options)
    }

    /// The app, with its lines shown as flags say.
    fn shown(&self, mut app: AppSpec) -> AppSpec {
        let flags = &self.flags;
        app.logs.show = match (flags.json, flags.raw, flags.format || flags.formatted) {
            (true, _, _) => Some(ShowAs::Json),
            (_, true, _) => Some(ShowAs::Raw),
            (_, _, true) => Some(ShowAs::Prefix),
            _ => app.logs.show,
        };
        app
    }
}
