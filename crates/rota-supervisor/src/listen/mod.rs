//! The sockets of `--listen`: opened by rota, inherited by every worker of the app.

mod open;
mod sockets;

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rota_api::{ApiError, ErrorCode};
use rota_config::{AppName, AppSpec, ListenTarget};
use rota_engine::AppId;

pub use open::ListenError;
use sockets::whole;
pub use sockets::{OwnSocket, OwnSockets, SavedSockets};

use crate::apps::App;
use crate::dispatch::DispatchCommand;
use crate::supervisor::Supervisor;

/// Sockets that were opened for an app, and where.
pub(crate) type Opened = Vec<(ListenTarget, OwnedFd)>;

impl Supervisor {
    /// Opens what a specification names and the app has not got yet: all of it, or nothing. What survivors have is taken
    /// from them, and what systemd has kept from there.
    ///
    /// # Errors
    /// The first that cannot be had.
    pub(crate) fn open_missing(
        &self,
        app: Option<AppId>,
        spec: &AppSpec,
    ) -> Result<Opened, ListenError> {
        let (missing, own) = self.with(|state| match app.and_then(|app| state.apps.get(&app)) {
            Some(app) => {
                let own: Vec<_> = app.sockets.iter().map(|one| one.target.clone()).collect();
                (app.sockets.missing(spec), own)
            }
            None => (spec.listen.clone(), Vec::new()),
        });
        let mut opened = Opened::new();
        let mut new = Vec::new();
        for address in &missing {
            let target = whole(&address.target, spec);
            let kept = self.recovered_listen(spec, &target);
            let socket = match kept.or_else(|| self.claim_stored(spec, &target)) {
                Some(socket) => socket,
                None => match open::open(&target) {
                    Ok(socket) => {
                        new.push(opened.len());
                        socket
                    }
                    Err(error) => {
                        // Closed with this; only files would stay.
                        let new = new.into_iter().filter_map(|place: usize| opened.get(place));
                        new.for_each(|(_, socket)| open::remove_file(socket));
                        let beside = own.iter().find(|own| overlap(own, &target));
                        return Err(ListenError::new(address, beside, error));
                    }
                },
            };
            opened.push((target, socket));
        }
        Ok(opened)
    }

    /// Gives an app what was opened for it. Cluster workers may name it too, in `listen({fd: 3})`.
    pub(crate) fn own_sockets(&self, app: AppId, opened: Opened) {
        for (target, fd) in opened {
            let added = self.with(|state| {
                let entry = state.apps.get_mut(&app)?;
                Some(entry.sockets.add(target, fd))
            });
            let Some(socket) = added else { return };
            // Without a copy (no descriptors left) the worker's own listen says that it failed.
            if let Ok(fd) = socket.fd.try_clone() {
                self.dispatcher.send(DispatchCommand::InheritFd {
                    app: app.0,
                    number: socket.number,
                    fd,
                });
            }
        }
    }

    /// Sees to it that an app has what a specification names.
    ///
    /// # Errors
    /// The first socket that cannot be had; then none was opened.
    pub(crate) fn have_sockets(
        self: &Rc<Self>,
        app: AppId,
        spec: &AppSpec,
    ) -> Result<(), ListenError> {
        let opened = self.open_missing(Some(app), spec)?;
        if !opened.is_empty() {
            self.own_sockets(app, opened);
            self.save_app(app);
        }
        Ok(())
    }

    /// Ends the sockets that no generation of the app names any more.
    pub(crate) fn end_unneeded_sockets(self: &Rc<Self>, app: AppId) {
        let unneeded = self.with(|state| {
            let entry = state.apps.get_mut(&app)?;
            let specs = entry.generations.values().map(|prepared| &prepared.spec);
            Some(entry.sockets.take_unneeded(specs))
        });
        let unneeded = unneeded.unwrap_or_default();
        if unneeded.is_empty() {
            return;
        }
        for socket in unneeded {
            open::end(&socket.fd);
            self.dispatcher.send(DispatchCommand::ForgetFd {
                app: app.0,
                number: socket.number,
            });
        }
        self.save_app(app);
    }
}

/// What is told of an address that cannot be had for an app that exists.
pub(crate) fn refusal(name: &AppName, error: &ListenError) -> ApiError {
    ApiError::new(ErrorCode::AddressInUse, format!("{name}: {error}"))
        .with_hint("nothing was changed")
}

/// Removes the files of an app's Unix sockets: it is no more.
pub(crate) fn remove_files(app: &App) {
    for socket in app.sockets.iter() {
        open::remove_file(&socket.fd);
    }
}

/// True if a new address cannot be opened as long as the old ones are.
pub(crate) fn clash(old: &AppSpec, new: &AppSpec) -> bool {
    let had = old.listen.iter().map(|address| whole(&address.target, old));
    let had: Vec<ListenTarget> = had.collect();
    let wanted = new.listen.iter().map(|address| whole(&address.target, new));
    let mut added = wanted.filter(|target| !had.contains(target));
    added.any(|target| had.iter().any(|old| overlap(old, &target)))
}

/// True if the kernel would not let one be opened beside the other.
fn overlap(a: &ListenTarget, b: &ListenTarget) -> bool {
    let inet = |target: &ListenTarget| match target {
        ListenTarget::Port(port) => Some((*port, None)),
        ListenTarget::Tcp(address) => Some((address.port(), Some(address.ip()))),
        ListenTarget::Unix(_) => None,
    };
    let (Some((a_port, a)), Some((b_port, b))) = (inet(a), inet(b)) else {
        return a == b;
    };
    a_port == b_port && a_port != 0 && (covers(a, b) || covers(b, a))
}

/// True if a socket at the first has what comes for the second; `None`: any address.
fn covers(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    match (one, other) {
        (None, _) | (_, None) => true,
        (Some(one), Some(other)) if one == other => true,
        (Some(one), Some(other)) => one.is_unspecified() && (one.is_ipv6() || other.is_ipv4()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(listen: &str) -> AppSpec {
        let name = rota_config::AppName::new("a").unwrap();
        let mut spec = AppSpec::new(name, "a.js", "/srv");
        let addresses = listen.split_whitespace();
        spec.listen = addresses.map(|text| text.parse().unwrap()).collect();
        spec
    }

    #[test]
    fn addresses_that_lie_within_each_other_clash() {
        for (old, new, expected) in [
            ("8080", "8080", false),
            ("8080", "web=8080 9090", false),
            ("8080", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "8080", true),
            ("127.0.0.1:8080", "127.0.0.2:8080", false),
            ("0.0.0.0:8080", "127.0.0.1:8080", true),
            ("0.0.0.0:8080", "[::1]:8080", false),
            ("[::]:8080", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "[::]:8080", true),
            ("127.0.0.1:8080", "127.0.0.1:9090", false),
            ("0", "127.0.0.1:0 0", false),
            ("unix:a.sock", "/srv/a.sock /srv/b.sock", false),
        ] {
            assert_eq!(clash(&spec(old), &spec(new)), expected, "{old} → {new}");
        }
    }
}
