//! `rota reset`.

use rota_api::Verb;

use super::operation;
use crate::args::ResetArgs;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(context: &Context, args: ResetArgs) -> Done {
    operation::plain(context, Verb::Reset, args)
}
