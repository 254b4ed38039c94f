//! A worker's place in its app.

use serde::{Deserialize, Serialize};

use crate::backoff::History;
use crate::saved::is_default;
use crate::spec::Spec;
use crate::{ExitRecord, FailReason, SlotStatus, Time, WorkerId};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SlotState {
    /// The number that users see.
    pub(crate) id: u32,
    /// Set by commands (and by a worker that ended as it was meant to), never by failures.
    pub(crate) wanted: bool,
    /// Not wanted because its worker has ended as it was meant to, and not because an operator has said so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) finished: bool,
    /// Scaled away: it goes when its last process has gone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) retiring: bool,
    /// What its next worker is started with.
    pub(crate) spec: Spec,
    pub(crate) seat: Seat,
    /// A worker that is to take the seat: started by a rollout or a planned replacement.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) incoming: Option<WorkerId>,
    /// Workers on their way out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) outgoing: Vec<WorkerId>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) history: History,
    /// Whether it had a worker since an operator started it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) begun: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) restarts: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) last_exit: Option<ExitRecord>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) last_failure: Option<FailReason>,
    /// Since the last process that could be made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) shortage: Option<Shortage>,
}

/// Why a slot has no process although one was ordered: everybody lacks what that needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Shortage {
    /// When it was met first.
    pub(crate) since: Time,
    pub(crate) tries: u32,
    /// No try before this; `None` when that time has come.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) until: Option<Time>,
    /// The supervisor's words.
    pub(crate) reason: String,
}

/// Who holds a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Seat {
    /// Nobody, on purpose.
    Empty,
    /// A worker that is starting or ready. One that is being stopped is `outgoing`.
    Filled(WorkerId),
    /// Nobody; somebody is due at this time, or as soon afterwards as there is room.
    Vacant { until: Time },
    /// Nobody, and there were too many attempts.
    Errored,
}

/// What a worker is to its slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Holder,
    Incoming,
    Outgoing,
}

impl SlotState {
    pub(crate) fn new(id: u32, spec: Spec, now: Time) -> Self {
        Self {
            id,
            wanted: true,
            finished: false,
            retiring: false,
            spec,
            seat: Seat::Vacant { until: now },
            incoming: None,
            outgoing: Vec::new(),
            history: History::default(),
            begun: false,
            restarts: 0,
            last_exit: None,
            last_failure: None,
            shortage: None,
        }
    }

    pub(crate) fn holder(&self) -> Option<WorkerId> {
        match self.seat {
            Seat::Filled(worker) => Some(worker),
            Seat::Empty | Seat::Vacant { .. } | Seat::Errored => None,
        }
    }

    pub(crate) fn role(&self, worker: WorkerId) -> Role {
        if self.holder() == Some(worker) {
            Role::Holder
        } else if self.incoming == Some(worker) {
            Role::Incoming
        } else {
            Role::Outgoing
        }
    }

    /// All its live workers, the holder first.
    pub(crate) fn workers(&self) -> impl Iterator<Item = WorkerId> + '_ {
        let holder = self.holder().into_iter();
        holder
            .chain(self.incoming)
            .chain(self.outgoing.iter().copied())
    }

    /// Takes a worker out of the seat (or from before it) and puts it among those on their way out.
    pub(crate) fn usher_out(&mut self, worker: WorkerId, seat: Seat) {
        match self.role(worker) {
            Role::Holder => self.seat = seat,
            Role::Incoming => self.incoming = None,
            Role::Outgoing => return,
        }
        self.outgoing.push(worker);
    }

    /// Forgets a worker whose process is gone.
    pub(crate) fn remove(&mut self, worker: WorkerId, now: Time) {
        match self.role(worker) {
            Role::Holder => self.seat = Seat::Vacant { until: now },
            Role::Incoming => self.incoming = None,
            Role::Outgoing => self.outgoing.retain(|other| *other != worker),
        }
    }

    /// An operator wants it to run: earlier failures do not count any more.
    pub(crate) fn wake(&mut self, now: Time) {
        self.wanted = true;
        self.finished = false;
        self.retiring = false;
        self.history = History::default();
        self.last_failure = None;
        self.shortage = None;
        if self.holder().is_none() {
            self.seat = Seat::Vacant { until: now };
        }
    }

    /// Begins to count anew. One that was given up stays so, with its reason; a pause that has begun goes on.
    pub(crate) fn forget(&mut self) {
        self.restarts = 0;
        self.history = History::default();
        if self.seat != Seat::Errored {
            self.last_failure = None;
        }
    }

    /// Counts a new worker in the seat.
    pub(crate) fn count_start(&mut self) {
        if self.begun {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.begun = true;
    }

    /// Takes the last [`Self::count_start`] back: there was no start.
    pub(crate) fn discount_start(&mut self) {
        match self.restarts.checked_sub(1) {
            Some(restarts) => self.restarts = restarts,
            None => self.begun = false,
        }
    }

    /// A try is not to be made yet.
    pub(crate) fn is_put_off(&self) -> bool {
        let shortage = self.shortage.as_ref();
        shortage.is_some_and(|shortage| shortage.until.is_some())
    }

    pub(crate) fn status(&self) -> SlotStatus {
        match self.seat {
            Seat::Empty => SlotStatus::Stopped,
            Seat::Filled(_) => SlotStatus::Running,
            Seat::Vacant { .. } => SlotStatus::Waiting,
            Seat::Errored => SlotStatus::Errored,
        }
    }
}
