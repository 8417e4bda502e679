//! What an instance's store holds: the compartment's view of the world, and the call that runs in it.

use std::collections::HashSet;
use std::sync::Arc;

use cofferdam_model::engine::Call;
use cofferdam_model::view::Changes;
use cofferdam_model::{Error, SecretText};
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::clocks::Noted;
use crate::imports::storage::Buffer;
use crate::limits::Growth;
use crate::net::gate::{Border, Gate};
use crate::net::http::{self, Hooks};
use crate::output::Output;
use crate::policy::{Limits, Policy};
use crate::redact::Redactor;
use crate::runtime::TICK;

/// The state of one instance.
pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(crate) growth: Growth,
    pub(crate) gate: Arc<Gate>,
    http: WasiHttpCtx,
    hooks: Hooks,
    pub(crate) output: Output,
    pub(crate) clocks: Noted,
    /// Sockets whose connect took longer than the host waits.
    pub(crate) late: HashSet<u32>,
    /// Ticks of the runtime's clock that the call may still run through.
    pub(crate) cpu_left: u64,
    /// None while the engine describes itself, and between calls: every import of the contract traps.
    pub(crate) active: Option<Active>,
}

impl State {
    pub(crate) fn new(border: Arc<Border>, limits: &Limits) -> Self {
        let gate = Arc::new(Gate::shut(border));
        let output = Output::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let check = Arc::clone(&gate);
        let clocks = Noted::default();
        // No environment, no arguments, no directories, no UDP; look-ups and TCP go through the gate.
        let wasi = WasiCtxBuilder::new()
            .stdout(output.clone())
            .stderr(output.clone())
            .max_random_size(64 << 10)
            .allow_blocking_current_thread(false)
            .allow_tcp(true)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .wall_clock(clocks.wall())
            .monotonic_clock(clocks.steady())
            .socket_addr_check(move |address, purpose| {
                let permitted = check.permits(address, purpose);
                Box::pin(std::future::ready(permitted))
            })
            .build();
        Self {
            wasi,
            table,
            growth: Growth::up_to(limits.memory_bytes()),
            http: http::context(),
            hooks: Hooks::new(Arc::clone(&gate)),
            gate,
            output,
            clocks,
            late: HashSet::new(),
            cpu_left: ticks(limits),
            active: None,
        }
    }

    /// The running call. What is done with it makes the call more than a function of its request, mount and entries.
    pub(crate) fn active(&mut self) -> wasmtime::Result<&mut Active> {
        let active = self.within()?;
        active.looked_further = true;
        Ok(active)
    }

    /// The running call, for imports that show nothing but its mount and entries.
    pub(crate) fn within(&mut self) -> wasmtime::Result<&mut Active> {
        self.active.as_mut().ok_or_else(|| wasmtime::Error::msg("an import was used outside of a call"))
    }
}

/// The processor time of a call, in ticks.
pub(crate) fn ticks(limits: &Limits) -> u64 {
    limits.cpu_ms.div_ceil(u64::try_from(TICK.as_millis()).unwrap_or(1).max(1)).max(1)
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, hooks: &mut self.hooks, table: &mut self.table }
    }
}

/// One call.
pub(crate) struct Active {
    pub(crate) call: Call,
    pub(crate) policy: Arc<Policy>,
    pub(crate) deadline: Instant,
    pub(crate) buffer: Buffer,
    pub(crate) slots: Vec<(String, SecretText)>,
    pub(crate) keeps: Keeps,
    pub(crate) log_left: usize,
    /// Whether the call saw or did something besides its request, its mount and its entries.
    pub(crate) looked_further: bool,
    /// Why an import ended the call, if one did.
    pub(crate) stop: Option<Stop>,
    /// JSON texts whose contents must not appear in messages: slots and what is carried.
    pub(crate) carried: Vec<SecretText>,
    redactor: Option<Arc<Redactor>>,
}

/// What the host commits of a call's changes: a change that it would drop ends the call instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keeps {
    #[default]
    Nothing,
    Storage,
    StorageAndSlots,
}

/// Why an import ended the call.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The guest broke the contract.
    Guest(String),
    /// The host could not answer.
    Host(Error),
}

impl Active {
    /// A call that keeps nothing.
    pub(crate) fn new(call: Call, policy: Arc<Policy>, deadline: Instant, mut carried: Vec<SecretText>) -> Self {
        carried.extend(call.backend.as_ref().and_then(|b| b.secret.clone()));
        let log_left = policy.limits.log_bytes;
        Self {
            call,
            policy,
            deadline,
            buffer: Buffer::default(),
            slots: Vec::new(),
            keeps: Keeps::Nothing,
            log_left,
            looked_further: false,
            stop: None,
            carried,
            redactor: None,
        }
    }

    /// Ends the call because the guest broke a rule.
    pub(crate) fn refuse(&mut self, rule: impl Into<String>) -> wasmtime::Error {
        let rule = rule.into();
        let error = wasmtime::Error::msg(rule.clone());
        self.stop.get_or_insert(Stop::Guest(rule));
        error
    }

    /// Ends the call because the host cannot go on.
    pub(crate) fn fail(&mut self, error: Error) -> wasmtime::Error {
        let message = wasmtime::Error::msg(error.to_string());
        self.stop.get_or_insert(Stop::Host(error));
        message
    }

    /// Built when the first message needs it; a new secret makes a new one.
    pub(crate) fn redactor(&mut self) -> Arc<Redactor> {
        let (call, carried) = (&self.call, &self.carried);
        Arc::clone(self.redactor.get_or_insert_with(|| Arc::new(Redactor::new(&call.secrets, carried))))
    }

    /// Remembers one more JSON text that must not be seen.
    pub(crate) fn hide(&mut self, json: SecretText) {
        self.carried.push(json);
        self.redactor = None;
    }

    /// What the call changed.
    pub(crate) fn into_changes(self) -> Changes {
        let (reads, writes) = self.buffer.into_parts();
        Changes { reads, writes, slots: self.slots, repeatable: !self.looked_further }
    }
}
