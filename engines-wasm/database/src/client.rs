//! The PostgreSQL side: connections, and what is done over them. Knows nothing of mounts, roles and configurations.

mod connect;
mod create;
mod error;
mod greeting;
mod identity;
mod renew;
mod revoke;
mod rotate;
mod scram;
mod session;
mod stock;
mod tls;

pub(crate) use connect::{Endpoint, Root, fresh, run};
pub(crate) use create::create;
pub(crate) use error::Error;
pub(crate) use identity::{Fence, Identity, identify};
pub(crate) use renew::renew;
pub(crate) use revoke::{Ended, revoke};
pub(crate) use rotate::{change_password, prove};
pub(crate) use scram::verifier;
pub(crate) use stock::{Stamped, stamped};
pub(crate) use tls::check as check_certificates;
