//! `rota stack`.

use rota_api::{ExitCode, StackRequest, StackState, StackView};

use crate::args::StackArgs;
use crate::context::Context;
use crate::failure::Done;
use crate::output::{Ink, Paint, clean};

pub(super) fn run(context: &Context, args: StackArgs) -> Done {
    let request = StackRequest {
        targets: args.targets,
    };
    let seen = context.block_on(async { Ok(context.client().await?.stack(&request).await?) })?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&seen)?;
    } else if seen.workers.is_empty() {
        out.line("no process runs")?;
    } else {
        for worker in &seen.workers {
            for line in render(worker, out.paint) {
                out.line(&line)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}

fn render(worker: &StackView, paint: Paint) -> Vec<String> {
    let name = format!("{}:{}", worker.app, worker.slot);
    let name = paint.apply(Ink::Bold, &clean(&name));
    let pid = worker.pid.map(|pid| format!(" (pid {pid})"));
    let head = format!("{name}{}", pid.unwrap_or_default());
    match (worker.state, &worker.reason) {
        (StackState::Running, _) => {
            let frames = worker
                .stack
                .iter()
                .map(|frame| format!("    {}", clean(frame)));
            std::iter::once(head).chain(frames).collect()
        }
        (StackState::Idle, _) => vec![format!("{head} idle: no JavaScript is running")],
        (StackState::Unknown, Some(why)) => vec![format!("{head} not seen: {}", clean(why))],
        (StackState::Unknown, None) => vec![format!("{head} not seen")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_paragraph_for_each_worker() {
        let worker = |state, stack: &[&str], reason: Option<&str>| StackView {
            app: "api".to_owned(),
            slot: 1,
            worker: 3,
            pid: Some(4711),
            state,
            stack: stack.iter().map(|line| (*line).to_owned()).collect(),
            reason: reason.map(str::to_owned),
        };
        for (view, expected) in [
            (
                worker(StackState::Running, &["spin (/srv/app.js:3:5)"], None),
                vec!["api:1 (pid 4711)", "    spin (/srv/app.js:3:5)"],
            ),
            (
                worker(StackState::Idle, &[], None),
                vec!["api:1 (pid 4711) idle: no JavaScript is running"],
            ),
            (
                worker(StackState::Unknown, &[], Some("it has ended")),
                vec!["api:1 (pid 4711) not seen: it has ended"],
            ),
        ] {
            assert_eq!(render(&view, Paint::PLAIN), expected);
        }
    }
}
