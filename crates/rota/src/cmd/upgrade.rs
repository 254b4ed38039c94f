//! `rota upgrade`.

use std::path::{Path, PathBuf};

use rota_api::UpgradeRequest;

use super::operation;
use crate::args::UpgradeArgs;
use crate::context::Context;
use crate::failure::{Done, Failure, Stop};

pub(crate) fn run(context: &Context, args: &UpgradeArgs) -> Done {
    let program = program(args.program.as_deref())?;
    let request = UpgradeRequest { program };
    context.block_on(async {
        let client = context.client().await?;
        let events = client.upgrade(&request).await?;
        operation::tell(context, events, args.json).await
    })
}

/// The absolute path of the new program.
fn program(given: Option<&Path>) -> Result<String, Stop> {
    let found: Result<PathBuf, _> = match given {
        Some(path) => path.canonicalize(),
        None => std::env::current_exe(),
    };
    let named = given.map_or_else(
        || "this program".to_owned(),
        |path| path.display().to_string(),
    );
    let path =
        found.map_err(|error| Failure::usage(format!("{named} cannot be found: {error}")))?;
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Failure::usage(format!("{named} has a path that is not UTF-8")).into()),
    }
}
