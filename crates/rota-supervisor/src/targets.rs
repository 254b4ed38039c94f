//! What a target on the command line means.
//!
//! In this order: `all`; `/EXPRESSION/`, which matches names of apps; the name of an app; an id; `NAME:SLOT`; a namespace.
//! `namespace:NAME` is a namespace in any case.

use std::collections::BTreeMap;

use regex_lite::{Regex, RegexBuilder};
use rota_config::file::closest;
use rota_engine::{AppId, Slot};

/// What an expression may take of memory when it is compiled, in bytes.
const EXPRESSION_SIZE: usize = 64 * 1024;

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
    /// Apps by namespace.
    pub namespaces: BTreeMap<String, Vec<AppId>>,
}

/// A target that names nothing, or cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is nothing of that name.
    #[error("no app, id or namespace `{target}`{}", suggestion.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        target: String,
        /// What is called nearly so.
        suggestion: Option<String>,
    },
    /// An expression that fits nothing.
    #[error("no app has a name that matches `{target}`")]
    NoMatch {
        /// What was asked for.
        target: String,
    },
    /// An expression that is none.
    #[error("`{target}` is not a regular expression: {why}")]
    Expression {
        /// What was asked for.
        target: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A name that two things have: which of them was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguity {
    /// The app, which was taken.
    pub app: AppId,
    /// The name of both.
    pub name: String,
    /// How many other apps are in the namespace, which was not.
    pub others: usize,
}

impl TargetError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown { target, .. } if target.contains('*') => {
                "several apps are meant by a regular expression between slashes: '/api-.*/'"
            }
            Self::Unknown { .. } | Self::NoMatch { .. } => "`rota list` shows what there is",
            Self::Expression { .. } => {
                "between the slashes stands a regular expression for names of apps: '/api-.*/', or '/API/i'"
            }
        }
    }
}

impl Directory {
    /// Looks up every target and merges what they name, in the order of the apps' ids.
    ///
    /// # Errors
    /// The first target that names nothing.
    pub fn select<S: AsRef<str>>(&self, targets: &[S]) -> Result<Vec<Selection>, TargetError> {
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

    /// Targets that could have meant a namespace with further apps as well.
    pub fn ambiguities<S: AsRef<str>>(&self, targets: &[S]) -> Vec<Ambiguity> {
        let doubtful = |name: &str| {
            let &app = self.apps.get(name)?;
            let members = self.namespaces.get(name)?;
            let others = members.iter().filter(|&&other| other != app).count();
            (others > 0).then(|| Ambiguity {
                app,
                name: name.to_owned(),
                others,
            })
        };
        let names = targets.iter().map(AsRef::as_ref);
        names.filter_map(doubtful).collect()
    }

    fn look_up(&self, target: &str) -> Result<Vec<Selection>, TargetError> {
        if target == "all" {
            return Ok(whole(self.apps.values()));
        }
        if let Some((expression, flags)) = expression(target) {
            return self.matching(target, expression, flags);
        }
        if let Some(app) = self.apps.get(target) {
            return Ok(whole([app]));
        }
        if let Some(&(app, slot)) = target.parse().ok().and_then(|id: u32| self.ids.get(&id)) {
            let slots = Some(vec![slot]);
            return Ok(vec![Selection { app, slots }]);
        }
        self.slot_of(target)
            .or_else(|| self.namespace(target))
            .ok_or_else(|| self.unknown(target))
    }

    fn matching(
        &self,
        target: &str,
        expression: &str,
        flags: &str,
    ) -> Result<Vec<Selection>, TargetError> {
        let compiled = compile(expression, flags).map_err(|why| TargetError::Expression {
            target: target.to_owned(),
            why,
        })?;
        let apps = self.apps.iter();
        let chosen = whole(
            apps.filter(|(name, _)| compiled.is_match(name))
                .map(|(_, app)| app),
        );
        match chosen.is_empty() {
            true => Err(TargetError::NoMatch {
                target: target.to_owned(),
            }),
            false => Ok(chosen),
        }
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

    fn namespace(&self, target: &str) -> Option<Vec<Selection>> {
        let plain = self.namespaces.get(target);
        let apps = plain.or_else(|| self.namespaces.get(target.strip_prefix("namespace:")?))?;
        Some(whole(apps))
    }

    fn unknown(&self, target: &str) -> TargetError {
        let name = target.rsplit_once(':').map_or(target, |(name, _)| name);
        let known = || {
            let apps = self.apps.keys();
            apps.chain(self.namespaces.keys()).map(String::as_str)
        };
        let lower = name.to_lowercase();
        let begins = |known: &&str| {
            let known = known.to_lowercase();
            !lower.is_empty() && (known.starts_with(&lower) || lower.starts_with(&known))
        };
        let suggestion = closest(name, known()).or_else(|| known().find(begins));
        TargetError::Unknown {
            target: target.to_owned(),
            suggestion: suggestion.map(str::to_owned),
        }
    }
}

/// All slots of these apps.
fn whole<'a>(apps: impl IntoIterator<Item = &'a AppId>) -> Vec<Selection> {
    let every = |&app| Selection { app, slots: None };
    apps.into_iter().map(every).collect()
}

/// `/EXPRESSION/FLAGS`, taken apart. No name has a slash in it.
fn expression(target: &str) -> Option<(&str, &str)> {
    target.strip_prefix('/')?.rsplit_once('/')
}

fn compile(expression: &str, flags: &str) -> Result<Regex, String> {
    if expression.is_empty() {
        return Err("it is empty".to_owned());
    }
    if !matches!(flags, "" | "i") {
        return Err(format!(
            "`{flags}` behind it: only `i` is possible, for upper and lower case alike"
        ));
    }
    RegexBuilder::new(expression)
        .case_insensitive(flags == "i")
        .size_limit(EXPRESSION_SIZE)
        .build()
        .map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let app = AppId;
        Directory {
            apps: [
                ("api", app(1)),
                ("web", app(2)),
                ("api-v2", app(3)),
                ("shop", app(4)),
            ]
            .map(|(name, app)| (name.to_owned(), app))
            .into(),
            ids: [(0, (app(1), 0)), (1, (app(1), 1)), (2, (app(2), 0))].into(),
            slots: [(app(1), vec![0, 1]), (app(2), vec![0])].into(),
            namespaces: [
                ("default", vec![app(1)]),
                ("edge", vec![app(2), app(3)]),
                ("shop", vec![app(3), app(4)]),
                ("web", vec![app(2)]),
            ]
            .map(|(name, apps)| (name.to_owned(), apps))
            .into(),
        }
    }

    fn select(targets: &[&str]) -> Vec<(u32, Option<Vec<u32>>)> {
        let chosen = directory().select(targets).unwrap();
        chosen.into_iter().map(|s| (s.app.0, s.slots)).collect()
    }

    fn apps(target: &str) -> Vec<u32> {
        let chosen = select(&[target]);
        assert!(chosen.iter().all(|(_, slots)| slots.is_none()), "{target}");
        chosen.into_iter().map(|(app, _)| app).collect()
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
        assert_eq!(apps("all"), [1, 2, 3, 4]);
    }

    #[test]
    fn namespaces_come_after_names() {
        assert_eq!(apps("edge"), [2, 3]);
        assert_eq!(apps("shop"), [4], "the app of that name");
        assert_eq!(apps("namespace:shop"), [3, 4]);
        assert_eq!(select(&["edge", "web:0"]), [(2, None), (3, None)]);
    }

    #[test]
    fn a_name_of_two_things_is_told() {
        let told = directory().ambiguities(&["api", "shop", "web", "namespace:shop"]);
        let expected = Ambiguity {
            app: AppId(4),
            name: "shop".into(),
            others: 1,
        };
        assert_eq!(told, [expected], "web is alone in its namespace");
    }

    #[test]
    fn expressions_match_names() {
        assert_eq!(apps("/api-.*/"), [3]);
        assert_eq!(apps("/api/"), [1, 3], "anywhere in the name");
        assert_eq!(apps("/^(api|web)$/"), [1, 2]);
        assert_eq!(apps("/API/i"), [1, 3]);
        assert_eq!(apps("/./"), [1, 2, 3, 4]);
    }

    #[test]
    fn targets_that_mean_nothing_say_what_was_meant() {
        for (target, text) in [
            ("ap", "no app, id or namespace `ap` (did you mean `api`?)"),
            ("wep", "no app, id or namespace `wep` (did you mean `web`?)"),
            (
                "egde",
                "no app, id or namespace `egde` (did you mean `edge`?)",
            ),
            ("7", "no app, id or namespace `7`"),
            (
                "api:2",
                "no app, id or namespace `api:2` (did you mean `api`?)",
            ),
            ("", "no app, id or namespace ``"),
            ("zzz", "no app, id or namespace `zzz`"),
            ("/zzz/", "no app has a name that matches `/zzz/`"),
            ("//", "`//` is not a regular expression: it is empty"),
            (
                "/a/x",
                "`/a/x` is not a regular expression: `x` behind it: only `i` is possible, for upper and lower case alike",
            ),
        ] {
            assert_eq!(directory().select(&[target]).unwrap_err().to_string(), text);
        }
        for target in ["/(/", "/a{1000}{1000}{1000}/"] {
            let error = directory().select(&[target]).unwrap_err();
            assert!(matches!(error, TargetError::Expression { .. }), "{error}");
        }
    }
}
