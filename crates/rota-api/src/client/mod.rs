//! The client: a connection to the daemon of a `ROTA_HOME`, which outlives the supervisor's death.
//!
//! ```no_run
//! # async fn example() -> Result<(), rota_api::client::ClientError> {
//! use rota_api::client::Client;
//!
//! let mut client = Client::connect("/home/me/.rota".as_ref()).await?;
//! for app in client.apps(&[]).await?.apps {
//!     println!("{} is {}", app.name, app.status);
//! }
//! # Ok(()) }
//! ```

mod ask;
mod connection;
mod download;
mod error;
mod events;
mod follow;
mod lines;
mod link;

pub use connection::Client;
pub use download::Download;
pub use error::ClientError;
pub use events::Events;
pub use follow::LogLines;
