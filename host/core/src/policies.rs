//! ACL policies at rest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use cofferdam_acl::Policy;
use cofferdam_acl::builtin;
use cofferdam_model::{Error, Result};
use cofferdam_storage::Storage;
use cofferdam_storage::port::{Batch, Op};

use crate::spaces;

/// Cannot be written, deleted or (for the second) assigned.
pub(crate) const ROOT: &str = "root";
pub(crate) const RESPONSE_WRAPPING: &str = "response-wrapping";
pub(crate) const DEFAULT: &str = "default";

const KEPT_MAX: usize = 4_096;

/// The policy store. What was parsed is kept until it is written again.
pub(crate) struct Policies {
    storage: Storage,
    parsed: RwLock<HashMap<String, Option<Arc<Policy>>>>,
    /// Counts writes. What was read before a write must not be kept after it.
    writes: AtomicU64,
}

impl Policies {
    pub(crate) fn new(storage: Storage) -> Self {
        Self { storage, parsed: RwLock::new(HashMap::new()), writes: AtomicU64::new(0) }
    }

    /// Changes with every write: what was made of policies under another number is out of date.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    pub(crate) async fn create_builtin(&self) -> Result<()> {
        self.put(DEFAULT, builtin::DEFAULT).await
    }

    /// The text of a policy, as it was written. `root` has an empty one.
    pub(crate) async fn text(&self, name: &str) -> Result<Option<String>> {
        match name {
            ROOT => return Ok(Some(String::new())),
            RESPONSE_WRAPPING => return Ok(Some(builtin::RESPONSE_WRAPPING.to_owned())),
            _ => {}
        }
        let Some(entry) = self.storage.entry(spaces::POLICIES, name).await? else { return Ok(None) };
        String::from_utf8(entry.value)
            .map(Some)
            .map_err(|_| Error::internal(format!("policy {name}: its text does not read")))
    }

    /// The policy, parsed; none where there is no such policy.
    pub(crate) async fn parsed(&self, name: &str) -> Result<Option<Arc<Policy>>> {
        if let Some(known) = self.parsed.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(known.clone());
        }
        let writes = self.writes();
        let policy = match self.text(name).await? {
            Some(text) => {
                Some(Arc::new(Policy::parse(name, &text).map_err(|e| Error::internal(format!("policy {name}: {e}")))?))
            }
            None => None,
        };
        let mut parsed = self.parsed.write().unwrap_or_else(PoisonError::into_inner);
        if writes == self.writes() {
            if parsed.len() >= KEPT_MAX {
                parsed.clear();
            }
            parsed.insert(name.to_owned(), policy.clone());
        }
        Ok(policy)
    }

    /// Whether a policy of this name can be used.
    pub(crate) async fn exists(&self, name: &str) -> Result<bool> {
        Ok(name == ROOT || self.parsed(name).await?.is_some())
    }

    /// Checks and stores a policy.
    pub(crate) async fn put(&self, name: &str, text: &str) -> Result<()> {
        match name {
            ROOT => return Err(Error::invalid("cannot update \"root\" policy")),
            RESPONSE_WRAPPING => return Err(Error::invalid("cannot update \"response-wrapping\" policy")),
            _ => {}
        }
        if text.trim().is_empty() {
            return Err(Error::invalid("policy: must not be empty"));
        }
        let text = cofferdam_acl::document::decode(text);
        Policy::parse(name, &text).map_err(|e| Error::invalid(format!("failed to parse policy: {e}")))?;
        let op = Op::PutEntry {
            space: spaces::POLICIES.to_owned(),
            key: name.to_owned(),
            value: text.into_owned().into_bytes(),
        };
        self.write(name, op).await
    }

    /// Deletes a policy, if it is there.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        if matches!(name, ROOT | DEFAULT | RESPONSE_WRAPPING) {
            return Err(Error::invalid(format!("cannot delete {name:?} policy")));
        }
        self.write(name, Op::DeleteEntry { space: spaces::POLICIES.to_owned(), key: name.to_owned() }).await
    }

    async fn write(&self, name: &str, op: Op) -> Result<()> {
        let applied = self.storage.apply(Batch { checks: Vec::new(), ops: vec![op] }).await;
        // A store that failed may have written it all the same.
        let mut parsed = self.parsed.write().unwrap_or_else(PoisonError::into_inner);
        self.writes.fetch_add(1, Ordering::SeqCst);
        parsed.remove(name);
        applied.map(|_| ())
    }

    /// All names, sorted, `root` last.
    pub(crate) async fn names(&self) -> Result<Vec<String>> {
        let mut names = self.storage.names(spaces::POLICIES, "", None, 10_000).await?;
        names.push(ROOT.to_owned());
        Ok(names)
    }
}
