//! Addresses that rota listens on for an app (socket activation).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One `--listen` address: `8080`, `127.0.0.1:8080`, `[::]:8080`, `/run/app.sock`, each with
/// `name=` in front if the app wants a name in `LISTEN_FDNAMES`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenAddr {
    /// The name for `LISTEN_FDNAMES`.
    pub name: Option<String>,
    /// Where to listen.
    pub target: ListenTarget,
}

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListenTarget {
    /// A port on every address, IPv6 and IPv4 (dual-stack where there is IPv6).
    Port(u16),
    /// One address and port.
    Tcp(SocketAddr),
    /// A Unix socket; a relative path is relative to the app's working directory.
    Unix(PathBuf),
}

/// Why a text is not an address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an address to listen on: {why} (examples: 8080, 127.0.0.1:8080, [::1]:8080, /run/app.sock, web=8080)"
)]
pub struct ListenError {
    text: String,
    why: &'static str,
}

impl FromStr for ListenAddr {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let fail = |why| ListenError {
            text: text.to_owned(),
            why,
        };
        let trimmed = text.trim();
        let (name, address) = match trimmed.split_once('=') {
            Some((name, address)) if !name.contains(['/', ':', '[']) => {
                (Some(check_name(name).map_err(fail)?), address)
            }
            _ => (None, trimmed),
        };
        Ok(Self {
            name,
            target: parse_target(address).map_err(fail)?,
        })
    }
}

/// systemd's rule for names of descriptors: no colon (the separator), no control character.
fn check_name(name: &str) -> Result<String, &'static str> {
    if name.is_empty() || name.len() > 255 || name.contains(':') || name.contains(char::is_control)
    {
        return Err("the name before `=` is not usable");
    }
    Ok(name.to_owned())
}

fn parse_target(address: &str) -> Result<ListenTarget, &'static str> {
    if let Some(path) = address.strip_prefix("unix:") {
        return unix(path);
    }
    let address = address.strip_prefix("tcp://").unwrap_or(address);
    if address.starts_with('/') || address.starts_with("./") || address.starts_with("../") {
        return unix(address);
    }
    if let Some(port) = port_only(address) {
        return port.parse().map(ListenTarget::Port).map_err(|_| BAD_PORT);
    }
    if let Some(port) = address.strip_prefix("localhost:") {
        let port = port.parse().map_err(|_| BAD_PORT)?;
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        return Ok(ListenTarget::Tcp(SocketAddr::new(host, port)));
    }
    address
        .parse()
        .map(ListenTarget::Tcp)
        .map_err(|_| "neither a port, nor IP:PORT, nor an absolute path (names are not resolved)")
}

const BAD_PORT: &str = "the port must be from 0 to 65535";

/// The digits of `8080`, `:8080` or `*:8080`.
fn port_only(address: &str) -> Option<&str> {
    let rest = address.strip_prefix('*').unwrap_or(address);
    let port = rest.strip_prefix(':').unwrap_or(rest);
    (!port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())).then_some(port)
}

fn unix(path: &str) -> Result<ListenTarget, &'static str> {
    if path.is_empty() || path.contains('\0') {
        return Err("the path of the socket is not usable");
    }
    Ok(ListenTarget::Unix(PathBuf::from(path)))
}

impl fmt::Display for ListenTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "{port}"),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) if path.is_absolute() => write!(f, "{}", path.display()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        self.target.fmt(f)
    }
}

impl Serialize for ListenAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::spec::text_or_number(deserializer, "an address to listen on")?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_forms_and_writes_them_back() {
        for (text, target, shown) in [
            ("8080", ListenTarget::Port(8080), "8080"),
            (":8080", ListenTarget::Port(8080), "8080"),
            ("*:80", ListenTarget::Port(80), "80"),
            (
                "127.0.0.1:8080",
                ListenTarget::Tcp("127.0.0.1:8080".parse().unwrap()),
                "127.0.0.1:8080",
            ),
            (
                "localhost:1",
                ListenTarget::Tcp("127.0.0.1:1".parse().unwrap()),
                "127.0.0.1:1",
            ),
            (
                "[::]:8080",
                ListenTarget::Tcp("[::]:8080".parse().unwrap()),
                "[::]:8080",
            ),
            (
                "/run/a.sock",
                ListenTarget::Unix("/run/a.sock".into()),
                "/run/a.sock",
            ),
            (
                "unix:a.sock",
                ListenTarget::Unix("a.sock".into()),
                "unix:a.sock",
            ),
            (
                "/a=b.sock",
                ListenTarget::Unix("/a=b.sock".into()),
                "/a=b.sock",
            ),
        ] {
            let read: ListenAddr = text.parse().unwrap();
            assert_eq!(read.target, target, "{text}");
            assert_eq!(read.name, None, "{text}");
            assert_eq!(read.to_string(), shown);
            assert_eq!(shown.parse(), Ok(read));
        }
    }

    #[test]
    fn a_name_goes_in_front() {
        let read: ListenAddr = "web=127.0.0.1:80".parse().unwrap();
        assert_eq!(read.name.as_deref(), Some("web"));
        assert_eq!(read.to_string(), "web=127.0.0.1:80");
    }

    #[test]
    fn refuses_names_and_bad_ports() {
        for text in [
            "",
            "example.org:80",
            "70000",
            "127.0.0.1",
            "127.0.0.1:x",
            "=80",
            "unix:",
            "a:b",
        ] {
            assert!(text.parse::<ListenAddr>().is_err(), "{text}");
        }
    }
}
