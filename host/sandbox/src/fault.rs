//! Faults: calls that ended without an answer, and what is said about them.

use cofferdam_model::engine::CallError;
use cofferdam_model::review::FaultKind;
use cofferdam_model::{Error, ErrorKind};
use wasmtime::Trap;

use crate::convert::BadAnswer;

/// How a call ended without an answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The outer deadline passed.
    Deadline,
    /// The network that it had was taken away.
    Withdrawn,
    /// Too long on the processor.
    Cpu,
    /// Beyond its memory; how many MiB it may have.
    Memory(u32),
    /// An import refused what the guest did.
    Rule(String),
    /// The guest broke by itself; already redacted.
    Trap(String),
    /// An answer that the contract does not know.
    Answer(BadAnswer),
    /// It could not even be started.
    Start(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deadline => f.write_str("it did not answer in time and was ended"),
            Self::Withdrawn => f.write_str("its backend was configured anew or away, and it was ended"),
            Self::Cpu => f.write_str("it used more processor time than its policy allows and was ended"),
            Self::Memory(mib) => write!(f, "it needed more than the {mib} MiB of memory that its policy allows"),
            Self::Rule(rule) => write!(f, "it broke the contract: {rule}"),
            Self::Trap(what) => write!(f, "it broke: {what}"),
            Self::Answer(what) => write!(f, "it answered with {what}"),
            Self::Start(why) => write!(f, "it could not be started: {why}"),
        }
    }
}

impl Fault {
    /// As what it is counted.
    pub(crate) fn kind(&self) -> FaultKind {
        match self {
            Self::Deadline => FaultKind::Deadline,
            Self::Withdrawn => FaultKind::Withdrawn,
            Self::Cpu => FaultKind::Cpu,
            Self::Memory(_) => FaultKind::Memory,
            Self::Rule(_) => FaultKind::Rule,
            Self::Trap(_) => FaultKind::Trap,
            Self::Answer(_) => FaultKind::Answer,
            Self::Start(_) => FaultKind::Start,
        }
    }

    /// The error for the caller; `output` is one redacted line for the log. Names engine and mount, as operators must know whom to look at.
    pub(crate) fn into_error(self, engine: &str, mount: &str, output: &str) -> CallError {
        let message = format!("engine {engine} at {mount}: {self}");
        let log = if output.is_empty() { message.clone() } else { format!("{message}; its last words: {output}") };
        CallError::Fault(Error { kind: ErrorKind::Backend, messages: vec![message], log: Some(log), data: None })
    }
}

/// What to say of a trap: one line, without addresses and function names.
pub(crate) fn describe(error: &wasmtime::Error) -> String {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return trap.to_string();
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return exit.to_string();
    }
    error.root_cause().to_string()
}
