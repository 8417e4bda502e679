//! The log: lines on standard error, as text or JSON.

use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, reload};

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
    /// The subscriber is gone.
    #[error("the log cannot be changed: {0}")]
    Fixed(#[from] reload::Error),
}

/// The log of the whole process.
pub(crate) struct Log(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>);

impl Log {
    /// Starts it.
    pub(crate) fn start(level: Option<&str>, format: Option<&str>) -> Result<Self, LogError> {
        let builder = tracing_subscriber::fmt().with_env_filter(filter(level)?).with_writer(std::io::stderr);
        match format.unwrap_or("standard") {
            "" | "standard" => {
                let builder = builder.with_ansi(false).with_filter_reloading();
                let handle = builder.reload_handle();
                Self::begin(builder.finish(), move |filter| handle.reload(filter))
            }
            "json" => {
                let builder = builder.json().with_filter_reloading();
                let handle = builder.reload_handle();
                Self::begin(builder.finish(), move |filter| handle.reload(filter))
            }
            other => Err(LogError::Format(other.to_owned())),
        }
    }

    fn begin(
        subscriber: impl SubscriberInitExt,
        set: impl Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync + 'static,
    ) -> Result<Self, LogError> {
        subscriber.try_init().map_err(|_| LogError::Twice)?;
        Ok(Self(Box::new(set)))
    }

    /// From now on, what is at least as important.
    pub(crate) fn set(&self, level: Option<&str>) -> Result<(), LogError> {
        Ok((self.0)(filter(level)?)?)
    }
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
