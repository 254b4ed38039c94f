//! What holds workers together with everything that they start: control groups, as far as the keeper can make them.

use rota_api::{ApiError, CgroupsView, ErrorCode, HeldBy, HeldView};
use rota_config::{AppSpec, Size};
use rota_engine::Slot;
use rota_keeper::protocol::{GroupSpec, GroupsNote};
use rota_sys::cgroup::Group;

use crate::worker::Worker;

/// What to do without control groups, where nothing better is known.
const HINT: &str = "leave the limit out, or run rota where it has control groups (rota version shows what there is)";

/// What the keeper has said of control groups; nothing, if it is of a version that does not know them.
#[derive(Debug, Clone, Default)]
pub struct Holding(Option<GroupsNote>);

impl Holding {
    /// As the keeper has said.
    pub(crate) fn new(note: Option<GroupsNote>) -> Self {
        Self(note)
    }

    /// Whether the keeper can be asked for groups at all.
    pub(crate) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    fn why(&self) -> String {
        let old = "the daemon's keeper is of an older version that does not know control groups";
        match &self.0 {
            None => old.to_owned(),
            Some(note) => note.why.clone().unwrap_or_default(),
        }
    }

    /// Refuses limits that cannot be set here.
    ///
    /// # Errors
    /// The first such limit, what is missing for it, and what to do.
    pub(crate) fn check(&self, spec: &AppSpec) -> Result<(), ApiError> {
        let none = GroupsNote::default();
        let wanted = group_of(spec, 0);
        let note = self.0.as_ref().unwrap_or(&none);
        let Some((controller, limit)) = note.missing(&wanted) else {
            return Ok(());
        };
        let text = format!(
            "{}: --{limit} cannot be kept here, it needs the {controller} controller of control groups: {}",
            spec.name,
            self.why()
        );
        let hint = match &self.0 {
            None => "rota upgrade",
            Some(note) => note.hint.as_deref().unwrap_or(HINT),
        };
        Err(ApiError::new(ErrorCode::InvalidSpec, text).with_hint(hint))
    }

    /// What is told of the daemon.
    pub(crate) fn view(&self) -> CgroupsView {
        let note = self.0.clone().unwrap_or_default();
        let why = Some(self.why()).filter(|why| !why.is_empty());
        CgroupsView {
            directory: note.directory,
            controllers: note.controllers,
            why,
        }
    }

    /// What is told of a worker.
    pub(crate) fn held(&self, worker: &Worker) -> HeldView {
        match &worker.group {
            Some(group) => HeldView {
                by: HeldBy::Cgroup,
                cgroup: Some(group.path().display().to_string()),
                processes: Some(group.processes().len() as u64),
                memory: group.number("memory.current"),
                why: None,
            },
            None => HeldView {
                by: HeldBy::ProcessGroup,
                cgroup: None,
                processes: None,
                memory: None,
                why: Some(self.why()).filter(|why| !why.is_empty()),
            },
        }
    }
}

/// The group of a worker.
pub(crate) fn group_of(spec: &AppSpec, slot: Slot) -> GroupSpec {
    let limits = &spec.resources;
    GroupSpec {
        label: format!("{}-{slot}", spec.name),
        memory_max: limits.memory_max.map(Size::bytes),
        memory_high: limits.memory_high.map(Size::bytes),
        cpu_percent: limits.cpu_max.map(rota_config::CpuMax::percent),
        cpu_weight: limits.cpu_weight,
        pids_max: limits.pids_max,
    }
}

/// What a live worker's group has counted as its most memory.
pub(crate) fn peak_memory(group: &Group) -> Option<u64> {
    group.number("memory.peak")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_config::{AppName, ResourceSpec};

    fn limited(resources: ResourceSpec) -> AppSpec {
        AppSpec {
            resources,
            ..AppSpec::new(AppName::new("api").unwrap(), "app.js", "/srv")
        }
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let holding = Holding::new(Some(GroupsNote {
            directory: Some("/sys/fs/cgroup/x".to_owned()),
            controllers: vec!["pids".to_owned()],
            why: Some("systemd has not delegated it".to_owned()),
            hint: Some("Delegate=yes".to_owned()),
        }));
        let spec = limited(ResourceSpec {
            pids_max: Some(30),
            ..ResourceSpec::default()
        });
        assert_eq!(holding.check(&spec), Ok(()));
        let spec = limited(ResourceSpec {
            memory_high: Some(Size::from_bytes(1)),
            ..spec.resources
        });
        let error = holding.check(&spec).unwrap_err();
        assert_eq!(
            error.message,
            "api: --memory-high cannot be kept here, it needs the memory controller of control groups: systemd has not delegated it"
        );
        assert_eq!(error.hint.as_deref(), Some("Delegate=yes"));
        let old = Holding::default().check(&spec).unwrap_err();
        assert!(old.message.contains("older version"), "{old}");
        assert_eq!(
            Holding::default().check(&limited(ResourceSpec::default())),
            Ok(())
        );
    }
}
