//! `rota logs`.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex_lite::Regex;
use rota_api::{ExitCode, LogLine, LogsQuery, Stream, StreamFilter};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

use crate::args::LogsArgs;
use crate::context::Context;
use crate::failure::{Done, Stop};
use crate::output::{Ink, Out};

pub(crate) fn run(context: &Context, args: LogsArgs) -> Done {
    let chooses = args.since.is_some() || args.until.is_some() || args.grep.is_some();
    let query = LogsQuery {
        targets: args.targets,
        lines: args.lines.or((!chooses).then_some(LINES)),
        follow: args.follow,
        stream: match (args.out, args.err) {
            (true, false) => StreamFilter::Out,
            (false, true) => StreamFilter::Err,
            _ => StreamFilter::Both,
        },
        since: args.since,
        until: args.until,
        grep: args.grep.as_ref().map(ToString::to_string),
    };
    let form = match (args.json, args.raw) {
        (true, _) => Form::Json,
        (false, true) => Form::Raw,
        (false, false) => Form::Prefixed,
    };
    let look = Look {
        form,
        time: args.time,
        grep: args.grep,
    };
    context.block_on(show(context, &query, &look))
}

/// How many past lines are shown of each log.
pub(crate) const LINES: u32 = 15;

/// What is shown, and how.
pub(super) struct Look {
    pub(super) form: Form,
    /// With the time in front.
    pub(super) time: bool,
    /// Live lines are all sent; those that do not match are left out here.
    pub(super) grep: Option<Regex>,
}

impl Look {
    fn wants(&self, line: &LogLine) -> bool {
        let grep = self.grep.as_ref();
        line.app.is_empty() || grep.is_none_or(|grep| grep.is_match(&line.text))
    }
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Raw,
    Prefixed,
}

pub(super) async fn show(context: &Context, query: &LogsQuery, look: &Look) -> Done {
    let mut lines = context.client().await?.logs(query).await?;
    let mut out = context.out();
    let mut prefixes = Prefixes::default();
    let mut closed = output_closed();
    loop {
        // While nothing is written it would go unnoticed that nobody reads any more
        // (`rota logs -f | head -1`).
        let line = tokio::select! {
            line = lines.next() => line?,
            _ = &mut closed, if query.follow => return Err(Stop::Closed),
        };
        let Some(line) = line else { break };
        if !look.wants(&line) {
            continue;
        }
        write(&mut out, &mut prefixes, &line, look)?;
        if query.follow {
            out.flush()?;
        }
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

/// Gets word when standard output is a pipe, socket or terminal whose other side has gone; never if
/// it is something that cannot go, such as a file. A thread of its own waits for it: tokio would
/// want to have the descriptor for itself.
fn output_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let stdout = std::io::stdout();
        // Errors and hang-ups are reported unasked.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        while poll(&mut watched, None) == Err(Errno::INTR) {}
        sender.send(())
    });
    receiver
}

fn write(out: &mut Out, prefixes: &mut Prefixes, line: &LogLine, look: &Look) -> Result<(), Stop> {
    if look.form == Form::Json {
        return out.json(line);
    }
    // A notice of rota itself, such as lines that were left out: no part of what the app wrote.
    if line.app.is_empty() {
        eprintln!("{}", line.text);
        return Ok(());
    }
    if look.time {
        let time = line.time.map_or_else(String::new, clock);
        out.bytes(format!("{time:<CLOCK$} ").as_bytes())?;
    }
    if look.form == Form::Prefixed {
        let (ink, mut prefix) = prefixes.of(line);
        if let (true, Some(generation)) = (look.time, line.generation) {
            prefix.push_str(&format!(" g{generation}"));
        }
        let bar = match line.stream {
            Some(Stream::Err) => Ink::Red,
            Some(Stream::Out) | None => Ink::Dim,
        };
        let head = format!("{} {} ", out.ink(ink, &prefix), out.ink(bar, "|"));
        out.bytes(head.as_bytes())?;
    }
    out.line(&line.text)
}

/// How wide a time is.
const CLOCK: usize = "2026-01-31 23:59:59.123".len();

/// A time in the zone of this machine.
fn clock(millis: u64) -> String {
    let at = i64::try_from(millis).ok();
    let at = at.and_then(|at| Timestamp::from_millisecond(at).ok());
    at.map_or_else(String::new, |at| {
        let at = at.to_zoned(TimeZone::system());
        at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    })
}

/// The names in front of lines, each worker with its colour, all of the same width.
#[derive(Debug, Default)]
struct Prefixes {
    seen: HashMap<(String, u32), usize>,
    width: usize,
}

impl Prefixes {
    fn of(&mut self, line: &LogLine) -> (Ink, String) {
        let prefix = format!("{}:{}", line.app, line.slot);
        self.width = self.width.max(prefix.chars().count());
        let next = self.seen.len();
        let index = *self
            .seen
            .entry((line.app.clone(), line.slot))
            .or_insert(next);
        (
            Ink::nth(index),
            format!("{prefix:<width$}", width = self.width),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(app: &str, slot: u32) -> LogLine {
        LogLine {
            app: app.into(),
            slot,
            worker: None,
            generation: None,
            stream: Some(Stream::Out),
            time: None,
            text: "x".into(),
        }
    }

    #[test]
    fn each_worker_keeps_its_colour_and_names_stand_in_line() {
        let mut prefixes = Prefixes::default();
        let first = prefixes.of(&line("web", 0));
        assert_eq!(first, (Ink::Cyan, "web:0".into()));
        assert_eq!(
            prefixes.of(&line("gateway", 0)),
            (Ink::Green, "gateway:0".into())
        );
        assert_eq!(
            prefixes.of(&line("web", 0)),
            (Ink::Cyan, "web:0    ".into())
        );
        assert_eq!(prefixes.of(&line("web", 1)).0, Ink::Magenta);
    }
}
