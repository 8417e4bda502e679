//! A host that lives in memory: entries of one mount, foreseeable passwords, and calls over them. Also used by the unit
//! tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cofferdam_model::engine::{BackendAccess, Call, Lane, Services};
use cofferdam_model::mount::MountView;
use cofferdam_model::view::{Changes, Entry, Version, View, Write};
use cofferdam_model::{Result, SecretText};

#[derive(Default)]
struct Rows {
    entries: BTreeMap<String, (Vec<u8>, Version)>,
    last: Version,
}

/// Entries of one mount, in memory.
#[derive(Default)]
pub(crate) struct Memory {
    inner: Mutex<Rows>,
}

impl Memory {
    pub(crate) fn commit(&self, changes: Changes) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for write in changes.writes {
            inner.last += 1;
            let version = inner.last;
            match write {
                Write::Put { key, value } => drop(inner.entries.insert(key, (value, version))),
                Write::Delete { key } => drop(inner.entries.remove(&key)),
            }
        }
    }

    fn all(&self, prefix: &str) -> Vec<Entry> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let below = inner.entries.iter().filter(|(key, _)| key.starts_with(prefix));
        below
            .map(|(key, (value, version))| Entry { key: key.clone(), value: value.clone(), version: *version })
            .collect()
    }
}

#[async_trait]
impl View for Memory {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.all(key).into_iter().find(|e| e.key == key))
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        Ok(self.all(prefix).into_iter().filter(|e| after.is_none_or(|a| e.key.as_str() > a)).take(limit).collect())
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let mut names: Vec<String> = self
            .all(prefix)
            .iter()
            .filter_map(|e| e.key.strip_prefix(prefix))
            .map(|rest| rest.split_once('/').map_or(rest.to_owned(), |(folder, _)| format!("{folder}/")))
            .filter(|name| after.is_none_or(|a| name.as_str() > a))
            .collect();
        names.sort();
        names.dedup();
        names.truncate(limit);
        Ok(names)
    }

    async fn range(&self, prefix: &str) -> Result<(i64, Version)> {
        let all = self.all(prefix);
        Ok((i64::try_from(all.len()).unwrap_or(i64::MAX), all.iter().map(|e| e.version).max().unwrap_or(0)))
    }
}

/// Passwords that a test can foresee.
pub(crate) struct NoServices;

#[async_trait]
impl Services for NoServices {
    async fn generate_password(&self, policy: Option<&str>) -> std::result::Result<SecretText, String> {
        match policy {
            None => Ok(SecretText::new("Abcdefgh-1234567890x")),
            Some(name) => Err(format!("no password policy {name}")),
        }
    }
}

/// A call on a mount over these entries.
pub(crate) fn call(view: &Arc<Memory>, options: &[(&str, &str)], backend: Option<BackendAccess>) -> Call {
    Call {
        request_id: "5f0c".to_owned(),
        mount: Arc::new(MountView {
            uuid: "a1".to_owned(),
            path: "m/".to_owned(),
            accessor: "m_1".to_owned(),
            kind: "m".to_owned(),
            default_ttl: 3600,
            max_ttl: 86_400,
            options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        }),
        caller: None,
        view: Arc::clone(view) as Arc<dyn View>,
        services: Arc::new(NoServices),
        backend,
        deadline: Duration::from_secs(20),
        lane: Lane::Serve,
        secrets: Vec::new(),
    }
}
