//! What a call read and is about to write.

use std::collections::BTreeMap;

use cofferdam_model::view::{Read, Write};

/// Entries that one call may change.
const MAX_WRITES: usize = 10_000;
/// What each change costs beside its value.
const OVERHEAD: usize = 64;

/// Reads and pending writes of one call.
#[derive(Default)]
pub(crate) struct Buffer {
    reads: Vec<Read>,
    /// The new value of each changed key; none: deleted.
    writes: BTreeMap<String, Option<Vec<u8>>>,
    written: usize,
    taken: usize,
}

impl Buffer {
    /// The pending value of a key that the call changed; the inner none is a deletion.
    #[expect(clippy::option_option, reason = "unchanged, deleted and changed are three things")]
    pub(super) fn pending(&self, key: &str) -> Option<Option<&[u8]>> {
        self.writes.get(key).map(Option::as_deref)
    }

    /// The changes below a prefix.
    pub(super) fn below(&self, prefix: &str) -> BTreeMap<String, Option<Vec<u8>>> {
        self.writes
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    pub(super) fn write(&mut self, key: String, value: Option<Vec<u8>>) {
        let cost = |key: &str, value: &Option<Vec<u8>>| key.len() + value.as_ref().map_or(0, Vec::len) + OVERHEAD;
        self.written += cost(&key, &value);
        let replaced = key.clone();
        if let Some(before) = self.writes.insert(key, value) {
            self.written = self.written.saturating_sub(cost(&replaced, &before));
        }
    }

    pub(super) fn is_beyond(&self, bytes: usize) -> bool {
        self.written > bytes || self.writes.len() > MAX_WRITES
    }

    /// Counts bytes that the guest read; all of them so far.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> usize {
        self.taken = self.taken.saturating_add(bytes.saturating_add(OVERHEAD));
        self.taken
    }

    /// Records a read. The first look at a key counts: a different second one makes a conflict at commit, as it should.
    pub(super) fn saw(&mut self, read: Read) {
        let known = match &read {
            Read::Entry { key, .. } => self.reads.iter().any(|r| matches!(r, Read::Entry { key: k, .. } if k == key)),
            Read::Range { prefix, .. } => self.has_seen_range(prefix),
        };
        if !known {
            self.reads.push(read);
        }
    }

    pub(super) fn has_seen_range(&self, prefix: &str) -> bool {
        self.reads.iter().any(|r| matches!(r, Read::Range { prefix: p, .. } if p == prefix))
    }

    /// What was read, and what is to be written.
    pub(crate) fn into_parts(self) -> (Vec<Read>, Vec<Write>) {
        let writes = self.writes.into_iter().map(|(key, value)| match value {
            Some(value) => Write::Put { key, value },
            None => Write::Delete { key },
        });
        (self.reads, writes.collect())
    }
}
