//! `rota scale`.

use rota_api::{ExitCode, Verb};

use super::operation;
use crate::args::{ScaleArgs, ScaleValue};
use crate::context::Context;
use crate::failure::{Done, Failure};

pub(super) fn run(context: &Context, args: ScaleArgs) -> Done {
    let ScaleValue::To(instances) = args.instances else {
        let text = format!("{}: an app has at least one worker", args.target);
        let hint = format!(
            "`rota stop {}` stops it and keeps it in the list",
            args.target
        );
        return Err(Failure::new(ExitCode::Failed, text).hint(hint).into());
    };
    let mut request = operation::request(Verb::Scale, vec![args.target], &args.wait);
    request.instances = Some(instances);
    context.block_on(operation::command(context, &request, args.wait.json))
}
