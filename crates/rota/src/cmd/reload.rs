//! `rota reload`.

use rota_api::Verb;

use super::{file, operation};
use crate::args::ReloadArgs;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(context: &Context, args: ReloadArgs) -> Done {
    if let Some(path) = file::only(&args.targets)? {
        return file::renew(context, &path, Verb::Reload, &args);
    }
    let mut request = operation::request(Verb::Reload, args.targets, &args.wait);
    request.update = operation::update(&args.update)?;
    context.block_on(operation::command(context, &request, args.wait.json))
}
