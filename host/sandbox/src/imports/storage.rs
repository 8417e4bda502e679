//! `storage`: the mount's own entries. Writes are buffered, and reads see them.

mod buffer;

use std::collections::BTreeMap;
use std::sync::Arc;

use cofferdam_model::view::{Entry, Read, View};

pub(crate) use self::buffer::Buffer;
use crate::bindings::cofferdam::engine::storage::{Entry as Item, Host};
use crate::state::{Active, Keeps, State};

const MAX_KEY: usize = 1024;
const MAX_VALUE: usize = 1 << 20;
const MAX_LIST: u32 = 10_000;
const MAX_SCAN: u32 = 1_000;
/// Entries asked for at once while scanning, so that the limit on bytes is felt in time.
const STRIDE: usize = 64;

impl Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let active = self.within()?;
        check_key(active, &key)?;
        if let Some(pending) = active.buffer.pending(&key) {
            return Ok(pending.map(<[u8]>::to_vec));
        }
        let view = Arc::clone(&active.call.view);
        let entry = view.get(&key).await.map_err(|e| active.fail(e))?;
        let version = entry.as_ref().map_or(0, |e| e.version);
        active.buffer.saw(Read::Entry { key, version });
        take_bytes(active, entry.as_ref().map_or(0, |e| e.value.len()))?;
        Ok(entry.map(|e| e.value))
    }

    async fn put(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<()> {
        let active = self.within()?;
        check_key(active, &key)?;
        if value.len() > MAX_VALUE {
            return Err(active.refuse("storage: a value larger than 1 MiB"));
        }
        write(active, key, Some(value))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        let active = self.within()?;
        check_key(active, &key)?;
        write(active, key, None)
    }

    async fn list(&mut self, prefix: String, after: Option<String>, limit: u32) -> wasmtime::Result<Vec<String>> {
        let active = self.within()?;
        check_prefix(active, &prefix)?;
        let limit = limit.min(MAX_LIST) as usize;
        let view = Arc::clone(&active.call.view);
        saw_range(active, view.as_ref(), &prefix).await?;
        let changed = active.buffer.below(&prefix);
        let gone = changed.values().filter(|v| v.is_none()).count();
        let committed = view.list(&prefix, after.as_deref(), limit + gone).await.map_err(|e| active.fail(e))?;
        take_bytes(active, committed.iter().map(String::len).sum())?;
        let full = committed.len() == limit + gone;
        let last = committed.last().cloned();
        let mut names = std::collections::BTreeSet::from_iter(committed);
        for (key, value) in &changed {
            let Some(rest) = key.strip_prefix(&prefix) else { continue };
            let name = match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            };
            if value.is_some() {
                // Beyond what was fetched, names are unknown: the next page shows them.
                if !(full && last.as_ref().is_some_and(|l| name > *l)) && after.as_ref().is_none_or(|a| name > *a) {
                    names.insert(name);
                }
                continue;
            }
            let is_gone = !name.ends_with('/')
                || (names.contains(&name) && is_emptied(active, view.as_ref(), &format!("{prefix}{name}")).await?);
            if is_gone {
                names.remove(&name);
            }
        }
        Ok(names.into_iter().take(limit).collect())
    }

    async fn scan(&mut self, prefix: String, after: Option<String>, limit: u32) -> wasmtime::Result<Vec<Item>> {
        let active = self.within()?;
        check_prefix(active, &prefix)?;
        let limit = limit.min(MAX_SCAN) as usize;
        let view = Arc::clone(&active.call.view);
        saw_range(active, view.as_ref(), &prefix).await?;
        let changed = active.buffer.below(&prefix);
        let mut found = BTreeMap::new();
        let mut from = after.clone();
        let mut complete = false;
        while found.len() < limit && !complete {
            let page: Vec<Entry> = view.scan(&prefix, from.as_deref(), STRIDE).await.map_err(|e| active.fail(e))?;
            complete = page.len() < STRIDE;
            from = page.last().map(|e| e.key.clone()).or(from);
            for entry in page {
                if !changed.contains_key(&entry.key) {
                    take_bytes(active, entry.value.len())?;
                    found.insert(entry.key, entry.value);
                }
            }
        }
        for (key, value) in changed {
            let seen = complete || from.as_ref().is_some_and(|f| key <= *f);
            if let Some(value) = value.filter(|_| seen && after.as_ref().is_none_or(|a| key > *a)) {
                found.insert(key, value);
            }
        }
        Ok(found.into_iter().take(limit).map(|(key, value)| Item { key, value }).collect())
    }
}

/// Whether the call deleted all that was committed below the folder, and put nothing there.
async fn is_emptied(active: &mut Active, view: &dyn View, folder: &str) -> wasmtime::Result<bool> {
    let changed = active.buffer.below(folder);
    if changed.values().any(Option::is_some) {
        return Ok(false);
    }
    // One more than was deleted: if all of these are gone, nothing else is there.
    let left = view.scan(folder, None, changed.len() + 1).await.map_err(|e| active.fail(e))?;
    Ok(left.iter().all(|entry| changed.contains_key(&entry.key)))
}

/// Records what the range looks like now, before it is read: a change in between is then seen at commit.
async fn saw_range(active: &mut Active, view: &dyn View, prefix: &str) -> wasmtime::Result<()> {
    if !active.buffer.has_seen_range(prefix) {
        let (count, newest) = view.range(prefix).await.map_err(|e| active.fail(e))?;
        active.buffer.saw(Read::Range { prefix: prefix.to_owned(), count, newest });
    }
    Ok(())
}

fn write(active: &mut Active, key: String, value: Option<Vec<u8>>) -> wasmtime::Result<()> {
    if active.keeps == Keeps::Nothing {
        return Err(active.refuse("storage: a write in a call whose writes nobody keeps"));
    }
    let limit = active.policy.limits.write_bytes;
    active.buffer.write(key, value);
    if active.buffer.is_beyond(limit) {
        return Err(active.refuse("storage: more writes than one call may make"));
    }
    Ok(())
}

fn take_bytes(active: &mut Active, bytes: usize) -> wasmtime::Result<()> {
    let limit = active.policy.limits.read_bytes;
    if active.buffer.take_bytes(bytes) > limit {
        return Err(active.refuse("storage: more bytes than one call may read"));
    }
    Ok(())
}

fn check_key(active: &mut Active, key: &str) -> wasmtime::Result<()> {
    is_key(key).map_err(|rule| active.refuse(format!("storage: a key {rule}")))
}

fn check_prefix(active: &mut Active, prefix: &str) -> wasmtime::Result<()> {
    is_prefix(prefix).map_err(|rule| active.refuse(format!("storage: a prefix {rule}")))
}

/// The contract's rule for keys, or what the key does against it.
pub(crate) fn is_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err("that is not 1 to 1,024 bytes long");
    }
    if key.contains('\0') {
        return Err("with a NUL");
    }
    if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err("with an empty, `.` or `..` segment");
    }
    Ok(())
}

/// The same for prefixes: none at all, or a key with a slash behind it.
pub(crate) fn is_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.is_empty() {
        return Ok(());
    }
    is_key(prefix.strip_suffix('/').ok_or("that does not end in a slash")?)
}

#[cfg(test)]
mod tests;
