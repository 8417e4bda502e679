//! The server's configuration: what an operator wrote in files, read once and checked before anything starts.

mod files;
mod listener;
mod store;

use std::time::Duration;

use cofferdam_acl::hcl::{Body, HclError};

pub(crate) use files::load;
pub(crate) use listener::{Listener, TlsFiles, TlsVersion, resolve};
pub(crate) use store::Store;

/// 768 hours, as the peers.
const DEFAULT_TTL: u64 = 768 * 3_600;

/// A configuration that could not be used. The text names file and key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

impl From<HclError> for ConfigError {
    fn from(error: HclError) -> Self {
        Self(error.to_string())
    }
}

/// Everything that a server needs to know before it starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// Where the data lives; none was named.
    pub(crate) store: Option<Store>,
    /// In the order in which they were written.
    pub(crate) listeners: Vec<Listener>,
    /// Seconds.
    pub(crate) default_lease_ttl: u64,
    /// Seconds.
    pub(crate) max_lease_ttl: u64,
    /// Of a request, where its listener says nothing else.
    pub(crate) max_request_duration: Duration,
    /// Empty: one is made up.
    pub(crate) cluster_name: String,
    /// How clients reach this server; empty: the first listener's address.
    pub(crate) api_addr: String,
    /// A `tracing` filter or one of its levels.
    pub(crate) log_level: Option<String>,
    /// `standard` or `json`.
    pub(crate) log_format: Option<String>,
    /// Where to write the process's number.
    pub(crate) pid_file: Option<String>,
    /// Paths may hold anything.
    pub(crate) disable_printable_check: bool,
    /// Engines may reach this machine's own addresses where a configuration names them.
    pub(crate) allow_loopback: bool,
    /// Certificate authorities, PEM, that are believed besides the public ones where the host speaks HTTPS for an engine.
    pub(crate) backend_ca_file: Option<String>,
    /// Metrics are there in Prometheus's format.
    pub(crate) prometheus: bool,
    /// Whether the operator knows that keys may be swapped out.
    pub(crate) swap_is_known: bool,
    /// For standard output: where a setting means something else here than elsewhere.
    pub(crate) notes: Vec<String>,
    /// For standard error: what is not understood, or not built.
    pub(crate) warnings: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store: None,
            listeners: Vec::new(),
            default_lease_ttl: DEFAULT_TTL,
            max_lease_ttl: DEFAULT_TTL,
            max_request_duration: Duration::from_secs(90),
            cluster_name: String::new(),
            api_addr: String::new(),
            log_level: None,
            log_format: None,
            pid_file: None,
            disable_printable_check: false,
            allow_loopback: true,
            backend_ca_file: None,
            prometheus: true,
            swap_is_known: false,
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Settings of the peers that have nothing to act on here, and take no protection away by being passed over.
const MEANINGLESS: [&str; 23] = [
    "administrative_namespace_path",
    "cache_size",
    "cluster_addr",
    "detect_deadlocks",
    "disable_cache",
    "disable_clustering",
    "disable_performance_standby",
    "disable_sealwrap",
    "disable_standby_reads",
    "enable_response_header_hostname",
    "enable_response_header_raft_node_id",
    "enable_ui",
    "imprecise_lease_role_tracking",
    "introspection_endpoint",
    "license_path",
    "log_requests_level",
    "log_rotate_bytes",
    "log_rotate_duration",
    "log_rotate_max_files",
    "plugin_file_permissions",
    "plugin_file_uid",
    "raw_storage_endpoint",
    "ui",
];

/// What an operator would miss without being told.
const UNBUILT: [(&str, &str); 10] = [
    ("audit", "enable audit devices through the API"),
    ("entropy", "randomness comes from the operating system"),
    ("ha_storage", "there is one node"),
    ("initialize", "initialise through the API"),
    ("log_file", "the log goes to standard error"),
    ("plugin", "engines are components, and built in"),
    ("plugin_directory", "engines are components, and built in"),
    ("plugin_tmpdir", "engines are components, and built in"),
    ("service_registration", "nothing is registered"),
    ("user_lockout", "logins are not locked"),
];

/// What [`Config::apply`] reads.
const KNOWN: [&str; 17] = [
    "allow_loopback_backends",
    "api_addr",
    "backend",
    "backend_ca_file",
    "cluster_name",
    "default_lease_ttl",
    "default_max_request_duration",
    "disable_mlock",
    "disable_printable_check",
    "listener",
    "log_format",
    "log_level",
    "max_lease_ttl",
    "pid_file",
    "seal",
    "storage",
    "telemetry",
];

impl Config {
    /// Adds what one file says: its settings win over those of earlier files, its listeners come after theirs.
    pub(crate) fn apply(&mut self, body: &Body) -> Result<(), ConfigError> {
        self.settings(body)?;
        for block in body.labelled("listener")? {
            self.listeners.push(Listener::read(&block, &mut self.warnings)?);
        }
        let mut read_one = false;
        for key in ["backend", "storage"] {
            for block in body.labelled(key)? {
                // Two in one file: which of them holds the data is not for us to guess.
                if std::mem::replace(&mut read_one, true) {
                    let what = format!("{key} {:?}: there is another one in this file; one is possible", block.label);
                    return Err(HclError::new(block.line, what).into());
                }
                let (store, note) = Store::read(&block, &mut self.warnings)?;
                self.store = Some(store);
                self.notes.extend(note);
            }
        }
        // Shamir's shares are the only seal. Another one, passed over, would leave the operator with a false belief.
        for block in body.labelled("seal")? {
            if block.label != "shamir" && !block.body.attr_bool("disabled")?.unwrap_or(false) {
                let what = format!("seal {:?}: this server is unsealed by key shares only (\"shamir\")", block.label);
                return Err(HclError::new(block.line, what).into());
            }
        }
        for block in body.blocks("telemetry")? {
            // How long what is no longer measured is shown elsewhere; zero switches the format off.
            if let Some(seconds) = block.body.attr_seconds("prometheus_retention_time")? {
                self.prometheus = seconds > 0;
            }
        }
        for item in body.unknown(&KNOWN) {
            self.unread(&item.key);
        }
        Ok(())
    }

    fn settings(&mut self, body: &Body) -> Result<(), ConfigError> {
        if let Some(ttl) = body.attr_seconds("default_lease_ttl")? {
            self.default_lease_ttl = ttl;
        }
        if let Some(ttl) = body.attr_seconds("max_lease_ttl")? {
            self.max_lease_ttl = ttl;
        }
        if let Some(seconds) = body.attr_seconds("default_max_request_duration")?.filter(|s| *s > 0) {
            self.max_request_duration = Duration::from_secs(seconds);
        }
        if let Some(name) = body.attr_str("cluster_name")? {
            self.cluster_name = name;
        }
        if let Some(address) = body.attr_str("api_addr")? {
            self.api_addr = address;
        }
        if let Some(disabled) = body.attr_bool("disable_printable_check")? {
            self.disable_printable_check = disabled;
        }
        if let Some(known) = body.attr_bool("disable_mlock")? {
            self.swap_is_known = known;
        }
        if let Some(allowed) = body.attr_bool("allow_loopback_backends")? {
            self.allow_loopback = allowed;
        }
        self.backend_ca_file = body.attr_str("backend_ca_file")?.or(self.backend_ca_file.take());
        self.log_level = body.attr_str("log_level")?.or(self.log_level.take());
        self.log_format = body.attr_str("log_format")?.or(self.log_format.take());
        self.pid_file = body.attr_str("pid_file")?.or(self.pid_file.take());
        Ok(())
    }

    /// What can only be judged when all files are read.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.default_lease_ttl > self.max_lease_ttl {
            return Err(ConfigError(format!(
                "default_lease_ttl ({} s) is greater than max_lease_ttl ({} s)",
                self.default_lease_ttl, self.max_lease_ttl
            )));
        }
        Ok(())
    }

    /// A key that nothing here acts on.
    fn unread(&mut self, key: &str) {
        if MEANINGLESS.contains(&key) {
            return;
        }
        self.warnings.push(match UNBUILT.iter().find(|(name, _)| *name == key) {
            Some((_, instead)) => format!("{key}: this server does not have that, and passes over it ({instead})"),
            None => format!("unknown or unsupported field {key} found in configuration"),
        });
    }
}

#[cfg(test)]
mod tests;
