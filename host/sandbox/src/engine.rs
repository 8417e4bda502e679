//! One engine build behind the host's port.

mod calls;
mod run;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_model::engine::CallError;
use cofferdam_model::route::Description;
use tokio::time::{Instant, timeout_at};

use crate::SandboxError;
use crate::compiler::Compiler;
use crate::component::Loaded;
use crate::convert;
use crate::fault;
use crate::instance::Compartment;
use crate::policy::Policy;
use crate::sandbox::Sandbox;

/// Descriptions that are kept; mounts have few different options.
const MAX_DESCRIPTIONS: usize = 64;
/// Options that a description may depend on.
const MAX_OPTIONS: usize = 64;

/// A mount's options.
type Options = Vec<(String, String)>;

/// A component with its sandbox policy.
pub(crate) struct ComponentEngine {
    sandbox: Arc<Sandbox>,
    policy: Arc<Policy>,
    loaded: Loaded,
    digest: Arc<str>,
    descriptions: Mutex<HashMap<Options, Arc<Description>>>,
}

impl ComponentEngine {
    /// Loads the component. Blocking.
    pub(crate) fn load(
        sandbox: Arc<Sandbox>,
        policy: Policy,
        bytes: &[u8],
        compiler: Option<&dyn Compiler>,
    ) -> Result<Self, SandboxError> {
        let loaded = sandbox.load(&policy, bytes, compiler)?;
        let digest = Arc::from(loaded.digest.as_str());
        Ok(Self { sandbox, policy: Arc::new(policy), loaded, digest, descriptions: Mutex::default() })
    }

    /// The component, ready to be instantiated.
    pub(crate) fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The description for these options, asked of an instance of its own in which every import traps.
    async fn description(&self, options: &[(String, String)]) -> Result<Arc<Description>, SandboxError> {
        let known = self.descriptions.lock().unwrap_or_else(PoisonError::into_inner).get(options).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let refuse = |reason: String| SandboxError::Description { engine: self.policy.engine.clone(), reason };
        if options.len() > MAX_OPTIONS {
            return Err(refuse(format!("more than {MAX_OPTIONS} options")));
        }
        let deadline = Instant::now() + self.policy.limits.deadline();
        let said = timeout_at(deadline, self.ask_for_description(options))
            .await
            .map_err(|_| refuse("it did not answer in time".to_owned()))?
            .map_err(|e| refuse(fault::describe(&e)))?;
        let description = convert::description(said, &self.policy).map_err(|e| refuse(e.to_string()))?;
        let description = Arc::new(description);
        let mut kept = self.descriptions.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_DESCRIPTIONS {
            kept.clear();
        }
        kept.insert(options.to_vec(), Arc::clone(&description));
        Ok(description)
    }

    async fn ask_for_description(
        &self,
        options: &[(String, String)],
    ) -> wasmtime::Result<crate::bindings::exports::cofferdam::engine::descriptor::Description> {
        let sandbox = &self.sandbox;
        let slot = sandbox.permits.describer().await.ok_or_else(|| wasmtime::Error::msg("no place"))?;
        let border = Arc::clone(&sandbox.border);
        let mut compartment = Compartment::start(&sandbox.engine, &self.loaded.pre, border, &self.policy.limits, slot)
            .await
            .map_err(|e| e.error)?;
        let guest = self.loaded.exports.descriptor.load(&mut compartment.store, &compartment.instance)?;
        guest.call_describe(&mut compartment.store, &options.to_vec()).await
    }

    /// What an engine without credentials says to calls that need them.
    fn unsupported(&self) -> CallError {
        CallError::Failure(cofferdam_model::engine::Failure {
            cause: cofferdam_model::engine::Cause::Unsupported,
            message: format!("engine {} makes no credentials", self.policy.engine),
            retry_after: None,
            untouched: true,
        })
    }
}
