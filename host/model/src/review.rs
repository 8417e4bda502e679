//! What may be asked of the compartments, by reviewers and for the metrics. `sandbox` implements it.

use async_trait::async_trait;

use crate::engine::Grant;
use crate::{Result, Timestamp};

/// Shows compartments, and changes nothing in them.
#[async_trait]
pub trait Review: Send + Sync {
    /// The engine of this type. With `load`, its component is loaded if it was not yet.
    async fn engine(&self, kind: &str, load: bool) -> Option<Reviewed>;
    /// What each engine did on each mount since the start, sorted.
    fn reports(&self) -> Vec<Report>;
    /// The last refusals, oldest first.
    fn denials(&self) -> Vec<Denial>;
    /// The instances of all engines.
    fn instances(&self) -> Instances;
    /// Asks the gate whether a call with these grants (none: a call without a backend) would get to host and port.
    /// Looks granted names up, connects nowhere, and is not counted.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`]: no such engine.
    async fn explain(&self, kind: &str, grants: Option<&[Grant]>, host: &str, port: u16) -> Result<Explained>;
}

/// A component with its sandbox policy.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// The engine's type.
    pub kind: String,
    /// Hex SHA-256 of the component.
    pub digest: String,
    /// Bytes of the component.
    pub size: usize,
    /// What the component imports; none: it is not loaded, or does not load.
    pub imports: Option<Vec<String>>,
    /// Why it does not load.
    pub trouble: Option<String>,
    /// Where the policy was read from.
    pub policy_origin: String,
    /// The policy.
    pub policy: PolicyReview,
}

/// A sandbox policy, complete with the defaults.
#[derive(Clone, Debug, Default)]
pub struct PolicyReview {
    /// Of the contract.
    pub world: String,
    /// Interfaces without versions that the component may import.
    pub imports: Vec<String>,
    /// Names and values.
    pub limits: Vec<(String, u64)>,
    /// What every call that names a backend may reach.
    pub grants: Vec<Grant>,
    /// The fields that name backends: route and field.
    pub targets: Vec<[String; 2]>,
}

/// What is known of a component that is not mounted.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// Hex SHA-256.
    pub digest: String,
    /// Bytes.
    pub size: usize,
    /// Of the contract; none: it exports nothing of it.
    pub contract: Option<String>,
    /// The contract's world that its exports make it; none: they make none.
    pub world: Option<String>,
    /// With their versions.
    pub imports: Vec<String>,
    /// With their versions.
    pub exports: Vec<String>,
    /// What the policy, or the runtime, would refuse. Empty: it would load.
    pub refused: Vec<String>,
}

/// One refusal: of the gate, of an answer, of a description; or a call that was ended at a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// When.
    pub at: Timestamp,
    /// The engine's type.
    pub engine: String,
    /// The mount's path; for a description that was refused, the path that asked for it, mounted or not.
    pub mount: String,
    /// Of the client's request, or of the job; "" for calls that were ended, and for descriptions.
    pub request_id: String,
    /// What the engine tried: `connect 10.0.0.1:80`, `look up evil.example`; or `call ended: ` or
    /// `description refused: ` and the kind of fault.
    pub attempt: String,
    /// Why not.
    pub reason: String,
}

/// What one engine did on one mount since the start, and what it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The engine's type.
    pub engine: String,
    /// The mount's path.
    pub mount: String,
    /// The counters.
    pub counts: Counts,
    /// Calls in an instance now.
    pub running: u64,
    /// Calls that wait for one now.
    pub waiting: u64,
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls into the engine.
    pub calls: u64,
    /// Of them, those that a kept instance served.
    pub warm: u64,
    /// Calls that never reached the engine: nothing was free in time.
    pub refused: u64,
    /// Calls that ended in a failure the engine reported.
    pub failures: u64,
    /// Calls, and descriptions, that ended in a trap, at a limit or in a broken promise.
    pub faults: Faults,
    /// Look-ups of granted names.
    pub lookups: u64,
    /// HTTP requests that the gate let pass.
    pub requests: u64,
    /// Connections that the gate let pass.
    pub connections: u64,
    /// Bytes that went out through them.
    pub sent: u64,
    /// Bytes that came in through them.
    pub received: u64,
    /// Look-ups, connections, requests and parts of them that the gate refused.
    pub denials: u64,
}

/// How a call ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An answer that the contract does not know.
    Answer,
    /// Too long on the processor.
    Cpu,
    /// The outer deadline passed.
    Deadline,
    /// Beyond its memory.
    Memory,
    /// An import refused what the guest did.
    Rule,
    /// It could not be started.
    Start,
    /// The guest broke by itself.
    Trap,
    /// The network that it had was taken away.
    Withdrawn,
}

impl FaultKind {
    /// All of them, sorted by name.
    pub const ALL: [Self; 8] =
        [Self::Answer, Self::Cpu, Self::Deadline, Self::Memory, Self::Rule, Self::Start, Self::Trap, Self::Withdrawn];

    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Cpu => "cpu",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Rule => "rule",
            Self::Start => "start",
            Self::Trap => "trap",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Faults, counted by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults([u64; FaultKind::ALL.len()]);

impl Faults {
    /// Of one kind.
    pub fn of(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }

    /// Adds some of one kind.
    pub fn add(&mut self, kind: FaultKind, more: u64) {
        self.0[kind as usize] += more;
    }

    /// Of all kinds.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The instances of all engines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instances {
    /// Places in the common pool.
    pub places: u64,
    /// Of them, taken: by calls, and by instances that wait for the next one.
    pub taken: u64,
    /// Places that only revocations get.
    pub reserved: u64,
    /// Of them, taken.
    pub reserved_taken: u64,
    /// Instances that wait for their next call, by mount (uuid).
    pub idle: Vec<(String, u64)>,
}

/// What the gate would say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// Whether the engine would get there, at one of the addresses at least.
    pub allowed: bool,
    /// Why not.
    pub reason: Option<String>,
    /// The addresses that the gate was asked about; none where it knows the host by no grant.
    pub addresses: Vec<AddressExplained>,
}

/// What the gate would say about one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressExplained {
    /// Literal.
    pub address: String,
    /// Why not; none: it would be let pass.
    pub reason: Option<String>,
}
