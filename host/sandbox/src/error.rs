//! What can go wrong before a call: while the runtime is built, a policy is read or a component is loaded.

/// Why an engine cannot be offered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The runtime refused its configuration.
    #[error("the component runtime does not start: {0}")]
    Runtime(String),
    /// A sandbox policy is not usable.
    #[error("sandbox policy of engine {engine}: {reason}")]
    Policy {
        /// The engine's type.
        engine: String,
        /// Names the key.
        reason: String,
    },
    /// Two engines with one name.
    #[error("engine {0} is there twice")]
    Duplicate(String),
    /// The component is no component, or needs more than the runtime offers.
    #[error("engine {engine}: the component does not load: {reason}")]
    Component {
        /// The engine's type.
        engine: String,
        /// What the runtime said.
        reason: String,
    },
    /// The component wants something that its policy does not allow.
    #[error("engine {engine}: its sandbox policy does not allow the import {import}")]
    Import {
        /// The engine's type.
        engine: String,
        /// The interface.
        import: String,
    },
    /// The engine describes itself in a way that cannot be served.
    #[error("engine {engine}: its description is not acceptable: {reason}")]
    Description {
        /// The engine's type.
        engine: String,
        /// Names the route, kind or field.
        reason: String,
    },
}

impl From<SandboxError> for cofferdam_model::Error {
    /// The mount answers 503, and nothing else suffers.
    fn from(error: SandboxError) -> Self {
        Self::unavailable(error.to_string())
    }
}
