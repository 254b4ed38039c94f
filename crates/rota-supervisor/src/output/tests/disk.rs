//! Disks and folders that do not want our lines.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::files::{LogFiles, LossCounters};
use super::super::form::Spoken;
use super::super::route::Route;
use super::super::tend::Tender;
use super::*;

struct Bench {
    files: LogFiles,
    losses: Arc<LossCounters>,
    troubles: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new(dir: &Path) -> Self {
        let losses = Arc::new(LossCounters::default());
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&troubles);
        let tell = Box::new(move |trouble| told.lock().unwrap().push(describe(&trouble)));
        Self {
            files: LogFiles::new(
                dir.to_owned(),
                Tender::start(dir).unwrap(),
                Arc::clone(&losses),
                tell,
            ),
            losses,
            troubles,
        }
    }

    fn append(&mut self, slot: u32, bytes: &[u8], lines: u64, now: Instant) {
        let source = source("api", slot, 1, Stream::Out);
        let route = Route::of(
            self.files.dir(),
            Path::new("/"),
            &LogSpec::default(),
            &source,
        );
        let spoken = Spoken {
            source: &source,
            time: 0,
            continues: false,
            broken: false,
        };
        self.files
            .append(&route.files[0], bytes, lines, spoken, now);
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.troubles.lock().unwrap())
    }

    fn lost(&self) -> u64 {
        self.losses.lines.load(Ordering::Relaxed)
    }

    fn failing(&self) -> u64 {
        self.losses.failing_files.load(Ordering::Relaxed)
    }
}

#[test]
fn trouble_is_told_once_and_tried_again_once_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let path = dir.path().join("api-out-0.log");
    fs::create_dir(&path).unwrap();
    fs::create_dir(dir.path().join("api-out-1.log")).unwrap();

    bench.append(0, b"a\n", 1, at(0));
    bench.append(1, b"a\nb\n", 2, at(100));
    assert_eq!(
        bench.told(),
        ["api-out-0.log: Is a directory (os error 21)"]
    );
    assert_eq!((bench.lost(), bench.failing()), (3, 2));
    // Others are not affected.
    bench.append(2, b"fine\n", 1, at(100));
    assert_eq!(bench.lost(), 3);

    fs::remove_dir(&path).unwrap();
    bench.append(0, b"too early\n", 1, at(999));
    assert_eq!((bench.lost(), path.exists()), (4, false));
    bench.append(0, b"back\n", 1, at(1000));
    assert_eq!(fs::read_to_string(&path).unwrap(), "back\n");
    // One is still failing.
    assert!(bench.told().is_empty());
    fs::remove_dir(dir.path().join("api-out-1.log")).unwrap();
    // Reopening tries at once.
    bench.append(1, b"too early\n", 1, at(1099));
    bench.files.reopen();
    bench.append(1, b"back\n", 1, at(1099));
    assert_eq!(bench.told(), ["recovered, 5 lost"]);
    assert_eq!((bench.lost(), bench.failing()), (5, 0));

    // A new incident is told again.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    bench.files.reopen();
    bench.append(0, b"x\n", 1, at(1200));
    assert_eq!(bench.told().len(), 1);
    // An app that is deleted ends its part in it.
    bench.files.remove_app("other");
    assert!(bench.told().is_empty());
    bench.files.remove_app("api");
    assert_eq!(bench.told(), ["recovered, 1 lost"]);
}

#[test]
fn links_and_pipes_are_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    let now = Instant::now();
    let victim = dir.path().join("victim");
    fs::write(&victim, "").unwrap();
    symlink(&victim, dir.path().join("api-out-0.log")).unwrap();
    let fifo = dir.path().join("api-out-1.log");
    let status = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(status.success());
    symlink("/dev/full", dir.path().join("api-out-2.log")).unwrap();
    for slot in 0..3 {
        bench.append(slot, b"x\n", 1, now);
    }
    // With a reader the FIFO can be opened, and is still none of ours.
    let options = fs::OpenOptions::new().read(true).write(true).open(&fifo);
    bench.files.reopen();
    bench.append(1, b"x\n", 1, now);
    drop(options);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "");
    assert_eq!((bench.lost(), bench.failing()), (4, 3));
}

#[test]
fn many_files_do_not_use_up_the_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path());
    let now = Instant::now();
    for round in 0..2 {
        for slot in 0..1500 {
            bench.append(slot, b"x\n", 1, now);
        }
        let open = fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .filter(|target| target.starts_with(dir.path()))
            .count();
        assert!(open <= 512, "round {round}: {open} open files");
    }
    assert_eq!(bench.lost(), 0);
    let written = fs::read_to_string(dir.path().join("api-out-1499.log")).unwrap();
    assert_eq!(written, "x\nx\n");
}

/// A tiny file system of its own; unmounted in the end.
struct Tmpfs(TempDir);

impl Tmpfs {
    /// `None`, said loudly, where mounting is not allowed.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "none"])
            .arg(dir.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED: mounting a tmpfs needs root");
            return None;
        }
        Some(Self(dir))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_disk_loses_lines_but_tears_none() {
    let Some(disk) = Tmpfs::mount() else {
        return;
    };
    let mut bench = Bench::new(disk.0.path());
    let start = Instant::now();
    let filler = disk.0.path().join("filler");
    fs::write(&filler, vec![0; 30_000]).unwrap();
    let line = format!("{}\n", "x".repeat(999));
    let chunk = line.repeat(7);
    let mut written = 0_u64;
    while bench.lost() == 0 {
        bench.append(0, chunk.as_bytes(), 7, start);
        written += 7;
    }
    assert_eq!(
        bench.told(),
        ["api-out-0.log: No space left on device (os error 28)"]
    );
    let later = start + Duration::from_secs(1);
    bench.append(0, chunk.as_bytes(), 7, later);
    assert!(bench.told().is_empty());

    fs::remove_file(&filler).unwrap();
    let much_later = later + Duration::from_secs(1);
    bench.append(0, b"back\n", 1, much_later);
    let lost = bench.lost();
    assert_eq!(bench.told(), [format!("recovered, {lost} lost")]);
    let text = fs::read_to_string(disk.0.path().join("api-out-0.log")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.last(), Some(&"back"));
    // At most one line is incomplete: the one at which the disk was full.
    let torn = lines.iter().filter(|l| l.len() != 999 && **l != "back");
    assert!(torn.count() <= 1);
    let whole = lines.iter().filter(|l| l.len() == 999).count() as u64;
    assert_eq!(whole + lost, written + 7);
}

#[tokio::test]
async fn apps_do_not_notice_a_full_disk() {
    let Some(disk) = Tmpfs::mount() else {
        return;
    };
    within(async {
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&troubles);
        let hub = LogHub::start(LogOptions {
            dir: disk.0.path().join("logs"),
            terminal: None,
            journald: "/nowhere".into(),
            on_trouble: Box::new(move |trouble| told.lock().unwrap().push(describe(&trouble))),
        })
        .unwrap();
        let mut readers = Vec::new();
        for slot in 0..4 {
            let (ours, theirs) = worker_pipe().unwrap();
            let err = source("api", slot, u64::from(slot), Stream::Err);
            readers.push(attach(&hub, err, &LogSpec::default(), ours).unwrap());
            write_all(fs::File::from(theirs), numbered(50_000).into_bytes()).await;
        }
        for reader in readers {
            reader.finish().await;
        }
        hub.flush().await;
        assert_eq!(hub.tail(3).last().unwrap(), "line 49999");
        let stats = hub.stats();
        assert!(stats.lost_lines > 100_000 && stats.lost_lines < 200_000);
        assert_eq!(stats.failing_files, 4);
        assert_eq!(troubles.lock().unwrap().len(), 1);
        hub.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_vanishes_is_made_again() {
    within(async {
        let fixture = Fixture::new(None);
        let hub = &fixture.hub;
        let logs = fixture.dir.path().join("logs");
        let (reader, mut worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let mut live = hub.subscribe(Filter::default());
        worker.write_all(b"before\n").unwrap();
        live.next().await;
        hub.flush().await;
        fs::remove_dir_all(&logs).unwrap();
        hub.reopen();
        worker.write_all(b"after\n").unwrap();
        drop(worker);
        reader.finish().await;
        hub.flush().await;
        assert_eq!(fixture.log("api-out-0.log"), "after\n");
        assert!(fixture.troubles.lock().unwrap().is_empty());
    })
    .await;
}

/// Runs one of these tests again, in a process of its own that the shell has prepared. True in the
/// process that is to start it; false inside.
fn started_inside(test: &str, shell: &str) -> bool {
    const INSIDE: &str = "ROTA_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let output = Command::new("sh")
        .args(["-c", shell])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}");
    assert!(output.status.success(), "{output:?}");
    true
}

#[tokio::test]
async fn a_limit_of_the_file_size_is_a_disk_error_like_others() {
    let test = "a_limit_of_the_file_size_is_a_disk_error_like_others";
    if started_inside(test, "ulimit -f 8; exec \"$0\" \"$1\"") {
        return;
    }
    within(async {
        let fixture = Fixture::new(None);
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        write_all(worker, numbered(10_000).into_bytes()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        assert_eq!(
            *fixture.troubles.lock().unwrap(),
            ["api-out-0.log: File too large (os error 27)"]
        );
        assert!(fixture.hub.stats().lost_lines > 0);
    })
    .await;
}

#[tokio::test]
async fn our_own_words_may_be_lost_on_a_full_disk_or_a_closed_pipe() {
    let test = "our_own_words_may_be_lost_on_a_full_disk_or_a_closed_pipe";
    if started_inside(test, "exec \"$0\" \"$1\" --nocapture 2>/dev/full") {
        return;
    }
    tell("nobody hears this");
    let fixture = Fixture::new(None);
    fixture.hub.say("nor this");
    fixture.hub.flush().await;
}
