//! The forms and places that a specification asks for.

use std::io::Write;

use rota_config::LogFormat;

use super::*;

fn json() -> LogSpec {
    LogSpec {
        format: LogFormat::Json,
        ..LogSpec::default()
    }
}

fn objects(text: &str) -> Vec<serde_json::Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_stack_trace_in_several_writes_is_one_object() {
    within(async {
        let fixture = Fixture::new(None);
        let mut live = fixture.hub.subscribe(Filter::default());
        let err = source("api", 0, 1, Stream::Err);
        let (reader, mut worker) = fixture.attach_with(err, &json());
        for part in [
            "Error: no\n",
            "    at f (x.js:1)\n    at ",
            "g {\n  code: 1\n}\n",
        ] {
            worker.write_all(part.as_bytes()).unwrap();
            tokio::task::yield_now().await;
        }
        // Nothing behind it: it is not waited for for ever.
        assert!(
            matches!(live.next().await, Some(Followed::Line(line)) if &*line.bytes == b"Error: no")
        );
        worker.write_all(b"next\n").unwrap();
        drop(worker);
        reader.finish().await;
        fixture.hub.flush().await;
        let objects = objects(&fixture.log("api-error-0.log"));
        assert_eq!(objects.len(), 2, "{objects:?}");
        let text = "Error: no\n    at f (x.js:1)\n    at g {\n  code: 1\n}";
        assert_eq!(objects[0]["text"], text);
        assert_eq!(objects[1]["text"], "next");
        // They are remembered line by line all the same.
        assert_eq!(fixture.hub.tail(1).len(), 6);
    })
    .await;
}

#[tokio::test]
async fn characters_and_lines_cut_by_reads_are_whole_in_every_form() {
    let text = "zwölf \u{1f980} \x1b[31mrot\x1b[0m\nno end".as_bytes();
    for cut in 1..text.len() {
        within(async {
            let fixture = Fixture::new(None);
            let (reader, mut worker) =
                fixture.attach_with(source("api", 0, 1, Stream::Out), &json());
            worker.write_all(&text[..cut]).unwrap();
            tokio::task::yield_now().await;
            worker.write_all(&text[cut..]).unwrap();
            drop(worker);
            reader.finish().await;
            fixture.hub.flush().await;
            let objects = objects(&fixture.log("api-out-0.log"));
            assert_eq!(objects.len(), 2, "cut at {cut}");
            assert_eq!(objects[0]["text"], "zwölf \u{1f980} \x1b[31mrot\x1b[0m");
            assert!(objects[0].get("lossy").is_none());
            assert_eq!(objects[1]["text"], "no end");
        })
        .await;
    }
}

#[tokio::test]
async fn long_lines_come_in_parts_that_make_the_whole() {
    within(async {
        let fixture = Fixture::new(None);
        let (reader, worker) = fixture.attach_with(source("api", 0, 1, Stream::Out), &json());
        let line = "é".repeat(200_000);
        write_all(worker, format!("{line}\nshort\n").into_bytes()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        let objects = objects(&fixture.log("api-out-0.log"));
        let (last, parts) = objects.split_last().unwrap();
        assert_eq!(last["text"], "short");
        let whole: String = parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect();
        assert!(whole == line);
        let partial = parts.iter().filter(|part| part["partial"] == true).count();
        assert_eq!(partial, parts.len() - 1);
    })
    .await;
}

#[tokio::test]
async fn the_time_is_written_once_per_line_however_it_comes() {
    within(async {
        let fixture = Fixture::new(None);
        let timed = LogSpec {
            time: Some("[T]".into()),
            ..LogSpec::default()
        };
        let (reader, worker) = fixture.attach_with(source("api", 0, 1, Stream::Out), &timed);
        let long = "x".repeat(150_000);
        write_all(worker, format!("{long}\nb\nc").into_bytes()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        let text = fixture.log("api-out-0.log");
        assert!(text == format!("[T] {long}\n[T] b\n[T] c\n"));
    })
    .await;
}

#[tokio::test]
async fn workers_streams_and_apps_share_files_where_asked() {
    within(async {
        let fixture = Fixture::new(None);
        let all = fixture.dir.path().join("elsewhere/all.log");
        let spec = LogSpec {
            merge: true,
            joined: Some(all.clone()),
            ..LogSpec::default()
        };
        let mut readers = Vec::new();
        for (app, slot, stream) in [
            ("a", 0, Stream::Out),
            ("a", 1, Stream::Out),
            ("a", 1, Stream::Err),
            ("b", 0, Stream::Out),
        ] {
            let (reader, mut worker) = fixture.attach_with(source(app, slot, 1, stream), &spec);
            writeln!(worker, "{app}{slot}{stream}").unwrap();
            readers.push(reader);
        }
        for reader in readers {
            reader.finish().await;
        }
        fixture.hub.flush().await;
        let sorted = |text: String| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(fixture.log("a-out.log")), ["a0out", "a1out"]);
        assert_eq!(sorted(fixture.log("a-error.log")), ["a1err"]);
        let all = sorted(fs::read_to_string(all).unwrap());
        assert_eq!(all, ["a0out", "a1err", "a1out", "b0out"]);
        let past = past(&fixture.hub, 9).await;
        let slots: Vec<_> = past.iter().map(|line| line.slot).collect();
        assert!(slots.contains(&Some(1)), "{slots:?}");
    })
    .await;
}

#[tokio::test]
async fn without_files_there_are_still_followers() {
    within(async {
        let fixture = Fixture::new(None);
        let spec = LogSpec {
            disabled: true,
            ..LogSpec::default()
        };
        let mut live = fixture.hub.subscribe(Filter::default());
        let (reader, worker) = fixture.attach_with(source("api", 0, 1, Stream::Err), &spec);
        write_all(worker, b"hello\n".to_vec()).await;
        assert!(matches!(live.next().await, Some(Followed::Line(_))));
        reader.finish().await;
        assert_eq!(fixture.hub.tail(1), ["hello"]);
        fixture.hub.flush().await;
        assert!(!fixture.dir.path().join("logs").exists());
    })
    .await;
}
