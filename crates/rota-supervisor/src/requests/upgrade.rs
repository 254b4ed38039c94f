//! `upgrade`: the daemon's processes become those of another binary. The keeper does it; what is here is the question,
//! and the answer, which another supervisor gives.

use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;

use rota_api::{ApiError, CommandResult, ErrorCode, UpgradeRequest};
use rota_engine::AppId;
use rota_keeper::protocol::UpgradeNote;

use crate::operations::Caller;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// Asks the keeper to become another program. It tries that program first; if it takes it, this supervisor is
    /// ended, and the next one, which is of the new program, answers.
    ///
    /// # Errors
    /// A path that says nothing to another process, or an upgrade that is under way.
    pub(crate) fn upgrade(
        self: &Rc<Self>,
        request: &UpgradeRequest,
        caller: Caller,
    ) -> Result<(), ApiError> {
        if !Path::new(&request.program).is_absolute() {
            let text = format!("`{}` is not an absolute path", request.program);
            return Err(ApiError::new(ErrorCode::BadRequest, text));
        }
        if self.with(|state| state.upgrading.is_some()) {
            return Err(ApiError::new(
                ErrorCode::Refused,
                "another upgrade is under way",
            ));
        }
        self.say(&format!("upgrading to {}", request.program));
        self.with(|state| {
            let operation = state.operations.begin("upgrade", caller);
            let command = state.operations.add(operation, AppId(0), "");
            state.upgrading = Some(command);
        });
        self.keeper.upgrade(OsString::from(&request.program));
        Ok(())
    }

    /// The keeper stays what it is.
    pub(crate) fn upgrade_failed(self: &Rc<Self>, why: &str) {
        self.end_upgrade(upgrade_refused(why));
    }

    /// What the keeper says of an upgrade to the supervisor that it has started since.
    pub(crate) fn upgraded(self: &Rc<Self>, note: &UpgradeNote) {
        let result = match (&note.failed, &note.to) {
            (Some(why), _) => upgrade_refused(why),
            (None, to) => {
                let to = to.as_deref().unwrap_or("unknown");
                let from = &note.from;
                let program = Path::new(&note.program).display();
                CommandResult::done(
                    "",
                    format!("upgraded from {from} to {to} ({program}); all workers run on"),
                )
            }
        };
        self.end_upgrade(result);
    }

    /// Tells how an upgrade ended, to whoever waits for it.
    fn end_upgrade(self: &Rc<Self>, result: CommandResult) {
        self.say(&result.message);
        self.transact(|| {
            self.with(|state| {
                let answered = state.operations.answered(state.upgrading.take()?)?;
                state.operations.settle(&answered, result);
                Some(())
            })
        });
    }
}

fn upgrade_refused(why: &str) -> CommandResult {
    let text = format!("the upgrade failed: {why}; the daemon goes on as it was");
    CommandResult::failed("", ErrorCode::Refused, text)
}
