//! `rota stop`.

use rota_api::Verb;

use super::{file, operation};
use crate::args::StopArgs;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(context: &Context, args: StopArgs) -> Done {
    if let Some(path) = file::only(&args.targets)? {
        return file::end(context, &path, Verb::Stop, &args.wait);
    }
    operation::plain(context, Verb::Stop, args)
}
