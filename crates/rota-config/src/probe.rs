//! Readiness probes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Span, defaults};

/// How to find out from outside whether a worker is ready.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What is asked: `tcp://HOST:PORT` or `http://HOST:PORT/PATH`.
    pub target: ProbeTarget,
    /// Pause between two tries.
    #[serde(default = "default_interval")]
    pub interval: Span,
    /// Limit of one try.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
}

fn default_interval() -> Span {
    Span::new(defaults::PROBE_INTERVAL)
}

fn default_timeout() -> Span {
    Span::new(defaults::PROBE_TIMEOUT)
}

/// What a probe asks. Written and serialised as a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProbeTarget {
    /// Ready when a connection is accepted.
    Tcp {
        /// Where to.
        host: ProbeHost,
        /// The port.
        port: u16,
    },
    /// Ready when a GET is answered with a status from 200 to 399.
    Http {
        /// Where to.
        host: ProbeHost,
        /// The port.
        port: u16,
        /// Path and query, beginning with a slash.
        path: String,
    },
}

/// The host of a probe. Names other than `localhost` are not resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProbeHost {
    /// 127.0.0.1, then ::1.
    Localhost,
    /// One address.
    Ip(IpAddr),
}

/// Why a text is not a probe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a probe: {why} (examples: tcp://127.0.0.1:5432, http://localhost:3000/health)"
)]
pub struct ProbeError {
    text: String,
    why: &'static str,
}

impl ProbeHost {
    /// The addresses to try, in this order.
    pub fn addresses(self, port: u16) -> Vec<SocketAddr> {
        match self {
            Self::Localhost => vec![
                SocketAddr::from(([127, 0, 0, 1], port)),
                SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
            ],
            Self::Ip(ip) => vec![SocketAddr::new(ip, port)],
        }
    }
}

impl ProbeTarget {
    /// The addresses to try, in this order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Tcp { host, port } | Self::Http { host, port, .. } => host.addresses(*port),
        }
    }

    /// Host and port as they stand in the URL, for the `Host` header.
    pub fn authority(&self) -> String {
        match self {
            Self::Tcp { host, port } | Self::Http { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

impl From<ProbeTarget> for Probe {
    fn from(target: ProbeTarget) -> Self {
        Self {
            target,
            interval: default_interval(),
            timeout: default_timeout(),
        }
    }
}

impl FromStr for Probe {
    type Err = ProbeError;

    fn from_str(text: &str) -> Result<Self, ProbeError> {
        text.parse::<ProbeTarget>().map(Self::from)
    }
}

impl FromStr for ProbeTarget {
    type Err = ProbeError;

    fn from_str(text: &str) -> Result<Self, ProbeError> {
        parse(text.trim()).map_err(|why| ProbeError {
            text: text.to_owned(),
            why,
        })
    }
}

fn parse(text: &str) -> Result<ProbeTarget, &'static str> {
    if text.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err("it has a space or a control character in it");
    }
    if let Some(rest) = text.strip_prefix("tcp://") {
        let (host, port) = authority(rest.strip_suffix('/').unwrap_or(rest), None)?;
        return Ok(ProbeTarget::Tcp { host, port });
    }
    if let Some(rest) = text.strip_prefix("http://") {
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (place, path) = rest.split_at(split);
        let (host, port) = authority(place, Some(80))?;
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };
        return Ok(ProbeTarget::Http { host, port, path });
    }
    if text.starts_with("https://") {
        return Err("https is not supported; use tcp:// or a plain http:// port");
    }
    Err("it must begin with tcp:// or http://")
}

fn authority(text: &str, default_port: Option<u16>) -> Result<(ProbeHost, u16), &'static str> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return nonzero(address.port()).map(|port| (ProbeHost::Ip(address.ip()), port));
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let (host, port) = match (bare, text.rsplit_once(':')) {
        (Some(ip), _) => (ip, None),
        (None, Some((host, port))) => (host, Some(port.parse().map_err(|_| BAD_PORT)?)),
        (None, None) => (text, None),
    };
    let port = port.or(default_port).ok_or("the port is missing")?;
    let host =
        match host.eq_ignore_ascii_case("localhost") {
            true => ProbeHost::Localhost,
            false => ProbeHost::Ip(host.parse().map_err(
                |_| "the host must be an IP address or localhost (names are not resolved)",
            )?),
        };
    Ok((host, nonzero(port)?))
}

const BAD_PORT: &str = "the port must be from 1 to 65535";

fn nonzero(port: u16) -> Result<u16, &'static str> {
    if port == 0 { Err(BAD_PORT) } else { Ok(port) }
}

impl fmt::Display for ProbeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost => f.write_str("localhost"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Http { host, port, path } => write!(f, "http://{host}:{port}{path}"),
        }
    }
}

impl Serialize for ProbeTarget {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProbeTarget {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written_back() {
        for (text, shown, first) in [
            (
                "tcp://127.0.0.1:5432",
                "tcp://127.0.0.1:5432",
                "127.0.0.1:5432",
            ),
            ("tcp://[::1]:5432/", "tcp://[::1]:5432", "[::1]:5432"),
            (
                "http://localhost:3000",
                "http://localhost:3000/",
                "127.0.0.1:3000",
            ),
            (
                "http://127.0.0.1/x?y=1",
                "http://127.0.0.1:80/x?y=1",
                "127.0.0.1:80",
            ),
            ("http://[::1]?a", "http://[::1]:80/?a", "[::1]:80"),
        ] {
            let target: ProbeTarget = text.parse().unwrap();
            assert_eq!(target.to_string(), shown, "{text}");
            assert_eq!(target.addresses()[0].to_string(), first);
            assert_eq!(shown.parse(), Ok(target));
        }
    }

    #[test]
    fn the_rest_is_refused() {
        for text in [
            "",
            "127.0.0.1:80",
            "tcp://127.0.0.1",
            "tcp://example.org:80",
            "http://127.0.0.1:0/",
            "https://127.0.0.1/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1/a b",
            "http:///x",
            "http://127.0.0.1/\r\nX: y",
        ] {
            assert!(text.parse::<ProbeTarget>().is_err(), "{text}");
        }
    }
}
