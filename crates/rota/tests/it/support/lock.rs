//! Heavy tests one after the other, over all test processes.

use std::fs::File;

/// Held while a test puts the whole machine under load; released when dropped.
pub fn heavy() -> File {
    let file = File::create(std::env::temp_dir().join("rota-tests-heavy.lock")).unwrap();
    file.lock().unwrap();
    file
}
