//! The storage stanza.

use cofferdam_acl::hcl::{Block, HclError};

use super::ConfigError;

/// Where the data lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// Gone with the process.
    Memory,
    /// SQLite in this directory.
    Sqlite {
        /// Made if it is not there.
        path: String,
        /// What tells this machine from others; none: what the system says.
        machine_id: Option<String>,
    },
}

/// What the peers' stores can be tuned by; one SQLite file has no counterpart.
const KNOWN: [&str; 11] = [
    "autopilot_reconcile_interval",
    "autopilot_update_interval",
    "machine_id",
    "max_entry_size",
    "node_id",
    "path",
    "performance_multiplier",
    "retry_join",
    "snapshot_interval",
    "snapshot_threshold",
    "trailing_logs",
];

/// A store with something to say on standard output.
type Read = (Store, Option<String>);

impl Store {
    /// Reads one storage stanza.
    pub(crate) fn read(block: &Block<'_>, warnings: &mut Vec<String>) -> Result<Read, ConfigError> {
        let stanza = format!("storage {:?}", block.label);
        let error = |message: &str| HclError::new(block.line, format!("{stanza}: {message}"));
        let path = || block.body.attr_str("path")?.ok_or_else(|| error("path is required"));
        let machine_id = || block.body.attr_str("machine_id");
        let read = match block.label {
            "inmem" => (Self::Memory, None),
            "sqlite" => (Self::Sqlite { path: path()?, machine_id: machine_id()? }, None),
            "file" | "raft" => {
                let path = path()?;
                let note =
                    format!("{stanza} is kept in SQLite below {path:?}; data that another server wrote is not read");
                (Self::Sqlite { path, machine_id: machine_id()? }, Some(note))
            }
            _ => {
                let message = "not supported; use sqlite (or file or raft, which are kept in SQLite), or inmem";
                return Err(error(message).into());
            }
        };
        let known = if block.label == "sqlite" { &["path", "machine_id"][..] } else { &KNOWN };
        warnings.extend(block.body.unknown(known).map(|item| format!("{stanza}: unknown field {}", item.key)));
        Ok(read)
    }
}
