//! Putting batches together.

use cofferdam_model::view::{Changes, Read, Write};

use crate::port::{Batch, Check, Op};

impl Batch {
    /// An empty batch, which always applies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Adds a change.
    #[must_use]
    pub fn op(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// Adds what a call of a mount read, as conditions, and what it wrote. Slots are the caller's: they have rows of
    /// their own.
    pub fn extend_changes(&mut self, space: &str, changes: &Changes) {
        self.checks.extend(changes.reads.iter().map(|read| match read {
            Read::Entry { key, version } => {
                Check::Entry { space: space.to_owned(), key: key.clone(), version: *version }
            }
            Read::Range { prefix, count, newest } => {
                Check::Range { space: space.to_owned(), prefix: prefix.clone(), count: *count, newest: *newest }
            }
        }));
        self.ops.extend(changes.writes.iter().map(|write| match write {
            Write::Put { key, value } => {
                Op::PutEntry { space: space.to_owned(), key: key.clone(), value: value.clone() }
            }
            Write::Delete { key } => Op::DeleteEntry { space: space.to_owned(), key: key.clone() },
        }));
    }

    /// As [`Batch::extend_changes`], for a chain of calls.
    #[must_use]
    pub fn changes(mut self, space: &str, changes: &Changes) -> Self {
        self.extend_changes(space, changes);
        self
    }

    /// Whether there is nothing to check and nothing to do.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.ops.is_empty()
    }
}

impl Op {
    /// Bytes of the body, if the change has one.
    pub(crate) fn body_len(&self) -> usize {
        match self {
            Self::PutEntry { value, .. } => value.len(),
            Self::InsertLease(row) | Self::UpdateLease { row, .. } => row.body.len(),
            Self::InsertToken(row) | Self::UpdateToken { row, .. } => row.body.len(),
            _ => 0,
        }
    }
}
