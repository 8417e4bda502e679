//! HTTP, spoken by the host for engines: each request passes the gate and goes to the place that it was admitted to. No
//! proxy, no redirect, no time limit of the guest's that is longer than the host's.

mod body;
mod connect;
mod connection;
mod destination;
mod exchange;
mod hooks;
mod link;
pub(crate) mod pool;
pub(crate) mod tls;
pub(crate) mod traffic;

pub(crate) use self::destination::Destination;
pub(crate) use self::hooks::{Hooks, context};
pub(crate) use self::link::link;

#[cfg(test)]
mod tests;
