//! Foreground mode.

use std::io::{BufRead, BufReader, Read, Write};

use super::*;

struct Screen {
    out: fs::File,
    err: fs::File,
}

fn screen(colour: bool) -> (Screen, Terminal) {
    let (out, out_theirs) = pipe();
    let (err, err_theirs) = pipe();
    let terminal = Terminal {
        out: out_theirs,
        err: err_theirs,
        colour,
    };
    (Screen { out, err }, terminal)
}

/// What was written, once the hub is closed.
fn rest(mut file: fs::File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn a_single_worker_is_shown_as_it_is() {
    within(async {
        let (screen, terminal) = screen(true);
        let fixture = Fixture::new(Some(terminal));
        let (out, mut out_worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let (err, err_worker) = fixture.attach(source("api", 0, 1, Stream::Err));
        // Not even a line is waited for.
        out_worker.write_all(b"Name? ").unwrap();
        let mut first = [0; 6];
        let mut shown = screen.out.try_clone().unwrap();
        let read =
            tokio::task::spawn_blocking(move || shown.read_exact(&mut first).map(|()| first));
        assert_eq!(&read.await.unwrap().unwrap(), b"Name? ");
        write_all(out_worker, b"\r\nend".to_vec()).await;
        write_all(err_worker, b"oh\n".to_vec()).await;
        out.finish().await;
        err.finish().await;
        // The next incarnation is the same worker to people.
        let (next, worker) = fixture.attach(source("api", 0, 2, Stream::Out));
        write_all(worker, b"!".to_vec()).await;
        next.finish().await;
        fixture.hub.close().await;
        assert_eq!(rest(screen.out), "\r\nend!");
        assert_eq!(rest(screen.err), "oh\n");
        assert_eq!(fixture.log("api-out-0.log"), "Name? \r\nend\n!\n");
    })
    .await;
}

#[tokio::test]
async fn several_workers_have_names() {
    for colour in [false, true] {
        within(async {
            let (screen, terminal) = screen(colour);
            let fixture = Fixture::new(Some(terminal));
            let (first, first_worker) = fixture.attach(source("api", 0, 1, Stream::Out));
            let (second, second_worker) = fixture.attach(source("worker", 10, 2, Stream::Out));
            write_all(first_worker, b"one\ntwo".to_vec()).await;
            first.finish().await;
            write_all(second_worker, b"three\n".to_vec()).await;
            second.finish().await;
            fixture.hub.close().await;
            let expected = if colour {
                "\x1b[0;36mapi:0     |\x1b[0m one\n\
                 \x1b[0;36mapi:0     |\x1b[0m two\n\
                 \x1b[0;33mworker:10 |\x1b[0m three\n"
            } else {
                "api:0     | one\napi:0     | two\nworker:10 | three\n"
            };
            assert_eq!(rest(screen.out), expected);
        })
        .await;
    }
}

#[tokio::test]
async fn names_can_be_asked_for_before_the_second_worker() {
    within(async {
        let (screen, terminal) = screen(false);
        let fixture = Fixture::new(Some(terminal));
        fixture.hub.name_workers();
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Err));
        write_all(worker, b"x\n".to_vec()).await;
        reader.finish().await;
        fixture.hub.close().await;
        assert_eq!(rest(screen.err), "api:0 | x\n");
    })
    .await;
}

#[tokio::test]
async fn a_terminal_that_takes_nothing_is_given_up_and_the_files_have_everything() {
    within(async {
        let (screen, terminal) = screen(false);
        let fixture = Fixture::new(Some(terminal));
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let text = numbered(200_000);
        write_all(worker, text.clone().into_bytes()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        assert!(fixture.log("api-out-0.log") == text);
        let lost = fixture.hub.stats().terminal_lost_lines;
        assert!(lost > 0);
        assert_eq!(fixture.hub.stats().lost_lines, 0);

        // When somebody reads again, lines arrive again.
        let mut shown = BufReader::new(screen.out);
        let reading = std::thread::spawn(move || {
            let mut line = String::new();
            while line != "back\n" {
                line.clear();
                assert!(shown.read_line(&mut line).unwrap() > 0);
            }
        });
        fixture.hub.flush().await;
        let (reader, worker) = fixture.attach(source("api", 0, 2, Stream::Out));
        write_all(worker, b"\nback\n".to_vec()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        reading.join().unwrap();
        assert_eq!(fixture.hub.stats().terminal_lost_lines, lost);
    })
    .await;
}

#[tokio::test]
async fn our_own_words_stand_between_those_of_the_workers_and_never_block() {
    within(async {
        let (screen, terminal) = screen(false);
        let fixture = Fixture::new(Some(terminal));
        fixture.hub.say("rota: begins");
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Err));
        write_all(worker, b"one\n".to_vec()).await;
        reader.finish().await;
        fixture.hub.say("rota: ends");
        // More than the pipe and the queue can hold, and nobody reads.
        for _ in 0..100 {
            fixture.hub.say(&"x".repeat(10_000));
        }
        assert!(fixture.hub.stats().terminal_lost_lines > 0);
        let mut shown = BufReader::new(screen.err).lines();
        for expected in ["rota: begins", "one", "rota: ends"] {
            assert_eq!(shown.next().unwrap().unwrap(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_slow_terminal_loses_nothing() {
    within(async {
        let (screen, terminal) = screen(false);
        let fixture = Fixture::new(Some(terminal));
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let reading = std::thread::spawn(move || rest(screen.out));
        let text = numbered(200_000);
        write_all(worker, text.clone().into_bytes()).await;
        reader.finish().await;
        fixture.hub.close().await;
        assert!(reading.join().unwrap() == text);
        assert_eq!(fixture.hub.stats(), LogStats::default());
    })
    .await;
}

#[tokio::test]
async fn a_closed_terminal_stops_nothing() {
    within(async {
        let (screen, terminal) = screen(false);
        drop(screen);
        let fixture = Fixture::new(Some(terminal));
        let (reader, worker) = fixture.attach(source("api", 0, 1, Stream::Out));
        let text = numbered(100_000);
        write_all(worker, text.clone().into_bytes()).await;
        reader.finish().await;
        fixture.hub.flush().await;
        assert!(fixture.log("api-out-0.log") == text);
        assert_eq!(fixture.hub.stats().terminal_lost_lines, 100_000);
    })
    .await;
}
