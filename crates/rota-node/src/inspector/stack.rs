//! Call frames as lines for people.

/// The most lines of a stack.
pub const LINES_MAX: usize = 50;

/// A call frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The function's name; empty if it has none.
    pub function: String,
    /// Its file or address; empty if the inspector did not say.
    pub url: String,
    /// The script's number.
    pub script: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl Frame {
    /// Part of Node itself.
    fn is_internal(&self) -> bool {
        self.url.starts_with("node:")
    }

    /// `spin (/srv/app.js:37:5)`, as in the stacks of exceptions.
    fn line(&self) -> String {
        let name = if self.function.is_empty() {
            "(anonymous)"
        } else {
            &self.function
        };
        let place = match self.url.as_str() {
            "" => "evaluated code".to_owned(),
            url => url.strip_prefix("file://").map_or(url.to_owned(), decode),
        };
        let text = format!("{name} ({place}:{}:{})", self.line, self.column);
        // One line, and no tricks with a terminal: a function may have any name.
        text.chars().filter(|c| !c.is_control()).collect()
    }
}

/// A stack, innermost first, without the frames of the file `agent` and without those of Node that the app did
/// not ask for: how Node came to call the app says nothing. Empty when nothing of the app runs.
#[must_use]
pub fn lines(frames: &[Frame], more: bool, agent: &str) -> Vec<String> {
    let is_agent =
        |frame: &&Frame| frame.url.strip_prefix("file://").map(decode).as_deref() == Some(agent);
    let own = |frame: &Frame| !frame.is_internal() && !is_agent(&frame);
    if let ([only], false) = (frames, more)
        && only.is_internal()
    {
        // Node has only just been woken: nothing ran when the pause was asked for.
        return Vec::new();
    }
    let kept = match frames.iter().rposition(own) {
        // What lies further out has called the app.
        Some(outermost) => outermost + 1,
        None if frames.iter().any(|frame| is_agent(&frame)) => 0,
        // Node itself is at work, perhaps for the app.
        None => frames.len(),
    };
    let shown = frames[..kept].iter().filter(|frame| !is_agent(frame));
    let mut lines: Vec<String> = shown.clone().take(LINES_MAX).map(Frame::line).collect();
    if !lines.is_empty() && (shown.count() > lines.len() || (more && kept == frames.len())) {
        lines.push("… and more".to_owned());
    }
    lines
}

/// Undoes the percent-encoding of a file's address.
fn decode(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = (*first == b'%')
            .then(|| std::str::from_utf8(tail.get(..2)?).ok())
            .flatten()
            // It would take a sign, too.
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(digits.unwrap_or(*first));
        rest = if digits.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, url: &str) -> Frame {
        Frame {
            function: function.to_owned(),
            url: url.to_owned(),
            script: "1".to_owned(),
            line: 37,
            column: 5,
        }
    }

    #[test]
    fn the_apps_frames_are_shown_and_what_it_called() {
        let frames = [
            frame("wait", "node:internal/thing"),
            frame("spinForever", "file:///srv/a%20b/app.js"),
            frame("", ""),
            frame("listOnTimeout", "node:internal/timers"),
        ];
        assert_eq!(
            lines(&frames, false, "/agent.js"),
            [
                "wait (node:internal/thing:37:5)",
                "spinForever (/srv/a b/app.js:37:5)",
                "(anonymous) (evaluated code:37:5)",
            ]
        );
        assert_eq!(lines(&frames[3..], true, "/agent.js").len(), 2);
        assert!(lines(&frames[3..], false, "/agent.js").is_empty());
    }

    #[test]
    fn the_agent_is_not_the_app() {
        let frames = [
            frame("pong", "file:///home/x/agent.js"),
            frame("emit", "node:events"),
        ];
        assert!(lines(&frames, false, "/home/x/agent.js").is_empty());
        let wrapped = [
            frame("handler", "file:///srv/app.js"),
            frame("wrap", "file:///home/x/agent.js"),
            frame("emit", "node:events"),
            frame("route", "file:///srv/app.js"),
        ];
        assert_eq!(lines(&wrapped, false, "/home/x/agent.js").len(), 3);
    }

    #[test]
    fn what_is_no_percent_encoding_stays() {
        assert_eq!(decode("/a%2Fb%+1%zz%2"), "/a/b%+1%zz%2");
    }

    #[test]
    fn a_deep_stack_is_cut_and_a_name_is_one_line() {
        let deep = vec![frame("again\n\u{1b}[31m", "file:///a.js"); 60];
        let lines = lines(&deep, true, "/agent.js");
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert_eq!(lines[0], "again[31m (/a.js:37:5)");
        assert_eq!(lines[LINES_MAX], "… and more");
    }
}
