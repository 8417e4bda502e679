//! The life of one call: permits, an instance, the deadline around all of it, and what remains of it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_model::engine::{Call, CallError, Cause, Failure, Lane};
use cofferdam_model::review::Counts;
use cofferdam_model::view::Changes;
use cofferdam_model::{Error, SecretText};
use tokio::time::{Instant, timeout_at};

use super::ComponentEngine;
use crate::bindings::cofferdam::engine::types as wit;
use crate::connections::{Allowance, Place};
use crate::convert::{self, BadAnswer};
use crate::fault::{self, Fault};
use crate::instance::{Compartment, NotStarted, WarmKey};
use crate::leash::Leash;
use crate::net::http::{self, traffic::Traffic};
use crate::net::ledger::{Origin, Present, Row};
use crate::permits::MountPermit;
use crate::redact::Redactor;
use crate::state::{Active, Keeps, State, Stop};

/// Bytes of a guest's output in the log.
const MAX_OUTPUT: usize = 1024;

/// A backend that left a call waiting for so long does not answer others either. Less may be one connection's trouble.
const SILENCE: Duration = Duration::from_secs(3);

/// A call that has got its instance.
pub(super) struct Run<'e> {
    engine: &'e ComponentEngine,
    pub(super) compartment: Compartment,
    pub(super) redactor: Arc<Redactor>,
    mount: String,
    row: Arc<Row>,
    key: Option<WarmKey>,
    allowance: Allowance,
    mount_uuid: String,
    pub(super) limit: Limit,
    since: Instant,
    _running: Present,
    _permit: MountPermit,
    place: Option<Place>,
}

/// What ends a call from outside.
pub(super) struct Limit {
    deadline: Instant,
    leash: Option<Leash>,
}

/// How a call ended.
pub(super) enum End<T> {
    Answered(wasmtime::Result<T>),
    Late,
    Withdrawn,
}

impl Limit {
    /// Runs a future on the instance until one of the limits.
    pub(super) async fn hold<T>(&mut self, work: impl Future<Output = wasmtime::Result<T>>) -> End<T> {
        let leash = async {
            match &mut self.leash {
                Some(leash) => leash.pulled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = leash => End::Withdrawn,
            answer = timeout_at(self.deadline, work) => answer.map_or(End::Late, End::Answered),
        }
    }
}

impl<'e> Run<'e> {
    /// Waits for permits and an instance. `carried` are JSON texts whose contents no message may show.
    pub(super) async fn begin(
        engine: &'e ComponentEngine,
        call: Call,
        carried: Vec<SecretText>,
    ) -> Result<Self, CallError> {
        let deadline = Instant::now() + call.deadline.min(engine.policy.limits.deadline());
        let row = engine.row(&call.mount.path);
        row.add(&Counts { calls: 1, ..Counts::default() });
        let waiting = row.waits();
        let begun = Self::admitted(engine, call, carried, deadline, &row).await;
        drop(waiting);
        if matches!(begun, Err(CallError::NotStarted(_))) {
            row.add(&Counts { refused: 1, ..Counts::default() });
        }
        begun
    }

    async fn admitted(
        engine: &'e ComponentEngine,
        call: Call,
        carried: Vec<SecretText>,
        deadline: Instant,
        row: &Arc<Row>,
    ) -> Result<Self, CallError> {
        let (limits, mount) = (&engine.policy.limits, call.mount.path.clone());
        let written = call.backend.as_ref().map(|b| b.connections).unwrap_or_default();
        let allowance = Allowance::of(written, engine.policy.connections.as_ref(), limits);
        // First, so that those who wait for one backend keep no permit from the mount's other ones.
        let place = Self::place(engine, &call, &allowance, deadline).await?;
        let started = timeout_at(deadline, Self::start(engine, call, carried, deadline, allowance, place, row)).await;
        started.unwrap_or_else(|_| {
            let message = format!("engine {} at {mount}: all its instances are busy", engine.policy.engine);
            Err(CallError::NotStarted(Error::unavailable(message)))
        })
    }

    /// Waits for one of the connections that the backend may get. None: the call needs none, or there is no limit.
    async fn place(
        engine: &ComponentEngine,
        call: &Call,
        allowance: &Allowance,
        deadline: Instant,
    ) -> Result<Option<Place>, CallError> {
        let (Some(backend), Some(open)) = (&call.backend, allowance.open) else { return Ok(None) };
        let not_started = |why: &str| {
            let (engine, mount) = (&engine.policy.engine, &call.mount.path);
            CallError::NotStarted(Error::unavailable(format!(
                "engine {engine} at {mount}: backend {} {why}",
                backend.name
            )))
        };
        // What must be taken back has its own pace; a client would rather know.
        let stays = call.lane == Lane::Revoke;
        let turn = engine.sandbox.connections.take(&call.mount.uuid, &backend.name, open, stays);
        match timeout_at(deadline, turn).await {
            Ok(Some(place)) => Ok(Some(place)),
            Ok(None) => Err(not_started("does not answer")),
            Err(_) => Err(not_started(&format!("may have {open} connections, and all are in use"))),
        }
    }

    async fn start(
        engine: &'e ComponentEngine,
        call: Call,
        carried: Vec<SecretText>,
        deadline: Instant,
        allowance: Allowance,
        place: Option<Place>,
        row: &Arc<Row>,
    ) -> Result<Self, CallError> {
        let (sandbox, limits) = (&engine.sandbox, &engine.policy.limits);
        let closed = || CallError::NotStarted(Error::unavailable("the sandbox is closed"));
        let permit = sandbox.permits.mount(&call.mount.uuid, call.lane, limits).await.ok_or_else(closed)?;
        let key = if limits.warm { WarmKey::of(&call) } else { None };
        let origin = Origin {
            engine: engine.policy.engine.clone(),
            mount: call.mount.path.clone(),
            request_id: call.request_id.clone(),
        };
        // What the policy grants holds for every backend; without one there is no network at all.
        let grants = call.backend.as_ref().map(|b| b.grants.iter().chain(&engine.policy.grants).cloned().collect());
        let (mount, mount_uuid, lane) = (call.mount.path.clone(), call.mount.uuid.clone(), call.lane);
        let connected = call.backend.as_ref().map(|backend| http::traffic::Place {
            mount: call.mount.uuid.clone(),
            backend: backend.name.clone(),
            generation: backend.target.as_ref().map_or(0, |t| t.generation),
        });
        let leash = connected.as_ref().map(|at| sandbox.leashes.tie(&at.mount, &at.backend, at.generation));
        let traffic = Traffic::new(limits, connected, leash.clone());
        let mut active = Active::new(call, Arc::clone(&engine.policy), deadline, carried);
        let redactor = active.redactor();
        let kept = key.as_ref().and_then(|key| sandbox.kept.check_out(&engine.digest, key));
        if let (None, Some(key), Some(open), Some(place)) = (&kept, &key, allowance.open, &place) {
            // Kept instances that know another secret or address hold connections all the same.
            sandbox.kept.trim(key, open.saturating_sub(place.running()));
        }
        let mut compartment = match kept {
            Some(mut kept) => {
                row.add(&Counts { warm: 1, ..Counts::default() });
                kept.renew(limits);
                kept
            }
            None => {
                let slot = sandbox.slot(lane).await.ok_or_else(closed)?;
                let border = Arc::clone(&sandbox.border);
                let start = Compartment::start(&sandbox.engine, &engine.loaded.pre, border, limits, slot);
                // Its own time-out: an instance that hangs while it starts is at fault, a full pool is not.
                match timeout_at(deadline, start).await {
                    Ok(Ok(started)) => started,
                    Ok(Err(failed)) => return Err(engine.not_started(&mount, failed, &redactor)),
                    Err(_) => return Err(engine.fault(&mount, Fault::Deadline, "")),
                }
            }
        };
        let state = compartment.store.data_mut();
        state.gate.open(origin, grants.unwrap_or_default(), limits, traffic);
        state.active = Some(active);
        Ok(Self {
            engine,
            compartment,
            redactor,
            mount,
            row: Arc::clone(row),
            key,
            allowance,
            mount_uuid,
            limit: Limit { deadline, leash },
            since: Instant::now(),
            _running: row.runs(),
            _permit: permit,
            place,
        })
    }

    /// Says which of the call's changes its caller will commit.
    pub(super) fn keeps(mut self, keeps: Keeps) -> Self {
        if let Some(active) = &mut self.compartment.store.data_mut().active {
            active.keeps = keeps;
        }
        self
    }

    /// The guest's answer, or why there is none.
    pub(super) fn answer<T>(&mut self, end: End<T>) -> Result<T, CallError> {
        let answer = match end {
            End::Answered(answer) => answer,
            End::Late => return Err(self.fault(Fault::Deadline)),
            End::Withdrawn => return Err(self.fault(Fault::Withdrawn)),
        };
        let state = self.compartment.store.data_mut();
        let redactor = state.active.as_mut().map(Active::redactor);
        if let Some(redactor) = redactor {
            self.redactor = redactor;
        }
        answer.map_err(|error| {
            let state = self.compartment.store.data_mut();
            match state.active.as_mut().and_then(|a| a.stop.take()) {
                Some(Stop::Host(error)) => CallError::Host(error),
                Some(Stop::Guest(rule)) => self.fault(Fault::Rule(rule)),
                None => {
                    let fault = self.engine.name_fault(state, &error, &self.redactor);
                    self.fault(fault)
                }
            }
        })
    }

    /// A result that the guest gave in its own words.
    pub(super) fn result<T>(&mut self, result: Result<T, wit::Failure>) -> Result<T, CallError> {
        result.map_err(|said| self.failed(convert::failure(said, &self.redactor)))
    }

    /// An answer after the check.
    pub(super) fn checked<T>(&self, checked: Result<T, BadAnswer>) -> Result<T, CallError> {
        checked.map_err(|bad| self.fault(Fault::Answer(bad)))
    }

    fn failed(&self, failure: Failure) -> CallError {
        self.row.add(&Counts { failures: 1, ..Counts::default() });
        CallError::Failure(failure)
    }

    fn fault(&self, fault: Fault) -> CallError {
        let output = self.compartment.store.data().output.take();
        self.engine.fault(&self.mount, fault, &self.redactor.line(&output, MAX_OUTPUT))
    }

    /// Ends a call that gave a good answer: its changes, and perhaps an instance for the next call.
    pub(super) fn finish(mut self) -> Changes {
        let state = self.compartment.store.data_mut();
        let mut changes = state.active.take().map(Active::into_changes).unwrap_or_default();
        // A kept instance may remember former calls.
        let fresh = self.key.is_none() && self.engine.policy.limits.remember && self.engine.loaded.is_plain;
        changes.repeatable &= fresh && !state.clocks.is_read();
        if changes.is_empty() {
            self.keep();
        } else {
            // Others may have seen what this call is about to change.
            self.engine.sandbox.kept.forget_mount(&self.mount_uuid);
        }
        changes
    }

    /// Ends a call that the guest refused. Its changes are void; the instance is as good as before, unless it lost its
    /// backend or does not know what happened.
    pub(super) fn refused(self, error: CallError) -> CallError {
        let lost = matches!(&error, CallError::Failure(f) if f.cause == Cause::Unreachable);
        if let Some(place) = self.place.as_ref().filter(|_| lost && self.since.elapsed() >= SILENCE) {
            place.silent();
        }
        let sound = match &error {
            CallError::Failure(f) => !matches!(f.cause, Cause::Unreachable | Cause::Internal | Cause::Denied),
            CallError::Fault(_) | CallError::Host(_) | CallError::NotStarted(_) => false,
        };
        if sound {
            self.keep();
        }
        error
    }

    /// Keeps the instance for the next call, unless its backend went away meanwhile.
    fn keep(mut self) {
        let Some(key) = self.key.take() else { return };
        let (engine, kept) = (self.engine, &self.engine.sandbox.kept);
        kept.check_in(&engine.digest, key.clone(), self.compartment, &self.allowance, &engine.policy.limits);
        // Withdrawing pulls first and sweeps then: either it still finds the instance, or this sees that it pulled.
        if self.limit.leash.as_ref().is_some_and(Leash::is_pulled) {
            kept.forget(&key);
        }
    }
}

impl ComponentEngine {
    fn row(&self, mount: &str) -> Arc<Row> {
        self.sandbox.border.ledger.row(&self.policy.engine, mount)
    }

    fn fault(&self, mount: &str, fault: Fault, output: &str) -> CallError {
        self.sandbox.border.ledger.faulted(&self.policy.engine, mount, &fault);
        fault.into_error(&self.policy.engine, mount, output)
    }

    fn not_started(&self, mount: &str, failed: NotStarted, redactor: &Redactor) -> CallError {
        let fault = self.name_start(&failed, redactor);
        let output = redactor.line(&failed.store.data().output.take(), MAX_OUTPUT);
        self.fault(mount, fault, &output)
    }

    /// Why an instance did not start.
    pub(super) fn name_start(&self, failed: &NotStarted, redactor: &Redactor) -> Fault {
        match self.name_fault(failed.store.data(), &failed.error, redactor) {
            Fault::Trap(what) => Fault::Start(what),
            other => other,
        }
    }

    /// What ended an instance's work.
    pub(super) fn name_fault(&self, state: &State, error: &wasmtime::Error, redactor: &Redactor) -> Fault {
        if error.downcast_ref() == Some(&wasmtime::Trap::Interrupt) {
            return Fault::Cpu;
        }
        if state.growth.was_refused() {
            return Fault::Memory(self.policy.limits.memory_mib);
        }
        Fault::Trap(redactor.line(&fault::describe(error), convert::MAX_MESSAGE))
    }
}
