//! What one program of the keeper leaves to the next: whatever it says, it is refused or read as it was meant, in memory
//! that is in proportion to it.

#![no_main]

mod allocated;

use libfuzzer_sys::fuzz_target;
use rota_keeper::fuzzing;

/// A byte of CBOR may be an empty string in a list that has just been doubled.
const TIMES: usize = 128;

fuzz_target!(|input: &[u8]| {
    allocated::bounded(input.len(), TIMES, || fuzzing::state(input));
});
