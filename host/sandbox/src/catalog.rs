//! The engines that are embedded in the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use cofferdam_model::Error;
use cofferdam_model::engine::{Catalog, Engine};
use tokio::sync::OnceCell;

use crate::SandboxError;
use crate::compiler::Compiler;
use crate::engine::ComponentEngine;
use crate::policy::Policy;
use crate::sandbox::Sandbox;

/// An engine that is embedded in the server.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// The engine's type.
    pub kind: &'static str,
    /// The component.
    pub component: &'static [u8],
    /// The sandbox policy, TOML.
    pub policy: &'static str,
}

/// The embedded engines, each compiled when it is first used.
pub struct BuiltinCatalog {
    sandbox: Arc<Sandbox>,
    engines: BTreeMap<&'static str, Entry>,
}

/// One engine of a catalogue.
pub(crate) struct Entry {
    component: &'static [u8],
    policy: Policy,
    /// Where the policy was read from.
    origin: String,
    /// Compiles it, if not this process.
    compiler: Option<Arc<dyn Compiler>>,
    engine: OnceCell<Arc<ComponentEngine>>,
}

impl Entry {
    pub(crate) fn component(&self) -> &'static [u8] {
        self.component
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The engine, if it was used before.
    pub(crate) fn loaded(&self) -> Option<&ComponentEngine> {
        self.engine.get().map(Arc::as_ref)
    }
}

impl BuiltinCatalog {
    /// Reads the policies; loads nothing yet.
    ///
    /// # Errors
    /// [`SandboxError::Policy`], [`SandboxError::Duplicate`].
    pub fn new(sandbox: Arc<Sandbox>, builtins: Vec<Builtin>) -> Result<Self, SandboxError> {
        let mut catalog = Self { sandbox, engines: BTreeMap::new() };
        catalog.insert(builtins, "built in", None)?;
        Ok(catalog)
    }

    /// Adds engines that did not come with the server; `origin` tells reviewers where their policies were read from.
    ///
    /// # Errors
    /// As [`BuiltinCatalog::new`].
    pub fn add(
        &mut self,
        engines: Vec<Builtin>,
        origin: &str,
        compiler: Arc<dyn Compiler>,
    ) -> Result<(), SandboxError> {
        self.insert(engines, origin, Some(compiler))
    }

    fn insert(
        &mut self,
        engines: Vec<Builtin>,
        origin: &str,
        compiler: Option<Arc<dyn Compiler>>,
    ) -> Result<(), SandboxError> {
        for builtin in engines {
            let policy = Policy::parse(builtin.kind, builtin.policy)?;
            let (component, origin) = (builtin.component, format!("{}.toml, {origin}", builtin.kind));
            let entry = Entry { component, policy, origin, compiler: compiler.clone(), engine: OnceCell::new() };
            if self.engines.insert(builtin.kind, entry).is_some() {
                return Err(SandboxError::Duplicate(builtin.kind.to_owned()));
            }
        }
        Ok(())
    }

    pub(crate) fn entry(&self, kind: &str) -> Option<&Entry> {
        self.engines.get(kind)
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

#[async_trait]
impl Catalog for BuiltinCatalog {
    async fn engine(&self, kind: &str) -> cofferdam_model::Result<Option<Arc<dyn Engine>>> {
        let Some(entry) = self.engines.get(kind) else { return Ok(None) };
        let engine = entry
            .engine
            .get_or_try_init(|| async {
                let (sandbox, policy, component) = (Arc::clone(&self.sandbox), entry.policy.clone(), entry.component);
                let compiler = entry.compiler.clone();
                // Compiling takes up to seconds: not on the threads that serve.
                let load = move || ComponentEngine::load(sandbox, policy, component, compiler.as_deref());
                tokio::task::spawn_blocking(load)
                    .await
                    .map_err(|e| Error::internal(format!("engine {kind}: loading it broke: {e}")))?
                    .map(Arc::new)
                    .map_err(Error::from)
            })
            .await?;
        Ok(Some(Arc::clone(engine) as Arc<dyn Engine>))
    }

    fn kinds(&self) -> Vec<String> {
        self.engines.keys().map(|kind| (*kind).to_owned()).collect()
    }
}

impl std::fmt::Debug for BuiltinCatalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuiltinCatalog").field("kinds", &self.kinds()).finish_non_exhaustive()
    }
}
