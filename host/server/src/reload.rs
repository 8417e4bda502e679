//! What an operator changes without a restart, at SIGHUP: certificates, and the level of the log.

use crate::config::{self, ConfigError};
use crate::listen::Reloader;
use crate::logging::Log;

/// Where the level of the log is said.
#[derive(Debug)]
pub(crate) struct LevelSource {
    /// What flag or environment say, which no file changes.
    pub(crate) fixed: Option<String>,
    /// The configuration.
    pub(crate) files: Vec<String>,
}

impl LevelSource {
    fn read(&self) -> Result<Option<String>, ConfigError> {
        match &self.fixed {
            Some(level) => Ok(Some(level.clone())),
            None => config::load(&self.files).map(|config| config.log_level),
        }
    }
}

/// All that is read anew.
pub(crate) struct Reload {
    pub(crate) certificates: Vec<Reloader>,
    pub(crate) log: Log,
    pub(crate) level: LevelSource,
}

impl Reload {
    /// Reads it. What cannot be read stays as it was, and the log says so.
    pub(crate) fn run(&self) {
        tracing::info!("reloading the certificates of {} listeners, and the log's level", self.certificates.len());
        for certificate in &self.certificates {
            if let Err(error) = certificate.reload() {
                tracing::error!("the old certificate stays in use: {error}");
            }
        }
        let level = self.level.read().map_err(|error| error.to_string());
        let set = level.and_then(|level| self.log.set(level.as_deref()).map_err(|error| error.to_string()));
        if let Err(error) = set {
            tracing::error!("the log's level stays as it was: {error}");
        }
    }
}
