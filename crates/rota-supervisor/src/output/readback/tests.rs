//! Reading back over files that were put aside.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use regex_lite::Regex;

use super::super::times::{self, TimesWriter};
use super::super::{Filter, LogTarget, Source};
use super::*;

const OLD: &str = "20260101T000000.000Z";
const NEW: &str = "20260102T000000.000Z";

fn lines(dir: &Path, logs: &Logs, wanted: &Wanted) -> Vec<PastLine> {
    let mut lines = Vec::new();
    read(Snapshot::take(dir, logs), wanted, &mut |line| {
        lines.push(line);
        true
    });
    lines
}

fn texts(dir: &Path, wanted: &Wanted) -> Vec<String> {
    let lines = lines(dir, &Logs::default(), wanted).into_iter();
    lines.map(|line| line.text).collect()
}

fn last(lines: u64) -> Wanted {
    Wanted {
        lines: Some(lines),
        ..Wanted::default()
    }
}

fn pack(path: &Path, text: &str) {
    let mut encoder = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}

/// A log of six lines in three files.
fn three(dir: &Path) {
    let name = |end: &str| dir.join(format!("a-out-0.log{end}"));
    pack(&name(&format!(".{OLD}.gz")), "1\n2\n");
    fs::write(name(&format!(".{NEW}")), "3\n4\r\n").unwrap();
    fs::write(name(""), "5\n6").unwrap();
    fs::write(name(&format!(".{NEW}.gz.part")), "rubbish").unwrap();
    fs::write(name(".1"), "somebody else's\n").unwrap();
}

#[test]
fn the_last_lines_reach_back_over_files() {
    let dir = tempfile::tempdir().unwrap();
    three(dir.path());
    let all = ["1", "2", "3", "4", "5", "6"];
    for count in 0..=6 {
        assert_eq!(texts(dir.path(), &last(count)), all[6 - count as usize..]);
    }
    assert_eq!(texts(dir.path(), &last(100)), all);
    assert_eq!(texts(dir.path(), &Wanted::default()), all);
    // What is compressed this moment is there in both forms.
    let name = dir.path().join(format!("a-out-0.log.{NEW}.gz"));
    pack(&name, "3\n4\n");
    assert_eq!(texts(dir.path(), &last(5)), all[1..]);
    // And may be gone in one of them when it is opened.
    let snapshot = Snapshot::take(dir.path(), &Logs::default());
    fs::remove_file(dir.path().join(format!("a-out-0.log.{NEW}"))).unwrap();
    let mut found = Vec::new();
    read(snapshot, &last(5), &mut |line| {
        found.push(line.text);
        true
    });
    assert_eq!(found, all[1..]);
}

#[test]
fn a_log_that_has_only_old_files_is_read() {
    let dir = tempfile::tempdir().unwrap();
    three(dir.path());
    fs::remove_file(dir.path().join("a-out-0.log")).unwrap();
    assert_eq!(texts(dir.path(), &last(3)), ["2", "3", "4"]);
    assert!(texts(&dir.path().join("none"), &last(3)).is_empty());
}

#[test]
fn expressions_choose_lines_before_they_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    three(dir.path());
    let grep = |lines| Wanted {
        lines,
        grep: Some(Regex::new("[135]").unwrap()),
        ..Wanted::default()
    };
    assert_eq!(texts(dir.path(), &grep(Some(2))), ["3", "5"]);
    assert_eq!(texts(dir.path(), &grep(None)), ["1", "3", "5"]);
}

fn source(slot: u32, worker: u64) -> Source {
    Source {
        app: "a".into(),
        slot,
        worker,
        generation: 4,
        stream: Stream::Out,
    }
}

/// Writes lines with their times.
fn timed(dir: &Path, name: &str, slot: u32, lines: &[(u64, &str)]) {
    let path = dir.join(name);
    let mut writer = TimesWriter::default();
    let mut text = String::new();
    for (time, line) in lines {
        let place = || times::path(dir, &path, None);
        writer.note(place, text.len() as u64, *time, &source(slot, 7));
        text.push_str(line);
        text.push('\n');
    }
    fs::write(path, text).unwrap();
}

#[test]
fn lines_of_several_logs_come_in_the_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    timed(
        dir.path(),
        "a-out-0.log",
        0,
        &[(1000, "one"), (3000, "three")],
    );
    timed(
        dir.path(),
        "a-out-1.log",
        1,
        &[(2000, "two"), (4000, "four")],
    );
    let all = lines(dir.path(), &Logs::default(), &Wanted::default());
    let said: Vec<_> = all.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(said, ["one", "two", "three", "four"]);
    assert_eq!(all[1].time, Some(2000));
    assert_eq!((all[1].worker, all[1].generation), (Some(7), Some(4)));
    let between = Wanted {
        since: Some(2000),
        until: Some(3000),
        ..Wanted::default()
    };
    assert_eq!(texts(dir.path(), &between), ["two", "three"]);
    let last_since = Wanted {
        lines: Some(1),
        since: Some(1500),
        ..Wanted::default()
    };
    assert_eq!(texts(dir.path(), &last_since), ["three", "four"]);
}

#[test]
fn objects_say_themselves_whose_and_of_when_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.log");
    let object = |slot: u32, time: &str| {
        format!(
            "{{\"time\":\"{time}\",\"app\":\"a\",\"slot\":{slot},\"worker\":9,\"generation\":2,\
             \"stream\":\"err\",\"text\":\"x\\n  y\"}}\n"
        )
    };
    let text = object(0, "2026-01-01T00:00:00.000Z")
        + &object(1, "2026-01-01T00:00:01.500Z")
        + "{\"time\":\"torn\n";
    fs::write(&path, text).unwrap();
    let logs = |slots| Logs {
        filter: Filter {
            targets: vec![LogTarget {
                app: "a".into(),
                slots,
            }],
            stream: None,
        },
        custom: vec![custom(&path, Some(Stream::Out))],
    };
    let all = lines(dir.path(), &logs(None), &last(9));
    assert_eq!(all.len(), 3);
    assert_eq!(all[1].time, Some(1_767_225_601_500));
    assert_eq!((all[1].slot, all[1].stream), (Some(1), Some(Stream::Err)));
    assert_eq!(all[1].text, "x\n  y");
    assert_eq!(all[2].text, "{\"time\":\"torn");
    let one = lines(dir.path(), &logs(Some(vec![1])), &last(1));
    assert_eq!(one.len(), 1);
}

fn custom(path: &Path, stream: Option<Stream>) -> Custom {
    Custom {
        app: "a".into(),
        slot: None,
        stream,
        path: path.to_owned(),
        besides: Vec::new(),
    }
}

#[test]
fn a_file_of_both_streams_says_of_a_line_what_it_knows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.log");
    let object = |stream: &str| {
        format!(
            "{{\"time\":\"2026-01-01T00:00:00.000Z\",\"app\":\"a\",\"slot\":0,\"worker\":9,\"generation\":2,\
             \"stream\":\"{stream}\",\"text\":\"{stream}\"}}\n"
        )
    };
    fs::write(&path, object("out") + "plain\n" + &object("err")).unwrap();
    let logs = |stream| Logs {
        filter: Filter {
            targets: Vec::new(),
            stream,
        },
        // As an app has it whose streams have the same file.
        custom: [Stream::Out, Stream::Err]
            .map(|stream| custom(&path, Some(stream)))
            .into(),
    };
    let said = |stream, wanted: &Wanted| {
        let lines = lines(dir.path(), &logs(stream), wanted).into_iter();
        lines.map(|line| line.text).collect::<Vec<_>>()
    };
    assert_eq!(said(None, &last(9)), ["out", "plain", "err"]);
    // Nobody knows which stream it was.
    assert_eq!(said(Some(Stream::Err), &last(9)), ["plain", "err"]);
    assert_eq!(said(Some(Stream::Out), &last(2)), ["out", "plain"]);
    assert_eq!(said(Some(Stream::Out), &last(1)), ["plain"]);
    let all = lines(dir.path(), &logs(None), &last(9));
    assert_eq!(all[1].stream, None);
}

#[test]
fn what_other_files_say_as_well_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let (own, joined) = (dir.path().join("a-out-0.log"), dir.path().join("all.log"));
    fs::write(&own, "one\n").unwrap();
    fs::write(&joined, "one\n").unwrap();
    let mut joint = custom(&joined, None);
    joint.besides = vec![own.clone()];
    let logs = Logs {
        filter: Filter::default(),
        custom: vec![joint],
    };
    let read = || lines(dir.path(), &logs, &Wanted::default());
    assert_eq!(read().len(), 1);
    assert_eq!(read()[0].stream, Some(Stream::Out));
    // Put aside, it is still there.
    let old = dir.path().join(format!("a-out-0.log.{OLD}"));
    fs::rename(&own, &old).unwrap();
    assert_eq!(read()[0].stream, Some(Stream::Out));
    fs::remove_file(old).unwrap();
    assert_eq!(read().len(), 1);
    assert_eq!(read()[0].stream, None);
    // All of them are emptied.
    let emptied: Vec<Arc<Path>> = vec![joined.into()];
    assert_eq!(logs.paths(dir.path()), emptied);
}

#[test]
fn long_lines_are_cut_and_a_broken_archive_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a-out-0.log");
    fs::write(&path, vec![b'x'; 3 * 1024 * 1024]).unwrap();
    let all = lines(dir.path(), &Logs::default(), &Wanted::default());
    assert!(all.iter().all(|line| line.text.len() <= 512 * 1024));
    let whole: usize = all.iter().map(|line| line.text.len()).sum();
    assert_eq!(whole, 3 * 1024 * 1024);
    let packed = dir.path().join(format!("a-out-0.log.{OLD}.gz"));
    pack(&packed, &"word\n".repeat(100_000));
    let bytes = fs::read(&packed).unwrap();
    fs::write(&packed, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(&path, "end\n").unwrap();
    let said = texts(dir.path(), &Wanted::default());
    assert_eq!(said.last().unwrap(), "end");
    assert!(said.len() > 1);
}

#[test]
fn links_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("a-out-3.log")).unwrap();
    fs::write(dir.path().join("note.txt"), "x\n").unwrap();
    assert!(texts(dir.path(), &last(5)).is_empty());
}
