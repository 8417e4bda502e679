//! Compiled components on disk. They are native code, so nothing is loaded that this server did not write itself.

use std::hash::{Hash as _, Hasher};
use std::io::{Read as _, Write as _};
use std::sync::RwLock;

use cap_std::fs::{Dir, OpenOptions};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use zeroize::Zeroizing;

type Mac = Hmac<Sha256>;

/// Bytes of the MAC in front of the compiled code.
const MAC_BYTES: usize = 32;
/// Separates this use of the key from every other.
const PURPOSE: &[u8] = b"cofferdam compiled component 1\0";
/// The largest file that is read.
const MAX_FILE: u64 = 512 << 20;
/// Files that are kept: enough for all engines of this build and of the one before.
const MAX_FILES: usize = 32;

/// The cache of one runtime.
pub(crate) struct Cache {
    dir: Option<Dir>,
    fingerprint: [u8; 32],
    key: RwLock<Option<Zeroizing<[u8; 32]>>>,
}

impl Cache {
    pub(crate) fn new(engine: &wasmtime::Engine, dir: Option<Dir>) -> Self {
        Self { dir, fingerprint: fingerprint(engine), key: RwLock::new(None) }
    }

    /// From now on files are written, and those with the right MAC are read.
    pub(crate) fn unlock(&self, key: &[u8; 32]) {
        *self.key.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Zeroizing::new(*key));
    }

    /// The compiled component with this digest, if the cache holds an untouched one for this runtime.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, digest: &[u8; 32]) -> Option<Component> {
        let code = self.read(digest)?;
        // SAFETY: the bytes were produced by `Component::serialize` of an engine with the same compatibility hash in a
        // process that held the key: the MAC over digest, fingerprint and all bytes was verified on this very buffer,
        // which nobody else can change.
        #[expect(unsafe_code, reason = "compiled code cannot be loaded otherwise; its MAC was verified")]
        let loaded = unsafe { Component::deserialize(engine, &code) };
        loaded.inspect_err(|error| tracing::warn!(%error, "a compiled component does not load; compiling anew")).ok()
    }

    /// Keeps a compiled component. Failures only cost time at the next start.
    pub(crate) fn store(&self, digest: &[u8; 32], component: &Component) {
        let Some(dir) = &self.dir else { return };
        let Some(mac) = self.mac(digest) else { return };
        let write = || -> std::io::Result<()> {
            let code = component.serialize().map_err(std::io::Error::other)?;
            let tag = mac.chain_update(&code).finalize().into_bytes();
            let name = self.name(digest);
            let draft = format!("{name}.{}", std::process::id());
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            {
                use cap_std::fs::OpenOptionsExt as _;
                options.mode(0o600);
            }
            let mut file = dir.open_with(&draft, &options)?;
            file.write_all(&tag)?;
            file.write_all(&code)?;
            drop(file);
            dir.rename(&draft, dir, &name)?;
            trim(dir, &name)
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "a compiled component could not be cached");
        }
    }

    fn read(&self, digest: &[u8; 32]) -> Option<Vec<u8>> {
        let dir = self.dir.as_ref()?;
        let mac = self.mac(digest)?;
        let file = dir.open(self.name(digest)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
        let (tag, code) = bytes.split_at_checked(MAC_BYTES)?;
        if mac.chain_update(code).verify_slice(tag).is_err() {
            tracing::warn!(digest = hex::encode(digest), "a cached component was changed; compiling anew");
            return None;
        }
        bytes.drain(..MAC_BYTES);
        Some(bytes)
    }

    /// The MAC of everything before the code. None while there is no key.
    fn mac(&self, digest: &[u8; 32]) -> Option<Mac> {
        let key = self.key.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mac = Mac::new_from_slice(key.as_ref()?.as_slice()).ok()?;
        Some(mac.chain_update(PURPOSE).chain_update(digest).chain_update(self.fingerprint))
    }

    fn name(&self, digest: &[u8; 32]) -> String {
        format!("{}.{}.cwasm", hex::encode(digest), hex::encode(&self.fingerprint[..8]))
    }
}

/// Removes the oldest files beyond [`MAX_FILES`], but not `newest`: clocks may be wrong, and this one is wanted.
fn trim(dir: &Dir, newest: &str) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in dir.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        if name != newest {
            files.push((entry.metadata()?.modified()?.into_std(), name));
        }
    }
    files.sort();
    for (_, name) in files.iter().take(files.len().saturating_sub(MAX_FILES - 1)) {
        dir.remove_file(name)?;
    }
    Ok(())
}

/// Stands for the runtime's version, its settings and the processor's features.
fn fingerprint(engine: &wasmtime::Engine) -> [u8; 32] {
    struct Digest(Sha256);
    impl Hasher for Digest {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut digest = Digest(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut digest);
    digest.0.finalize().into()
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;
    use wasmtime::Engine;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const DIGEST: [u8; 32] = [7; 32];

    fn engine() -> Result<Engine, Box<dyn std::error::Error>> {
        Ok(crate::runtime::engine(2)?)
    }

    fn cache(engine: &Engine, dir: &Dir, key: Option<[u8; 32]>) -> std::io::Result<Cache> {
        let cache = Cache::new(engine, Some(dir.try_clone()?));
        key.iter().for_each(|key| cache.unlock(key));
        Ok(cache)
    }

    #[test]
    fn only_untouched_files_of_this_server_are_loaded() -> Outcome {
        let temporary = tempfile::tempdir()?;
        let dir = Dir::open_ambient_dir(temporary.path(), ambient_authority())?;
        let engine = engine()?;
        let component = Component::from_binary(&engine, &wat::parse_str("(component (core module (func)))")?)?;
        let locked = cache(&engine, &dir, None)?;
        locked.store(&DIGEST, &component);
        assert_eq!(dir.entries()?.count(), 0, "nothing is written without a key");

        let mine = cache(&engine, &dir, Some([1; 32]))?;
        mine.store(&DIGEST, &component);
        assert_eq!(dir.entries()?.count(), 1);
        assert!(mine.load(&engine, &DIGEST).is_some());
        assert!(locked.load(&engine, &DIGEST).is_none(), "nothing is read without a key");
        assert!(cache(&engine, &dir, Some([2; 32]))?.load(&engine, &DIGEST).is_none(), "another server's key");
        dir.copy(mine.name(&DIGEST), &dir, mine.name(&[8; 32]))?;
        assert!(mine.load(&engine, &[8; 32]).is_none(), "another component's code");

        let name = mine.name(&DIGEST);
        let good = dir.read(&name)?;
        for at in [0, MAC_BYTES - 1, MAC_BYTES, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            if let Some(byte) = bad.get_mut(at) {
                *byte ^= 1;
            }
            dir.write(&name, &bad)?;
            assert!(mine.load(&engine, &DIGEST).is_none(), "byte {at}");
        }
        for length in [0, 10, MAC_BYTES, good.len() - 1] {
            dir.write(&name, good.get(..length).unwrap_or_default())?;
            assert!(mine.load(&engine, &DIGEST).is_none(), "{length} bytes");
        }
        mine.store(&DIGEST, &component);
        assert!(mine.load(&engine, &DIGEST).is_some(), "written anew");
        Ok(())
    }

    #[test]
    fn old_files_make_way() -> Outcome {
        let temporary = tempfile::tempdir()?;
        let dir = Dir::open_ambient_dir(temporary.path(), ambient_authority())?;
        let engine = engine()?;
        let component = Component::from_binary(&engine, &wat::parse_str("(component)")?)?;
        let cache = cache(&engine, &dir, Some([1; 32]))?;
        for n in 0..40 {
            dir.write(cache.name(&[n; 32]), "of an engine that was")?;
        }
        cache.store(&DIGEST, &component);
        assert_eq!(dir.entries()?.count(), MAX_FILES);
        assert!(cache.load(&engine, &DIGEST).is_some());
        Ok(())
    }

    #[test]
    fn another_configuration_has_other_files() -> Outcome {
        let plain = Engine::default();
        assert_ne!(fingerprint(&engine()?), fingerprint(&plain));
        assert_eq!(fingerprint(&engine()?), fingerprint(&engine()?));
        Ok(())
    }
}
