//! Whom the clients ask, and whether it answers at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use rota_api::{AppView, ExitCode};
use rota_load::{Failure as Lost, Load, Target};

use crate::failure::Failure;

use super::why;

/// How the requests name their sender.
const USER_AGENT: &str = concat!("rota-test-reload/", env!("CARGO_PKG_VERSION"));
/// The time in which the first answer must be there.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// What the clients ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aim {
    target: Target,
    /// The `Host` header.
    host: String,
    path: String,
}

/// An aim that has answered.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) aim: Aim,
    /// Its answer's status, if that is none of success.
    pub(super) status: Option<u16>,
}

impl Aim {
    /// A load on it, without clients yet.
    pub(super) fn load(&self) -> Load {
        Load::new(self.target.clone())
            .host(&self.host)
            .path(&self.path)
            .user_agent(USER_AGENT)
    }

    /// For people: `http://127.0.0.1:3000/`.
    pub(super) fn url(&self) -> String {
        match &self.target {
            Target::Unix(path) => format!("{} on the socket {}", self.path, path.display()),
            Target::Tcp(_) => format!("http://{}{}", self.host, self.path),
        }
    }

    fn of_tcp(address: SocketAddr, host: Option<&str>, path: &str) -> Self {
        Self {
            target: Target::Tcp(address),
            host: host.map_or_else(|| address.to_string(), str::to_owned),
            path: path.to_owned(),
        }
    }
}

/// What `--url` says, or else `/` at the app's own address if that is on this machine's loopback. A name may have several
/// addresses; the first that answers is to be taken.
pub(super) fn choose(app: &AppView, url: Option<&str>) -> Result<Vec<Aim>, Failure> {
    match url {
        Some(url) if url.starts_with('/') => own(app, checked(url)?),
        Some(url) => given(url),
        None => own(app, "/"),
    }
}

fn given(url: &str) -> Result<Vec<Aim>, Failure> {
    let Some(rest) = checked(url)?.strip_prefix("http://") else {
        return Err(wrong(url, "it is neither a path nor begins with http://")
            .hint("the clients speak plain HTTP only; for an app with TLS see docs/reload.md"));
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    let path = match path.strip_prefix('?') {
        Some(query) => format!("/?{query}"),
        None if path.is_empty() => "/".to_owned(),
        None => path.to_owned(),
    };
    if host.is_empty() || host.contains('@') {
        return Err(wrong(url, "it must be http://HOST:PORT/PATH"));
    }
    let end_of_name = host.rfind(']').unwrap_or(0);
    let name_and_port = match host[end_of_name..].contains(':') {
        true => host.to_owned(),
        false => format!("{host}:80"),
    };
    let addresses = name_and_port
        .to_socket_addrs()
        .map_err(|error| wrong(url, "its host is not known").because(&error))?;
    Ok(addresses
        .map(|address| Aim::of_tcp(address, Some(host), &path))
        .collect())
}

/// Requests are written as they are: nothing may end a line or a word in them.
fn checked(url: &str) -> Result<&str, Failure> {
    match url.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(url.split('#').next().unwrap_or(url)),
        false => Err(wrong(
            url,
            "it has blanks or characters that must be encoded (%20)",
        )),
    }
}

fn wrong(url: &str, why: &str) -> Failure {
    Failure::usage(format!("--url {url}: {why}"))
}

fn own(app: &AppView, path: &str) -> Result<Vec<Aim>, Failure> {
    let tcp: Vec<SocketAddr> = app
        .listening
        .iter()
        .filter_map(|at| at.parse().ok())
        .collect();
    if let Some(address) = tcp.iter().find(|address| on_loopback(address.ip())) {
        let addresses = reachable(*address).into_iter();
        return Ok(addresses
            .map(|address| Aim::of_tcp(address, None, path))
            .collect());
    }
    if let Some(address) = tcp.first() {
        let text = format!(
            "{} listens on {address} only, which is not this machine's loopback",
            app.name
        );
        return Err(Failure::new(ExitCode::Failed, text).hint(format!(
            "if that is what you want: --url http://{address}{path}"
        )));
    }
    let socket = app.listening.iter().find(|at| at.starts_with('/'));
    if let Some(socket) = socket {
        return Ok(vec![Aim {
            target: Target::Unix(PathBuf::from(socket)),
            host: "localhost".to_owned(),
            path: path.to_owned(),
        }]);
    }
    let text = format!("{}: rota does not know where it listens", app.name);
    Err(Failure::new(ExitCode::Failed, text)
        .hint("say it: --url http://127.0.0.1:PORT/ (and see `rota list` whether the app runs)"))
}

fn on_loopback(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

/// Where a server that listens there is reached from here. `::` usually takes IPv4 too, but need not.
fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    let at = |ip: IpAddr| SocketAddr::new(ip, address.port());
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![at(Ipv4Addr::LOCALHOST.into())],
        IpAddr::V6(ip) if ip.is_unspecified() => {
            vec![
                at(Ipv4Addr::LOCALHOST.into()),
                at(Ipv6Addr::LOCALHOST.into()),
            ]
        }
        _ => vec![address],
    }
}

/// Asks once before anything is reloaded.
pub(super) fn probe(aims: Vec<Aim>) -> Result<Probe, Failure> {
    let mut refused = None;
    for aim in aims {
        let Some(lost) = ask(&aim)? else {
            return Ok(Probe { aim, status: None });
        };
        if let Some(status @ 400..500) = lost.status {
            let status = Some(status);
            return Ok(Probe { aim, status });
        }
        refused.get_or_insert((aim, lost));
    }
    let text = match refused {
        Some((aim, lost)) => format!(
            "GET {} gives no good answer: {}",
            aim.url(),
            why::outcome(&lost)
        ),
        None => "the host of --url has no address".to_owned(),
    };
    Err(Failure::new(ExitCode::Failed, text).hint(
        "nothing was reloaded; choose what answers: --url /health, --url http://127.0.0.1:3000/",
    ))
}

/// `None` if all is well.
fn ask(aim: &Aim) -> Result<Option<Lost>, Failure> {
    let load = aim.load().keep_alive(1).requests(1).timeout(FIRST_ANSWER);
    let running = load
        .start()
        .map_err(|error| Failure::new(ExitCode::Failed, "cannot start a client").because(&error))?;
    let report = running.finished_blocking();
    Ok(report.failures.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(url: &str) -> Result<String, String> {
        given(url)
            .map(|aims| {
                let aim = &aims[0];
                format!("{:?} {} {}", aim.target, aim.host, aim.path)
            })
            .map_err(|failure| failure.message)
    }

    #[test]
    fn urls_are_understood() {
        for (url, expected) in [
            (
                "http://127.0.0.1:3000",
                "Tcp(127.0.0.1:3000) 127.0.0.1:3000 /",
            ),
            (
                "http://127.0.0.1/a?b=c#d",
                "Tcp(127.0.0.1:80) 127.0.0.1 /a?b=c",
            ),
            ("http://[::1]:81?x", "Tcp([::1]:81) [::1]:81 /?x"),
            ("http://[::1]/x", "Tcp([::1]:80) [::1] /x"),
        ] {
            assert_eq!(urls(url).as_deref(), Ok(expected));
        }
        for url in [
            "https://127.0.0.1/",
            "127.0.0.1:80",
            "http://",
            "http://a@127.0.0.1/",
            "http://127.0.0.1/a b",
            "http://127.0.0.1/\r\n",
        ] {
            assert!(urls(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_address_for_everyone_is_reached_on_the_loopback() {
        let to = |text: &str| {
            let found = reachable(text.parse().unwrap());
            found
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(to("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(to("[::]:1"), "127.0.0.1:1 [::1]:1");
        assert_eq!(to("127.0.0.2:1"), "127.0.0.2:1");
    }
}
