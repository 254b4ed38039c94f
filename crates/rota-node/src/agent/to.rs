//! What is said to the agent.

use serde::Serialize;

use super::CMD;

/// A message to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "act", rename_all = "lowercase")]
pub enum ToAgent {
    /// Say something: answered by [`super::FromAgent::Pong`] with the same number, as soon as the event loop
    /// turns.
    Ping {
        /// Of this ping.
        n: u64,
    },
    /// Finish what there is: answered by [`super::FromAgent::Drained`].
    Drain(DrainOrder),
    /// The answer to a [`super::Handover`].
    Handed {
        /// Its number.
        id: u64,
        /// Somebody else has the connection; otherwise it stays with the sender.
        ok: bool,
    },
    /// Open the inspector on a loopback port of its choice, or close it. Answered by
    /// [`super::FromAgent::Inspector`].
    Inspector {
        /// Open it.
        open: bool,
    },
    /// Record a profile and write it to a file. Answered by [`super::FromAgent::Profiled`].
    Profile {
        /// Chosen by us.
        id: u64,
        /// What to record.
        kind: ProfileKind,
        /// Where to write; must not exist.
        path: String,
        /// For how long, in milliseconds; for a heap snapshot without meaning.
        duration: u64,
    },
}

/// How to drain. Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DrainOrder {
    /// From now until the report is due: the worker gets its stop signal a moment later in any case.
    pub timeout: u64,
    /// How long a connection that cannot be handed over may stay idle before it is closed.
    pub grace: u64,
    /// Idle HTTP/1.1 connections may be handed over.
    pub handover: bool,
    /// No worker of the app stays: upgraded connections (WebSockets) are said goodbye to at once.
    pub last: bool,
}

/// What to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileKind {
    /// A `.cpuprofile`.
    Cpu,
    /// A `.heapsnapshot`.
    Heap,
}

impl ToAgent {
    /// The message as one line of JSON, without its line break.
    #[must_use]
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            cmd: &'static str,
            #[serde(flatten)]
            message: &'a ToAgent,
        }
        let line = Line {
            cmd: CMD,
            message: self,
        };
        // Plain fields to memory: cannot fail.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_that_node_keeps_from_the_app() {
        let order = DrainOrder {
            timeout: 30_000,
            grace: 5_000,
            handover: true,
            last: false,
        };
        assert_eq!(
            ToAgent::Drain(order).json(),
            r#"{"cmd":"NODE_ROTA","act":"drain","timeout":30000,"grace":5000,"handover":true,"last":false}"#
        );
        assert_eq!(
            ToAgent::Ping { n: 7 }.json(),
            r#"{"cmd":"NODE_ROTA","act":"ping","n":7}"#
        );
    }
}
