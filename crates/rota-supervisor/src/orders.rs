//! Orders to the dispatcher, gathered as long as the keeper has not been told what they belong to.

use std::cell::RefCell;

use crate::dispatch::{DispatchCommand, Dispatcher};

/// The dispatcher, which hears of what a transaction brings when the keeper knows it.
pub struct Orders {
    dispatcher: Dispatcher,
    held: RefCell<Option<Vec<DispatchCommand>>>,
}

impl Orders {
    /// Orders to this dispatcher.
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self {
            dispatcher,
            held: RefCell::default(),
        }
    }

    /// Gives an order, at once or with the others of the transaction.
    pub fn send(&self, command: DispatchCommand) {
        match self.held.borrow_mut().as_mut() {
            Some(held) => held.push(command),
            None => self.dispatcher.send(command),
        }
    }

    /// From now on orders are gathered.
    pub fn hold(&self) {
        self.held.borrow_mut().get_or_insert_default();
    }

    /// Gives what has been gathered.
    pub fn release(&self) {
        let held = self.held.borrow_mut().take();
        for command in held.into_iter().flatten() {
            self.dispatcher.send(command);
        }
    }
}
