//! HTTP, spoken by the host for engines: each request passes the gate and goes to the place that it was admitted to.

mod destination;

pub(crate) use self::destination::Destination;
