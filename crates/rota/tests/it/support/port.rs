//! Ports that no other test gets, held by a file lock each, from below the range that the kernel hands out.

use std::fs::{File, TryLockError};
use std::net::TcpListener;

/// A port that is this test's as long as the value lives.
pub struct Port {
    /// The number.
    pub number: u16,
    _lock: File,
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.number.fmt(f)
    }
}

/// A port on which nobody listens.
pub fn free_port() -> Port {
    let folder = std::env::temp_dir().join("rota-tests-ports");
    std::fs::create_dir_all(&folder).unwrap();
    for number in 21_000..29_000 {
        let lock = File::create(folder.join(number.to_string())).unwrap();
        match lock.try_lock() {
            Ok(()) if TcpListener::bind(("0.0.0.0", number)).is_ok() => {
                return Port {
                    number,
                    _lock: lock,
                };
            }
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => panic!("locking a port: {error}"),
        }
    }
    panic!("no free port");
}
