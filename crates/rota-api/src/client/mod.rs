//! The client: one connection to the daemon of a `ROTA_HOME`.
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

mod connection;
mod download;
mod error;
mod lines;

pub use connection::Client;
pub use download::Download;
pub use error::ClientError;
pub use lines::Lines;
