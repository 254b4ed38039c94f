//! What a running operation tells.

use serde::{Deserialize, Serialize};

use crate::{Drained, ErrorCode};

/// One line of the answer to a start, command or shutdown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum StreamEvent {
    /// Something happened.
    Progress(Progress),
    /// The last line.
    Finished(Finished),
}

/// Something happened in an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What.
    pub kind: ProgressKind,
    /// To which app.
    pub app: String,
    /// In which slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// The worker's unique number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<u64>,
    /// The worker's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Where the rollout is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// One line for people, without the app's name and the step: `worker 2 is ready (pid 4711)`.
    pub text: String,
    /// What became of the connections of a worker that has been drained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<Drained>,
}

impl Progress {
    /// Something about an app as a whole.
    pub fn of_app(kind: ProgressKind, app: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            kind,
            app: app.into(),
            slot: None,
            worker: None,
            pid: None,
            step: None,
            text: text.into(),
            drained: None,
        }
    }
}

/// Step `index` of `of`, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// This one.
    pub index: u32,
    /// All of them.
    pub of: u32,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgressKind {
    /// A worker was started.
    Starting,
    /// A worker is ready.
    Ready,
    /// The first new worker is being watched.
    Observing,
    /// A worker takes no new connections and finishes those that it has.
    Draining,
    /// A worker got the stop signal or SIGKILL.
    Stopping,
    /// A worker is gone, as intended.
    Stopped,
    /// A worker ended by itself.
    Crashed,
    /// A worker is not ready in time.
    NotReady,
    /// A step of the rollout begins.
    Step,
    /// The rollout is being undone.
    RollingBack,
    /// The rollout has been undone.
    RolledBack,
    /// The command waits for another one.
    Queued,
    /// The caller may have meant something else.
    Remark,
    /// Anything else; the text says what.
    #[serde(other)]
    Note,
}

/// The end of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// One entry per app that was meant.
    pub results: Vec<CommandResult>,
}

/// How an operation ended for one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// The app.
    pub app: String,
    /// Whether it was done (or, without `wait`, accepted).
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// One sentence for people, without the app's name.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// More lines for people: the last lines of stderr and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// What became of the connections of the workers that were drained for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<Drained>,
}

impl CommandResult {
    /// A success.
    pub fn done(app: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            app: app.into(),
            ok: true,
            code: None,
            message: message.into(),
            hint: None,
            detail: Vec::new(),
            drained: None,
        }
    }

    /// A failure.
    pub fn failed(app: impl Into<String>, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            app: app.into(),
            ok: false,
            code: Some(code),
            message: message.into(),
            hint: None,
            detail: Vec::new(),
            drained: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_carry_their_type() {
        let event = StreamEvent::Progress(Progress {
            kind: ProgressKind::RollingBack,
            app: "api".into(),
            slot: Some(1),
            worker: None,
            pid: None,
            step: Some(Step { index: 2, of: 4 }),
            text: "rolling back".into(),
            drained: None,
        });
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(
            json,
            r#"{"type":"progress","kind":"rolling-back","app":"api","slot":1,"step":{"index":2,"of":4},"text":"rolling back"}"#
        );
        assert_eq!(serde_json::from_str::<StreamEvent>(&json).unwrap(), event);
        let end = StreamEvent::Finished(Finished {
            results: vec![CommandResult::done("api", "4 workers")],
        });
        let json = serde_json::to_string(&end).unwrap();
        assert_eq!(
            json,
            r#"{"type":"finished","results":[{"app":"api","ok":true,"message":"4 workers"}]}"#
        );
    }

    #[test]
    fn kinds_of_later_versions_become_notes() {
        let json = r#"{"type":"progress","kind":"teleported","app":"a","text":"x"}"#;
        let StreamEvent::Progress(progress) = serde_json::from_str(json).unwrap() else {
            unreachable!("the line says progress");
        };
        assert_eq!(progress.kind, ProgressKind::Note);
    }
}
