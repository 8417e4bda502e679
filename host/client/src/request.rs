//! One call as a value.

use std::fmt;

use serde_json::Value;

/// The verbs that clients use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Read, or list with `list=true`.
    Get,
    /// Write, as the command line sends it.
    Put,
    /// Write, as the typed calls send it.
    Post,
    /// A JSON merge patch.
    Patch,
    /// Delete.
    Delete,
}

impl Method {
    /// The verb on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The verb as transport errors spell it: `Get`, `Put`.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Get => "Get",
            Self::Put => "Put",
            Self::Post => "Post",
            Self::Patch => "Patch",
            Self::Delete => "Delete",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to send below `/v1/`.
#[derive(Clone, Debug)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// The path without `/v1/`, cleaned.
    pub path: String,
    /// The query, in order.
    pub query: Vec<(String, String)>,
    /// The JSON body, if any.
    pub body: Option<Value>,
    /// Whether the configuration's wrapping TTL applies.
    pub wrap: bool,
    /// Another token than the configuration's; an empty one sends none.
    pub token: Option<String>,
}

impl Request {
    /// A call without query and body.
    pub fn new(method: Method, path: &str) -> Self {
        Self { method, path: clean_path(path), query: Vec::new(), body: None, wrap: true, token: None }
    }

    /// The listing of a path.
    pub fn list(path: &str) -> Self {
        Self::new(Method::Get, path).query("list", "true")
    }

    /// Adds a query pair.
    #[must_use]
    pub fn query(mut self, key: &str, value: &str) -> Self {
        self.query.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Never wraps this answer.
    #[must_use]
    pub fn unwrapped(mut self) -> Self {
        self.wrap = false;
        self
    }

    /// Sends this token instead of the configuration's.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The content type of the body.
    pub fn content_type(&self) -> &'static str {
        if self.method == Method::Patch { "application/merge-patch+json" } else { "application/json" }
    }
}

/// Drops empty and `.` segments and resolves `..`, so that what is sent is what policies see.
pub fn clean_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_paths() {
        for (path, want) in
            [("/secret/data/a/", "secret/data/a"), ("a//b/./c", "a/b/c"), ("a/../b", "b"), ("../../x", "x"), ("", "")]
        {
            assert_eq!(clean_path(path), want, "{path}");
        }
    }
}
