//! Workers, and clients for them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rota_node::Balance;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::keeping::{Notebook, copy};
use crate::dispatch::{
    Adopted, ChannelKind, DispatchCommand, DispatchEvent, Dispatcher, Restored, RestoredWorker,
    Stats,
};

/// No test waits that long unless something is broken.
const BROKEN: Duration = Duration::from_secs(60);

/// An http server that answers with its worker's id, and `/pid` with its process id.
pub const HTTP: &str = r"
const http = require('http'), cluster = require('cluster');
http.createServer((req, res) => {
  res.setHeader('Connection', req.headers.connection || 'close');
  res.end(req.url === '/pid' ? String(process.pid) : String(cluster.worker.id));
}).listen(+process.env.PORT || 0, process.env.HOST || '127.0.0.1');
";

/// Every Node to be tried.
pub fn nodes() -> Vec<String> {
    let more = std::env::var("ROTA_TEST_NODES").unwrap_or_default();
    let more = more.split(':').filter(|path| !path.is_empty());
    std::iter::once("node")
        .chain(more)
        .map(str::to_owned)
        .collect()
}

/// A dispatcher with workers.
pub struct Cluster {
    pub dispatcher: Dispatcher,
    pub kept: Notebook,
    /// What the keeper would have of the channels, if the dispatcher is to die.
    channels: Option<BTreeMap<u64, RestoredWorker>>,
    events: Receiver<DispatchEvent>,
    /// Events that were looked at and not wanted yet.
    seen: RefCell<Vec<DispatchEvent>>,
    children: BTreeMap<u64, Child>,
    pub dir: tempfile::TempDir,
    last: u64,
    node: String,
    pub env: Vec<(String, String)>,
}

impl Cluster {
    pub fn new() -> Self {
        Self::with_node("node")
    }

    pub fn with_node(node: &str) -> Self {
        let (sender, events) = mpsc::channel();
        let kept = Notebook::default();
        let (dispatcher, _) = start(sender, &kept, Restored::default());
        Self {
            dispatcher,
            kept,
            channels: None,
            events,
            seen: RefCell::default(),
            children: BTreeMap::new(),
            dir: tempfile::tempdir().unwrap(),
            last: 0,
            node: node.to_owned(),
            env: Vec::new(),
        }
    }

    /// Its dispatcher can die.
    pub fn mortal(node: &str) -> Self {
        let mut cluster = Self::with_node(node);
        cluster.channels = Some(BTreeMap::new());
        cluster
    }

    /// What the keeper has to hand back now.
    pub fn restored(&self) -> Restored {
        let mut restored = self.kept.restored();
        for entry in self.channels.iter().flat_map(BTreeMap::values) {
            restored.workers.push(RestoredWorker {
                channel: copy(&entry.channel),
                pid: self.children.get(&entry.worker).map(Child::id),
                inherits: entry.inherits.clone(),
                ..*entry
            });
        }
        restored
    }

    /// The dispatcher dies, between two turns or where the notebook holds it, and another one takes over.
    pub fn restart(&mut self) -> Adopted {
        self.restart_with(|_| {})
    }

    /// The same after something has happened to what was kept.
    pub fn restart_with(&mut self, change: impl FnOnce(&mut Restored)) -> Adopted {
        let nobody = start(mpsc::channel().0, &Notebook::default(), Restored::default()).0;
        let old = std::mem::replace(&mut self.dispatcher, nobody);
        if self.kept.is_holding() {
            drop(old);
        } else {
            old.shutdown();
        }
        let mut restored = self.restored();
        change(&mut restored);
        self.kept = Notebook::from(&restored);
        let (sender, events) = mpsc::channel();
        self.events = events;
        self.seen.borrow_mut().clear();
        let (dispatcher, adopted) = start(sender, &self.kept, restored);
        self.dispatcher = dispatcher;
        adopted
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Bytes of the worker's that nobody has taken off its channel.
    pub fn unread(&self, worker: u64) -> u64 {
        let channels = self.channels.as_ref().unwrap();
        rustix::io::ioctl_fionread(&channels[&worker].channel).unwrap()
    }

    /// Starts a cluster worker of app 1.
    pub fn worker(&mut self, slot: u32, balance: Balance, script: &str) -> u64 {
        self.worker_of(1, slot, balance, script)
    }

    pub fn worker_of(&mut self, app: u32, slot: u32, balance: Balance, script: &str) -> u64 {
        let worker = self.last + 1;
        let theirs = self.channel(app, slot, ChannelKind::Cluster { balance });
        let file = self.path(&format!("worker-{worker}.js"));
        std::fs::write(&file, script).unwrap();
        let mut command = Command::new(&self.node);
        command.arg(&file).stdin(theirs);
        command.env("NODE_UNIQUE_ID", worker.to_string());
        self.start(worker, command);
        worker
    }

    /// Starts a process whose channel is for messages only.
    pub fn plain(&mut self, script: &str) -> u64 {
        let worker = self.last + 1;
        let theirs = self.channel(1, 0, ChannelKind::Plain);
        let file = self.path(&format!("worker-{worker}.js"));
        std::fs::write(&file, script).unwrap();
        let mut command = Command::new(&self.node);
        command.arg(&file).stdin(theirs);
        self.start(worker, command);
        worker
    }

    /// A worker without a process: the test plays it.
    pub fn channel(&mut self, app: u32, slot: u32, kind: ChannelKind) -> OwnedFd {
        self.last += 1;
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        if let Some(channels) = &mut self.channels {
            let entry = RestoredWorker {
                worker: self.last,
                app,
                slot,
                kind,
                inherits: vec![3],
                channel: copy(&ours),
                pid: None,
            };
            channels.insert(self.last, entry);
        }
        self.dispatcher.send(DispatchCommand::AddWorker {
            worker: self.last,
            app,
            slot,
            kind,
            inherits: vec![3],
            channel: ours,
        });
        theirs
    }

    fn start(&mut self, worker: u64, mut command: Command) {
        command
            .env("NODE_CHANNEL_FD", "0")
            .env("NODE_CHANNEL_SERIALIZATION_MODE", "json")
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdout(Stdio::null())
            .current_dir(self.dir.path());
        self.children.insert(worker, command.spawn().unwrap());
    }

    pub fn pid(&self, worker: u64) -> u32 {
        self.children[&worker].id()
    }

    pub fn send(&self, command: DispatchCommand) {
        self.dispatcher.send(command);
    }

    /// Waits for an event; others stay for later.
    pub fn wait<T>(&self, what: &str, mut pick: impl FnMut(&DispatchEvent) -> Option<T>) -> T {
        let mut seen = self.seen.borrow_mut();
        if let Some((at, found)) = seen
            .iter()
            .enumerate()
            .find_map(|(i, e)| Some((i, pick(e)?)))
        {
            seen.remove(at);
            return found;
        }
        loop {
            match self.events.recv_timeout(BROKEN) {
                Ok(event) => match pick(&event) {
                    Some(found) => return found,
                    None => seen.push(event),
                },
                Err(error) => panic!("{what} did not happen ({error}); seen: {seen:#?}"),
            }
        }
    }

    /// Everything that has been reported and not been waited for.
    pub fn rest(&self) -> Vec<String> {
        let mut seen = self.seen.borrow_mut();
        seen.extend(self.events.try_iter());
        seen.iter().map(|event| format!("{event:?}")).collect()
    }

    /// Waits until the worker listens; returns its address.
    pub fn listening(&self, worker: u64) -> SocketAddr {
        let text = self.wait("listening", |event| match event {
            DispatchEvent::Listening {
                worker: of,
                address,
                ..
            } if *of == worker => Some(address.clone()),
            _ => None,
        });
        text.parse().unwrap()
    }

    pub fn closed(&self, worker: u64) {
        self.wait("the end of the channel", |event| {
            matches!(event, DispatchEvent::ChannelClosed { worker: of } if *of == worker)
                .then_some(())
        });
    }

    /// The next message of the app's own.
    pub fn message(&self, worker: u64) -> String {
        self.wait("a message", |event| match event {
            DispatchEvent::UserMessage { worker: of, json } if *of == worker => Some(json.clone()),
            _ => None,
        })
    }

    pub fn stats(&self) -> Stats {
        let (sender, receiver) = mpsc::channel();
        self.send(DispatchCommand::Stats {
            reply: Box::new(move |stats| {
                let _ = sender.send(stats);
            }),
        });
        receiver.recv_timeout(BROKEN).unwrap()
    }

    /// `kill -9`, and what the supervisor does then.
    pub fn kill(&mut self, worker: u64) {
        self.children.get_mut(&worker).unwrap().kill().unwrap();
        self.reap(worker);
    }

    /// Waits for the process; returns its exit code.
    pub fn reap(&mut self, worker: u64) -> Option<i32> {
        let status = self.children.remove(&worker).unwrap().wait().unwrap();
        self.send(DispatchCommand::RemoveWorker { worker });
        if let Some(channels) = &mut self.channels {
            channels.remove(&worker);
        }
        status.code()
    }

    /// Politely.
    pub fn disconnect(&mut self, worker: u64) -> Option<i32> {
        self.send(DispatchCommand::Disconnect { worker });
        self.closed(worker);
        self.reap(worker)
    }
}

fn start(
    events: Sender<DispatchEvent>,
    kept: &Notebook,
    restored: Restored,
) -> (Dispatcher, Adopted) {
    let report = move |event| {
        let _ = events.send(event);
    };
    Dispatcher::start(report, Box::new(kept.clone()), restored).unwrap()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.children.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One request on a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(BROKEN))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    body(&answer)
}

/// A request on a connection that stays open.
pub fn get_kept(stream: &mut TcpStream, path: &str) -> io::Result<String> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
    )?;
    stream.set_read_timeout(Some(BROKEN))?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_it = name.eq_ignore_ascii_case("content-length");
                is_it.then(|| value.trim().parse::<usize>().ok())?
            });
            if length.is_some_and(|length| rest.len() >= length) {
                return body(&text);
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => answer.extend_from_slice(&chunk[..length]),
        }
    }
}

fn body(answer: &str) -> io::Result<String> {
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(io::Error::other(format!("a bad answer: {answer:?}"))),
    }
}

/// How often each answer came.
pub fn count(answers: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer).or_default() += 1;
    }
    counts
}

/// Asks again until it is so. For what is not announced by an event.
pub fn eventually(what: &str, mut ask: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if ask() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: it never came to that");
}

/// A connection to a Unix socket.
pub fn get_unix(path: &Path) -> io::Result<String> {
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(BROKEN))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    body(&answer)
}

/// One-shot clients that run until they are stopped.
pub struct Load {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    threads: Vec<std::thread::JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    pub fn start(address: SocketAddr, clients: usize) -> Self {
        use std::sync::atomic::Ordering::Relaxed;
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let threads = (0..clients).map(|_| {
            let stop = std::sync::Arc::clone(&stop);
            std::thread::spawn(move || {
                let (mut good, mut bad) = (0, Vec::new());
                while !stop.load(Relaxed) {
                    match get(address, "/") {
                        Ok(_) => good += 1,
                        Err(error) => bad.push(error.to_string()),
                    }
                }
                (good, bad)
            })
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    /// How many requests succeeded, and what the others met.
    pub fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let (mut good, mut bad) = (0, Vec::new());
        for thread in self.threads {
            let (more_good, more_bad) = thread.join().unwrap();
            good += more_good;
            bad.extend(more_bad);
        }
        (good, bad)
    }
}
