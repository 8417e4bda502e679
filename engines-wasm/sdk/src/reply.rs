//! Finished answers.

use serde::Serialize;

use crate::types::{Body, Failure, Listing, Outcome, Plan, Reply, to_json};

impl Reply {
    const fn of(body: Body) -> Self {
        Self { body, status: None, warnings: Vec::new(), lease_duration: None }
    }

    /// Nothing to say: 204 on a write, 404 on a read.
    #[must_use]
    pub const fn none() -> Self {
        Self::of(Body::None)
    }

    /// This JSON text as the answer's data.
    pub fn raw(json: impl Into<String>) -> Self {
        Self::of(Body::Data(json.into()))
    }

    /// This value as the answer's data.
    ///
    /// # Errors
    /// `internal` if the value has no JSON form.
    pub fn data<T: Serialize + ?Sized>(value: &T) -> Result<Self, Failure> {
        Ok(Self::raw(to_json(value)?))
    }

    /// A listing. An empty one is nothing, which is 404.
    #[must_use]
    pub fn keys(keys: Vec<String>) -> Self {
        Self::listing(keys, None)
    }

    /// A listing with a JSON object about its keys.
    pub fn keys_with_info(keys: Vec<String>, info: impl Into<String>) -> Self {
        Self::listing(keys, Some(info.into()))
    }

    fn listing(keys: Vec<String>, info: Option<String>) -> Self {
        if keys.is_empty() { Self::none() } else { Self::of(Body::Keys(Listing { keys, info })) }
    }

    /// Another HTTP status than the usual one.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds a warning.
    #[must_use]
    pub fn warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// The envelope's `lease_duration`, though there is no lease.
    #[must_use]
    pub fn lease_duration(mut self, seconds: u64) -> Self {
        self.lease_duration = Some(seconds);
        self
    }
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<Plan> for Outcome {
    fn from(plan: Plan) -> Self {
        Self::Issue(plan)
    }
}
