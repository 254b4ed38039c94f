//! What a worker's standard error says of its inspector.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_node::inspector::{Address, Notice, Notices};
use tokio::sync::watch;

/// Whether Node's lines about the inspector stay in the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Shown {
    /// They are the user's.
    #[default]
    Always,
    /// They are ours.
    Never,
    /// They were ours, and the last ones may be on their way.
    From {
        /// Until then.
        at: Instant,
        /// That it is open has been read: the next one that opens is the user's.
        known: bool,
    },
}

/// What is known of an inspector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Nothing.
    #[default]
    Unknown,
    /// It listens here.
    At(Address),
    /// It could not be opened: why.
    Failed(String),
}

/// The inspector of one worker, as its output tells of it.
#[derive(Debug, Default)]
pub(crate) struct InspectorWatch {
    shown: Cell<Shown>,
    opened: watch::Sender<Opened>,
}

impl InspectorWatch {
    /// What Node says from now on is not the app's output.
    pub(crate) fn hide(&self) {
        self.shown.set(Shown::Never);
        self.opened.send_replace(Opened::Unknown);
    }

    /// The inspector is closed again; the last lines about it may take this long to arrive.
    pub(crate) fn show_after(&self, delay: Duration) {
        let (at, known) = (Instant::now() + delay, self.address().is_some());
        self.shown.set(Shown::From { at, known });
        self.opened.send_replace(Opened::Unknown);
    }

    /// True while the inspector is one that we have opened.
    pub(crate) fn is_hidden(&self) -> bool {
        match self.shown.get() {
            Shown::Always => false,
            Shown::Never => true,
            Shown::From { at, .. } => Instant::now() < at,
        }
    }

    /// What is known, and what will be.
    pub(crate) fn opened(&self) -> watch::Receiver<Opened> {
        self.opened.subscribe()
    }

    /// Where it listens, as far as is known.
    pub(crate) fn address(&self) -> Option<Address> {
        match &*self.opened.borrow() {
            Opened::At(address) => Some(address.clone()),
            Opened::Unknown | Opened::Failed(_) => None,
        }
    }

    /// The inspector listens there, or does not any more.
    pub(crate) fn set(&self, address: Option<Address>) {
        let opened = address.map_or(Opened::Unknown, Opened::At);
        self.opened.send_replace(opened);
    }

    /// The worker says whether its inspector is open.
    pub(crate) fn told(&self, open: bool) {
        if !open && !self.is_hidden() && self.address().is_some() {
            self.set(None);
        }
    }

    /// A line that stays in the output.
    pub(super) fn line(&self, line: &[u8]) {
        if let (false, Some(address)) = (self.is_hidden(), Address::find(line)) {
            self.set(Some(address));
        }
    }

    /// Something that Node said; true: not to the user.
    fn notice(&self, notice: Notice) -> bool {
        if let (Notice::Listening(_), Shown::From { known: true, .. }) = (&notice, self.shown.get())
        {
            self.shown.set(Shown::Always);
        }
        let ours = self.is_hidden();
        let opened = match notice {
            Notice::Listening(Some(address)) => Opened::At(address),
            Notice::Listening(None) => Opened::Failed("its address is not understood".to_owned()),
            Notice::Failed(why) => Opened::Failed(why),
            Notice::Other => return ours,
        };
        self.opened.send_replace(opened);
        ours
    }
}

/// Takes Node's lines about an inspector that we have opened out of a stream.
#[derive(Debug, Default)]
pub(super) struct InspectorFilter {
    watch: Option<Rc<InspectorWatch>>,
    notices: Notices,
}

impl InspectorFilter {
    pub fn new(watch: Option<Rc<InspectorWatch>>) -> Self {
        Self {
            watch,
            notices: Notices::default(),
        }
    }

    /// Must the stream go through [`Self::feed`] at the moment?
    pub fn is_active(&self) -> bool {
        !self.notices.is_empty() || self.watch.as_ref().is_some_and(|watch| watch.is_hidden())
    }

    /// What is left of some input.
    pub fn feed(&mut self, input: &[u8]) -> Vec<u8> {
        let mut left = Vec::with_capacity(input.len());
        let Some(watch) = self.watch.as_ref().filter(|watch| watch.is_hidden()) else {
            left = self.notices.finish();
            left.extend_from_slice(input);
            return left;
        };
        self.notices.feed(
            input,
            |bytes| left.extend_from_slice(bytes),
            |notice| watch.notice(notice),
        );
        left
    }

    /// The stream has ended: what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        self.notices.finish()
    }
}
