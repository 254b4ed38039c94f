//! What settings mean, whichever way they are written.

use std::path::Path;

use serde_json::Value as Json;

use super::export::is_usual;
use super::fields::plain;
use super::key::Key;
use crate::{AppSpec, ListenTarget};

/// What a worker's number is called where nothing else is said.
const INSTANCE_VAR: &str = "NODE_APP_INSTANCE";

/// The specification without what says nothing, and with its paths as they are meant: two that mean the same are the
/// same then.
pub(super) fn meaning(spec: &AppSpec) -> AppSpec {
    let mut spec = spec.clone();
    let cwd = spec.cwd.clone();
    let whole = |path: &Path| plain(&cwd.join(path));
    let logs = &mut spec.logs;
    let own = [&mut logs.out, &mut logs.err, &mut logs.joined];
    for path in own.into_iter().flatten() {
        *path = whole(path);
    }
    logs.time = logs.time.take().filter(|form| !form.is_empty());
    let rotate = &mut logs.rotate;
    rotate.size = rotate.size.filter(|size| size.bytes() > 0);
    if let Some(watch) = &mut spec.watch {
        watch.paths = watch.paths.iter().map(|path| whole(path)).collect();
    }
    for address in &mut spec.listen {
        if let ListenTarget::Unix(path) = &mut address.target {
            *path = whole(path);
        }
    }
    let backoff = &mut spec.restart.backoff;
    *backoff = backoff.filter(|first| first.millis() > 0);
    let compat = &mut spec.compat;
    compat.instance_var = compat.instance_var.take().filter(|var| var != INSTANCE_VAR);
    spec
}

/// What a key says in such a specification: nothing where it merely has the value that comes with another key.
pub(super) fn says(key: &Key, meant: &AppSpec) -> Json {
    match key.needs.is_some() && is_usual(key, meant, &meant.cwd) {
        true => Json::Null,
        false => key.value(meant),
    }
}
