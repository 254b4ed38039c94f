//! Where lines go.

use std::io::Write;

use super::*;

fn text(followed: Option<Followed>) -> (String, LineEnd) {
    match followed {
        Some(Followed::Line(line)) => (line.text().into_owned(), line.end),
        other => unreachable!("a line, not {other:?}"),
    }
}

#[tokio::test]
async fn output_goes_to_file_follower_and_tail() {
    within(async {
        let fixture = Fixture::new(None);
        let hub = &fixture.hub;
        let mut live = hub.subscribe(Filter::default());
        let (reader, mut worker) = fixture.attach(source("api", 2, 7, Stream::Err));
        worker.write_all(b"first\r\nsec").unwrap();
        assert_eq!(text(live.next().await), ("first".into(), LineEnd::Newline));
        worker.write_all("ond é\n\x1b[31mlast".as_bytes()).unwrap();
        drop(worker);
        assert_eq!(
            text(live.next().await),
            ("second é".into(), LineEnd::Newline)
        );
        assert_eq!(
            text(live.next().await),
            ("\u{1b}[31mlast".into(), LineEnd::Eof)
        );
        reader.finish().await;
        hub.flush().await;
        assert_eq!(
            fixture.log("api-error-2.log"),
            "first\r\nsecond é\n\x1b[31mlast\n"
        );
        let dir = fixture.dir.path().join("logs");
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("api-error-2.log")), 0o600);
        assert_eq!(hub.tail(7), ["first", "second é", "\u{1b}[31mlast"]);
        hub.forget(7);
        assert!(hub.tail(7).is_empty());
        assert_eq!(hub.stats(), LogStats::default());
    })
    .await;
}

#[tokio::test]
async fn only_standard_error_is_remembered() {
    within(async {
        let fixture = Fixture::new(None);
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        write_all(worker, b"hello\n".to_vec()).await;
        reader.finish().await;
        assert!(fixture.hub.tail(1).is_empty());
        fixture.hub.flush().await;
        assert_eq!(fixture.log("api-out-0.log"), "hello\n");
    })
    .await;
}

#[tokio::test]
async fn binary_and_long_lines_are_in_the_file_as_written() {
    within(async {
        let fixture = Fixture::new(None);
        let mut live = fixture.hub.subscribe(Filter::default());
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let mut bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        bytes.extend(vec![b'x'; 200_000]);
        bytes.push(b'\n');
        write_all(worker, bytes.clone()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        let path = fixture.dir.path().join("logs/api-out-0.log");
        assert_eq!(fs::read(path).unwrap(), bytes);
        fixture.hub.close().await;
        let mut broken = 0;
        while let Some(Followed::Line(line)) = live.next().await {
            assert!(line.bytes.len() <= MAX_LINE);
            broken += usize::from(line.end == LineEnd::Broken);
        }
        assert_eq!(broken, 3);
    })
    .await;
}

#[tokio::test]
async fn incarnations_of_a_slot_share_a_file_by_whole_lines() {
    within(async {
        let fixture = Fixture::new(None);
        let (old, mut old_worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let (new, mut new_worker) = fixture.attach(source("api", 0, 2, Stream::Out));
        let mut live = fixture.hub.subscribe(Filter::default());
        old_worker.write_all(b"old begins, ").unwrap();
        new_worker.write_all(b"new\n").unwrap();
        assert_eq!(text(live.next().await).0, "new");
        old_worker.write_all(b"old ends\n").unwrap();
        assert_eq!(text(live.next().await).0, "old begins, old ends");
        drop((old_worker, new_worker));
        old.finish().await;
        new.finish().await;
        fixture.hub.flush().await;
        assert_eq!(fixture.log("api-out-0.log"), "new\nold begins, old ends\n");
    })
    .await;
}

#[tokio::test]
async fn followers_get_what_they_asked_for() {
    within(async {
        let fixture = Fixture::new(None);
        let hub = &fixture.hub;
        let mut one = hub.subscribe(Filter {
            targets: vec![LogTarget {
                app: "b".into(),
                slots: Some(vec![1]),
            }],
            stream: Some(Stream::Err),
        });
        for app in ["a", "b"] {
            for slot in [0, 1] {
                for stream in [Stream::Out, Stream::Err] {
                    let (reader, worker) = fixture.attach(source(app, slot, 1, stream));
                    let line = format!("{app} {slot} {stream}\n");
                    write_all(worker, line.into_bytes()).await;
                    reader.finish().await;
                }
            }
        }
        assert_eq!(text(one.next().await).0, "b 1 err");
        hub.close().await;
        assert_eq!(one.next().await, None);
    })
    .await;
}

#[tokio::test]
async fn past_and_live_meet_without_gap_or_overlap() {
    within(async {
        let fixture = Fixture::new(None);
        let hub = fixture.hub.clone();
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let total = 20_000;
        let writing = tokio::task::spawn_local(write_all(worker, numbered(total).into_bytes()));
        let mut views = 0;
        while !writing.is_finished() {
            let mut live = hub.subscribe(Filter::default());
            let past = past(&hub, 1).await;
            let last = past.first().map(|line| line.text.clone());
            if let Some(Followed::Line(line)) = live.next().await {
                let expected = last.map_or(0, |last| number(&last) + 1);
                assert_eq!(number(&line.text()), expected);
                views += 1;
            }
            if views > 50 {
                break;
            }
        }
        assert!(views > 0);
        writing.await.unwrap();
        reader.finish().await;
        hub.flush().await;
        assert_eq!(fixture.log("api-out-0.log"), numbered(total));
    })
    .await;
}

fn number(line: &str) -> usize {
    line.strip_prefix("line ").unwrap().parse().unwrap()
}

#[tokio::test]
async fn files_are_opened_anew_by_name() {
    within(async {
        let fixture = Fixture::new(None);
        let hub = &fixture.hub;
        let logs = fixture.dir.path().join("logs");
        let (reader, mut worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let mut live = hub.subscribe(Filter::default());
        worker.write_all(b"before\n").unwrap();
        live.next().await;
        hub.flush().await;
        fs::rename(logs.join("api-out-0.log"), logs.join("old")).unwrap();
        worker.write_all(b"still in the old one\n").unwrap();
        live.next().await;
        hub.reopen();
        worker.write_all(b"after\n").unwrap();
        live.next().await;
        drop(worker);
        reader.finish().await;
        hub.flush().await;
        assert_eq!(fixture.log("old"), "before\nstill in the old one\n");
        assert_eq!(fixture.log("api-out-0.log"), "after\n");
        hub.remove_app("api");
        hub.flush().await;
        assert_eq!(fixture.log("api-out-0.log"), "after\n");
    })
    .await;
}

#[tokio::test]
async fn what_a_closed_hub_does_not_take_stays_in_the_pipe() {
    within(async {
        let fixture = Fixture::new(None);
        let (ours, theirs) = worker_pipe().unwrap();
        // As the keeper has it.
        let mut kept = fs::File::from(ours.try_clone().unwrap());
        let source = source("api", 0, 1, Stream::Out);
        let reader = attach(&fixture.hub, source, &LogSpec::default(), ours).unwrap();
        fixture.hub.close().await;
        fs::File::from(theirs).write_all(b"for the next\n").unwrap();
        reader.finish().await;
        let mut left = String::new();
        std::io::Read::read_to_string(&mut kept, &mut left).unwrap();
        assert_eq!(left, "for the next\n");
        assert!(past(&fixture.hub, 5).await.is_empty());
        assert_eq!(fixture.hub.stats(), LogStats::default());
        assert_eq!(fixture.log("api-out-0.log"), "");
    })
    .await;
}

#[tokio::test]
async fn a_stream_goes_another_way_from_the_next_line_on() {
    within(async {
        let fixture = Fixture::new(None);
        let hub = &fixture.hub;
        let (reader, mut worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let mut live = hub.subscribe(Filter::default());
        worker.write_all(b"one\n").unwrap();
        assert_eq!(text(live.next().await).0, "one");
        let elsewhere = LogSpec {
            out: Some(fixture.dir.path().join("other.log")),
            format: rota_config::LogFormat::Json,
            ..LogSpec::default()
        };
        hub.redirect(&reader, &elsewhere, Path::new("/"));
        hub.release_files("api");
        worker.write_all(b"two\n").unwrap();
        assert_eq!(text(live.next().await).0, "two");
        // In the middle of a line that is written in pieces it stays where it is.
        worker
            .write_all("x".repeat(MAX_LINE + 10).as_bytes())
            .unwrap();
        assert_eq!(text(live.next().await).1, LineEnd::Broken);
        hub.redirect(&reader, &LogSpec::default(), Path::new("/"));
        worker.write_all(b"end\nthree\n").unwrap();
        drop(worker);
        reader.finish().await;
        hub.flush().await;
        let plain = fixture.log("api-out-0.log");
        let other = fs::read_to_string(fixture.dir.path().join("other.log")).unwrap();
        let first = other.lines().next().unwrap_or_default();
        assert!(first.contains("\"text\":\"two\""), "{other}");
        assert!(other.contains("xend"), "the long line is in one file");
        assert!(plain == "one\n" || plain == "one\nthree\n", "{plain}");
    })
    .await;
}
