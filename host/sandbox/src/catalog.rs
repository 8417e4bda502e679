//! The engines that are embedded in the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use cofferdam_model::Error;
use cofferdam_model::engine::{Catalog, Engine};
use tokio::sync::OnceCell;

use crate::SandboxError;
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

struct Entry {
    component: &'static [u8],
    policy: Policy,
    engine: OnceCell<Arc<ComponentEngine>>,
}

impl BuiltinCatalog {
    /// Reads the policies; loads nothing yet.
    ///
    /// # Errors
    /// [`SandboxError::Policy`], [`SandboxError::Duplicate`].
    pub fn new(sandbox: Arc<Sandbox>, builtins: Vec<Builtin>) -> Result<Self, SandboxError> {
        let mut engines = BTreeMap::new();
        for builtin in builtins {
            let policy = Policy::parse(builtin.kind, builtin.policy)?;
            let entry = Entry { component: builtin.component, policy, engine: OnceCell::new() };
            if engines.insert(builtin.kind, entry).is_some() {
                return Err(SandboxError::Duplicate(builtin.kind.to_owned()));
            }
        }
        Ok(Self { sandbox, engines })
    }

    /// The policy of an engine, for reviewers.
    pub fn policy(&self, kind: &str) -> Option<&Policy> {
        self.engines.get(kind).map(|entry| &entry.policy)
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
                // Compiling takes up to seconds: not on the threads that serve.
                tokio::task::spawn_blocking(move || ComponentEngine::load(sandbox, policy, component))
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
