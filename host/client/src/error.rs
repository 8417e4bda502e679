//! What can go wrong, in the words that Vault's clients print.

use std::fmt;

use crate::secret::Secret;

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A call that gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used; nothing was sent.
    #[error("{0}")]
    Config(String),
    /// No answer arrived.
    #[error("{method} \"{url}\": {reason}")]
    Transport {
        /// The method, written as `Get` or `Put`.
        method: String,
        /// The address that was called.
        url: String,
        /// Why there is no answer.
        reason: String,
    },
    /// The server answered with an error status.
    #[error(transparent)]
    Response(Box<ResponseError>),
    /// The answer is not what the API promises.
    #[error("error parsing the response: {0}")]
    Parse(#[from] serde_json::Error),
}

impl Error {
    /// The HTTP status, where the server answered at all.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Response(error) => Some(error.status),
            _ => None,
        }
    }

    /// The server's refusal, where the server answered at all.
    pub fn response(&self) -> Option<&ResponseError> {
        match self {
            Self::Response(error) => Some(error),
            _ => None,
        }
    }
}

/// An answer with an error status.
#[derive(Debug)]
pub struct ResponseError {
    /// The method as sent.
    pub method: String,
    /// The address as sent, with its query.
    pub url: String,
    /// The namespace of the request, where one was set.
    pub namespace: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The server's texts; one element holding the whole body where the body was not the API's error object.
    pub errors: Vec<String>,
    /// Whether the body was not the API's error object.
    pub raw: bool,
    /// The body's data, where a refusal carries some (a deleted version of a key does).
    pub secret: Option<Box<Secret>>,
}

impl ResponseError {
    /// Reads the body of an answer with an error status.
    pub(crate) fn new(method: &str, url: &str, namespace: Option<&str>, status: u16, body: &[u8]) -> Self {
        #[derive(serde::Deserialize)]
        struct Body {
            #[serde(default)]
            errors: Option<Vec<String>>,
        }
        let (errors, raw) = match serde_json::from_slice::<Body>(body) {
            Ok(Body { errors }) => (errors.unwrap_or_default(), false),
            Err(_) => (vec![String::from_utf8_lossy(body).into_owned()], true),
        };
        let secret = Secret::parse(body).ok().flatten().filter(Secret::says_something);
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            namespace: namespace.map(str::to_owned),
            status,
            errors,
            raw,
            secret: secret.map(Box::new),
        }
    }
}

impl std::error::Error for ResponseError {}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error making API request.\n\n")?;
        if let Some(namespace) = &self.namespace {
            writeln!(f, "Namespace: {namespace}")?;
        }
        writeln!(f, "URL: {} {}", self.method, self.url)?;
        if self.raw {
            return write!(f, "Code: {}. Raw Message:\n\n{}", self.status, self.errors.concat());
        }
        write!(f, "Code: {}. Errors:\n\n", self.status)?;
        for (i, error) in self.errors.iter().enumerate() {
            write!(f, "{}* {error}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_a_refusal_as_the_peers_do() {
        let error = ResponseError::new(
            "GET",
            "http://127.0.0.1:8200/v1/kv1/b",
            None,
            403,
            br#"{"errors":["permission denied","and more"]}"#,
        );
        assert_eq!(
            error.to_string(),
            "Error making API request.\n\nURL: GET http://127.0.0.1:8200/v1/kv1/b\nCode: 403. Errors:\n\n\
             * permission denied\n* and more"
        );
        assert!(error.secret.is_none());
    }

    #[test]
    fn prints_a_foreign_body_raw_and_the_namespace_first() {
        let error = ResponseError::new("PUT", "http://h/v1/a", Some("ns/"), 502, b"<html>");
        assert_eq!(
            error.to_string(),
            "Error making API request.\n\nNamespace: ns/\nURL: PUT http://h/v1/a\nCode: 502. Raw Message:\n\n<html>"
        );
    }

    #[test]
    fn keeps_the_data_of_a_refusal() {
        let body = br#"{"data":{"data":null,"metadata":{"version":3}},"warnings":null}"#;
        let error = ResponseError::new("GET", "http://h/v1/a", None, 404, body);
        assert!(error.errors.is_empty() && !error.raw);
        assert!(error.secret.is_some_and(|s| s.field("metadata").is_some()));
    }
}
