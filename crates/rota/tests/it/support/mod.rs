//! What the integration tests share: a daemon of their own each, clients, and waiting for what happens.

mod fixtures;
mod foreground;
mod home;
mod http;
mod load;
mod lock;
mod port;
mod process;
mod view;
mod wait;

pub use fixtures::{app_path, client_path, node_bin, tls_dir};
pub use foreground::Foreground;
pub use home::{Home, Started};
pub use http::{Connection, get, get_from, get_unix, try_get};
pub use load::load_on;
pub use lock::heavy;
pub use port::{Port, free_port};
pub use process::{Output, run, signal};
pub use view::{App, Worker};
pub use wait::{eventually, eventually_maybe};
