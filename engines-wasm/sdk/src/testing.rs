//! A host in memory, for native tests of an engine.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::host::Host;
use crate::types::{Entry, Failure, Identity, Kept, Level, MountInfo, Operation, Outcome, Request, Target};
use crate::{Context, Engine, failure, types};

const MAX_LIST: u32 = 10_000;
const MAX_SCAN: u32 = 1_000;
const MAX_KEY: usize = 1_024;
const MAX_VALUE: usize = 1 << 20;

/// A host whose clones share one state.
#[derive(Clone)]
pub struct FakeHost(Rc<RefCell<State>>);

#[derive(Clone)]
struct State {
    entries: BTreeMap<String, Vec<u8>>,
    slots: BTreeMap<String, String>,
    kept: BTreeMap<String, Kept>,
    mount: MountInfo,
    target: Option<Target>,
    caller: Option<Identity>,
    password: Result<String, String>,
    now: SystemTime,
    logged: Vec<(Level, String)>,
    reads: u32,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl FakeHost {
    /// An empty mount with these options, 32 days of lease time, a named caller and the clock at 2030-01-01.
    #[must_use]
    pub fn new(options: &[(&str, &str)]) -> Self {
        const MONTH: u64 = 32 * 24 * 3600;
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self(Rc::new(RefCell::new(State {
            entries: BTreeMap::new(),
            slots: BTreeMap::new(),
            kept: BTreeMap::new(),
            mount: MountInfo {
                path: "test/".to_owned(),
                accessor: "test_00000000".to_owned(),
                default_ttl: MONTH,
                max_ttl: MONTH,
                options: options.collect(),
            },
            target: None,
            caller: Some(Identity { fingerprint: "caller".to_owned(), display_name: "token".to_owned() }),
            password: Ok("Password-0-Password0".to_owned()),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000),
            logged: Vec::new(),
            reads: 0,
        })))
    }

    /// A context on this host.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(self.clone())
    }

    /// One request as the host would make it: the route is found in the engine's own table, `exists` is asked where the
    /// route has `upsert`, and an error undoes what was written.
    ///
    /// # Errors
    /// What the engine answers; `unsupported` where no route serves the operation.
    pub fn call<E: Engine>(&self, operation: Operation, path: &str, fields: &str) -> Result<Outcome, Failure> {
        let before = self.0.borrow().clone();
        let result = self.try_call::<E>(operation, path, fields);
        if result.is_err() {
            let mut state = self.0.borrow_mut();
            state.entries = before.entries;
            state.slots = before.slots;
        }
        result
    }

    fn try_call<E: Engine>(&self, operation: Operation, path: &str, fields: &str) -> Result<Outcome, Failure> {
        let options = self.0.borrow().mount.options.clone();
        let description = E::describe(crate::Options::new(&options));
        let (route, params) = description
            .routes
            .iter()
            .find_map(|route| Some((route, capture(&route.pattern, path)?)))
            .ok_or_else(|| failure::unsupported("no route"))?;
        let mut request = Request {
            operation,
            path: path.to_owned(),
            route: route.pattern.clone(),
            params,
            fields: if fields.is_empty() { "{}".to_owned() } else { fields.to_owned() },
        };
        let context = self.context();
        if operation == Operation::Update
            && route.traits.contains(types::Traits::UPSERT)
            && !E::exists(&context, &request)?
        {
            request.operation = Operation::Create;
        }
        if !route.operations.contains(&request.operation) {
            return Err(failure::unsupported("the route does not serve this operation"));
        }
        E::handle(&context, &request)
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        self.0.borrow_mut().now += by;
    }

    /// Sets the clock.
    pub fn set_now(&self, now: SystemTime) {
        self.0.borrow_mut().now = now;
    }

    /// Changes what the mount says of itself.
    pub fn edit_mount(&self, edit: impl FnOnce(&mut MountInfo)) {
        edit(&mut self.0.borrow_mut().mount);
    }

    /// The backend that calls name from now on.
    pub fn set_target(&self, target: Option<Target>) {
        self.0.borrow_mut().target = target;
    }

    /// Who asks from now on.
    pub fn set_caller(&self, caller: Option<Identity>) {
        self.0.borrow_mut().caller = caller;
    }

    /// What the password policy answers from now on.
    pub fn set_password(&self, password: Result<String, String>) {
        self.0.borrow_mut().password = password;
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.borrow().entries.clone()
    }

    /// What the host keeps in rotation from now on.
    pub fn keep(&self, name: &str, kept: Kept) {
        self.0.borrow_mut().kept.insert(name.to_owned(), kept);
    }

    /// All slots.
    #[must_use]
    pub fn slots(&self) -> BTreeMap<String, String> {
        self.0.borrow().slots.clone()
    }

    /// How many times storage was read so far.
    #[must_use]
    pub fn reads(&self) -> u32 {
        self.0.borrow().reads
    }

    /// What was logged so far.
    #[must_use]
    pub fn logged(&self) -> Vec<(Level, String)> {
        self.0.borrow().logged.clone()
    }
}

/// Matches a pattern as the host does.
fn capture(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (parts, folder) = match pattern.strip_suffix('/') {
        Some(parts) => (parts, true),
        None => (pattern, false),
    };
    let mut captured = Vec::new();
    let mut rest = Some(path);
    for part in parts.split('/') {
        let param = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        if let Some(name) = param.and_then(|param| param.strip_suffix('*')) {
            captured.push((name.to_owned(), rest.unwrap_or_default().to_owned()));
            return Some(captured);
        }
        let (segment, tail) = rest?.split_once('/').map_or((rest?, None), |(segment, tail)| (segment, Some(tail)));
        match param {
            Some(param) if is_name(segment, param.ends_with('@')) => {
                captured.push((param.trim_end_matches('@').to_owned(), segment.to_owned()));
            }
            None if part == segment => {}
            _ => return None,
        }
        rest = tail;
    }
    (rest == folder.then_some("")).then_some(captured)
}

fn is_name(segment: &str, at: bool) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    segment.starts_with(word)
        && segment.ends_with(word)
        && segment.chars().all(|c| word(c) || matches!(c, '-' | '.') || (at && c == '@'))
}

/// The contract's rule for keys; the real host ends the call where this one panics.
fn check_key(key: &str) {
    let bad = |part: &str| matches!(part, "" | "." | "..");
    assert!(
        !key.is_empty() && key.len() <= MAX_KEY && !key.contains('\0') && !key.split('/').any(bad),
        "the host refuses the key {key:?}"
    );
}

fn check_prefix(prefix: &str) {
    if let Some(folder) = prefix.strip_suffix('/') {
        check_key(folder);
    } else {
        assert!(prefix.is_empty(), "the host refuses the prefix {prefix:?}");
    }
}

impl Host for FakeHost {
    fn mount(&self) -> MountInfo {
        self.0.borrow().mount.clone()
    }

    fn target(&self) -> Option<Target> {
        self.0.borrow().target.clone()
    }

    fn remaining(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn caller(&self) -> Option<Identity> {
        self.0.borrow().caller.clone()
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        check_key(key);
        let mut state = self.0.borrow_mut();
        state.reads += 1;
        state.entries.get(key).cloned()
    }

    fn put(&self, key: &str, value: &[u8]) {
        check_key(key);
        assert!(value.len() <= MAX_VALUE, "the host refuses a value of {} bytes", value.len());
        self.0.borrow_mut().entries.insert(key.to_owned(), value.to_vec());
    }

    fn delete(&self, key: &str) {
        check_key(key);
        self.0.borrow_mut().entries.remove(key);
    }

    fn list(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<String> {
        check_prefix(prefix);
        let mut state = self.0.borrow_mut();
        state.reads += 1;
        let mut names: Vec<String> = state
            .entries
            .keys()
            .filter_map(|key| key.strip_prefix(prefix))
            .map(|rest| match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            })
            .filter(|name| after.is_none_or(|after| name.as_str() > after))
            .collect();
        names.sort();
        names.dedup();
        names.truncate(limit.min(MAX_LIST) as usize);
        names
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<Entry> {
        check_prefix(prefix);
        let mut state = self.0.borrow_mut();
        state.reads += 1;
        state
            .entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after))
            .take(limit.min(MAX_SCAN) as usize)
            .map(|(key, value)| Entry { key: key.clone(), value: value.clone() })
            .collect()
    }

    fn slot(&self, name: &str) -> Option<String> {
        self.0.borrow().slots.get(name).cloned()
    }

    fn put_slot(&self, name: &str, secret: &str) {
        self.0.borrow_mut().slots.insert(name.to_owned(), secret.to_owned());
    }

    fn kept(&self, name: &str) -> Option<Kept> {
        self.0.borrow().kept.get(name).cloned()
    }

    fn generate_password(&self, _policy: Option<&str>) -> Result<String, String> {
        self.0.borrow().password.clone()
    }

    fn log(&self, level: Level, message: &str) {
        self.0.borrow_mut().logged.push((level, message.to_owned()));
    }

    fn now(&self) -> SystemTime {
        self.0.borrow().now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_patterns_as_the_host_does() {
        let params = |list: &[(&str, &str)]| {
            Some(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
        };
        for (pattern, path, captured) in [
            ("roles/{name}", "roles/a-b", params(&[("name", "a-b")])),
            ("roles/{name}", "roles/a/b", None),
            ("roles/{name}", "roles/", None),
            ("roles/{name}", "roles/-a", None),
            ("roles/{name}", "roles/a@b", None),
            ("roles/{name@}", "roles/a@b", params(&[("name", "a@b")])),
            ("roles/", "roles/", params(&[])),
            ("roles/", "roles", None),
            ("config", "config/", None),
            ("data/{path*}", "data/a/b/", params(&[("path", "a/b/")])),
            ("data/{path*}", "data", params(&[("path", "")])),
            ("{path*}", "", params(&[("path", "")])),
        ] {
            assert_eq!(capture(pattern, path), captured, "{pattern} {path}");
        }
    }

    #[test]
    fn lists_folders_once_and_pages() {
        let host = FakeHost::default();
        for key in ["a", "b/x", "b/y", "c/d/e"] {
            Host::put(&host, key, b"");
        }
        let storage_context = host.context();
        assert_eq!(storage_context.storage().list_all(""), ["a", "b/", "c/"]);
        assert_eq!(storage_context.storage().list_up_to("", Some("a"), 1), ["b/"]);
        assert_eq!(storage_context.storage().list_all("c/"), ["d/"]);
        assert_eq!(storage_context.storage().scan("b/", Some("b/x"), 10).len(), 1);
    }
}
