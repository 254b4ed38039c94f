//! `rota export`: rota.toml from what runs.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rota_api::{ExitCode, ExportRequest, ExportView};
use rota_config::AppSpec;
use rota_config::file::{Export, Form, Origins, export};

use super::specs;
use crate::args::ExportArgs;
use crate::context::{Context, remark};
use crate::failure::{Done, Failure, Stop};

pub(super) fn run(context: &Context, args: &ExportArgs) -> Done {
    let targets = match args.targets.is_empty() {
        true => vec!["all".to_owned()],
        false => args.targets.clone(),
    };
    let reveal = args.reveal;
    let request = ExportRequest { targets, reveal };
    let answer = context.block_on(async { Ok(context.client().await?.export(&request).await?) })?;
    let apps: Vec<Export> = answer.apps.into_iter().map(app).collect();
    if apps.is_empty() {
        return Err(
            Failure::new(ExitCode::NoSuchTarget, "there is no app to export")
                .hint("`rota start app.js` starts one")
                .into(),
        );
    }
    let target = match &args.output {
        Some(path) => specs::absolute(path)?,
        None => specs::absolute(Path::new("rota.toml"))?,
    };
    let form = Form {
        folder: target.parent().unwrap_or(Path::new("/")),
        all_env: args.all_env,
    };
    let text = export(&apps, form);
    let mut out = context.out();
    match &args.output {
        None => out.bytes(text.as_bytes())?,
        Some(path) => {
            write(path, &text, args)?;
            let names: Vec<&str> = apps.iter().map(|app| app.spec.name.as_str()).collect();
            out.line(&format!("wrote {}: {}", path.display(), names.join(", ")))?;
        }
    }
    out.flush()?;
    let kept = apps
        .iter()
        .any(|app| !app.hidden.is_empty() || !app.masked.is_empty());
    if kept {
        remark("note: what looks like a secret is named and not written; --reveal writes it");
    }
    Ok(ExitCode::Ok)
}

fn app(view: ExportView<AppSpec, Origins>) -> Export {
    Export {
        spec: view.spec,
        origins: view.origins,
        hidden: view.hidden.into_iter().collect(),
        masked: view.masked.into_iter().collect(),
    }
}

/// Only its owner may read a file with secrets.
fn write(path: &Path, text: &str, args: &ExportArgs) -> Result<(), Stop> {
    let mut options = OpenOptions::new();
    options.write(true);
    if args.reveal {
        options.mode(0o600);
    }
    match args.force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let written = options.open(path).and_then(|mut file| {
        if args.reveal {
            // One that was there has the mode that it had.
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        file.write_all(text.as_bytes())
    });
    written.map_err(|error| {
        let name = path.display();
        let failure = Failure::new(ExitCode::Failed, format!("cannot write {name}"));
        match error.kind() {
            io::ErrorKind::AlreadyExists => failure
                .because(&error)
                .hint("--force overwrites it; without -o it is only shown")
                .into(),
            _ => failure.because(&error).into(),
        }
    })
}
