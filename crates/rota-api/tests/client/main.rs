//! The client against servers that behave, and against such that do not.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod restart;
mod support;

use std::path::Path;

use rota_api::client::{Client, ClientError};
use rota_api::{CommandRequest, ErrorCode, ExitCode, LogsQuery, StreamEvent, Verb};
use tempfile::TempDir;

use support::{block_on, response, with_server};

fn reload() -> CommandRequest<()> {
    CommandRequest {
        verb: Verb::Reload,
        targets: vec!["api".into()],
        instances: None,
        wait: true,
        update: None,
    }
}

#[test]
fn apps_are_read() {
    let request = with_server(
        response("200 OK", r#"{"apps":[]}"#),
        |mut client| async move {
            let list = client.apps(&["a b".into()]).await.unwrap();
            assert!(list.apps.is_empty());
        },
    );
    assert!(
        request.starts_with("GET /v1/apps?target=a%20b HTTP/1.1\r\n"),
        "{request}"
    );
}

#[test]
fn events_are_read_in_pieces_until_the_last() {
    let body = concat!(
        r#"{"type":"progress","kind":"starting","app":"api","text":"starting"}"#,
        "\n",
        r#"{"type":"finished","results":[{"app":"api","ok":true,"message":"done"}]}"#,
        "\n"
    );
    let mut answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for piece in body.as_bytes().chunks(7) {
        let piece = std::str::from_utf8(piece).unwrap();
        answer.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    answer.push_str("0\r\n\r\n");
    let request = with_server(answer, |client| async move {
        let mut events = client.command(&reload()).await.unwrap();
        let first = events.next().await.unwrap().unwrap();
        assert!(matches!(first, StreamEvent::Progress(_)));
        let last = events.next().await.unwrap().unwrap();
        assert!(matches!(last, StreamEvent::Finished(finished) if finished.results[0].ok));
        assert!(events.next().await.unwrap().is_none());
    });
    assert!(
        request.starts_with("POST /v1/command HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.ends_with(r#"{"verb":"reload","targets":["api"],"wait":true}"#),
        "{request}"
    );
}

#[test]
fn a_refusal_keeps_its_code_and_hint() {
    let body = r#"{"error":{"code":"no_such_target","message":"no app `x`","hint":"look"}}"#;
    with_server(response("404 Not Found", body), |mut client| async move {
        let error = client.apps(&["x".into()]).await.unwrap_err();
        assert_eq!(error.to_string(), "no app `x`");
        assert_eq!(error.hint().as_deref(), Some("look"));
        assert_eq!(error.exit_code(), ExitCode::NoSuchTarget);
        assert!(matches!(error, ClientError::Api(api) if api.code == ErrorCode::NoSuchTarget));
    });
}

#[test]
fn answers_that_make_no_sense_are_told_as_such() {
    for answer in [
        response("500 Internal Server Error", "<html>"),
        response("200 OK", "{]"),
        response("200 OK", r#"{"version":1}"#),
    ] {
        with_server(answer, |mut client| async move {
            let error = client.version().await.unwrap_err();
            assert!(matches!(error, ClientError::Protocol(_)), "{error:?}");
            assert!(error.hint().unwrap().contains("version"));
        });
    }
}

#[test]
fn a_daemon_that_dies_is_noticed() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"version\":",
    ] {
        with_server(answer, |mut client| async move {
            let error = client.version().await.unwrap_err();
            assert!(matches!(error, ClientError::Ended), "{answer:?}: {error:?}");
        });
    }
    let cut = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"app";
    with_server(cut, |client| async move {
        let mut lines = client.logs(&LogsQuery::default()).await.unwrap();
        let error = lines.next().await.unwrap_err();
        assert!(matches!(error, ClientError::Ended), "{error:?}");
    });
}

#[test]
fn who_is_not_there_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let connect = |home: &Path| block_on(Client::connect(home)).unwrap_err();
    let error = connect(folder.path());
    assert!(matches!(error, ClientError::NotRunning { .. }) && error.is_absent());
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("rota.sock")).unwrap());
    let error = connect(folder.path());
    assert!(matches!(error, ClientError::Stale { .. }) && error.is_absent());
    assert_eq!(error.exit_code(), ExitCode::NoDaemon);
    let error = connect(&folder.path().join("x".repeat(120)));
    assert!(matches!(error, ClientError::PathTooLong { .. }) && !error.is_absent());
}
