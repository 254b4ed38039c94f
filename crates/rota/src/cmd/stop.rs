//! `rota stop`.

use rota_api::Verb;

use super::operation;
use crate::args::StopArgs;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(context: &Context, args: StopArgs) -> Done {
    operation::plain(context, Verb::Stop, args)
}
