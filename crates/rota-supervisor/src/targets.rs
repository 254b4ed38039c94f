//! What a target on the command line means: `all`, a name, an id, or `name:slot`.

use std::collections::BTreeMap;

use rota_engine::{AppId, Slot};

/// An app, or some of its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The app.
    pub app: AppId,
    /// The slots; `None` = all of them.
    pub slots: Option<Vec<Slot>>,
}

/// What targets are looked up in.
#[derive(Debug, Default)]
pub struct Directory {
    /// Apps by name.
    pub apps: BTreeMap<String, AppId>,
    /// Slots by the id that users see.
    pub ids: BTreeMap<u32, (AppId, Slot)>,
    /// Slots that exist.
    pub slots: BTreeMap<AppId, Vec<Slot>>,
}

/// A target that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no app or id `{target}`{}", suggestion.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default())]
pub struct UnknownTarget {
    target: String,
    suggestion: Option<String>,
}

impl Directory {
    /// Looks up every target and merges what they name, in the order of the apps' ids.
    ///
    /// # Errors
    /// The first target that names nothing.
    pub fn select<S: AsRef<str>>(&self, targets: &[S]) -> Result<Vec<Selection>, UnknownTarget> {
        let mut chosen: BTreeMap<AppId, Option<Vec<Slot>>> = BTreeMap::new();
        for target in targets {
            for selection in self.look_up(target.as_ref())? {
                merge(&mut chosen, selection);
            }
        }
        Ok(chosen
            .into_iter()
            .map(|(app, slots)| Selection { app, slots })
            .collect())
    }

    fn look_up(&self, target: &str) -> Result<Vec<Selection>, UnknownTarget> {
        if target == "all" {
            let every = |&app| Selection { app, slots: None };
            return Ok(self.apps.values().map(every).collect());
        }
        if let Some(&app) = self.apps.get(target) {
            return Ok(vec![Selection { app, slots: None }]);
        }
        if let Some(&(app, slot)) = target.parse().ok().and_then(|id: u32| self.ids.get(&id)) {
            let slots = Some(vec![slot]);
            return Ok(vec![Selection { app, slots }]);
        }
        self.slot_of(target).ok_or_else(|| self.unknown(target))
    }

    fn slot_of(&self, target: &str) -> Option<Vec<Selection>> {
        let (name, slot) = target.rsplit_once(':')?;
        let slot: Slot = slot.parse().ok()?;
        let &app = self.apps.get(name)?;
        let exists = self.slots.get(&app)?.contains(&slot);
        exists.then(|| {
            let slots = Some(vec![slot]);
            vec![Selection { app, slots }]
        })
    }

    fn unknown(&self, target: &str) -> UnknownTarget {
        let lower = target.to_lowercase();
        let close = |name: &&String| {
            let name = name.to_lowercase();
            name.starts_with(&lower) || lower.starts_with(&name) || one_edit_apart(&name, &lower)
        };
        UnknownTarget {
            target: target.to_owned(),
            suggestion: self.apps.keys().find(close).cloned(),
        }
    }
}

fn merge(chosen: &mut BTreeMap<AppId, Option<Vec<Slot>>>, selection: Selection) {
    match (chosen.get_mut(&selection.app), selection.slots) {
        (Some(Some(have)), Some(more)) => {
            have.extend(more);
            have.sort_unstable();
            have.dedup();
        }
        (Some(None), _) => {}
        (Some(have), None) => *have = None,
        (None, slots) => {
            chosen.insert(selection.app, slots);
        }
    }
}

/// True if one insertion, removal or replacement makes one text of the other.
fn one_edit_apart(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same_start = short.iter().zip(&long).take_while(|(x, y)| x == y).count();
    let rest_of_short = &short[same_start..];
    let rest_of_long = &long[same_start..];
    if short.len() == long.len() {
        rest_of_short.get(1..) == rest_of_long.get(1..)
    } else {
        Some(rest_of_short) == rest_of_long.get(1..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        Directory {
            apps: [("api".into(), AppId(1)), ("web".into(), AppId(2))].into(),
            ids: [(0, (AppId(1), 0)), (1, (AppId(1), 1)), (2, (AppId(2), 0))].into(),
            slots: [(AppId(1), vec![0, 1]), (AppId(2), vec![0])].into(),
        }
    }

    fn select(targets: &[&str]) -> Vec<(u32, Option<Vec<u32>>)> {
        let chosen = directory().select(targets).unwrap();
        chosen.into_iter().map(|s| (s.app.0, s.slots)).collect()
    }

    #[test]
    fn names_ids_slots_and_all() {
        assert_eq!(select(&["api"]), [(1, None)]);
        assert_eq!(select(&["1"]), [(1, Some(vec![1]))]);
        assert_eq!(
            select(&["web:0", "0"]),
            [(1, Some(vec![0])), (2, Some(vec![0]))]
        );
        assert_eq!(select(&["1", "0", "1"]), [(1, Some(vec![0, 1]))]);
        assert_eq!(select(&["0", "api", "1"]), [(1, None)]);
        assert_eq!(select(&["all"]), [(1, None), (2, None)]);
    }

    #[test]
    fn unknown_targets_say_what_was_meant() {
        for (target, text) in [
            ("ap", "no app or id `ap` (did you mean `api`?)"),
            ("wep", "no app or id `wep` (did you mean `web`?)"),
            ("7", "no app or id `7`"),
            ("api:2", "no app or id `api:2` (did you mean `api`?)"),
            ("zzz", "no app or id `zzz`"),
        ] {
            assert_eq!(directory().select(&[target]).unwrap_err().to_string(), text);
        }
    }
}
