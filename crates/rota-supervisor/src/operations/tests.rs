use std::collections::{BTreeSet, HashMap};

use rota_api::{
    CommandResult, Drained, ErrorCode, OperationToken, Progress, ProgressKind, SignalResponse,
    Step, StreamEvent,
};
use rota_engine::{AppId, CommandId, Notice};

use super::*;
use crate::api::{self, Answer, AnswerBody, LineSender};
use crate::progress::RolloutPosition;

const HERE: AppId = AppId(1);
const THERE: AppId = AppId(2);

/// Who listens, and what it has heard.
struct Ear(Answer);

impl Ear {
    fn new() -> (Self, LineSender) {
        let (answer, lines) = api::stream();
        (Self(answer), lines)
    }

    fn heard(&mut self) -> Vec<StreamEvent> {
        let AnswerBody::Lines(lines) = self.0.body_mut() else {
            panic!("not a stream")
        };
        let lines = std::iter::from_fn(|| lines.try_recv().ok());
        lines
            .map(|line| serde_json::from_slice(&line).unwrap())
            .collect()
    }

    /// The texts of progress; the messages of results.
    fn texts(&mut self) -> Vec<String> {
        let text = |event| match event {
            StreamEvent::Progress(progress) => vec![progress.text],
            StreamEvent::Finished(finished) => {
                let results = finished.results.into_iter();
                results.map(|result| result.message).collect()
            }
        };
        self.heard().into_iter().flat_map(text).collect()
    }
}

fn named(listener: Option<LineSender>) -> (OperationToken, Caller) {
    let token = OperationToken::random();
    let caller = Caller {
        token: Some(token),
        listener,
    };
    (token, caller)
}

fn note(text: &str) -> Progress {
    Progress::of_app(ProgressKind::Note, "here", text)
}

fn settle(operations: &mut Operations, command: CommandId, message: &str) {
    let answered = operations.answered(command).unwrap();
    let result = CommandResult::done(answered.name.as_str(), message);
    operations.settle(&answered, result);
}

/// The next supervisor's operations, by way of the bytes that the keeper has.
fn reborn(operations: &Operations) -> Operations {
    let blob = serde_json::to_vec(&operations.save()).unwrap();
    let saved: SavedOperations = read(&blob).unwrap();
    let restored = Operations::restore(saved);
    assert_eq!(restored.save(), operations.save(), "nothing is lost");
    restored
}

fn one_drained() -> Drained {
    Drained {
        workers: 1,
        handed_over: 3,
        ..Drained::default()
    }
}

#[test]
fn reports_count_for_the_commands_of_their_app_since_its_rollout_began() {
    let mut operations = Operations::default();
    let (mut ear, lines) = Ear::new();
    let (_, caller) = named(Some(lines));
    let first = operations.begin("reload", caller);
    let commands = [HERE, THERE].map(|app| operations.add(first, app, "x"));
    operations.count_drained(HERE, &one_drained());
    operations.forget_drained(HERE);
    operations.count_drained(HERE, &one_drained());
    operations.count_drained(HERE, &one_drained());
    for command in commands {
        settle(&mut operations, command, "");
    }
    let Some(StreamEvent::Finished(finished)) = ear.heard().pop() else {
        panic!("it has not ended");
    };
    let counts = |sum: Drained| (sum.workers, sum.handed_over);
    let sums = finished.results.iter().map(|r| r.drained.map(counts));
    assert_eq!(sums.collect::<Vec<_>>(), [Some((2, 6)), None]);
}

#[test]
fn who_asks_again_hears_what_goes_on_and_the_result() {
    let mut operations = Operations::default();
    let (mut first, lines) = Ear::new();
    let (token, caller) = named(Some(lines));
    let reload = operations.begin("reload", caller);
    let commands = [HERE, THERE].map(|app| operations.add(reload, app, "x"));
    operations.tell(HERE, &note("one"));
    settle(&mut operations, commands[1], "there done");

    assert_eq!(operations.find(OperationToken::random()), None);
    assert_eq!(operations.find(token), Some(Found::Running(reload)));
    let mut position = RolloutPosition::default();
    let step = Notice::RolloutStep {
        step: 2,
        steps: 4,
        slot: 1,
    };
    position.describe("here", &step, |_| None);
    let (mut second, lines) = Ear::new();
    operations.join(reload, lines, &HashMap::from([(HERE, position)]));
    let heard = second.heard();
    assert_eq!(heard.len(), 1, "of what is under way only");
    let StreamEvent::Progress(progress) = &heard[0] else {
        panic!("{heard:?}");
    };
    assert_eq!(progress.text, "the reload goes on");
    assert_eq!(progress.step, Some(Step { index: 2, of: 4 }));

    operations.tell(HERE, &note("two"));
    settle(&mut operations, commands[0], "here done");
    assert_eq!(first.texts(), ["one", "two", "there done", "here done"]);
    assert_eq!(second.texts(), ["two", "there done", "here done"]);
    let Some(Found::Finished(Outcome::Results(results))) = operations.find(token) else {
        panic!("it is forgotten");
    };
    assert_eq!(results.len(), 2);
}

#[test]
fn listeners_that_have_gone_are_no_reason_to_stop() {
    let mut operations = Operations::default();
    let (gone, lines) = Ear::new();
    let (token, caller) = named(Some(lines));
    let stop = operations.begin("stop", caller);
    let command = operations.add(stop, HERE, "here");
    drop(gone);
    operations.tell(HERE, &note("one"));
    assert_eq!(operations.names(stop), ["here"]);
    settle(&mut operations, command, "done");
    assert!(matches!(operations.find(token), Some(Found::Finished(_))));
}

#[test]
fn who_does_not_read_is_dropped_and_others_hear_all() {
    let mut operations = Operations::default();
    let (mut stalled, lines) = Ear::new();
    let (token, caller) = named(Some(lines));
    let operation = operations.begin("reload", caller);
    let command = operations.add(operation, HERE, "here");
    let (mut good, lines) = Ear::new();
    operations.join(operation, lines, &HashMap::new());
    let mut heard = good.texts().len();
    for number in 0..10_000 {
        operations.tell(HERE, &note(&number.to_string()));
        heard += good.texts().len();
    }
    settle(&mut operations, command, "reloaded");
    assert_eq!(heard, 10_001);
    assert_eq!(good.texts(), ["reloaded"]);
    // It may ask again: the end of its stream came before any result.
    let texts = stalled.texts();
    assert!(texts.len() < 2000 && !texts.contains(&"reloaded".to_owned()));
    assert!(matches!(
        operations.find(token),
        Some(Found::Finished(Outcome::Results(_)))
    ));
}

#[test]
fn without_a_name_nothing_is_remembered() {
    let mut operations = Operations::default();
    let stop = operations.begin("stop", Caller::default());
    let command = operations.add(stop, HERE, "here");
    settle(&mut operations, command, "done");
    let saved = serde_json::to_value(operations.save()).unwrap();
    for part in ["operations", "commands", "finished"] {
        assert_eq!(saved[part], serde_json::json!([]), "{part}");
    }
}

#[test]
fn the_next_supervisor_goes_on_where_this_one_died() {
    let mut operations = Operations::default();
    let (token, caller) = named(None);
    let reload = operations.begin("reload", caller);
    let commands = [HERE, THERE].map(|app| operations.add(reload, app, "x"));
    operations.count_drained(HERE, &one_drained());
    settle(&mut operations, commands[1], "there done");
    let (signal, _) = named(None);
    let sent = SignalResponse {
        signal: "SIGUSR2".into(),
        pids: vec![4711],
    };
    operations.remember(signal, Outcome::Signalled(sent.clone()));

    let mut operations = reborn(&operations);
    assert!(!operations.take_changed());
    assert!(
        operations
            .abandon_missing(&BTreeSet::from([commands[0]]))
            .is_empty()
    );
    assert!(!operations.take_changed(), "nothing had to be settled");
    assert_eq!(
        operations.find(signal),
        Some(Found::Finished(Outcome::Signalled(sent)))
    );
    let (mut ear, lines) = Ear::new();
    assert_eq!(operations.find(token), Some(Found::Running(reload)));
    operations.join(reload, lines, &HashMap::new());
    let next = operations.begin("stop", Caller::default());
    assert!(next > reload && operations.add(next, HERE, "here") > commands[1]);
    operations.count_drained(HERE, &one_drained());
    settle(&mut operations, commands[0], "here done");
    let mut heard = ear.heard();
    let Some(StreamEvent::Finished(finished)) = heard.pop() else {
        panic!("it has not ended");
    };
    let drained = finished.results[1].drained.unwrap();
    assert_eq!((drained.workers, drained.handed_over), (2, 6));
    let Some(StreamEvent::Progress(first)) = heard.pop() else {
        panic!("nothing was told");
    };
    assert_eq!(
        first.text,
        "the supervisor was restarted, the reload goes on"
    );
}

#[test]
fn what_the_engine_does_not_know_is_ended() {
    let mut operations = Operations::default();
    let (token, caller) = named(None);
    let reload = operations.begin("reload", caller);
    let [lost, answered, known] =
        [HERE, THERE, AppId(3)].map(|app| operations.add(reload, app, "x"));
    // Its last words were still awaited.
    let answer = operations.answered(answered).unwrap();
    assert!(operations.answered(answered).is_none(), "answered once");
    operations.foresee(&answer, CommandResult::done("x", "2 workers started"));
    let (empty, caller) = named(None);
    operations.begin("start", caller);

    let mut operations = reborn(&operations);
    let settled = operations.abandon_missing(&BTreeSet::from([known]));
    assert_eq!(settled.len(), 2);
    assert_eq!(settled[0].code, Some(ErrorCode::Interrupted));
    assert!(settled[0].message.contains("the supervisor died"));
    assert_eq!(settled[1].message, "2 workers started");
    assert!(operations.take_changed());
    assert!(operations.answered(lost).is_none(), "a late answer");
    assert_eq!(operations.find(token), Some(Found::Running(reload)));
    let nothing = Found::Finished(Outcome::Results(Vec::new()));
    assert_eq!(operations.find(empty), Some(nothing));
    settle(&mut operations, known, "done");
    let Some(Found::Finished(Outcome::Results(results))) = operations.find(token) else {
        panic!("it has not ended");
    };
    assert_eq!(results.len(), 3);
}

#[test]
fn only_what_is_saved_counts_as_a_change() {
    let mut operations = Operations::default();
    assert!(!operations.take_changed());
    let (_ear, lines) = Ear::new();
    let reload = operations.begin("reload", Caller::default());
    assert!(operations.take_changed() && !operations.take_changed());
    let command = operations.add(reload, HERE, "here");
    assert!(operations.take_changed());
    operations.tell(HERE, &note("one"));
    operations.join(reload, lines, &HashMap::new());
    operations.forget_drained(HERE);
    operations.count_drained(THERE, &one_drained());
    assert!(!operations.take_changed(), "nothing of this is saved");
    operations.count_drained(HERE, &one_drained());
    assert!(operations.take_changed());
    operations.forget_drained(HERE);
    assert!(operations.take_changed());
    settle(&mut operations, command, "done");
    assert!(operations.take_changed());
}

#[test]
fn what_a_later_version_wrote_is_told_as_such() {
    let error = read(br#"{"version":2,"other":[]}"#).unwrap_err();
    assert!(error.contains("later version"), "{error}");
    assert!(read(br#"{"version":1}"#).unwrap_err().contains("missing"));
}
