//! The PostgreSQL side: connections, and what is done over them. Knows nothing of mounts, roles and configurations.

mod connect;
mod create;
mod error;
mod identity;
mod renew;
mod revoke;
mod rotate;
mod scram;
mod session;
mod tls;

pub(crate) use connect::{Endpoint, Root, check, run, with_runtime};
pub(crate) use create::{NewRole, create};
pub(crate) use error::Error;
pub(crate) use identity::{Fence, Identity, OurRole, identify};
pub(crate) use renew::renew;
pub(crate) use revoke::{Ended, Revocation, revoke};
pub(crate) use rotate::{change_password, refuses_wrong_password};
pub(crate) use scram::verifier;
