//! A request after HTTP is gone.

use serde_json::{Map, Value};

use crate::SecretText;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// POST or PUT where nothing is yet.
    Create,
    /// GET.
    Read,
    /// POST or PUT.
    Update,
    /// PATCH with a merge patch.
    Patch,
    /// DELETE.
    Delete,
    /// LIST, or GET with list=true; the path ends in a slash.
    List,
    /// HEAD.
    Head,
    /// HELP, or any verb with help=1.
    Help,
}

impl Operation {
    /// The name as ACL policies and the audit log write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Head => "header",
            Self::Help => "help",
        }
    }

    /// Whether it changes something.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// A UUID, in every log line and in the answer.
    pub id: String,
    /// POST and PUT arrive as [`Operation::Update`]; core finds out whether it is a create.
    pub operation: Operation,
    /// Decoded, without `/v1/`, without a leading slash; a listed path ends in a slash.
    pub path: String,
    /// The client's token, if it sent one.
    pub token: Option<SecretText>,
    /// The body of a write, or the query of the rest.
    pub data: Map<String, Value>,
    /// Whether a body (even `{}`) was sent: decides about the warning on unknown parameters.
    pub has_body: bool,
    /// `X-Vault-Wrap-TTL`, in seconds; 0 or absent: do not wrap.
    pub wrap_ttl: Option<u64>,
    /// The client's address, without the port.
    pub remote_address: Option<String>,
    /// It came to a listener that shows metrics without a token.
    pub open_metrics: bool,
    /// The client takes metrics as Prometheus's text.
    pub wants_metrics_text: bool,
}

impl Request {
    /// A request with a path and nothing else.
    pub fn new(operation: Operation, path: impl Into<String>) -> Self {
        Self {
            id: crate::ids::uuid(),
            operation,
            path: path.into(),
            token: None,
            data: Map::new(),
            has_body: false,
            wrap_ttl: None,
            remote_address: None,
            open_metrics: false,
            wants_metrics_text: false,
        }
    }
}
