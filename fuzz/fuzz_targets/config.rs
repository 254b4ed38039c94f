//! What people hand in: every text that is understood is written so that it is understood as the same again.
//!
//! The first byte of the input says what the rest is.

#![no_main]

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use rota_config::{
    AppName, Balance, GuardLoss, Instances, ListenAddr, Probe, ProbeTarget, ScaleTo, SignalName, Size, Span,
};
use rota_engine::AppId;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/targets.rs"]
mod targets;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match kind % 10 {
        0 => {
            let Some(span) = read::<Span>(text) else { return };
            assert!(span.millis() <= 365 * 86_400_000);
            written(&span);
        }
        // The short form of a size rounds; its JSON does not.
        1 => drop(read::<Size>(text)),
        2 => {
            if let Some(address) = read::<ListenAddr>(text) {
                written(&address);
            }
        }
        3 => {
            let Ok(name) = AppName::from_str(text) else { return };
            assert!(name.as_str() == text && !text.contains(char::is_control) && !text.contains('/'));
            json(&name);
        }
        4 => {
            let Some(instances) = read::<Instances>(text) else { return };
            assert!((1..=1024).contains(&instances.count(u32::from(kind))));
            written(&instances);
        }
        5 => {
            let Ok(scale) = ScaleTo::from_str(text) else { return };
            assert!(scale.target(u32::from(kind), 8).is_none_or(|count| (1..=1024).contains(&count)));
        }
        6 => {
            let Some(signal) = read::<SignalName>(text) else { return };
            assert_eq!(SignalName::from_number(signal.number()).as_ref(), Some(&signal));
            written(&signal);
        }
        7 => {
            let Ok(target) = ProbeTarget::from_str(text) else { return };
            assert!(!target.addresses().is_empty() && !target.to_string().contains(char::is_whitespace));
            written(&target);
            json(&target);
            json(&Probe::from(target));
        }
        8 => {
            let words = [Balance::from_str(text).map(Balance::as_str), GuardLoss::from_str(text).map(GuardLoss::as_str)];
            assert!(words.into_iter().flatten().all(|word| word == text));
        }
        _ => select(text),
    }
});

/// Reads a text, and what JSON makes of it.
fn read<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Display> + Serialize + DeserializeOwned + PartialEq + Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            json(&value);
            Some(value)
        }
        Err(error) => {
            // Said to whom it may concern, so it must be writable.
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn written<T>(value: &T)
where
    T: FromStr<Err: Debug> + Display + PartialEq + Debug,
{
    let text = value.to_string();
    assert_eq!(&text.parse::<T>().expect("what was written can be read"), value, "{text:?}");
}

fn json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("it can be written");
    assert_eq!(&serde_json::from_str::<T>(&text).expect("it can be read"), value, "{text}");
}

/// Each line is a target.
fn select(text: &str) {
    let directory = targets::Directory {
        apps: BTreeMap::from([("api".to_owned(), AppId(1)), ("a\u{308}b".to_owned(), AppId(2))]),
        ids: BTreeMap::from([(0, (AppId(1), 0)), (1, (AppId(1), 1)), (2, (AppId(2), 0))]),
        slots: BTreeMap::from([(AppId(1), vec![0, 1]), (AppId(2), vec![0])]),
        namespaces: BTreeMap::from([("shop".to_owned(), vec![AppId(1), AppId(2)])]),
    };
    let targets: Vec<&str> = text.lines().collect();
    for doubt in directory.ambiguities(&targets) {
        assert!(doubt.others > 0 && directory.namespaces.contains_key(&doubt.name));
    }
    match directory.select(&targets) {
        Ok(chosen) => {
            assert!(chosen.is_sorted_by(|a, b| a.app < b.app));
            for slots in chosen.into_iter().filter_map(|selection| selection.slots) {
                assert!(!slots.is_empty() && slots.is_sorted_by(|a, b| a < b));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
