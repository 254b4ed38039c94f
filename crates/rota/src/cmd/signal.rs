//! `rota signal`.

use rota_api::{ExitCode, SignalRequest};

use crate::args::SignalArgs;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(context: &Context, args: SignalArgs) -> Done {
    let request = SignalRequest {
        targets: args.targets,
        signal: args.signal.to_string(),
    };
    let sent = context.block_on(async { Ok(context.client().await?.signal(&request).await?) })?;
    let mut out = context.out();
    if args.json {
        out.pretty_json(&sent)?;
    } else if sent.pids.is_empty() {
        out.line(&format!(
            "{} was sent to nobody: no process runs",
            sent.signal
        ))?;
    } else {
        let pids: Vec<String> = sent.pids.iter().map(u32::to_string).collect();
        out.line(&format!("{} was sent to {}", sent.signal, pids.join(", ")))?;
    }
    out.flush()?;
    Ok(ExitCode::Ok)
}
