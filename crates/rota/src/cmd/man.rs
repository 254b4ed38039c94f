//! `rota man`.

use std::fs;

use clap::CommandFactory;
use rota_api::ExitCode;

use crate::args::{Cli, ManArgs};
use crate::context::Context;
use crate::failure::{Done, Failure};

/// Writes the pages of all verbs into a folder, or that of rota itself to standard output.
pub(super) fn run(context: &Context, args: &ManArgs) -> Done {
    let mut out = context.out();
    let command = Cli::command();
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| Failure::new(ExitCode::Failed, "cannot write").because(&error))?;
        out.bytes(&page)?;
        out.flush()?;
        return Ok(ExitCode::Ok);
    };
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| {
        let text = format!("cannot write into {}", folder.display());
        Failure::new(ExitCode::Failed, text).because(&error)
    })?;
    out.line(&format!(
        "the pages are in {0}: `man {0}/rota.1`",
        folder.display()
    ))?;
    out.flush()?;
    Ok(ExitCode::Ok)
}
