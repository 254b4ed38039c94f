//! The flags of `serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use rota_config::{AppName, Instances};

use super::apps::WaitFlags;

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,

    /// The port
    #[arg(value_name = "PORT", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,

    /// Name of the app [default: serve-PORT]
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<AppName>,

    /// The address to listen on [default: all of this machine]
    #[arg(long, value_name = "IP")]
    pub host: Option<IpAddr>,

    /// A single-page app: paths that are no files mean index.html
    #[arg(long)]
    pub spa: bool,

    /// Do not list folders without index.html
    #[arg(long)]
    pub no_listing: bool,

    /// Only for who gives this name, and the password
    #[arg(long, value_name = "NAME", requires = "basic_auth_password")]
    pub basic_auth_username: Option<String>,

    /// The password; it is better kept in a variable: "$PASSWORD"
    #[arg(long, value_name = "PASSWORD", requires = "basic_auth_username")]
    pub basic_auth_password: Option<String>,

    /// Number of workers; one serves thousands of connections
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub instances: Option<Instances>,

    /// Restart it with these settings if it runs already
    #[arg(short, long)]
    pub force: bool,

    #[command(flatten)]
    pub wait: WaitFlags,
}
