//! Storage as one mount sees it, and what a call changed there.

use async_trait::async_trait;

use crate::Result;

/// The version of an entry: larger than that of every earlier write in the whole store. 0: the entry is not there.
pub type Version = i64;

/// One entry with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Below the mount.
    pub key: String,
    /// In the clear.
    pub value: Vec<u8>,
    /// When it was written, in the store's order.
    pub version: Version,
}

/// The committed entries of one mount. Nobody can climb out of it.
#[async_trait]
pub trait View: Send + Sync {
    /// One entry.
    async fn get(&self, key: &str) -> Result<Option<Entry>>;
    /// The entries whose key starts with `prefix` and is greater than `after`, sorted, at most `limit`.
    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>>;
    /// The names directly below `prefix`, folders once and with a slash; greater than `after`, sorted, at most `limit`.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>>;
    /// How many entries lie below `prefix` at any depth, and the largest version among them (0: none).
    async fn range(&self, prefix: &str) -> Result<(i64, Version)>;
}

/// What a call read and wrote. Committed by the host together with the row that the call's outcome makes.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// What must still hold at commit.
    pub reads: Vec<Read>,
    /// In order; a later write of the same key wins.
    pub writes: Vec<Write>,
    /// Root secrets that the call put: slot name and JSON text.
    pub slots: Vec<(String, crate::SecretText)>,
    /// Whether the result follows from the request, the mount and `reads` alone: the same call would come to the same
    /// result for as long as these are the same.
    pub repeatable: bool,
}

impl Changes {
    /// Whether there is anything to commit.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.slots.is_empty()
    }
}

/// Something that a call saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The entry had this version (0: was not there).
    Entry {
        /// Below the mount.
        key: String,
        /// What was seen.
        version: Version,
    },
    /// The range was listed or scanned; at commit no entry below the prefix may be newer or missing.
    Range {
        /// What was asked.
        prefix: String,
        /// How many entries lay below it.
        count: i64,
        /// The largest version among them (0: none).
        newest: Version,
    },
}

/// One change of an entry.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Puts the value.
    Put {
        /// Below the mount.
        key: String,
        /// In the clear.
        value: Vec<u8>,
    },
    /// Deletes the entry, if it is there.
    Delete {
        /// Below the mount.
        key: String,
    },
}

impl Write {
    /// The entry that changes.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "Put({key}, {} bytes)", value.len()),
            Self::Delete { key } => write!(f, "Delete({key})"),
        }
    }
}
