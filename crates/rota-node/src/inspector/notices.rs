//! Takes what Node says of its inspector out of a worker's standard error.

use super::address::{Address, LISTENING};

/// Something that Node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The inspector is open; `None` for an address that is not one.
    Listening(Option<Address>),
    /// It could not be opened: why.
    Failed(String),
    /// Somebody has connected, has left, or is waited for; the inspector has been closed.
    Other,
}

/// What lines of Node begin with.
const BEGINNINGS: [&str; 6] = [
    LISTENING,
    "For help, see: https://nodejs.org/",
    "Debugger attached.",
    "Debugger ending on ws://",
    "Waiting for the debugger to disconnect...",
    "Starting inspector on ",
];
/// The longest line that Node writes; what is longer is not Node's.
const LONGEST: usize = 512;

/// Removes Node's lines about its inspector from a byte stream and passes everything else on.
///
/// Node writes each of its lines at once, but the app may have written half a line before; and a read may end
/// anywhere. So they are looked for everywhere, and what may become one is held back until it is clear.
/// What is held back never has a line break in it.
#[derive(Debug, Default)]
pub struct Notices {
    held: Vec<u8>,
}

impl Notices {
    /// Takes bytes of the stream. `pass` gets what is the app's, `notice` what is Node's: false keeps the line in
    /// the stream.
    pub fn feed(
        &mut self,
        input: &[u8],
        mut pass: impl FnMut(&[u8]),
        mut notice: impl FnMut(Notice) -> bool,
    ) {
        let whole;
        let mut rest = if self.held.is_empty() {
            input
        } else {
            self.held.extend_from_slice(input);
            whole = std::mem::take(&mut self.held);
            &whole[..]
        };
        loop {
            match look(rest) {
                Look::Nothing => return pass(rest),
                Look::Maybe(at) => {
                    pass(&rest[..at]);
                    self.held.extend_from_slice(&rest[at..]);
                    return;
                }
                Look::Line(at, end) => {
                    pass(&rest[..at]);
                    if !read(&rest[at..end]).is_some_and(&mut notice) {
                        pass(&rest[at..=end]);
                    }
                    rest = &rest[end + 1..];
                }
                Look::TooLong(at) => {
                    pass(&rest[..at]);
                    rest = &rest[at..];
                }
            }
        }
    }

    /// Nothing is to be removed any more, or the stream has ended: what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Is something held back?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

/// The first place in some bytes that looks like a line of Node's.
enum Look {
    Nothing,
    /// From here it may be one.
    Maybe(usize),
    /// From here to this line break it is.
    Line(usize, usize),
    /// Up to here it began like one, but did not end.
    TooLong(usize),
}

fn look(bytes: &[u8]) -> Look {
    let first = |byte: &u8| matches!(byte, b'D' | b'F' | b'W' | b'S');
    let mut from = 0;
    while let Some(offset) = bytes[from..].iter().position(first) {
        let at = from + offset;
        let here = &bytes[at..];
        for beginning in BEGINNINGS.map(str::as_bytes) {
            if here.len() < beginning.len() && beginning.starts_with(here) {
                return Look::Maybe(at);
            }
            if here.starts_with(beginning) {
                let line = &here[..here.len().min(LONGEST)];
                return match memchr::memchr(b'\n', line) {
                    Some(end) => Look::Line(at, at + end),
                    None if here.len() >= LONGEST => Look::TooLong(at + beginning.len()),
                    None => Look::Maybe(at),
                };
            }
        }
        from = at + 1;
    }
    Look::Nothing
}

/// `None`: it only began like a line of Node's.
fn read(line: &[u8]) -> Option<Notice> {
    let line = std::str::from_utf8(line).ok()?;
    if line.starts_with(LISTENING) {
        return Some(Notice::Listening(Address::find(line.as_bytes())));
    }
    if line.starts_with("Starting inspector on ") {
        return line
            .contains(" failed: ")
            .then(|| Notice::Failed(line.to_owned()));
    }
    Some(Notice::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "Debugger listening on ws://127.0.0.1:39173/9a703c8b-2cdf-4667-8030-d7aa64508ba8\n\
        For help, see: https://nodejs.org/en/docs/inspector\n";

    fn filtered(chunks: &[&[u8]]) -> (String, Vec<Notice>) {
        let (mut notices, mut passed, mut said) = (Notices::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            notices.feed(
                chunk,
                |bytes| passed.extend_from_slice(bytes),
                |notice| {
                    said.push(notice);
                    true
                },
            );
        }
        passed.extend(notices.finish());
        (String::from_utf8(passed).unwrap(), said)
    }

    #[test]
    fn the_apps_output_is_whole_however_it_arrives() {
        let text = format!(
            "Dear For{NODE}est\nDebugger attached.\nDebug\nStarting inspector on time\n{NODE}\
             Debugger ending on ws://127.0.0.1:1/x\nWaiting for the debugger to disconnect...\nDebugger a"
        );
        let expected = "Dear Forest\nDebug\nStarting inspector on time\nDebugger a";
        let whole = filtered(&[text.as_bytes()]);
        assert_eq!(whole.0, expected);
        assert_eq!(whole.1.len(), 7);
        for at in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            assert_eq!(filtered(&[left, right]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(filtered(&bytes), whole);
    }

    #[test]
    fn a_failure_is_told() {
        let line = "Starting inspector on 127.0.0.1:9229 failed: address already in use\n";
        let (passed, said) = filtered(&[line.as_bytes()]);
        assert_eq!(passed, "");
        assert_eq!(said, [Notice::Failed(line.trim_end().to_owned())]);
    }

    #[test]
    fn what_does_not_end_is_not_held_for_ever() {
        let mut text = LISTENING.to_owned();
        text.push_str(&"x".repeat(10_000));
        for size in [1, 100, 600, 20_000] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let mut notices = Notices::default();
            let mut passed = 0;
            for chunk in chunks {
                notices.feed(
                    chunk,
                    |bytes| passed += bytes.len(),
                    |_| panic!("no notice"),
                );
                assert!(notices.held.len() <= LONGEST);
            }
            assert_eq!(passed + notices.finish().len(), text.len());
        }
    }
}
