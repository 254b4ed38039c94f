//! The reloads themselves, and what happened in them at which time.

use std::time::Duration;

use rota_api::client::ClientError;
use rota_api::{CommandResult, Drained, StreamEvent, Verb};
use rota_load::Running;

use crate::args::WaitFlags;
use crate::cmd::operation;
use crate::context::Context;
use crate::failure::{Failure, Stop};

/// The time after a reload that still belongs to it.
const SETTLE: Duration = Duration::from_millis(200);

/// All reloads of a test.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    pub(super) done: Vec<Reload>,
    /// The one that failed; no other follows it.
    pub(super) failed: Option<Failure>,
}

/// One reload. Times since the load began.
#[derive(Debug, Default)]
pub(super) struct Reload {
    pub(super) begin: Duration,
    pub(super) end: Duration,
    pub(super) ok: bool,
    /// How the daemon summed it up.
    pub(super) message: String,
    /// What became of the connections of the workers that left.
    pub(super) drained: Option<Drained>,
    pub(super) events: Vec<Event>,
}

/// What the daemon told at a time.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) text: String,
}

/// Where in the reloads something happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The reload's number, from 1.
    pub(super) reload: usize,
    /// The last event before.
    pub(super) after: Option<&'a str>,
}

impl Reloads {
    /// Reloads the app once; false if that failed.
    pub(super) fn one(
        &mut self,
        context: &Context,
        app: &str,
        load: &Running,
        tell: impl FnMut(&str),
    ) -> Result<bool, Stop> {
        load.mark(true);
        let mut reload = Reload {
            begin: load.elapsed(),
            ..Reload::default()
        };
        let result = context.block_on(follow(context, app, load, &mut reload, tell));
        reload.end = load.elapsed();
        // What the last worker's end did to the clients may be noticed a moment later.
        std::thread::sleep(SETTLE);
        load.mark(false);
        let result = result?;
        reload.ok = result.ok;
        reload.message.clone_from(&result.message);
        reload.drained = result.drained;
        self.done.push(reload);
        if !result.ok {
            self.failed = Some(Failure::of_result(&result));
        }
        Ok(result.ok)
    }

    /// The place of a time: in a reload, or after one.
    pub(super) fn place(&self, at: Duration) -> Option<Place<'_>> {
        let (index, reload) = self
            .done
            .iter()
            .enumerate()
            .rfind(|(_, reload)| reload.begin <= at)?;
        let event = reload.events.iter().rfind(|event| event.at <= at);
        Some(Place {
            reload: index + 1,
            after: event.map(|event| event.text.as_str()),
        })
    }
}

async fn follow(
    context: &Context,
    app: &str,
    load: &Running,
    reload: &mut Reload,
    mut tell: impl FnMut(&str),
) -> Result<CommandResult, Stop> {
    let wait = WaitFlags {
        no_wait: false,
        json: false,
    };
    let request = operation::request(Verb::Reload, vec![app.to_owned()], &wait);
    let mut events = context.client().await?.command(&request).await?;
    while let Some(event) = events.next().await? {
        match event {
            StreamEvent::Progress(progress) => {
                tell(&progress.text);
                reload.events.push(Event {
                    at: load.elapsed(),
                    text: progress.text,
                });
            }
            StreamEvent::Finished(finished) => {
                if let Some(result) = finished.results.into_iter().next() {
                    return Ok(result);
                }
            }
        }
    }
    Err(Failure::from(ClientError::Ended).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_place() {
        let at = Duration::from_secs;
        let reload = |begin, end, event: u64| Reload {
            begin: at(begin),
            end: at(end),
            ok: true,
            message: String::new(),
            drained: None,
            events: vec![Event {
                at: at(event),
                text: format!("event at {event}"),
            }],
        };
        let reloads = Reloads {
            done: vec![reload(10, 20, 15), reload(30, 40, 35)],
            failed: None,
        };
        let place = |seconds| {
            reloads
                .place(at(seconds))
                .map(|place| (place.reload, place.after))
        };
        assert_eq!(place(5), None);
        assert_eq!(place(12), Some((1, None)));
        assert_eq!(place(16), Some((1, Some("event at 15"))));
        assert_eq!(place(25), Some((1, Some("event at 15"))));
        assert_eq!(place(39), Some((2, Some("event at 35"))));
    }
}
