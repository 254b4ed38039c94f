//! The flags that only `run` has: what containers need.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use rota_config::{AppName, Span};

const CONTAINER: &str = "As the process of a container";

/// How `run` behaves.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ContainerFlags {
    /// How long the end may take once SIGTERM has asked for it; what is left then is killed: 10s for docker, 30s for Kubernetes
    #[arg(long, value_name = "TIME", help_heading = CONTAINER)]
    pub grace: Option<Span>,

    /// When every app has ended, exit with the code of the first that failed, instead of 1
    #[arg(long, conflicts_with = "exit_code_from", help_heading = CONTAINER)]
    pub exit_with_app: bool,

    /// When this app has ended, stop the others and exit with its code
    #[arg(long, value_name = "NAME", help_heading = CONTAINER)]
    pub exit_code_from: Option<AppName>,

    /// Answer /livez and /readyz there: 9000 (loopback), 0.0.0.0:9000, [::]:9000
    #[arg(long, value_name = "ADDR", value_parser = address, help_heading = CONTAINER)]
    pub health: Option<SocketAddr>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return match port {
            0 => Err("port 0 would be another one each time".to_owned()),
            port => Ok((Ipv4Addr::LOCALHOST, port).into()),
        };
    }
    text.parse().map_err(|_| {
        "neither a port nor an address with one: 9000, 127.0.0.1:9000, 0.0.0.0:9000, [::]:9000"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_on_loopback() {
        assert_eq!(address("9000").unwrap().to_string(), "127.0.0.1:9000");
        assert_eq!(address("0.0.0.0:1").unwrap().to_string(), "0.0.0.0:1");
        assert_eq!(address("[::]:1").unwrap().to_string(), "[::]:1");
        for text in ["", "0", "localhost", "localhost:9000", "99999", ":9000"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
