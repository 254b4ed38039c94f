//! Folders that the kernel watches (inotify).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::burst::Burst;
use super::rules::{Root, Rules};
use super::walk::walk;

/// A file that was written counts when it is closed, not with every write.
const EVENTS: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Roots with the folders in them, as the kernel watches them.
pub(super) struct Tree {
    fd: OwnedFd,
    roots: Vec<Watched>,
    folders: HashMap<i32, PathBuf>,
    /// For tests: the kernel's own limit is everybody's.
    limit: usize,
}

struct Watched {
    root: Root,
    /// Device and inode when it was last looked at; `None`: it was not there.
    id: Option<(u64, u64)>,
    /// What it points to may change without a word.
    link: bool,
}

impl Tree {
    /// Watches all that is in the roots.
    ///
    /// # Errors
    /// When the kernel has no room for that.
    pub(super) fn new(rules: &mut Rules, roots: &[Root], limit: usize) -> Result<Self, Errno> {
        let mut tree = Self {
            fd: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            roots: Vec::new(),
            folders: HashMap::new(),
            limit,
        };
        for root in roots {
            tree.scan(rules, root, &root.path, &mut |_| {})?;
            tree.roots.push(Watched {
                id: id(&root.path),
                link: root.path.is_symlink(),
                root: root.clone(),
            });
        }
        Ok(tree)
    }

    /// How many folders are watched.
    pub(super) fn folders(&self) -> usize {
        self.folders.len()
    }

    /// True if a root has to be looked for from time to time.
    pub(super) fn is_restless(&self) -> bool {
        self.roots
            .iter()
            .any(|watched| watched.id.is_none() || watched.link)
    }

    /// Takes all events that there are.
    ///
    /// # Errors
    /// When the kernel has no room for further folders.
    pub(super) fn read(&mut self, rules: &mut Rules, burst: &mut Burst) -> Result<(), Errno> {
        let mut events = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes().to_vec());
                    events.push((event.wd(), event.events(), name));
                }
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => break,
                Err(error) => return Err(error),
            }
        }
        for (wd, kind, name) in events {
            if kind.contains(ReadFlags::QUEUE_OVERFLOW) {
                self.lost(rules, burst)?;
                continue;
            }
            if kind.contains(ReadFlags::IGNORED) {
                self.folders.remove(&wd);
                continue;
            }
            if let (Some(folder), Some(name)) = (self.folders.get(&wd), name) {
                let path = folder.join(OsStr::from_bytes(&name));
                self.event(rules, burst, kind, path)?;
            }
        }
        self.find_roots(rules, burst)
    }

    /// Roots that have come, gone, or have been replaced.
    pub(super) fn find_roots(&mut self, rules: &mut Rules, burst: &mut Burst) -> Result<(), Errno> {
        for index in 0..self.roots.len() {
            let Some(watched) = self.roots.get_mut(index) else {
                continue;
            };
            let now = id(&watched.root.path);
            // A file is replaced by every second editor; its folder tells of that.
            if watched.id == now || watched.root.path.is_file() && watched.id.is_some() {
                continue;
            }
            watched.id = now;
            watched.link = watched.root.path.is_symlink();
            let root = watched.root.clone();
            self.forget_below(&root.path);
            burst.note(root.path.clone(), Instant::now());
            self.scan(rules, &root, &root.path, &mut |_| {})?;
        }
        Ok(())
    }

    fn event(
        &mut self,
        rules: &mut Rules,
        burst: &mut Burst,
        kind: ReadFlags,
        path: PathBuf,
    ) -> Result<(), Errno> {
        let now = Instant::now();
        let is_folder = kind.contains(ReadFlags::ISDIR);
        if path.file_name() == Some(OsStr::new(".gitignore")) {
            return self.rules_changed(rules, &path);
        }
        let Some(root) = self.root_of(rules, &path, is_folder) else {
            return Ok(());
        };
        let comes = kind.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        let goes = kind.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
        if is_folder && comes {
            // An empty one is no change of the code.
            return self.scan(rules, &root, &path, &mut |file| burst.note_new(file, now));
        }
        if is_folder && goes {
            self.forget_below(&path);
        }
        match (comes, goes) {
            (_, true) => burst.note_gone(path, now),
            (true, _) if kind.contains(ReadFlags::CREATE) => burst.note_new(path, now),
            _ => burst.note(path, now),
        }
        Ok(())
    }

    /// The root for which a path counts.
    fn root_of(&self, rules: &Rules, path: &Path, is_folder: bool) -> Option<Root> {
        let mut roots = self.roots.iter().map(|watched| &watched.root);
        roots
            .find(|root| path.starts_with(&root.path) && !rules.ignore(root, path, is_folder))
            .cloned()
    }

    fn rules_changed(&mut self, rules: &mut Rules, file: &Path) -> Result<(), Errno> {
        let Some(folder) = file.parent() else {
            return Ok(());
        };
        rules.read(folder);
        let roots: Vec<Root> = self.roots.iter().map(|w| w.root.clone()).collect();
        for root in roots.iter().filter(|root| folder.starts_with(&root.path)) {
            self.scan(rules, root, folder, &mut |_| {})?;
        }
        Ok(())
    }

    /// Too much at once: the kernel has left something out.
    fn lost(&mut self, rules: &mut Rules, burst: &mut Burst) -> Result<(), Errno> {
        let roots: Vec<Root> = self.roots.iter().map(|w| w.root.clone()).collect();
        for root in roots {
            burst.note(root.path.clone(), Instant::now());
            self.scan(rules, &root, &root.path, &mut |_| {})?;
        }
        Ok(())
    }

    /// Watches a folder with all that is in it, and tells of its files. Of a root that is a file the folder is watched.
    fn scan(
        &mut self,
        rules: &mut Rules,
        root: &Root,
        from: &Path,
        file: &mut dyn FnMut(PathBuf),
    ) -> Result<(), Errno> {
        if from == root.path && !from.is_dir() {
            let parent = from.parent().filter(|parent| parent.is_dir());
            return parent.map_or(Ok(()), |parent| self.add(parent));
        }
        walk(rules, root, from, |folder| self.add(folder), file)
    }

    fn add(&mut self, folder: &Path) -> Result<(), Errno> {
        if self.folders.len() >= self.limit {
            return Err(Errno::NOSPC);
        }
        match inotify::add_watch(&self.fd, folder, EVENTS) {
            Ok(wd) => {
                self.folders.insert(wd, folder.to_owned());
                Ok(())
            }
            // Those that have gone meanwhile, and those that are closed to us.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn forget_below(&mut self, folder: &Path) {
        let below: Vec<i32> = self
            .folders
            .iter()
            .filter(|(_, path)| path.starts_with(folder))
            .map(|(wd, _)| *wd)
            .collect();
        for wd in below {
            self.folders.remove(&wd);
            // Fails when the folder is gone, and its watch with it.
            let _ = inotify::remove_watch(&self.fd, wd);
        }
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn id(path: &Path) -> Option<(u64, u64)> {
    let file = path.metadata().ok()?;
    Some((file.dev(), file.ino()))
}
