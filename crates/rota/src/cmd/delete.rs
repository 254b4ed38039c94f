//! `rota delete`.

use rota_api::Verb;

use super::operation;
use crate::args::DeleteArgs;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(context: &Context, args: DeleteArgs) -> Done {
    operation::plain(context, Verb::Delete, args)
}
