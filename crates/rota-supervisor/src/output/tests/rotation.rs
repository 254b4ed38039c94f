//! Files that are put aside, under load and over deaths.

use std::io::{Read, Write};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use rota_config::{RotateSpec, Size};

use super::super::aside::{self, State};
use super::super::tend::tend;
use super::super::times;
use super::*;

fn by_size(bytes: u64, keep: u32, compress: bool) -> LogSpec {
    LogSpec {
        rotate: RotateSpec {
            size: Some(Size::from_bytes(bytes)),
            keep,
            compress,
            ..RotateSpec::default()
        },
        ..LogSpec::default()
    }
}

/// Everything that is in a log, over all its files.
fn whole(path: &Path) -> String {
    let mut text = String::new();
    let (folder, name) = aside::split(path);
    for file in aside::list(path) {
        let input = fs::File::open(folder.join(file.name(&name))).unwrap();
        match file.state {
            State::Plain => (&input).read_to_string(&mut text).unwrap(),
            State::Compressed => GzDecoder::new(input).read_to_string(&mut text).unwrap(),
            State::Part => 0,
        };
    }
    text + &fs::read_to_string(path).unwrap_or_default()
}

/// Waits until the other thread has nothing to do.
async fn tended(hub: &LogHub, path: &Path, is_done: impl Fn(&[aside::Aside]) -> bool) {
    hub.flush().await;
    let began = std::time::Instant::now();
    while !is_done(&aside::list(path)) {
        assert!(began.elapsed().as_secs() < 60, "{:?}", aside::list(path));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn no_line_is_lost_or_torn_when_files_are_put_aside() {
    within(async {
        let fixture = Fixture::new(None);
        let spec = by_size(200_000, 1000, true);
        let (first, one) = fixture.attach_with(source("api", 0, 1, Stream::Out), &spec);
        let (second, two) = fixture.attach_with(source("api", 0, 2, Stream::Out), &spec);
        let lines =
            |who: &str| -> String { (0..100_000).map(|line| format!("{who} {line}\n")).collect() };
        tokio::join!(
            write_all(one, lines("one").into_bytes()),
            write_all(two, lines("two").into_bytes())
        );
        first.finish().await;
        second.finish().await;
        let path = fixture.dir.path().join("logs/api-out-0.log");
        tended(&fixture.hub, &path, |files| {
            files.len() > 5 && files.iter().all(|file| file.state == State::Compressed)
        })
        .await;
        let text = whole(&path);
        for who in ["one", "two"] {
            let own: String = text
                .lines()
                .filter(|line| line.starts_with(who))
                .map(|line| format!("{line}\n"))
                .collect();
            assert!(own == lines(who), "{who}");
        }
        assert_eq!(text.lines().count(), 200_000);
        assert_eq!(fixture.hub.stats(), LogStats::default());
        // Read back over all of them.
        let all = past(&fixture.hub, u64::MAX).await;
        assert_eq!(all.len(), 200_000);
        assert!(all.iter().all(|line| line.time.is_some()));
    })
    .await;
}

#[tokio::test]
async fn so_many_are_kept_and_no_more() {
    within(async {
        let fixture = Fixture::new(None);
        let spec = by_size(10_000, 2, false);
        let (reader, worker) = fixture.attach_with(source("api", 0, 1, Stream::Out), &spec);
        write_all(worker, numbered(200_000).into_bytes()).await;
        reader.finish().await;
        let path = fixture.dir.path().join("logs/api-out-0.log");
        tended(&fixture.hub, &path, |files| files.len() == 2).await;
        assert!(whole(&path).ends_with("line 199999\n"));
        let times = fixture.dir.path().join("logs/.times");
        tended(&fixture.hub, &path, |_| {
            fs::read_dir(&times).unwrap().count() <= 3
        })
        .await;
        // And emptied.
        let emptied = fixture.hub.empty(Logs::default()).await;
        assert_eq!(emptied.files, 1);
        assert!(emptied.errors.is_empty());
        assert_eq!(whole(&path), "");
        assert!(past(&fixture.hub, 9).await.is_empty());
        let (reader, worker) = fixture.attach_with(source("api", 0, 2, Stream::Out), &spec);
        write_all(worker, b"anew\n".to_vec()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        assert_eq!(whole(&path), "anew\n");
    })
    .await;
}

#[tokio::test]
async fn a_file_of_yesterday_is_put_aside_at_the_first_line_of_today() {
    within(async {
        let fixture = Fixture::new(None);
        let logs = fixture.dir.path().join("logs");
        fs::create_dir(&logs).unwrap();
        let path = logs.join("api-out-0.log");
        fs::write(&path, "yesterday\n").unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(long_ago).unwrap();
        let spec = LogSpec {
            rotate: RotateSpec {
                every: Some(rota_config::Period::Daily),
                compress: false,
                ..RotateSpec::default()
            },
            ..LogSpec::default()
        };
        let (reader, mut worker) = fixture.attach_with(source("api", 0, 1, Stream::Out), &spec);
        let mut live = fixture.hub.subscribe(Filter::default());
        for line in ["today\n", "today, too\n"] {
            worker.write_all(line.as_bytes()).unwrap();
            live.next().await;
        }
        drop(worker);
        reader.finish().await;
        fixture.hub.flush().await;
        assert_eq!(fs::read_to_string(&path).unwrap(), "today\ntoday, too\n");
        assert_eq!(aside::list(&path).len(), 1);
        assert!(whole(&path).starts_with("yesterday\n"));
    })
    .await;
}

#[tokio::test]
async fn a_file_that_somebody_else_rotates_is_left_to_them() {
    within(async {
        let fixture = Fixture::new(None);
        let spec = by_size(1000, 5, false);
        let path = fixture.dir.path().join("logs/api-out-0.log");
        let (reader, mut worker) = fixture.attach_with(source("api", 0, 1, Stream::Out), &spec);
        let mut live = fixture.hub.subscribe(Filter::default());
        let long = format!("{}\n", "x".repeat(2000));
        worker.write_all(long.as_bytes()).unwrap();
        live.next().await;
        fixture.hub.flush().await;
        // Moved away, without a word.
        fs::rename(&path, path.with_extension("log.1")).unwrap();
        worker.write_all(b"new\n").unwrap();
        live.next().await;
        fixture.hub.flush().await;
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        // Emptied (copytruncate): no reason to rotate.
        worker.write_all(long.as_bytes()).unwrap();
        live.next().await;
        fixture.hub.flush().await;
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        worker.write_all(b"after\n").unwrap();
        live.next().await;
        drop(worker);
        reader.finish().await;
        fixture.hub.flush().await;
        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        assert!(aside::list(&path).is_empty());
    })
    .await;
}

/// A folder with a log and what lies beside it.
fn folder(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let log = dir.path().join("a.log");
    (dir, log)
}

#[test]
fn what_a_killed_one_has_left_is_tidied_up() {
    let (dir, log) = folder(&[
        ("a.log.20260101T000000.000Z", "one\n"),
        ("a.log.20260101T000000.000Z.gz.part", "half"),
        ("a.log.20260102T000000.000Z", "two\n"),
        ("a.log.20260103T000000.000Z", "three\n"),
        ("a.log", "now\n"),
        ("a.log.1", "not ours\n"),
    ]);
    let rotate = RotateSpec::default();
    tend(dir.path(), &log, &rotate).unwrap();
    let files = aside::list(&log);
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|file| file.state == State::Compressed));
    assert_eq!(whole(&log), "one\ntwo\nthree\nnow\n");
    // It was whole, and the other one not removed yet.
    fs::write(dir.path().join("a.log.20260102T000000.000Z"), "two\n").unwrap();
    tend(dir.path(), &log, &rotate).unwrap();
    assert_eq!(whole(&log), "one\ntwo\nthree\nnow\n");
    assert_eq!(
        mode(&dir.path().join("a.log.20260101T000000.000Z.gz")),
        0o600
    );
    assert!(dir.path().join("a.log.1").exists());
}

#[test]
fn old_files_go_with_their_times() {
    let (dir, log) = folder(&[("a.log.20200101T000000.000Z", "old\n")]);
    let new = aside::stamp(aside::millis(std::time::SystemTime::now()));
    fs::write(dir.path().join(format!("a.log.{new}")), "new\n").unwrap();
    let times = times::path(dir.path(), &log, Some("20200101T000000.000Z"));
    fs::create_dir(times.parent().unwrap()).unwrap();
    fs::write(&times, "x").unwrap();
    let rotate = RotateSpec {
        max_age: Some("30d".parse().unwrap()),
        compress: false,
        ..RotateSpec::default()
    };
    tend(dir.path(), &log, &rotate).unwrap();
    assert_eq!(whole(&log), "new\n");
    assert!(!times.exists());
    let none = RotateSpec {
        keep: 0,
        ..RotateSpec::default()
    };
    tend(dir.path(), &log, &none).unwrap();
    assert!(aside::list(&log).is_empty());
}
