//! Those who follow the output live. Nobody waits for them: who is too slow misses lines, and is told how many.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use tokio::sync::Notify;

use super::{LogLine, Source, Stream};

/// How many lines may wait for one follower.
const WAITING_LINES: usize = 4096;
/// How many bytes of text they may have together.
const WAITING_BYTES: usize = 512 * 1024;

/// An app, or some places of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// The app's name.
    pub app: Arc<str>,
    /// Only these slots; `None` = all.
    pub slots: Option<Vec<u32>>,
}

/// Whose output is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The apps; empty = all of them.
    pub targets: Vec<LogTarget>,
    /// Only this stream; `None` = both.
    pub stream: Option<Stream>,
}

impl Filter {
    /// Is the output of this origin wanted?
    pub fn wants(&self, app: &str, slot: u32, stream: Stream) -> bool {
        self.may_want(app, Some(slot), Some(stream))
    }

    /// Can this be output that is wanted? What is not known of it could be anything.
    pub fn may_want(&self, app: &str, slot: Option<u32>, stream: Option<Stream>) -> bool {
        let is_place = |target: &LogTarget| {
            let slots = target.slots.as_ref();
            *target.app == *app
                && slots.is_none_or(|slots| slot.is_none_or(|slot| slots.contains(&slot)))
        };
        let is_there = self.targets.is_empty() || self.targets.iter().any(is_place);
        let wanted = self.stream.or(stream);
        is_there && (stream.is_none() || wanted == stream)
    }
}

/// What a follower gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A line.
    Line(Arc<LogLine>),
    /// The follower was too slow: here so many lines are missing.
    Lost(u64),
}

#[derive(Debug)]
struct Mailbox {
    filter: Filter,
    waiting: RefCell<VecDeque<Followed>>,
    bytes: Cell<usize>,
    lost: Cell<u64>,
    ended: Cell<bool>,
    wake: Notify,
}

impl Mailbox {
    fn put(&self, line: &Arc<LogLine>) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= WAITING_LINES || self.bytes.get() >= WAITING_BYTES {
            self.lost.set(self.lost.get() + 1);
            return;
        }
        let lost = self.lost.take();
        if lost > 0 {
            waiting.push_back(Followed::Lost(lost));
        }
        self.bytes.set(self.bytes.get() + line.bytes.len());
        waiting.push_back(Followed::Line(Arc::clone(line)));
        drop(waiting);
        self.wake.notify_one();
    }

    fn take(&self) -> Option<Followed> {
        let next = self.waiting.borrow_mut().pop_front();
        if let Some(Followed::Line(line)) = &next {
            self.bytes.set(self.bytes.get() - line.bytes.len());
        }
        next.or_else(|| match self.lost.take() {
            0 => None,
            lost => Some(Followed::Lost(lost)),
        })
    }
}

/// A live view of the output. Dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    mailbox: Rc<Mailbox>,
}

impl Subscription {
    /// The next line; `None` when there will be no more. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Followed> {
        loop {
            if let Some(next) = self.mailbox.take() {
                return Some(next);
            }
            if self.mailbox.ended.get() {
                return None;
            }
            self.mailbox.wake.notified().await;
        }
    }
}

/// All followers.
#[derive(Debug, Default)]
pub(super) struct Followers {
    mailboxes: Vec<Weak<Mailbox>>,
}

impl Followers {
    pub fn subscribe(&mut self, filter: Filter) -> Subscription {
        let mailbox = Rc::new(Mailbox {
            filter,
            waiting: RefCell::default(),
            bytes: Cell::new(0),
            lost: Cell::new(0),
            ended: Cell::new(false),
            wake: Notify::new(),
        });
        self.mailboxes.retain(|known| known.strong_count() > 0);
        self.mailboxes.push(Rc::downgrade(&mailbox));
        Subscription { mailbox }
    }

    /// Does anybody follow this origin?
    pub fn want(&self, source: &Source) -> bool {
        self.mailboxes
            .iter()
            .filter_map(Weak::upgrade)
            .any(|mailbox| wants(&mailbox, source))
    }

    /// Gives everybody who wants it the line.
    pub fn publish(&self, line: &Arc<LogLine>) {
        for mailbox in self.mailboxes.iter().filter_map(Weak::upgrade) {
            if wants(&mailbox, &line.source) {
                mailbox.put(line);
            }
        }
    }

    /// There will be no more lines.
    pub fn end(&mut self) {
        for mailbox in self.mailboxes.drain(..).filter_map(|known| known.upgrade()) {
            mailbox.ended.set(true);
            mailbox.wake.notify_one();
        }
    }
}

fn wants(mailbox: &Mailbox, source: &Source) -> bool {
    mailbox
        .filter
        .wants(&source.app, source.slot, source.stream)
}

#[cfg(test)]
mod tests {
    use super::super::LineEnd;
    use super::*;

    fn line(app: &str, slot: u32, stream: Stream, text: &str) -> Arc<LogLine> {
        Arc::new(LogLine {
            source: Arc::new(Source {
                app: app.into(),
                slot,
                worker: 1,
                generation: 1,
                stream,
            }),
            time: 0,
            bytes: text.as_bytes().into(),
            end: LineEnd::Newline,
        })
    }

    fn text(followed: Option<Followed>) -> String {
        match followed {
            Some(Followed::Line(line)) => line.text().into_owned(),
            Some(Followed::Lost(lost)) => format!("lost {lost}"),
            None => "end".into(),
        }
    }

    #[test]
    fn filters() {
        let all = Filter::default();
        assert!(all.wants("a", 7, Stream::Err));
        let some = Filter {
            targets: vec![
                LogTarget {
                    app: "a".into(),
                    slots: Some(vec![1, 2]),
                },
                LogTarget {
                    app: "b".into(),
                    slots: None,
                },
            ],
            stream: Some(Stream::Out),
        };
        assert!(some.wants("a", 2, Stream::Out));
        assert!(!some.wants("a", 0, Stream::Out));
        assert!(!some.wants("a", 2, Stream::Err));
        assert!(some.wants("b", 9, Stream::Out));
        assert!(!some.wants("c", 1, Stream::Out));
        assert!(some.may_want("a", None, None));
        assert!(some.may_want("a", Some(1), None));
        assert!(!some.may_want("a", Some(0), None));
        assert!(!some.may_want("a", None, Some(Stream::Err)));
        assert!(!some.may_want("c", None, None));
    }

    #[tokio::test]
    async fn a_slow_follower_misses_lines_and_is_told() {
        let mut followers = Followers::default();
        let mut slow = followers.subscribe(Filter::default());
        let mut quick = followers.subscribe(Filter::default());
        let total = WAITING_LINES + 3;
        for number in 0..total {
            followers.publish(&line("a", 0, Stream::Out, &number.to_string()));
            assert_eq!(text(quick.next().await), number.to_string());
        }
        assert_eq!(text(slow.next().await), "0");
        followers.publish(&line("a", 0, Stream::Out, "later"));
        followers.end();
        for number in 1..WAITING_LINES {
            assert_eq!(text(slow.next().await), number.to_string());
        }
        assert_eq!(text(slow.next().await), "lost 3");
        assert_eq!(text(slow.next().await), "later");
        assert_eq!(text(slow.next().await), "end");
        assert_eq!(text(quick.next().await), "later");
        assert_eq!(text(quick.next().await), "end");
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_too() {
        let mut followers = Followers::default();
        let mut slow = followers.subscribe(Filter::default());
        let long = "x".repeat(64 * 1024);
        for _ in 0..20 {
            followers.publish(&line("a", 0, Stream::Out, &long));
        }
        for _ in 0..WAITING_BYTES / long.len() {
            assert_eq!(text(slow.next().await), long);
        }
        assert_eq!(text(slow.next().await), "lost 12");
    }

    #[test]
    fn nobody_is_kept_who_left() {
        let mut followers = Followers::default();
        for _ in 0..10 {
            drop(followers.subscribe(Filter::default()));
        }
        let kept = followers.subscribe(Filter::default());
        assert_eq!(followers.mailboxes.len(), 1);
        assert!(followers.want(&line("a", 0, Stream::Out, "").source));
        drop(kept);
        assert!(!followers.want(&line("a", 0, Stream::Out, "").source));
    }
}
