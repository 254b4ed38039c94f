//! The little of the Chrome DevTools protocol that is needed to see where JavaScript is.

use serde::Deserialize;

use super::stack::Frame;

/// Frames of a stack that are read.
const FRAMES_MAX: usize = 200;
/// The longest name or address that is kept.
const TEXT_MAX: usize = 1024;
/// How far into a message its kind is looked for.
const KIND_WITHIN: usize = 256;

/// A command: one without parameters is all that we send.
#[must_use]
pub fn command(id: u64, method: &str) -> String {
    format!("{{\"id\":{id},\"method\":\"{method}\"}}")
}

/// A message of the inspector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The answer to a command.
    Reply {
        /// Its number.
        id: u64,
        /// Why it was not done.
        error: Option<String>,
    },
    /// A script is known by this number.
    Script {
        /// The number.
        id: String,
        /// Its file, or address; empty for evaluated code.
        url: String,
    },
    /// JavaScript stands still.
    Paused {
        /// Where; innermost first.
        frames: Vec<Frame>,
        /// There are more frames, that are not in `frames`.
        more: bool,
    },
    /// Something else.
    Other,
}

impl Incoming {
    /// Reads a message, of which the end may be missing.
    #[must_use]
    pub fn parse(message: &[u8]) -> Self {
        let head = &message[..message.len().min(KIND_WITHIN)];
        let is = |method: &[u8]| memchr::memmem::find(head, method).is_some();
        if is(b"\"Debugger.paused\"") {
            return paused(message);
        }
        if is(b"\"Debugger.scriptParsed\"") {
            return script(message).unwrap_or(Self::Other);
        }
        reply(message).unwrap_or(Self::Other)
    }
}

fn reply(message: &[u8]) -> Option<Incoming> {
    #[derive(Deserialize)]
    struct Reply {
        id: u64,
        error: Option<Error>,
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(default)]
        message: String,
    }
    let reply: Reply = serde_json::from_slice(message).ok()?;
    Some(Incoming::Reply {
        id: reply.id,
        error: reply.error.map(|error| short(error.message)),
    })
}

fn script(message: &[u8]) -> Option<Incoming> {
    #[derive(Deserialize)]
    struct Message {
        params: Script,
    }
    #[derive(Deserialize)]
    struct Script {
        #[serde(rename = "scriptId")]
        id: String,
        url: String,
    }
    let script = serde_json::from_slice::<Message>(message).ok()?.params;
    Some(Incoming::Script {
        id: short(script.id),
        url: short(script.url),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallFrame {
    #[serde(default)]
    function_name: String,
    #[serde(default)]
    url: String,
    location: Location,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    script_id: String,
    line_number: u32,
    #[serde(default)]
    column_number: u32,
}

/// The stack of a deep recursion is megabytes long, and its end may have been skipped: so the frames are read
/// one by one from the start.
fn paused(message: &[u8]) -> Incoming {
    const FRAMES: &[u8] = b"\"callFrames\":[";
    let mut frames = Vec::new();
    let mut rest =
        memchr::memmem::find(message, FRAMES).map_or(&[][..], |at| &message[at + FRAMES.len()..]);
    let mut more = false;
    while !rest.starts_with(b"]") && !rest.is_empty() {
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<CallFrame>();
        let next = values.next();
        let (Some(Ok(frame)), true) = (next, frames.len() < FRAMES_MAX) else {
            more = true;
            break;
        };
        rest = &rest[values.byte_offset()..];
        rest = rest.strip_prefix(b",").unwrap_or(rest);
        frames.push(Frame {
            function: short(frame.function_name),
            url: short(frame.url),
            script: short(frame.location.script_id),
            line: frame.location.line_number.saturating_add(1),
            column: frame.location.column_number.saturating_add(1),
        });
    }
    Incoming::Paused { frames, more }
}

fn short(text: String) -> String {
    crate::shortened(text, TEXT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &str = r#"{"callFrameId":"1.1.0","functionName":"spin","functionLocation":{"scriptId":"72",
        "lineNumber":0,"columnNumber":76},"location":{"scriptId":"72","lineNumber":36,"columnNumber":4},
        "url":"file:///srv/app.js","scopeChain":[{"type":"local","object":{"type":"object"}}],"this":{}}"#;

    fn message(frames: &[&str]) -> String {
        format!(
            r#"{{"method":"Debugger.paused","params":{{"callFrames":[{}],"reason":"other"}}}}"#,
            frames.join(",")
        )
    }

    #[test]
    fn a_stack_is_read() {
        let Incoming::Paused { frames, more } =
            Incoming::parse(message(&[FRAME, FRAME]).as_bytes())
        else {
            panic!("not paused");
        };
        assert_eq!((frames.len(), more), (2, false));
        let frame = &frames[1];
        assert_eq!(
            (
                frame.function.as_str(),
                frame.url.as_str(),
                frame.script.as_str()
            ),
            ("spin", "file:///srv/app.js", "72")
        );
        assert_eq!((frame.line, frame.column), (37, 5));
        let empty = Incoming::parse(message(&[]).as_bytes());
        assert_eq!(
            empty,
            Incoming::Paused {
                frames: Vec::new(),
                more: false
            }
        );
    }

    #[test]
    fn a_stack_without_its_end_is_read_as_far_as_it_goes() {
        let text = message(&[FRAME; 3]);
        for end in 0..text.len() {
            if let Incoming::Paused { frames, .. } = Incoming::parse(&text.as_bytes()[..end]) {
                assert!(frames.len() <= 3);
            }
        }
        let Incoming::Paused { frames, more } =
            Incoming::parse(&text.as_bytes()[..FRAME.len() * 5 / 2])
        else {
            panic!("not paused");
        };
        assert_eq!((frames.len(), more), (2, true));
        let Incoming::Paused { frames, more } = Incoming::parse(message(&[FRAME; 300]).as_bytes())
        else {
            panic!("not paused");
        };
        assert_eq!((frames.len(), more), (FRAMES_MAX, true));
    }

    #[test]
    fn replies_and_scripts_are_told_apart() {
        assert_eq!(
            command(3, "Debugger.pause"),
            r#"{"id":3,"method":"Debugger.pause"}"#
        );
        assert_eq!(
            Incoming::parse(br#"{"id":2,"result":{}}"#),
            Incoming::Reply { id: 2, error: None }
        );
        assert_eq!(
            Incoming::parse(br#"{"id":2,"error":{"code":-1,"message":"no"}}"#),
            Incoming::Reply {
                id: 2,
                error: Some("no".to_owned())
            }
        );
        assert_eq!(
            Incoming::parse(
                br#"{"method":"Debugger.scriptParsed","params":{"scriptId":"7","url":"a.js","x":1}}"#
            ),
            Incoming::Script {
                id: "7".to_owned(),
                url: "a.js".to_owned()
            }
        );
        for other in [
            &b"[]"[..],
            b"",
            b"\xff",
            br#"{"method":"Debugger.scriptParsed"}"#,
        ] {
            assert_eq!(Incoming::parse(other), Incoming::Other);
        }
    }
}
