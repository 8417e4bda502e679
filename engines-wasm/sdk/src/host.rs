//! What a context needs of its host, and the real host behind the contract's imports.
//!
//! On wasm32 the calls are static: what an engine does not call, its component does not import, and so needs no grant for.
//! Elsewhere a fake takes the host's place.

use std::time::{Duration, SystemTime};

use crate::__bindings::issuance::cofferdam::engine::slots;
use crate::__bindings::secrets::cofferdam::engine::{call, caller, log, policies, storage};
use crate::types::{Entry, Identity, Kept, Level, MountInfo, Target};

/// The imports of an engine. Tests put a fake in their place.
#[expect(missing_docs, reason = "each method is one function of the contract, documented there")]
pub trait Host {
    fn mount(&self) -> MountInfo;
    fn target(&self) -> Option<Target>;
    fn remaining(&self) -> Duration;
    fn caller(&self) -> Option<Identity>;
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    fn put(&self, key: &str, value: &[u8]);
    fn delete(&self, key: &str);
    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<String>;
    fn scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<Entry>;
    fn slot(&self, name: &str) -> Option<String>;
    fn put_slot(&self, name: &str, secret: &str);
    fn kept(&self, name: &str) -> Option<Kept>;
    fn generate_password(&self, policy: Option<&str>) -> Result<String, String>;
    fn log(&self, level: Level, message: &str);
    /// The clock, which the contract leaves to `wasi:clocks`.
    fn now(&self) -> SystemTime;
}

/// How a context holds its host.
#[cfg(target_arch = "wasm32")]
pub(crate) type Door = Imports;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) type Door = std::rc::Rc<dyn Host>;

/// The host that the component was loaded by.
#[derive(Clone)]
pub(crate) struct Imports;

impl Host for Imports {
    fn mount(&self) -> MountInfo {
        call::mount()
    }

    fn target(&self) -> Option<Target> {
        call::target()
    }

    fn remaining(&self) -> Duration {
        Duration::from_millis(call::remaining_millis())
    }

    fn caller(&self) -> Option<Identity> {
        caller::who()
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        storage::get(key)
    }

    fn put(&self, key: &str, value: &[u8]) {
        storage::put(key, value);
    }

    fn delete(&self, key: &str) {
        storage::delete(key);
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<String> {
        storage::list(prefix, after, limit)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<Entry> {
        storage::scan(prefix, after, limit)
    }

    fn slot(&self, name: &str) -> Option<String> {
        slots::get(name)
    }

    fn put_slot(&self, name: &str, secret: &str) {
        slots::put(name, secret);
    }

    fn kept(&self, name: &str) -> Option<Kept> {
        slots::kept(name)
    }

    fn generate_password(&self, policy: Option<&str>) -> Result<String, String> {
        policies::generate_password(policy)
    }

    fn log(&self, level: Level, message: &str) {
        log::emit(level, message);
    }

    #[expect(clippy::disallowed_methods, reason = "in a guest this is the clock that the host passes in")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
