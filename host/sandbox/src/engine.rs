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
use crate::fault::Fault;
use crate::instance::Compartment;
use crate::net::http::traffic::Traffic;
use crate::net::ledger::Origin;
use crate::permits::Slot;
use crate::policy::Policy;
use crate::redact::Redactor;
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

    /// The description for these options, asked of an instance of its own in which every import traps. What is wrong
    /// with it is listed for the mount that asks.
    async fn description(&self, mount: &str, options: &[(String, String)]) -> Result<Arc<Description>, SandboxError> {
        let known = self.descriptions.lock().unwrap_or_else(PoisonError::into_inner).get(options).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let refuse = |reason: String| SandboxError::Description { engine: self.policy.engine.clone(), reason };
        if options.len() > MAX_OPTIONS {
            return Err(refuse(format!("more than {MAX_OPTIONS} options")));
        }
        let deadline = self.policy.limits.deadline();
        // Those who wait for a place have done nothing wrong.
        let slot = timeout_at(Instant::now() + deadline, self.sandbox.permits.describer()).await.ok().flatten();
        let slot = slot.ok_or_else(|| refuse("it was not asked, for others took too long over theirs".to_owned()))?;
        let said = timeout_at(Instant::now() + deadline, self.ask_for_description(slot, mount, options)).await;
        let said = said.unwrap_or(Err(Fault::Deadline));
        let description = said.and_then(|said| convert::description(said, &self.policy).map_err(Fault::Answer));
        let description = Arc::new(description.map_err(|fault| {
            self.sandbox.border.ledger.undescribed(&self.policy.engine, mount, &fault);
            refuse(fault.to_string())
        })?);
        let mut kept = self.descriptions.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_DESCRIPTIONS {
            kept.clear();
        }
        kept.insert(options.to_vec(), Arc::clone(&description));
        Ok(description)
    }

    async fn ask_for_description(
        &self,
        slot: Slot,
        mount: &str,
        options: &[(String, String)],
    ) -> Result<crate::bindings::exports::cofferdam::engine::descriptor::Description, Fault> {
        let sandbox = &self.sandbox;
        let border = Arc::clone(&sandbox.border);
        // No secret is anywhere near.
        let redactor = Redactor::default();
        let mut compartment = Compartment::start(&sandbox.engine, &self.loaded.pre, border, &self.policy.limits, slot)
            .await
            .map_err(|failed| self.name_start(&failed, &redactor))?;
        let store = &mut compartment.store;
        // It has no network; what it tries all the same is listed as its own.
        let origin = Origin { engine: self.policy.engine.clone(), mount: mount.to_owned(), ..Origin::default() };
        store.data_mut().gate.open(origin, Vec::new(), &self.policy.limits, Traffic::none());
        let said = match self.loaded.exports.descriptor.load(&mut *store, &compartment.instance) {
            Ok(guest) => guest.call_describe(&mut *store, &options.to_vec()).await,
            Err(error) => Err(error),
        };
        said.map_err(|error| self.name_fault(store.data(), &error, &redactor))
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
