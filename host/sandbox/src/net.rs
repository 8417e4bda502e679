//! The egress gate: the only way from a compartment to a network.

pub(crate) mod address;
pub(crate) mod connector;
pub(crate) mod gate;
pub(crate) mod http;
pub(crate) mod ledger;
pub(crate) mod resolver;
mod traffic;
