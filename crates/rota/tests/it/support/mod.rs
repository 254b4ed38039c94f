//! What the integration tests share: a daemon of their own each, clients, and waiting for what happens.

mod commands;
mod fixtures;
mod foreground;
mod home;
mod http;
mod living;
mod load;
mod lock;
mod measures;
mod port;
mod process;
mod setting;
mod view;
mod wait;

pub use commands::{Commands, Expected};
pub use fixtures::{app_path, client_path, node_bin, tls_dir};
pub use foreground::Foreground;
pub use home::{Home, Started};
pub use http::{Connection, get, get_from, get_unix, try_get};
pub use living::{another_supervisor, calm, living};
pub use load::load_on;
pub use lock::heavy;
pub use measures::{Measures, files};
pub use port::{Port, free_port};
pub use process::{Output, run, signal};
pub use setting::setting;
pub use view::{App, Worker};
pub use wait::eventually;
