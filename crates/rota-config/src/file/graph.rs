//! The order in which apps are started.

use std::collections::{BTreeMap, BTreeSet};

/// A circle of apps that wait for each other, as a chain that ends where it begins; `None` if there is none.
/// Names that are not in the map are ignored.
pub(super) fn circle(after: &BTreeMap<&str, Vec<&str>>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    for start in after.keys() {
        // The path that is being walked, and how many of each one's dependencies have been tried.
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, tried)) = path.last_mut() {
            let next = after.get(name).and_then(|list| list.get(*tried)).copied();
            *tried += 1;
            match next {
                None => {
                    done.insert(*name);
                    path.pop();
                }
                Some(next) => {
                    if let Some(at) = path.iter().position(|(name, _)| *name == next) {
                        let mut chain: Vec<String> = path[at..]
                            .iter()
                            .map(|(name, _)| (*name).to_owned())
                            .collect();
                        chain.push(next.to_owned());
                        return Some(chain);
                    }
                    if after.contains_key(next) && !done.contains(next) {
                        path.push((next, 0));
                    }
                }
            }
        }
    }
    None
}

/// Groups of apps: all that an app waits for is in earlier groups. What is in a circle comes last, together.
pub fn waves<'a>(apps: &[(&'a str, Vec<&'a str>)]) -> Vec<Vec<&'a str>> {
    let names: BTreeSet<&str> = apps.iter().map(|(name, _)| *name).collect();
    let mut placed = BTreeSet::new();
    let mut waves = Vec::new();
    while placed.len() < names.len() {
        let ready = |after: &[&str]| {
            let mut waiting = after.iter().filter(|name| names.contains(*name));
            waiting.all(|name| placed.contains(name))
        };
        let open = apps.iter().filter(|(name, _)| !placed.contains(name));
        let mut wave: Vec<&str> = open
            .clone()
            .filter(|(_, after)| ready(after))
            .map(|(name, _)| *name)
            .collect();
        if wave.is_empty() {
            wave = open.map(|(name, _)| *name).collect();
        }
        placed.extend(wave.iter().copied());
        waves.push(wave);
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found() {
        let graph = |pairs: &[(&'static str, &[&'static str])]| {
            circle(
                &pairs
                    .iter()
                    .map(|(name, after)| (*name, after.to_vec()))
                    .collect(),
            )
        };
        assert_eq!(graph(&[("a", &["b"]), ("b", &["c"]), ("c", &[])]), None);
        assert_eq!(
            graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["x"])]),
            None
        );
        assert_eq!(graph(&[("a", &["a"])]).unwrap(), ["a", "a"]);
        assert_eq!(
            graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]).unwrap(),
            ["b", "c", "b"]
        );
    }

    #[test]
    fn waves_follow_each_other() {
        let apps = [
            ("web", vec!["api", "db"]),
            ("api", vec!["db"]),
            ("db", vec![]),
            ("mail", vec!["gone"]),
        ];
        assert_eq!(waves(&apps), [vec!["db", "mail"], vec!["api"], vec!["web"]]);
        assert_eq!(
            waves(&[("a", vec!["b"]), ("b", vec!["a"])]),
            [vec!["a", "b"]]
        );
        assert!(waves(&[]).is_empty());
    }
}
