//! The formats in which results are printed.

pub(crate) mod json;
pub(crate) mod secret;
pub(crate) mod table;
pub(crate) mod value;
pub(crate) mod yaml;

/// How results are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// Indented by two.
    Json,
    /// The same content as JSON.
    Yaml,
    /// The answer's bytes.
    Raw,
    /// For the few commands that have one.
    Pretty,
}

impl Format {
    /// The format of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "" | "table" => Self::Table,
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            "raw" => Self::Raw,
            "pretty" => Self::Pretty,
            _ => return None,
        })
    }
}
