//! Loads a component: compiles it or takes it from the cache, and holds its imports against the policy.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, InstancePre, Linker};

use crate::SandboxError;
use crate::bindings::exports::cofferdam::engine as exports;
use crate::cache::Cache;
use crate::compiler::{self, Compiler};
use crate::policy::{Policy, World};
use crate::state::State;

/// The largest component that is compiled.
pub(crate) const MAX_COMPONENT: usize = 64 << 20;
/// What an engine may export or not.
const INVENTORY: &str = "cofferdam:engine/inventory@0.1.0-dev";
/// What gives chance or the network.
const OPEN: [&str; 3] = ["wasi:random/", "wasi:sockets/", "wasi:http/"];
/// Bytes of a page of linear memory.
const PAGE: u64 = 65_536;

/// A component that is ready to be instantiated.
pub(crate) struct Loaded {
    /// Hex SHA-256.
    pub(crate) digest: String,
    /// With their versions, sorted.
    pub(crate) imports: Vec<String>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Exports,
    /// Whether it imports nothing that gives chance or the network, so that the host sees all that a call depends on.
    pub(crate) is_plain: bool,
}

/// Where the contract's exports are in the component.
pub(crate) struct Exports {
    pub(crate) descriptor: exports::descriptor::GuestIndices,
    pub(crate) lifecycle: exports::lifecycle::GuestIndices,
    pub(crate) backend: exports::backend::GuestIndices,
    /// Only in the world `issuer`.
    pub(crate) issuer: Option<Issuer>,
}

/// Exports of the world `issuer`.
pub(crate) struct Issuer {
    pub(crate) credentials: exports::credentials::GuestIndices,
    pub(crate) rotation: exports::rotation::GuestIndices,
    /// Only in engines that tell what is in their backends.
    pub(crate) inventory: Option<exports::inventory::GuestIndices>,
}

/// Compiles (or finds compiled) and checks. Blocking, for up to some seconds.
pub(crate) fn load(
    linker: &Linker<State>,
    cache: &Cache,
    policy: &Policy,
    bytes: &[u8],
    compiler: Option<&dyn Compiler>,
) -> Result<Loaded, SandboxError> {
    let refuse = |reason: String| SandboxError::Component { engine: policy.engine.clone(), reason };
    let (digest, pre) = prepare(linker, cache, policy, bytes, compiler)?;
    let exports = Exports::find(&pre, policy.world).map_err(|e| refuse(format!("{e:#}")))?;
    let component = pre.component().component_type();
    let mut imports: Vec<String> = component.imports(linker.engine()).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    let is_plain = !imports.iter().any(|import| OPEN.iter().any(|open| import.starts_with(open)));
    Ok(Loaded { digest, imports, pre, exports, is_plain })
}

/// All of loading but for the exports.
pub(crate) fn prepare(
    linker: &Linker<State>,
    cache: &Cache,
    policy: &Policy,
    bytes: &[u8],
    compiler: Option<&dyn Compiler>,
) -> Result<(String, InstancePre<State>), SandboxError> {
    let refuse = |reason: String| SandboxError::Component { engine: policy.engine.clone(), reason };
    if bytes.len() > MAX_COMPONENT {
        return Err(refuse(format!("it is larger than {} MiB", MAX_COMPONENT >> 20)));
    }
    let engine = linker.engine();
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let component = match cache.load(engine, &digest) {
        Some(component) => component,
        None => {
            let component = compiler::component(engine, bytes, compiler).map_err(refuse)?;
            cache.store(&digest, &component);
            component
        }
    };
    check_imports(engine, &component, policy)?;
    check_needs(&component, policy.limits.memory_bytes()).map_err(refuse)?;
    let pre = linker.instantiate_pre(&component).map_err(|e| refuse(format!("{e:#}")))?;
    Ok((hex::encode(digest), pre))
}

fn check_imports(engine: &wasmtime::Engine, component: &Component, policy: &Policy) -> Result<(), SandboxError> {
    for (import, _) in component.component_type().imports(engine) {
        if !policy.allows(import) {
            return Err(SandboxError::Import { engine: policy.engine.clone(), import: import.to_owned() });
        }
    }
    Ok(())
}

/// What would fail at every instantiation is refused at once.
pub(crate) fn check_needs(component: &Component, memory: usize) -> Result<(), String> {
    // Memories, tables and modules are counted by the pool when it compiles.
    let Some(needs) = component.resources_required() else {
        return Err("it instantiates modules that it imports".to_owned());
    };
    if needs.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE) > memory as u64 {
        return Err("its memory is larger from the beginning than its policy allows".to_owned());
    }
    Ok(())
}

impl Exports {
    pub(crate) fn find(pre: &InstancePre<State>, world: World) -> wasmtime::Result<Self> {
        let issuer = match world {
            World::Secrets => None,
            World::Issuer => Some(Issuer {
                credentials: exports::credentials::GuestIndices::new(pre)?,
                rotation: exports::rotation::GuestIndices::new(pre)?,
                inventory: exports_inventory(pre).then(|| exports::inventory::GuestIndices::new(pre)).transpose()?,
            }),
        };
        Ok(Self {
            descriptor: exports::descriptor::GuestIndices::new(pre)?,
            lifecycle: exports::lifecycle::GuestIndices::new(pre)?,
            backend: exports::backend::GuestIndices::new(pre)?,
            issuer,
        })
    }
}

/// Whether the component has an interface of that name; of which shape is asked afterwards.
fn exports_inventory(pre: &InstancePre<State>) -> bool {
    pre.component().get_export_index(None, INVENTORY).is_some()
}

/// The linker for all components: WASI without any effect, the gate, and the contract.
pub(crate) fn linker(engine: &wasmtime::Engine) -> Result<Arc<Linker<State>>, SandboxError> {
    let build = || -> wasmtime::Result<Linker<State>> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        crate::net::connector::link(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        crate::net::http::link(&mut linker)?;
        crate::imports::link(&mut linker)?;
        Ok(linker)
    };
    build().map(Arc::new).map_err(|e| SandboxError::Runtime(format!("{e:#}")))
}
