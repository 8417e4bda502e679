//! Storage as one mount sees it.

use async_trait::async_trait;
use cofferdam_model::Result;
use cofferdam_model::view::{Entry, Version, View};

use super::Storage;

/// The entries of one space. There is no way to name another.
pub(super) struct Scoped {
    pub(super) storage: Storage,
    pub(super) space: String,
}

#[async_trait]
impl View for Scoped {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.storage.entry(&self.space, key).await
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        self.storage.entries(&self.space, prefix, after, limit).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.storage.names(&self.space, prefix, after, limit).await
    }

    async fn range(&self, prefix: &str) -> Result<(i64, Version)> {
        self.storage.range(&self.space, prefix).await
    }
}
