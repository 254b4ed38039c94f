//! The groups of children.

use std::io;
use std::path::Path;

use rota_sys::cgroup::Group;
use rustix::io::Errno;

use super::controllers::Controllers;
use super::place::{Lack, Place};
use super::{SavedGroups, Where};
use crate::log;
use crate::protocol::{GroupExit, GroupSpec, GroupsNote};

/// The longest label, in bytes.
const LABEL_MAX: usize = 64;
/// The period of `cpu.max`, in microseconds: the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// Why a child cannot have the group that it needs.
pub(crate) struct NoGroup {
    pub errno: i32,
    pub message: String,
}

/// Where groups are made, and those that could not be removed yet.
#[derive(Debug)]
pub(crate) struct Groups {
    place: Option<Place>,
    lack: Option<Lack>,
    remains: Vec<Group>,
    /// It has been said that a group could not be made.
    told: bool,
}

impl Groups {
    /// Looks what can be had. Call it before there are processes beside this one.
    pub(crate) fn new(place: &Where, home: &Path) -> Self {
        let (place, lack) = match Place::make(place, home) {
            Ok((place, lack)) => (Some(place), lack),
            Err(lack) => (None, Some(lack)),
        };
        Self::with(place, lack)
    }

    fn with(place: Option<Place>, lack: Option<Lack>) -> Self {
        Self {
            place,
            lack,
            remains: Vec::new(),
            told: false,
        }
    }

    /// What the supervisor is told.
    pub(crate) fn note(&self) -> GroupsNote {
        let place = self.place.as_ref();
        GroupsNote {
            directory: place.map(|place| text(&place.top)),
            controllers: place.map_or(Vec::new(), |place| place.controllers.usable.clone()),
            why: self.lack.as_ref().map(|lack| lack.why.clone()),
            hint: self.lack.as_ref().and_then(|lack| lack.hint.clone()),
        }
    }

    /// Makes the group of a child. `None`: it does without.
    pub(crate) fn make(
        &mut self,
        child: u64,
        spec: &GroupSpec,
        nice: Option<i32>,
    ) -> Result<Option<Group>, NoGroup> {
        let note = self.note();
        if let Some((controller, limit)) = note.missing(spec) {
            let why = note.why.unwrap_or_default();
            return Err(NoGroup {
                errno: Errno::OPNOTSUPP.raw_os_error(),
                message: format!(
                    "{limit} needs the controller {controller} of control groups, which rota does not have: {why}"
                ),
            });
        }
        let Some(place) = &self.place else {
            return Ok(None);
        };
        let name = format!("{}-{child}", label(&spec.label));
        let made = place.top.make(&name).or_else(|error| {
            // One that an earlier image of this process knew of, and nobody lives in.
            let old = Group::at(place.top.path().join(&name));
            if error.kind() == io::ErrorKind::AlreadyExists && old.remove() {
                place.top.make(&name)
            } else {
                Err(error)
            }
        });
        match made {
            Ok(group) => match limit(&group, &place.controllers, spec, nice) {
                Ok(()) => Ok(Some(group)),
                Err(refused) => {
                    group.remove();
                    Err(refused)
                }
            },
            Err(error) => {
                let path = place.top.path().display();
                let message = format!("no control group can be made in {path}: {error}");
                if !spec.needs().is_empty() {
                    let errno = error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
                    return Err(NoGroup { errno, message });
                }
                self.tell(&message);
                Ok(None)
            }
        }
    }

    /// A child could not enter its group, and does without.
    pub(crate) fn not_entered(&mut self, group: Group) {
        let path = group.path().display();
        self.tell(&format!("no process can be put into {path}"));
        self.discard(group);
    }

    /// Once: it will be the same for the next child.
    fn tell(&mut self, what: &str) {
        if !std::mem::replace(&mut self.told, true) {
            log(format_args!(
                "{what}; such workers are held by process group and session"
            ));
        }
    }

    /// Removes the group of an ended child, and tells what it has counted.
    pub(crate) fn retire(&mut self, group: Group) -> GroupExit {
        let events = |name| group.count("memory.events", name);
        let exit = GroupExit {
            oom_kills: events("oom_kill"),
            at_limit: events("oom").is_some_and(|count| count > 0),
            memory_peak: group.number("memory.peak"),
            memory_max: group.number("memory.max"),
            pids_refused: group.count("pids.events", "max"),
        };
        self.discard(group);
        exit
    }

    /// Removes a group, at the next occasion if somebody does not die.
    pub(crate) fn discard(&mut self, group: Group) {
        self.remains.push(group);
        self.remains.retain(|group| !group.remove());
    }

    /// The keeper ends: nothing of all this is left, as far as nobody lives in it.
    pub(crate) fn dissolve(&mut self) {
        self.remains.retain(|group| !group.remove());
        if let Some(place) = self.place.take() {
            for group in place.top.below() {
                if Some(&group) != place.controllers.daemon.as_ref() {
                    group.remove();
                }
            }
            place.dissolve();
        }
    }

    pub(crate) fn save(&self) -> SavedGroups {
        let place = self.place.as_ref();
        let controllers = place.map(|place| place.controllers.clone());
        let controllers = controllers.unwrap_or_default();
        SavedGroups {
            base: place.map(|place| text(&place.base)),
            top: place.map(|place| text(&place.top)),
            usable: controllers.usable,
            switched: controllers.switched,
            daemon: controllers.daemon.as_ref().map(text),
            why: self.lack.as_ref().map(|lack| lack.why.clone()),
            hint: self.lack.as_ref().and_then(|lack| lack.hint.clone()),
        }
    }

    pub(crate) fn restore(saved: &SavedGroups) -> Self {
        let place = saved.base.as_ref().zip(saved.top.as_ref());
        let place = place.map(|(base, top)| Place {
            base: Group::at(base),
            top: Group::at(top),
            controllers: Controllers {
                usable: saved.usable.clone(),
                switched: saved.switched.clone(),
                daemon: saved.daemon.as_ref().map(Group::at),
            },
        });
        let lack = saved.why.clone().map(|why| Lack {
            why,
            hint: saved.hint.clone(),
        });
        Self::with(place, lack)
    }
}

fn text(group: &Group) -> String {
    group.path().display().to_string()
}

/// What of a label can be in the name of a directory. The child's key behind it keeps it apart from the kernel's files.
fn label(text: &str) -> String {
    let plain = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c,
        '.' => c,
        _ => '_',
    };
    let label: String = text.chars().map(plain).take(LABEL_MAX).collect();
    let hidden = label.trim_start_matches('.');
    if hidden.is_empty() {
        "worker".to_owned()
    } else {
        hidden.to_owned()
    }
}

fn limit(
    group: &Group,
    controllers: &Controllers,
    spec: &GroupSpec,
    nice: Option<i32>,
) -> Result<(), NoGroup> {
    let set = |file: &str, value: Option<String>| match value {
        None => Ok(()),
        Some(value) => group.set(file, &value).map_err(|error| NoGroup {
            errno: error.raw_os_error().unwrap_or(Errno::IO.raw_os_error()),
            message: format!("cannot set {file} of its control group to {value}: {error}"),
        }),
    };
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    set("memory.high", number(spec.memory_high))?;
    set("memory.max", number(spec.memory_max))?;
    if spec.memory_max.is_some() {
        // Where swap space is not counted there is no such file.
        let _ = group.set("memory.swap.max", "0");
    }
    let quota = |percent: u32| u64::from(percent) * CPU_PERIOD / 100;
    let cpu = spec.cpu_percent.map(quota);
    set("cpu.max", cpu.map(|quota| format!("{quota} {CPU_PERIOD}")))?;
    set(
        "cpu.weight",
        spec.cpu_weight.map(|weight| weight.to_string()),
    )?;
    set("pids.max", number(spec.pids_max))?;
    if let Some(nice) = nice.filter(|_| spec.cpu_weight.is_none())
        && controllers.usable.iter().any(|name| name == "cpu")
    {
        // Between groups the kernel goes by their weights alone, whatever the priorities of those in them.
        let own = rustix::process::getpriority_process(None).unwrap_or(0);
        let nice = own.saturating_add(nice).clamp(-20, 19);
        let _ = group.set("cpu.weight.nice", &nice.to_string());
    }
    Ok(())
}
