//! What must be taken back: the lease ledger.
//!
//! Two promises live here. A credential exists in a backend only under a durable row that can undo it (`issue`), and
//! such a row is forgotten only when its effect is gone and can no longer appear (`revoke`). Engines are reached through
//! the port [`Backends`]; this crate knows neither wasm nor HTTP nor SQL.

mod breaker;
mod claim;
mod issue;
mod ledger;
mod orphans;
mod record;
mod renew;
mod revoke;
mod revoke_all;
mod stock;
mod stuck;
mod ttl;
mod unreadable;
mod worker;

pub use issue::{Intent, IssueError, Made, Make};
pub use ledger::{Backends, Ledger, Settings};
pub use orphans::Orphan;
pub use record::{Lease, LeaseRecord, Shelved};
pub use renew::RenewedLease;
pub use stock::{HandedOut, STOCK, Shelf, Stocked, Wanted};
pub use stuck::Stuck;
pub use ttl::{Clamped, Limits, clamp, clamp_period, clamp_renewal};
