//! Doors for the fuzz targets (`fuzz/`) to what nobody else may see. Only there with `--cfg fuzzing`.

use crate::state::State;

/// Reads the state that another program has left, and writes it again. `None`: it cannot be read.
///
/// # Panics
/// When what was written is not read as the same.
#[must_use]
pub fn state(bytes: &[u8]) -> Option<Vec<u8>> {
    let state = State::decode(bytes).ok()?;
    let written = state.encode();
    match State::decode(&written) {
        Ok(again) => assert_eq!(again, state),
        Err(error) => panic!("what was written cannot be read: {error}"),
    }
    Some(written)
}
