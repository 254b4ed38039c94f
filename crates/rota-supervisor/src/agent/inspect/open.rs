//! Getting a worker to open its inspector.

use rota_node::agent::ToAgent;
use rota_node::inspector::Address;
use rota_sys::signal::Signal;
use rota_sys::waits;

use super::Target;
use crate::output::Opened;
use crate::supervisor::Supervisor;

impl Supervisor {
    /// The address of a worker's inspector, which is opened if it is not open. Waits for it without limit.
    pub(super) async fn open_inspector(
        &self,
        worker: u64,
        target: &Target,
    ) -> Result<Address, String> {
        let mut opened = target.watch.opened();
        if let Some(address) = target.watch.address() {
            return Ok(address);
        }
        if target.usr1 {
            // The signal would be the app's. The agent can open it, if the event loop turns.
            target.watch.hide();
            self.tell_agent(worker, &ToAgent::Inspector { open: true });
        } else {
            if !waits::handles(target.pid, Signal::USR1).map_err(|_| "it has ended")? {
                // Without a handler it would be ended by the signal.
                return Err(
                    "it does not open its inspector on SIGUSR1 (--disable-sigusr1, or a Node without inspector)"
                        .to_owned(),
                );
            }
            target.watch.hide();
            self.keeper.signal_process(worker, Signal::USR1.number());
        }
        let known = opened.wait_for(|opened| *opened != Opened::Unknown).await;
        match known.map(|known| known.clone()) {
            Ok(Opened::At(address)) => Ok(address),
            Ok(Opened::Failed(why)) => Err(why),
            Ok(Opened::Unknown) | Err(_) => Err("it has ended".to_owned()),
        }
    }
}
