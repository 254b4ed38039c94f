//! The agents in Node workers: how they get there, and what becomes of what they say.

mod block;
mod figures;
mod hang;
mod inspect;
mod install;
mod profile;
mod pulse;

pub(crate) use figures::Inside;
pub(crate) use inspect::Inspect;
pub(crate) use install::AgentFile;
pub(crate) use profile::Profiling;
pub(crate) use pulse::{Heart, Pulse};

use std::rc::Rc;

use rota_node::agent::{FromAgent, Hello, ToAgent};

use crate::dispatch::DispatchCommand;
use crate::supervisor::Supervisor;

/// The agent of one worker, as far as it has been heard of.
#[derive(Default)]
pub(crate) struct Agent {
    /// What it said first; `None`: there is none, or it has not begun.
    pub(crate) hello: Option<Hello>,
    /// What it had when its channel ended before it had reported the end of its drain.
    pub(crate) undrained: Option<crate::dispatch::Lost>,
    /// Its heartbeat.
    pub(crate) pulse: Pulse,
    /// Its figures.
    pub(crate) inside: Inside,
    /// Its inspector.
    pub(crate) inspect: Inspect,
    /// The profile that it records.
    pub(crate) profiling: Profiling,
}

impl Supervisor {
    /// Something that a worker's agent said.
    pub(crate) fn on_agent(self: &Rc<Self>, worker: u64, message: FromAgent) {
        match message {
            FromAgent::Hello(hello) => {
                self.update(worker, |w| w.agent.hello = Some(hello));
                self.save_worker(worker);
                self.start_pulse(worker);
            }
            FromAgent::Pong { n, figures } => {
                let longest = figures.event_loop.max;
                let inspector = figures.inspector;
                self.take_figures(worker, *figures);
                self.note_memory(worker);
                if let Some(watch) = self.logs.inspector(worker) {
                    watch.told(inspector);
                }
                self.beat(worker, n, longest);
            }
            // The dispatcher's.
            FromAgent::Server { .. } | FromAgent::Handover(_) | FromAgent::Drained(_) => {}
            FromAgent::Inspector { url } => self.inspector_said(worker, url.as_deref()),
            FromAgent::Health(health) => self.take_health(worker, health),
            FromAgent::Uncaught(uncaught) => self.uncaught(worker, uncaught),
            FromAgent::Profiled(end) => self.profiled(worker, end),
        }
    }

    /// Says something to a worker's agent. Without one nobody hears it.
    pub(crate) fn tell_agent(&self, worker: u64, message: &ToAgent) {
        self.dispatcher.send(DispatchCommand::SendMessage {
            worker,
            json: message.json(),
        });
    }
}
