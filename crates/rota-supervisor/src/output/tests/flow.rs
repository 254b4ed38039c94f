//! Floods, back-pressure, and the end of a worker.

use std::io::Write;
use std::sync::mpsc;

use rustix::io::Errno;
use tokio::task::yield_now;

use super::*;

/// A hub whose writer is stuck until something is sent: in its report of a folder that is none.
fn stuck() -> (TempDir, LogHub, mpsc::Sender<()>) {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    fs::write(&logs, "a file").unwrap();
    let (release, released) = mpsc::channel();
    let hub = LogHub::start(LogOptions {
        dir: logs,
        terminal: None,
        journald: "/nowhere".into(),
        on_trouble: Box::new(move |_| {
            released.recv().ok();
        }),
    })
    .unwrap();
    (dir, hub, release)
}

#[tokio::test]
async fn a_stuck_disk_stops_the_program_that_writes_and_nothing_grows() {
    within(async {
        let (_dir, hub, release) = stuck();
        let (ours, theirs) = worker_pipe().unwrap();
        rustix::io::ioctl_fionbio(&theirs, true).unwrap();
        let mut live = hub.subscribe(Filter::default());
        let reader = attach(
            &hub,
            source("api", 0, 1, Stream::Out),
            &LogSpec::default(),
            ours,
        )
        .unwrap();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let mut written = 0;
        // Until the pipe is full and stays full however often the reader has its turn.
        let mut full = 0;
        while full < 100 {
            match rustix::io::write(&theirs, &line) {
                Ok(bytes) => {
                    assert_eq!(bytes, line.len());
                    written += bytes;
                    full = 0;
                }
                Err(error) => {
                    assert_eq!(error, Errno::AGAIN);
                    full += 1;
                    yield_now().await;
                }
            }
            assert!(written <= 1 << 20, "the reader should have stopped");
        }
        // The supervisor still works: followers have been served, and others are.
        assert!(live.next().await.is_some());

        release.send(()).unwrap();
        drop(release);
        drop(theirs);
        reader.finish().await;
        hub.flush().await;
        // The folder was no folder: every line is accounted for.
        assert_eq!(hub.stats().lost_lines, (written / line.len()) as u64);
        assert_eq!(hub.stats().lost_bytes, written as u64);
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_worker_is_reported_even_if_the_disk_is_stuck() {
    within(async {
        let (_dir, hub, release) = stuck();
        let (ours, theirs) = worker_pipe().unwrap();
        let err = source("api", 0, 1, Stream::Err);
        let reader = attach(&hub, err, &LogSpec::default(), ours).unwrap();
        let mut live = hub.subscribe(Filter::default());
        // Fills the queue, and then the pipe.
        let writing = write_all(fs::File::from(theirs), numbered(60_000).into_bytes());
        let finishing = async {
            // What was looked at lies in the pipe until it is written.
            assert!(live.next().await.is_some());
            reader.finish().await;
        };
        tokio::join!(finishing, writing);
        assert!(hub.tail(1).last().unwrap().starts_with("line 5"));
        assert!(hub.stats().lost_lines > 0);
        drop(release);
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_worker_left_in_its_pipe_is_read_while_a_descendant_holds_it_open() {
    within(async {
        let fixture = Fixture::new(None);
        let (reader, mut worker) = fixture.attach(source("api", 0, 1, Stream::Err));
        worker.write_all(b"some\nlast words").unwrap();
        reader.finish().await;
        assert_eq!(fixture.hub.tail(1), ["some", "last words"]);
        // Nobody reads any more.
        let error = worker.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    })
    .await;
}

#[tokio::test]
async fn a_descendant_that_never_stops_writing_does_not_delay_the_end() {
    within(async {
        let fixture = Fixture::new(None);
        let (reader, mut worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let mut live = fixture.hub.subscribe(Filter::default());
        let flood = std::thread::spawn(move || {
            let line = b"y".repeat(999);
            while worker.write_all(&line).is_ok() && worker.write_all(b"\n").is_ok() {}
        });
        live.next().await;
        reader.finish().await;
        flood.join().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_was_dropped_reads_on() {
    within(async {
        let fixture = Fixture::new(None);
        let (reader, mut worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let mut live = fixture.hub.subscribe(Filter::default());
        drop(reader);
        worker.write_all(b"still here\n").unwrap();
        assert!(matches!(live.next().await, Some(Followed::Line(_))));
    })
    .await;
}

#[tokio::test]
async fn a_quiet_worker_is_heard_beside_a_loud_one() {
    within(async {
        let fixture = Fixture::new(None);
        let (_loud, mut loud) = fixture.attach(source("loud", 0, 1, Stream::Out));
        let (_quiet, mut quiet) = fixture.attach(source("quiet", 0, 2, Stream::Out));
        let mut live = fixture.hub.subscribe(Filter {
            targets: vec![LogTarget {
                app: "quiet".into(),
                slots: None,
            }],
            stream: None,
        });
        let flood = std::thread::spawn(
            move || {
                while loud.write_all(b"noise noise noise\n").is_ok() {}
            },
        );
        for _ in 0..20 {
            quiet.write_all(b"word\n").unwrap();
            assert!(matches!(live.next().await, Some(Followed::Line(_))));
        }
        // The end of the runtime closes the pipe.
        drop(flood);
    })
    .await;
}

#[tokio::test]
async fn a_million_lines_arrive() {
    within(async {
        let fixture = Fixture::new(None);
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let text = numbered(1_000_000);
        write_all(worker, text.clone().into_bytes()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        assert!(fixture.log("api-out-0.log") == text);
        assert_eq!(fixture.hub.stats(), LogStats::default());
    })
    .await;
}
