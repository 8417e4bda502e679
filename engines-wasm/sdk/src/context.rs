//! The engine's only door to the host.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure;
use crate::host::{Door, Host, Imports};
use crate::types::{Entry, Failure, Identity, Kept, Level, MountInfo, Target, from_json, to_json};

/// One call's view of the host.
#[derive(Clone)]
pub struct Context {
    host: Door,
}

impl Context {
    /// The host that the component was loaded by.
    #[cfg(target_arch = "wasm32")]
    pub(crate) const fn of_guest() -> Self {
        Self { host: Imports }
    }

    /// The contract's imports, which exist in a component only: for the exports to compile everywhere.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn of_guest() -> Self {
        Self::new(Imports)
    }

    /// A context on a host of one's own, for tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(host: impl Host + 'static) -> Self {
        Self { host: std::rc::Rc::new(host) }
    }

    /// This call's mount.
    #[must_use]
    pub fn mount(&self) -> MountInfo {
        self.host.mount()
    }

    /// The backend that this call names.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        self.host.target()
    }

    /// The time until the host ends this call.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.host.remaining()
    }

    /// Who asks; none in calls that the host makes for itself.
    #[must_use]
    pub fn caller(&self) -> Option<Identity> {
        self.host.caller()
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.host.now()
    }

    /// A password by the named policy, or by the default one.
    ///
    /// # Errors
    /// `internal` with the host's words, if there is no such policy or it cannot be met.
    pub fn generate_password(&self, policy: Option<&str>) -> Result<String, Failure> {
        self.host.generate_password(policy).map_err(failure::internal)
    }

    /// Writes a line to the server's log.
    pub fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }

    /// The mount's entries.
    #[must_use]
    pub fn storage(&self) -> Storage<'_> {
        Storage(&self.host)
    }

    /// A root secret of this call's backend.
    ///
    /// # Errors
    /// `internal` if it is not of that shape.
    pub fn slot<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        self.host.slot(name).map(|text| from_json(&text)).transpose()
    }

    /// Puts a root secret for this call's backend.
    ///
    /// # Errors
    /// `internal` if the secret has no JSON form.
    pub fn put_slot<T: Serialize + ?Sized>(&self, name: &str, secret: &T) -> Result<(), Failure> {
        self.host.put_slot(name, &to_json(secret)?);
        Ok(())
    }

    /// A credential that the host keeps in rotation on this call's backend.
    #[must_use]
    pub fn kept(&self, name: &str) -> Option<Kept> {
        self.host.kept(name)
    }
}

/// The mount's own entries. Writes belong to the call's transaction; reads see them.
#[derive(Clone, Copy)]
pub struct Storage<'a>(&'a Door);

impl Storage<'_> {
    /// The entry under this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    /// Writes an entry.
    pub fn put(&self, key: &str, value: &[u8]) {
        self.0.put(key, value);
    }

    /// Removes an entry; without effect if there is none.
    pub fn delete(&self, key: &str) {
        self.0.delete(key);
    }

    /// The entry under this key as text.
    ///
    /// # Errors
    /// `internal` if it is not UTF-8.
    pub fn get_text(&self, key: &str) -> Result<Option<String>, Failure> {
        let text = self.0.get(key).map(String::from_utf8).transpose();
        text.map_err(|_| failure::internal(format!("the entry {key:?} is not text")))
    }

    /// The entry under this key, from JSON.
    ///
    /// # Errors
    /// `internal` if it is not of that shape.
    pub fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Failure> {
        self.get_text(key)?.map(|text| from_json(&text)).transpose()
    }

    /// Writes an entry as JSON.
    ///
    /// # Errors
    /// `internal` if the value has no JSON form.
    pub fn put_json<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), Failure> {
        self.0.put(key, to_json(value)?.as_bytes());
        Ok(())
    }

    /// The names directly below `prefix` that are greater than `after`, one page of them; folders end in a slash.
    #[must_use]
    pub fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<String> {
        self.0.list(prefix, after, limit)
    }

    /// The first `count` names directly below `prefix` that are greater than `after`, page by page.
    #[must_use]
    pub fn list_up_to(&self, prefix: &str, after: Option<&str>, count: usize) -> Vec<String> {
        const PAGE: u32 = 10_000;
        let mut names: Vec<String> = Vec::new();
        loop {
            let limit = u32::try_from(count - names.len()).unwrap_or(PAGE).min(PAGE);
            let page = self.0.list(prefix, names.last().map(String::as_str).or(after), limit);
            let last = page.len() < PAGE as usize;
            names.extend(page);
            if last || names.len() >= count {
                names.truncate(count);
                return names;
            }
        }
    }

    /// All names directly below `prefix`, page by page.
    #[must_use]
    pub fn list_all(&self, prefix: &str) -> Vec<String> {
        self.list_up_to(prefix, None, usize::MAX)
    }

    /// The entries below `prefix` at any depth whose keys are greater than `after`, one page of them.
    #[must_use]
    pub fn scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<Entry> {
        self.0.scan(prefix, after, limit)
    }
}
