//! What a dead supervisor has left with the keeper beside the states of `saved`: apps, workers, commands, sockets and
//! counters, one by one and all together. What is read is written so that it is read as the same; an app whose state is
//! lost is made anew from it within bounds; memory is in proportion to the input.
//!
//! The first byte of the input says what the rest is. All together it is a line for each entry (`key blob`) and each
//! process (`child WORKER PID`).

#![no_main]

mod allocated;

use std::fs::File;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use rota_supervisor::fuzzing;
use serde_json::Value;

/// A byte of JSON may be a map's entry with all that goes without saying, read and written twice.
const TIMES: usize = 512;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let null = null();
    allocated::bounded(input.len(), TIMES, || match kind % 8 {
        0 => again(bytes, fuzzing::app),
        1 => again(bytes, fuzzing::worker),
        2 => again(bytes, fuzzing::daemon),
        3 => again(bytes, fuzzing::operations),
        4 => again(bytes, fuzzing::socket),
        _ => estate(bytes, null),
    });
});

fn null() -> &'static File {
    static NULL: OnceLock<File> = OnceLock::new();
    NULL.get_or_init(|| File::open("/dev/null").expect("the null device"))
}

fn again(blob: &[u8], read: fn(&[u8]) -> Option<Value>) {
    let Some(value) = read(blob) else { return };
    let written = serde_json::to_vec(&value).expect("it can be written");
    assert_eq!(read(&written), Some(value));
}

fn estate(bytes: &[u8], null: &File) {
    let (mut entries, mut children) = (Vec::new(), Vec::new());
    for line in bytes.split(|byte| *byte == b'\n').take(64) {
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (key, rest) = line.split_at(end);
        let Ok(key) = std::str::from_utf8(key) else { continue };
        let rest = rest.get(1..).unwrap_or_default();
        if key == "child" {
            let rest = String::from_utf8_lossy(rest);
            let mut numbers = rest.split(' ');
            let worker = numbers.next().and_then(|number| number.parse().ok());
            let pid = numbers.next().and_then(|number| number.parse().ok());
            children.extend(worker.zip(pid));
        } else {
            entries.push((key, rest));
        }
    }
    let _ = fuzzing::estate(&entries, &children, null);
}
