//! `rota delete`.

use rota_api::Verb;

use super::{file, operation};
use crate::args::DeleteArgs;
use crate::context::Context;
use crate::failure::Done;

pub(super) fn run(context: &Context, args: DeleteArgs) -> Done {
    if let Some(path) = file::only(&args.targets)? {
        return file::end(context, &path, Verb::Delete, &args.wait);
    }
    operation::plain(context, Verb::Delete, args)
}
