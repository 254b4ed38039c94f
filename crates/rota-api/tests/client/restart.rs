//! Supervisors that die at chosen moments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rota_api::client::{Client, ClientError, Events};
use rota_api::{
    ExitCode, LogsQuery, OperationToken, ProfileKind, ProfileRequest, ShutdownRequest,
    SignalRequest, StackRequest, StreamEvent,
};

use super::reload;
use super::support::{Act, cut_off, lines, response, with_script};

const STARTING: &str =
    r#"{"type":"progress","kind":"starting","app":"api","text":"starting worker 0"}"#;
const READY: &str = r#"{"type":"progress","kind":"ready","app":"api","text":"worker 0 is ready"}"#;
const FINISHED: &str =
    r#"{"type":"finished","results":[{"app":"api","ok":true,"message":"done"}]}"#;
const VERSION: &str = r#"{"version":"0.1.0","supervisor_pid":2,"keeper_pid":1,"started_at":0,"home":"/h","foreground":false}"#;
const TWO_LINES: [&str; 2] = [
    r#"{"app":"api","slot":0,"worker":1,"stream":"out","time":1,"text":"one"}"#,
    r#"{"app":"api","slot":0,"worker":1,"stream":"out","time":2,"text":"two"}"#,
];

/// The texts of all events; the last is the message of the result.
async fn told(mut events: Events) -> Result<Vec<String>, ClientError> {
    let mut told = Vec::new();
    while let Some(event) = events.next().await? {
        told.push(match event {
            StreamEvent::Progress(progress) => progress.text,
            StreamEvent::Finished(finished) => finished.results[0].message.clone(),
        });
    }
    Ok(told)
}

/// A client, and how often it has said that it asks again.
fn counting(client: Client) -> (Client, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let client = client.on_restart(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (client, count)
}

/// All requests must be the same, token included.
fn assert_same(requests: &[String], count: usize) {
    assert_eq!(requests.len(), count);
    let token = requests[0]
        .lines()
        .find_map(|line| line.strip_prefix("rota-operation: "));
    token.unwrap().parse::<OperationToken>().unwrap();
    assert!(requests.iter().all(|request| *request == requests[0]));
}

#[test]
fn an_operation_outlives_supervisors_wherever_they_die() {
    for deaths in [
        vec![Act::answer("")],
        vec![Act::answer("HTTP/1.1 200 OK\r\ntransfer-enc")],
        vec![Act::answer(cut_off(&[STARTING]))],
        vec![Act::answer(cut_off(&[STARTING]) + "40\r\n{\"type\"")],
        // A stream that ends without a result has not come to its end either.
        vec![Act::answer(lines(&[STARTING]))],
        vec![Act::answer(""), Act::Refuse],
        vec![
            Act::answer(cut_off(&[STARTING])),
            Act::Refuse,
            Act::answer(""),
            Act::answer(""),
        ],
    ] {
        let answered = |act: &&Act| matches!(act, Act::Answer(_));
        let count = deaths.iter().filter(answered).count();
        let mut script = deaths;
        script.push(Act::answer(lines(&[READY, FINISHED])));
        let requests = with_script(script, |client| async move {
            let (client, restarts) = counting(client);
            let told = told(client.command(&reload()).await.unwrap())
                .await
                .unwrap();
            assert!(told.ends_with(&["worker 0 is ready".into(), "done".into()]));
            assert_eq!(restarts.load(Ordering::Relaxed), 1, "said once");
        });
        assert_same(&requests, count + 1);
    }
}

#[test]
fn two_operations_have_two_names() {
    let mut names = Vec::new();
    for _ in 0..2 {
        let script = vec![Act::answer(lines(&[FINISHED]))];
        let requests = with_script(script, |client| async move {
            told(client.command(&reload()).await.unwrap())
                .await
                .unwrap();
        });
        names.extend(requests);
    }
    assert_ne!(names[0], names[1]);
}

#[test]
fn a_signal_is_sent_again_under_its_name() {
    let script = vec![
        Act::answer(""),
        Act::answer(response("200 OK", r#"{"signal":"SIGUSR2","pids":[4711]}"#)),
    ];
    let requests = with_script(script, |mut client| async move {
        let request = SignalRequest {
            targets: vec!["api".into()],
            signal: "usr2".into(),
        };
        assert_eq!(client.signal(&request).await.unwrap().pids, [4711]);
    });
    assert_same(&requests, 2);
}

#[test]
fn what_only_reads_is_asked_again() {
    let half = response("200 OK", VERSION);
    let script = vec![
        Act::answer(""),
        Act::answer(&half.as_bytes()[..half.len() - 10]),
        Act::answer(half),
    ];
    let requests = with_script(script, |mut client| async move {
        let version = client.version().await.unwrap();
        assert_eq!((version.supervisor_pid, version.keeper_version), (2, None));
    });
    assert_eq!(requests.len(), 3);
    assert!(!requests[0].contains(OperationToken::HEADER));
}

#[test]
fn a_refusal_after_a_death_is_the_answer() {
    let body = r#"{"error":{"code":"no_such_target","message":"no app `api`"}}"#;
    let script = vec![
        Act::answer(cut_off(&[STARTING])),
        Act::answer(response("404 Not Found", body)),
    ];
    with_script(script, |client| async move {
        let error = told(client.command(&reload()).await.unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::NoSuchTarget);
    });
}

#[test]
fn a_request_that_kills_every_supervisor_is_given_up() {
    let script = (0..11).map(|_| Act::answer("")).collect();
    let requests = with_script(script, |mut client| async move {
        let error = client.version().await.unwrap_err();
        assert!(matches!(error, ClientError::Ended), "{error:?}");
    });
    assert_eq!(requests.len(), 11);
}

#[test]
fn a_daemon_that_has_ended_in_order_is_not_waited_for() {
    for last in ["".to_owned(), cut_off(&[STARTING])] {
        let script = vec![Act::answer(last)];
        let requests = with_script(script, |client| async move {
            let result = match client.command(&reload()).await {
                Ok(events) => told(events).await,
                Err(error) => Err(error),
            };
            let error = result.unwrap_err();
            assert!(matches!(error, ClientError::Ended), "{error:?}");
            assert!(error.hint().unwrap().contains("daemon.log"));
        });
        assert_eq!(requests.len(), 1);
    }
}

#[test]
fn a_shutdown_is_over_when_nobody_listens() {
    let script = vec![
        Act::answer(cut_off(&[STARTING])),
        Act::answer(""),
        Act::Refuse,
        Act::End,
    ];
    let requests = with_script(script, |client| async move {
        let events = client.shutdown(&ShutdownRequest::default()).await.unwrap();
        let error = told(events).await.unwrap_err();
        assert!(matches!(error, ClientError::Ended), "{error:?}");
    });
    assert_same(&requests, 2);
}

#[test]
fn following_goes_on_after_a_death_and_says_so() {
    let script = vec![
        Act::answer(cut_off(&TWO_LINES[..1])),
        Act::answer(""),
        Act::answer(lines(&TWO_LINES[1..])),
    ];
    let requests = with_script(script, |client| async move {
        let query = LogsQuery {
            follow: true,
            ..LogsQuery::default()
        };
        let mut log = client.logs(&query).await.unwrap();
        let mut seen = Vec::new();
        while let Some(line) = log.next().await.unwrap() {
            seen.push((line.app, line.text));
        }
        assert_eq!(seen[0].1, "one");
        assert!(seen[1].0.is_empty() && seen[1].1.contains("was restarted"));
        assert_eq!(seen[2].1, "two");
        assert_eq!(seen.len(), 3);
    });
    assert!(requests[0].contains("lines=15"), "{}", requests[0]);
    assert!(requests[2].contains("lines=0"), "{}", requests[2]);
}

#[test]
fn what_cannot_be_resumed_says_that_it_can_be_tried_again() {
    let stack = StackRequest {
        targets: vec!["api".into()],
    };
    let profile = ProfileRequest {
        target: "api".into(),
        kind: ProfileKind::Heap,
        duration_ms: 0,
    };
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\
                rota-profile: {\"app\":\"api\",\"slot\":0,\"pid\":1,\"of\":1}\r\n\r\nhalf";
    let script = |death: &str| vec![Act::answer(death), Act::answer(response("200 OK", VERSION))];
    let check = |error: ClientError| {
        assert!(matches!(error, ClientError::Restarted), "{error:?}");
        assert!(error.to_string().contains("try again"));
        assert_eq!(error.exit_code(), ExitCode::Failed);
    };
    let requests = with_script(script(""), |mut client| async move {
        check(client.stack(&stack).await.unwrap_err());
        client.version().await.unwrap();
    });
    assert!(requests[1].starts_with("GET /v1/version"), "not sent twice");
    for death in ["", half] {
        let profile = profile.clone();
        with_script(script(death), |mut client| async move {
            check(match client.profile(&profile).await {
                Err(error) => error,
                Ok((_, mut download)) => {
                    assert_eq!(download.next().await.unwrap().unwrap(), "half");
                    download.next().await.unwrap_err()
                }
            });
            client.version().await.unwrap();
        });
    }
}
