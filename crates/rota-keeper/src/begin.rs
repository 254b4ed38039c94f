//! The keeper's beginning: a new one, or one that goes on with what an earlier image of the process has left.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Instant;

use rota_sys::fds::claim_inherited;
use rota_sys::limits::{original_nofile, raise_nofile, remember_nofile};
use rota_sys::memfd;
use rota_sys::process::become_subreaper;
use rota_sys::signal::{Signal, Signals, ignore_sigpipe};

use crate::children::Children;
use crate::groups::{Groups, Where};
use crate::keeper::{FORWARDED, Keeper};
use crate::log;
use crate::notify::Manager;
use crate::options::{API_KEY, BOOT_KEY, KeeperOptions, Settings};
use crate::orphans::Orphans;
use crate::outbox::Outbox;
use crate::state::{FORMAT, SavedEntry, State};
use crate::store::{BLOB_MAX, Store};
use crate::stored::{STORED_KEY, Stored};
use crate::supervisor::Supervisor;
use crate::tag::Tag;
use crate::transaction::Transaction;
use crate::upgrade::Upgrade;
use crate::watchdog::Watchdog;

impl Keeper {
    /// Prepares the process and the store.
    pub(crate) fn new(options: KeeperOptions) -> io::Result<Self> {
        let signals = prepare()?;
        let mut store = Store::default();
        let refused = |limit: &'static str| io::Error::new(io::ErrorKind::InvalidInput, limit);
        store
            .put(API_KEY.to_owned(), Vec::new(), Some(vec![options.api]))
            .map_err(refused)?;
        if let Some(boot) = options.boot {
            store
                .put(BOOT_KEY.to_owned(), memfd::read(&boot, BLOB_MAX)?, None)
                .map_err(refused)?;
        }
        let settings = Settings {
            home: options.home,
            lock: options.lock,
            foreground: options.foreground,
            version: options.version,
            program: options.program,
            args: options.args,
        };
        let tag = Tag::new(&settings.home);
        let groups = Groups::new(&options.groups, &settings.home);
        let mut keeper = Self::with(settings, signals, tag, store, groups);
        keeper.take_back(options.stored);
        Ok(keeper)
    }

    /// Takes over what an earlier image of this process has left. After a failure nothing has been claimed, and
    /// that image can still go on.
    pub(crate) fn restored(state: &State<'_>) -> io::Result<Self> {
        if let Some(soft) = state.nofile {
            remember_nofile(soft);
        }
        let signals = prepare()?;
        let settings = Settings {
            home: PathBuf::from(&state.home),
            lock: claim_inherited(state.lock)?,
            foreground: state.foreground,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: PathBuf::from(&state.program),
            args: state.args.clone(),
        };
        let mut store = Store::default();
        for entry in &state.entries {
            if let Err(why) = restore_entry(&mut store, entry) {
                log(format_args!("the entry {} is lost: {why}", entry.key));
            }
        }
        // An image that knew nothing of groups has none.
        let groups = match &state.groups {
            Some(saved) => Groups::restore(saved),
            None => Groups::new(&Where::from_env(), &settings.home),
        };
        let mut keeper = Self::with(settings, signals, Tag::again(state.tag), store, groups);
        for child in &state.children {
            let pidfd = child.pidfd.and_then(|number| claim_inherited(number).ok());
            keeper.children.restore(child, pidfd);
        }
        for hunt in &state.hunts {
            let group = keeper.children.get(hunt.child);
            let group = group.and_then(|child| child.group.as_ref());
            keeper.orphans.restore(hunt, group, Instant::now());
        }
        keeper.manager.know(keeper.store.shared().into_keys());
        keeper.unseen.clone_from(&state.unseen);
        keeper.supervisor = Supervisor::again(state.deaths, state.last_exit);
        keeper.upgrade = Upgrade::with(state.upgrade.clone());
        Ok(keeper)
    }

    fn with(settings: Settings, signals: Signals, tag: Tag, store: Store, groups: Groups) -> Self {
        Self {
            settings,
            signals,
            tag,
            store,
            groups,
            children: Children::default(),
            orphans: Orphans::default(),
            supervisor: Supervisor::new(Instant::now()),
            outbox: Outbox::default(),
            transaction: Transaction::default(),
            upgrade: Upgrade::default(),
            unseen: Vec::new(),
            leaving: None,
            manager: Manager::from_env(),
            watchdog: Watchdog::from_env(),
        }
    }

    /// Takes what the manager has kept for us. What is not what it is called is given up.
    fn take_back(&mut self, stored: Vec<Stored>) {
        for one in stored {
            let Some(number) = one.number() else {
                self.manager.forget(&one.name);
                continue;
            };
            let key = format!("{STORED_KEY}{number}");
            if let Err(limit) = self.store.put(key.clone(), Vec::new(), Some(vec![one.fd])) {
                log(format_args!("{} is given up: {limit}", one.name));
                self.manager.forget(&one.name);
                continue;
            }
            self.store.share(&key);
            self.manager.know([number]);
        }
    }

    /// What the next image of this process has to know.
    pub(crate) fn state(&self) -> State<'_> {
        State {
            format: FORMAT,
            version: &self.settings.version,
            home: self.settings.home.clone().into_os_string(),
            foreground: self.settings.foreground,
            program: self.settings.program.clone().into_os_string(),
            args: self.settings.args.clone(),
            lock: self.settings.lock.as_raw_fd(),
            nofile: original_nofile(),
            tag: self.tag.keeper(),
            entries: self
                .store
                .iter()
                .map(|(key, entry)| SavedEntry {
                    key,
                    blob: &entry.blob,
                    fds: entry.fds.iter().map(OwnedFd::as_raw_fd).collect(),
                    shared: entry.shared,
                })
                .collect(),
            children: self.children.save(),
            hunts: self.orphans.save(),
            unseen: self.unseen.clone(),
            deaths: self.supervisor.deaths,
            last_exit: self.supervisor.last_exit,
            upgrade: self.upgrade.note().cloned(),
            groups: Some(self.groups.save()),
        }
    }

    /// The descriptors that the state names.
    pub(crate) fn state_fds(&self) -> Vec<BorrowedFd<'_>> {
        use std::os::fd::AsFd as _;
        let entries = self.store.iter().flat_map(|(_, entry)| entry.fds.iter());
        let mut fds: Vec<_> = entries.map(|fd| fd.as_fd()).collect();
        fds.extend(self.children.fds());
        fds.push(self.settings.lock.as_fd());
        fds
    }
}

/// What every image has to do for itself. Signals stay blocked over an `exec`, and those that come meanwhile wait.
fn prepare() -> io::Result<Signals> {
    ignore_sigpipe();
    let mut watched = FORWARDED.to_vec();
    watched.push(Signal::CHLD);
    let signals = Signals::block(&watched)?;
    become_subreaper()?;
    if let Err(error) = raise_nofile() {
        log(format_args!(
            "cannot raise the limit of open files: {error}"
        ));
    }
    Ok(signals)
}

fn restore_entry(store: &mut Store, entry: &SavedEntry<'_>) -> Result<(), String> {
    let claim = |number: &i32| claim_inherited(*number).map_err(|error| error.to_string());
    let fds = entry.fds.iter().map(claim).collect::<Result<_, _>>()?;
    store
        .put(entry.key.to_owned(), entry.blob.to_vec(), Some(fds))
        .map_err(str::to_owned)?;
    if entry.shared {
        store.share(entry.key);
    }
    Ok(())
}
