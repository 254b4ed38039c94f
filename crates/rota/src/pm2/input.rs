//! `pm2 send` and `pm2 attach`: standard input of workers.

use rota_api::{ExitCode, StdinQuery};

use super::logs::LINES;
use super::run::Pm2;
use super::select::select;
use crate::cmd::attach::{self, Manner};
use crate::cmd::send::{self, WAIT_MS};
use crate::failure::{Done, Failure, Stop};

impl Pm2<'_> {
    /// `pm2 send ID TEXT`.
    pub(super) fn send_line(&self) -> Done {
        let (query, rest) = self.addressee()?;
        if rest.is_empty() {
            let text = "send needs the id of a worker and a text: `pm2 send 0 'reload config'`";
            return Err(Failure::usage(text).into());
        }
        let line = rest.join(" ") + "\n";
        self.context.block_on(async {
            let sent = send::write(self.context, &query, line.as_bytes()).await?;
            if let Some(text) = send::told(&sent) {
                self.say(&text)?;
            }
            Ok(send::tell_failed(self.context, &sent))
        })
    }

    /// `pm2 attach ID [SEPARATOR]`: the separator stands behind each line that is sent, in place of its end.
    pub(super) fn attach(&self) -> Done {
        let (query, rest) = self.addressee()?;
        let [target] = query.targets.as_slice() else {
            return Err(Failure::usage("attach takes one worker: `pm2 attach 0`").into());
        };
        let asked = self
            .context
            .block_on(send::write(self.context, &query, &[]));
        match asked {
            Err(Stop::Failure(failure)) if failure.code == ExitCode::Failed => {
                self.warn(&format!("only the output is shown: {}", failure.message));
                return self.follow(query.targets);
            }
            asked => asked?,
        };
        let manner = Manner {
            lines: self.flags.lines.unwrap_or(LINES),
            raw: self.flags.raw,
            end: rest.first().map_or("\n", String::as_str),
        };
        attach::attach(self.context, target, manner)
    }

    /// Who is meant by the first word after the verb, and the words after that.
    fn addressee(&self) -> Result<(StdinQuery, &[String]), Stop> {
        let words = self.needed("the id of a worker")?;
        let (first, rest) = words.split_at(1.min(words.len()));
        let targets = self.context.block_on(async {
            let chosen = select(first, &self.apps().await?)?;
            Ok(chosen.targets())
        })?;
        let query = StdinQuery {
            targets,
            wait_ms: WAIT_MS,
        };
        Ok((query, rest))
    }
}
