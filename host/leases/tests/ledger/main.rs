//! The ledger over a real store, with a model of a backend that can be told to misbehave. One oracle: what the backend
//! holds is what active leases stand for.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod backend;
mod crash;
mod create;
mod queue;
mod races;
mod revoke;
mod steps;
mod world;
