//! Connections that nobody but the supervisor has outlive it: its shadow, and what the shadow of the one before has
//! brought.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::keeper::KeeperLink;
use crate::output;
use crate::saved::{Left, shadow_key};
use crate::shadow::{self, Ledger, Rescue, Shadow};

/// How long shadows are waited for. They send what they have within milliseconds of their supervisor's death.
const PATIENCE: Duration = Duration::from_millis(500);

/// The ledger of this life, and the shadow that reads it.
pub(crate) struct Protection {
    /// Where connections are entered.
    pub(crate) ledger: Ledger,
    /// The shadow's process.
    pub(crate) shadow: Option<u32>,
    /// The shadow's line, for the next supervisor.
    line: Option<OwnedFd>,
}

impl Protection {
    /// Starts the shadow. Without one everything works but what this protects from.
    pub(crate) fn start() -> Self {
        start().unwrap_or_else(|error| {
            output::tell(&format!(
                "rota: connections will not outlive the supervisor: {error}"
            ));
            Self {
                ledger: Ledger::none(),
                shadow: None,
                line: None,
            }
        })
    }

    /// Leaves the line with the keeper, then takes what earlier shadows have brought.
    pub(crate) fn begin(self, keeper: &KeeperLink, left: &mut Left) -> Rescue {
        let life = left.hello.as_ref().map_or(0, |hello| hello.restarts);
        if let Some(line) = self.line {
            keeper.put(&shadow_key(life), Vec::new(), vec![line]);
        }
        let (lives, lines): (Vec<u32>, Vec<OwnedFd>) =
            std::mem::take(&mut left.shadows).into_iter().unzip();
        let rescue = shadow::rescue(self.ledger, lines, PATIENCE);
        for earlier in lives.into_iter().filter(|earlier| *earlier != life) {
            keeper.drop_entry(&shadow_key(earlier));
        }
        rescue
    }
}

fn start() -> io::Result<Protection> {
    let ledger = Ledger::new()?;
    let (ours, next) = shadow::line()?;
    // Held by nobody: it ends with this process.
    let shadow = Shadow::start(ledger, ours)?;
    Ok(Protection {
        ledger,
        shadow: Some(shadow.pid()),
        line: Some(next),
    })
}
