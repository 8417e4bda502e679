//! The log: lines on standard error, as text or JSON.

use tracing_subscriber::EnvFilter;

/// Libraries that speak too much below this.
const QUIET: &str = "cranelift_codegen=warn,h2=warn,hyper=warn,hyper_util=warn,rustls=warn,sqlx=warn,wasmtime=warn";

/// A level or format that does not exist.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// Neither a level nor a filter.
    #[error("log_level {0:?} is not one of trace, debug, info, warn, error")]
    Level(String),
    /// No such format.
    #[error("log_format {0:?} is not one of standard, json")]
    Format(String),
    /// A second subscriber.
    #[error("the log is already set up")]
    Twice,
}

/// Starts the log of the whole process.
pub(crate) fn start(level: Option<&str>, format: Option<&str>) -> Result<(), LogError> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter(level)?).with_writer(std::io::stderr);
    let started = match format.unwrap_or("standard") {
        "" | "standard" => builder.with_ansi(false).try_init(),
        "json" => builder.json().try_init(),
        other => return Err(LogError::Format(other.to_owned())),
    };
    started.map_err(|_| LogError::Twice)
}

/// The peers' names for levels; besides, `target=level` pairs as `tracing` reads them.
fn filter(level: Option<&str>) -> Result<EnvFilter, LogError> {
    let given = level.unwrap_or_default().trim().to_ascii_lowercase();
    let level = match given.as_str() {
        "" | "notice" => "info",
        "warning" => "warn",
        "err" => "error",
        known @ ("trace" | "debug" | "info" | "warn" | "error") => known,
        pairs if pairs.contains('=') => {
            return EnvFilter::try_new(pairs).map_err(|_| LogError::Level(given.clone()));
        }
        _ => return Err(LogError::Level(given)),
    };
    EnvFilter::try_new(format!("{level},{QUIET}")).map_err(|_| LogError::Level(given.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_levels_of_the_peers() {
        for good in ["", "trace", "DEBUG", "info", "notice", "warn", "warning", "error", "err", "cofferdam_core=debug"]
        {
            assert!(filter(Some(good)).is_ok(), "{good}");
        }
        assert!(filter(None).is_ok());
        for bad in ["loud", "1"] {
            assert!(filter(Some(bad)).is_err(), "{bad}");
        }
    }
}
