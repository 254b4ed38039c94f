//! Where an inspector listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How the line begins that says it; the address follows.
pub(super) const LISTENING: &str = "Debugger listening on ";
/// The longest address that is read: `ws://[` + an IPv6 address + `]:65535/` + a UUID.
pub(super) const LONGEST: usize = 6 + 45 + 8 + UUID;
const UUID: usize = 36;

/// The address of an inspector on this machine.
///
/// It comes from the worker's output, which may be forged, and somebody will connect to it: so nothing but a
/// loopback address and a path that is a UUID is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The socket to connect to.
    pub socket: SocketAddr,
    /// The UUID: the path without its slash.
    pub id: String,
}

impl Address {
    /// Reads `ws://127.0.0.1:9229/0a1b2c3d-…`. An inspector on all addresses is reached by loopback.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, id) = text.strip_prefix("ws://")?.split_once('/')?;
        if !is_uuid(id) {
            return None;
        }
        let (host, port) = host.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let ip: IpAddr = match host {
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            host => match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
                Some(v6) => v6.parse::<Ipv6Addr>().ok()?.into(),
                None => host.parse::<Ipv4Addr>().ok()?.into(),
            },
        };
        let ip = match ip {
            IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        ip.is_loopback().then(|| Self {
            socket: SocketAddr::new(ip, port),
            id: id.to_owned(),
        })
    }

    /// Finds `Debugger listening on ws://…` anywhere in a line: the app may have written the start of it.
    #[must_use]
    pub fn find(line: &[u8]) -> Option<Self> {
        let at = memchr::memmem::find(line, LISTENING.as_bytes())?;
        let rest = &line[at + LISTENING.len()..];
        let rest = &rest[..rest.len().min(LONGEST)];
        let end = rest.iter().position(u8::is_ascii_whitespace);
        Self::parse(std::str::from_utf8(&rest[..end.unwrap_or(rest.len())]).ok()?)
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == UUID
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "9a703c8b-2cdf-4667-8030-d7aa64508ba8";

    fn socket(host: &str) -> Option<String> {
        let address = Address::parse(&format!("ws://{host}/{ID}"))?;
        assert_eq!(address.id, ID);
        Some(address.socket.to_string())
    }

    #[test]
    fn only_this_machine_is_an_address() {
        for (host, expected) in [
            ("127.0.0.1:39173", Some("127.0.0.1:39173")),
            ("0.0.0.0:9229", Some("127.0.0.1:9229")),
            ("[::1]:9229", Some("[::1]:9229")),
            ("[::]:9229", Some("[::1]:9229")),
            ("localhost:9229", Some("127.0.0.1:9229")),
            ("10.0.0.1:80", None),
            ("example.org:80", None),
            ("127.0.0.1", None),
            ("127.0.0.1:0", None),
            ("127.0.0.1:99999", None),
        ] {
            assert_eq!(socket(host).as_deref(), expected, "{host}");
        }
        for other in [
            "ws://127.0.0.1:80/admin",
            "ws://127.0.0.1:80/9a703c8b-2cdf-4667-8030-d7aa64508ba8 HTTP/1.1\r\n",
            "http://127.0.0.1:80/9a703c8b-2cdf-4667-8030-d7aa64508ba8",
        ] {
            assert_eq!(Address::parse(other), None, "{other}");
        }
    }

    #[test]
    fn it_is_found_behind_what_the_app_wrote() {
        let line = format!("progress 10 %Debugger listening on ws://127.0.0.1:5/{ID}");
        let found = Address::find(line.as_bytes()).unwrap();
        assert_eq!(found.socket.port(), 5);
        assert_eq!(Address::find(b"Debugger listening on \xff"), None);
        assert_eq!(Address::find(b"Debugger listening on"), None);
    }
}
