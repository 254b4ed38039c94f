//! The client against servers that misbehave on purpose.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::{ClientKind, FailureKind, Load, Phase, Report, WorkerFrom};

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A server that handles each connection on a thread; the handler gets the connection and its number.
fn serve(handler: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Arc::new(handler);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let handler = Arc::clone(&handler);
            std::thread::spawn(move || handler(stream.unwrap(), number));
        }
    });
    address
}

/// Reads one request; false at the end of the connection.
fn read_request(stream: &mut impl Read) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => seen.push(byte[0]),
            _ => return false,
        }
    }
    true
}

/// Answers with the given bytes once, then closes.
fn answer_once(bytes: &'static [u8]) -> SocketAddr {
    serve(move |mut stream, _| {
        if read_request(&mut stream) {
            stream.write_all(bytes).unwrap();
        }
    })
}

fn reset(stream: TcpStream) {
    set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

fn run(load: Load) -> Report {
    load.start().unwrap().finished_blocking()
}

/// Asserts that all requests failed in the same way, and returns the phase of the first.
fn all_failed(report: &Report, requests: u64, kind: FailureKind) -> Phase {
    assert_eq!(report.answered(), 0, "{report}");
    assert_eq!(
        report.failed_by_kind().get(&kind),
        Some(&requests),
        "{report}"
    );
    assert_eq!(report.failed(), requests, "{report}");
    assert_eq!(report.failures.len() as u64, requests);
    report.failures[0].phase
}

#[test]
fn keep_alive_clients_keep_their_connection_and_know_their_worker() {
    let address = serve(|mut stream, number| {
        while read_request(&mut stream) {
            let worker = number % 2;
            let answer =
                format!("HTTP/1.1 200 OK\r\nX-Worker: {worker}\r\nContent-Length: 2\r\n\r\nhi");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let report = run(Load::new(address).keep_alive(4).requests(400));
    assert_eq!(
        (report.answered(), report.failed(), report.connections()),
        (400, 0, 4),
        "{report}"
    );
    let share = report.connection_share().unwrap();
    assert_eq!((share.workers, share.most, share.least), (2, 2, 2));
    assert_eq!(
        report
            .workers
            .values()
            .map(|worker| worker.requests)
            .sum::<u64>(),
        400
    );
    assert_eq!(report.kinds[&ClientKind::KeepAlive].latency.count(), 400);
}

#[test]
fn one_shot_clients_connect_for_every_request() {
    let address =
        answer_once(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n77\n");
    let load = Load::new(address)
        .one_shot(3)
        .worker_from(WorkerFrom::Body)
        .requests(60);
    let report = run(load);
    assert_eq!(
        (report.answered(), report.failed(), report.connections()),
        (60, 0, 60),
        "{report}"
    );
    assert_eq!(report.workers["77"].connections, 60);
    assert_eq!(report.closed_idle(), 0);
}

#[test]
fn closing_without_an_answer_is_told_from_closing_in_its_middle() {
    let before = serve(|mut stream, _| {
        read_request(&mut stream);
    });
    let report = run(Load::new(before).keep_alive(1).requests(5));
    assert_eq!(
        all_failed(&report, 5, FailureKind::ClosedBeforeResponse),
        Phase::Await
    );
    assert_eq!(report.failures[0].status, None);

    let middle = answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf");
    let report = run(Load::new(middle).keep_alive(1).requests(5));
    assert_eq!(
        all_failed(&report, 5, FailureKind::ClosedMidResponse),
        Phase::Response
    );
    assert_eq!(report.failures[0].status, Some(200));

    let in_chunk =
        answer_once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let report = run(Load::new(in_chunk).one_shot(1).requests(5));
    all_failed(&report, 5, FailureKind::ClosedMidResponse);
}

#[test]
fn resets_are_told_before_and_within_the_answer() {
    let before = serve(|mut stream, _| {
        read_request(&mut stream);
        reset(stream);
    });
    let report = run(Load::new(before).one_shot(1).requests(5));
    assert_eq!(all_failed(&report, 5, FailureKind::Reset), Phase::Await);

    let answered = Arc::new(Mutex::new(()));
    let within = serve(move |mut stream, _| {
        let _one_at_a_time = answered.lock().unwrap();
        read_request(&mut stream);
        stream.write_all(&GOOD[..20]).unwrap();
        reset(stream);
    });
    // The reset may overtake the bytes that came before it: both phases are true.
    all_failed(
        &run(Load::new(within).one_shot(1).requests(5)),
        5,
        FailureKind::Reset,
    );
}

#[test]
fn refused_and_missing_servers() {
    let unheard = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    rustix::net::bind(&unheard, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = SocketAddr::try_from(rustix::net::getsockname(&unheard).unwrap()).unwrap();
    let report = run(Load::new(address).one_shot(2).requests(4));
    assert_eq!(
        all_failed(&report, 4, FailureKind::ConnectRefused),
        Phase::Connect
    );
    assert_eq!(report.connections(), 0);

    let folder = tempfile::tempdir().unwrap();
    let report = run(Load::new(folder.path().join("no.sock"))
        .keep_alive(1)
        .requests(2));
    assert_eq!(
        all_failed(&report, 2, FailureKind::ConnectFailed),
        Phase::Connect
    );
}

#[test]
fn bad_status_and_nonsense() {
    let unavailable = serve(|mut stream, _| {
        while read_request(&mut stream) {
            stream
                .write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        }
    });
    let report = run(Load::new(unavailable).keep_alive(1).requests(5));
    all_failed(&report, 5, FailureKind::BadStatus);
    assert_eq!(
        (report.failures[4].status, report.connections()),
        (Some(503), 1)
    );

    let report = run(Load::new(answer_once(b"220 mail ready\r\n\r\n"))
        .keep_alive(1)
        .requests(3));
    all_failed(&report, 3, FailureKind::Malformed);
}

#[test]
fn a_silent_server_times_out() {
    let silent = serve(|mut stream, _| while read_request(&mut stream) {});
    let load = Load::new(silent)
        .keep_alive(1)
        .timeout(Duration::from_millis(30))
        .requests(2);
    assert_eq!(
        all_failed(&run(load), 2, FailureKind::Timeout),
        Phase::Await
    );
}

#[test]
fn an_idle_connection_may_be_closed_but_a_request_on_it_counts() {
    // Answers one request, then closes without having said so.
    let report = run(Load::new(answer_once(GOOD)).idle(2, 150..160).requests(10));
    assert_eq!((report.answered(), report.failed()), (10, 0), "{report}");
    // The last connections end with the load, before or after the server closed them.
    assert!((8..=10).contains(&report.closed_idle()), "{report}");

    // Takes the second request and closes instead of answering it: what a real client would see.
    let racing = serve(|mut stream, _| {
        read_request(&mut stream);
        stream.write_all(GOOD).unwrap();
        read_request(&mut stream);
    });
    let report = run(Load::new(racing).idle(1, 1..2).requests(10));
    assert_eq!((report.answered(), report.failed()), (5, 5), "{report}");
    assert!(
        report
            .failures
            .iter()
            .all(|failure| failure.answered_before == 1)
    );
    assert!(report.failures[0].connection_age > Duration::ZERO);
}

#[test]
fn connection_close_is_no_failure() {
    let address =
        answer_once(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
    let report = run(Load::new(address).keep_alive(2).requests(20));
    assert_eq!(
        (report.answered(), report.failed(), report.connections()),
        (20, 0, 20),
        "{report}"
    );
    assert_eq!(report.kinds[&ClientKind::KeepAlive].closed_politely, 20);
}

#[test]
fn unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                while read_request(&mut stream) {
                    stream.write_all(GOOD).unwrap();
                }
            });
        }
    });
    let report = run(Load::new(path).keep_alive(3).requests(30));
    assert_eq!(
        (report.answered(), report.failed(), report.connections()),
        (30, 0, 3),
        "{report}"
    );
}

#[test]
fn stopping_lets_running_requests_end() {
    let (told, begun) = std::sync::mpsc::channel();
    let told = Mutex::new(told);
    let slow = serve(move |mut stream, _| {
        while read_request(&mut stream) {
            told.lock().unwrap().send(()).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            stream.write_all(GOOD).unwrap();
        }
    });
    let running = Load::new(slow).slow(2, "/slow").start().unwrap();
    begun.recv().unwrap();
    begun.recv().unwrap();
    let report = running.stop_blocking();
    assert_eq!((report.answered(), report.failed()), (2, 0), "{report}");
    assert_eq!(report.kinds[&ClientKind::Slow].answered, 2);
}

#[tokio::test]
async fn the_async_handle_shows_progress() {
    let address = serve(|mut stream, _| {
        while read_request(&mut stream) {
            stream.write_all(GOOD).unwrap();
        }
    });
    let running = Load::new(address)
        .keep_alive(2)
        .one_shot(2)
        .start()
        .unwrap();
    running.until_answered(50).await;
    assert_eq!(running.failed(), 0);
    let report = running.stop().await;
    assert!(report.answered() >= 50 && report.failed() == 0, "{report}");
}

#[test]
fn clients_connect_from_the_given_addresses() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let peers = Arc::clone(&seen);
    let address = serve(move |mut stream, _| {
        peers.lock().unwrap().push(stream.peer_addr().unwrap().ip());
        while read_request(&mut stream) {
            stream.write_all(GOOD).unwrap();
        }
    });
    let sources: Vec<IpAddr> = (1..=4)
        .map(|last| IpAddr::from([127, 0, 7, last]))
        .collect();
    run(Load::new(address)
        .keep_alive(4)
        .sources(sources.clone())
        .requests(40));
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, sources);
}

#[test]
fn what_happens_under_a_mark_is_told_apart() {
    let address = serve(|mut stream, _| {
        let mut answers = 0;
        while read_request(&mut stream) {
            stream.write_all(GOOD).unwrap();
            answers += 1;
            if answers == 50 {
                return;
            }
        }
    });
    let running = Load::new(address).keep_alive(2).start().unwrap();
    assert!(running.until_answered_blocking(500, Duration::from_secs(60)));
    running.mark(true);
    running.mark(true);
    let before = running.answered();
    assert!(running.until_answered_blocking(before + 500, Duration::from_secs(60)));
    running.mark(false);
    let before = running.answered();
    assert!(running.until_answered_blocking(before + 500, Duration::from_secs(60)));
    let report = running.stop_blocking();
    let kind = &report.kinds[&ClientKind::KeepAlive];
    assert!(kind.marked.answered >= 490 && kind.unmarked.answered >= 990);
    assert_eq!(kind.answered, kind.marked.answered + kind.unmarked.answered);
    assert_eq!(
        kind.latency.count(),
        kind.marked.latency.count() + kind.unmarked.latency.count()
    );
    assert_eq!(
        kind.closed_idle,
        kind.marked.closed_idle + kind.unmarked.closed_idle
    );
    let marked = report
        .failures
        .iter()
        .filter(|failure| failure.marked)
        .count() as u64;
    assert_eq!(kind.marked.failed, marked);
}

#[test]
fn other_codes_may_be_good_and_requests_name_host_and_sender() {
    let seen = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&seen);
    let address = serve(move |mut stream, _| {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).unwrap();
        heard
            .lock()
            .unwrap()
            .push_str(&String::from_utf8_lossy(&buffer[..count]));
        stream
            .write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    let load = Load::new(address).keep_alive(1).requests(1);
    let report = run(load
        .good_status(200..500)
        .host("example.com")
        .user_agent("me/1"));
    assert_eq!((report.answered(), report.failed()), (1, 0), "{report}");
    let seen = seen.lock().unwrap();
    assert!(
        seen.contains("\r\nHost: example.com\r\nUser-Agent: me/1\r\n"),
        "{seen}"
    );
}

#[test]
fn the_longest_gap_is_that_between_first_answers() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    // The third connection is answered when the test says so.
    let address = serve(move |mut stream, number| {
        if read_request(&mut stream) {
            if number == 2 {
                wait.lock().unwrap().recv().unwrap();
            }
            stream.write_all(GOOD).unwrap();
        }
    });
    let load = Load::new(address).one_shot(1).requests(3).start().unwrap();
    assert!(load.until_answered_blocking(2, Duration::from_secs(30)));
    let _until_now = load.take_longest_gap();
    let pause = Duration::from_millis(50);
    std::thread::sleep(pause);
    assert!(load.take_longest_gap() >= pause, "a gap that lasts counts");
    go.send(()).unwrap();
    assert!(load.until_answered_blocking(3, Duration::from_secs(30)));
    assert!(load.take_longest_gap() >= pause, "so does one that is over");
    assert_eq!(load.finished_blocking().answered(), 3);
}
