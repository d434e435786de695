//! Cursors WITH HOLD whose transaction has not been committed yet: if it is not, they are gone with it.

use crate::session::names::Name;

#[derive(Debug, Default)]
pub(crate) struct Holds {
    declared: Vec<Name>,
    /// A ROLLBACK has come since they were declared. It may have been one to a savepoint, which may have spared them.
    doubtful: Vec<Name>,
    failed: Failed,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Failed {
    #[default]
    No,
    Yes,
}

impl Holds {
    pub(crate) fn declared(&mut self, name: &Name) {
        self.declared.push(name.clone());
    }

    /// A statement has failed; if that ends the transaction, it is undone.
    pub(crate) fn failed(&mut self) {
        self.failed = Failed::Yes;
    }

    pub(crate) fn committed(&mut self) {
        self.declared.clear();
        self.doubtful.clear();
    }

    pub(crate) fn rolled_back(&mut self) {
        self.doubtful.append(&mut self.declared);
    }

    /// The server is ready, within a transaction block.
    pub(crate) fn ready_in_block(&mut self) {
        self.failed = Failed::No;
    }

    /// The server is ready, and no transaction is under way: these cursors are gone.
    pub(crate) fn ready(&mut self) -> Vec<Name> {
        let mut gone = std::mem::take(&mut self.doubtful);
        let declared = std::mem::take(&mut self.declared);
        if self.failed == Failed::Yes {
            gone.extend(declared);
        }
        self.failed = Failed::No;
        gone
    }
}
