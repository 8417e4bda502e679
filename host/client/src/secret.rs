//! The answer's envelope. Numbers keep the digits that the server sent.

use cofferdam_model::json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An answer with the fields that Vault's clients print, in their order.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Secret {
    /// Identifies the request in the audit log.
    pub request_id: String,
    /// The lease, empty where the answer has none.
    pub lease_id: String,
    /// Seconds.
    #[serde(deserialize_with = "null_as_default")]
    pub lease_duration: i64,
    /// Whether the lease can be renewed.
    pub renewable: bool,
    /// What was asked for.
    pub data: Option<Map<String, Value>>,
    /// Remarks of the server.
    pub warnings: Option<Vec<String>>,
    /// A new or renewed token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Where the real answer waits, if it was wrapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrap_info: Option<WrapInfo>,
    /// Since when a credential that was made ahead counts as usable, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<String>,
}

/// The token part of an answer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Auth {
    /// The token itself.
    pub client_token: String,
    /// The token's accessor.
    pub accessor: String,
    /// All policies.
    #[serde(deserialize_with = "null_as_default")]
    pub policies: Vec<String>,
    /// Those of the token.
    #[serde(deserialize_with = "null_as_default")]
    pub token_policies: Vec<String>,
    /// Those of its entity.
    #[serde(deserialize_with = "null_as_default")]
    pub identity_policies: Vec<String>,
    /// What the auth method says about the caller.
    pub metadata: Option<Map<String, Value>>,
    /// Whether the token has no parent.
    pub orphan: bool,
    /// The entity.
    pub entity_id: String,
    /// Seconds; 0 for ever.
    #[serde(deserialize_with = "null_as_default")]
    pub lease_duration: i64,
    /// Whether the token can be renewed.
    pub renewable: bool,
    /// What is still to be proven, if a second factor is asked for.
    pub mfa_requirement: Option<Value>,
}

/// The wrapping token of an answer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct WrapInfo {
    /// The wrapping token.
    pub token: String,
    /// Its accessor.
    pub accessor: String,
    /// Seconds.
    pub ttl: i64,
    /// RFC 3339.
    pub creation_time: String,
    /// The path that was asked.
    pub creation_path: String,
    /// The accessor of a wrapped token.
    pub wrapped_accessor: String,
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Secret {
    /// Reads a body; an empty one is no secret, nor is one of nothing but errors. An object without anything of the
    /// envelope (the health of a server is such a one) becomes the data as a whole.
    ///
    /// # Errors
    /// When the body is no object, or its fields are not the envelope's.
    pub fn parse(body: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        if body.trim_ascii().is_empty() {
            return Ok(None);
        }
        let body = json::value(body)?;
        let secret = Self::deserialize(&body)?;
        if !secret.is_blank() {
            return Ok(Some(secret));
        }
        let whole: Map<String, Value> = serde_json::from_value(body)?;
        if whole.contains_key("errors") {
            return Ok(None);
        }
        let has_envelope = whole.contains_key("request_id") || whole.contains_key("data") || whole.is_empty();
        Ok(Some(if has_envelope { secret } else { Self { data: Some(whole), ..secret } }))
    }

    fn is_blank(&self) -> bool {
        self.request_id.is_empty()
            && self.lease_id.is_empty()
            && self.lease_duration == 0
            && !self.renewable
            && self.data.is_none()
            && self.warnings.is_none()
            && self.auth.is_none()
            && self.wrap_info.is_none()
    }

    /// A field of the data.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.data.as_ref()?.get(name)
    }

    /// The keys of a listing; none where the answer is no listing or an empty one.
    pub fn keys(&self) -> Option<&Vec<Value>> {
        self.field("keys")?.as_array()
    }

    /// Whether a refusal's body is more than its error texts.
    pub fn says_something(&self) -> bool {
        self.data.as_ref().is_some_and(|d| !d.is_empty()) || self.warnings.as_ref().is_some_and(|w| !w.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_envelope_and_keeps_digits() {
        let body = br#"{"request_id":"r","lease_id":"l","renewable":true,"lease_duration":3600,
            "data":{"big":12345678901234567890123,"f":1.10},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"kv"}"#;
        let secret = Secret::parse(body).unwrap().unwrap();
        assert_eq!(secret.lease_duration, 3600);
        assert_eq!(secret.field("big").unwrap().to_string(), "12345678901234567890123");
        assert_eq!(secret.field("f").unwrap().to_string(), "1.10");
        assert!(Secret::parse(b" \n").unwrap().is_none());
    }

    #[test]
    fn an_object_without_envelope_is_data_and_errors_are_nothing() {
        let bare = Secret::parse(br#"{"initialized":true,"sealed":false}"#).unwrap().unwrap();
        assert_eq!(bare.field("initialized"), Some(&Value::Bool(true)));
        assert!(Secret::parse(br#"{"errors":["x"]}"#).unwrap().is_none());
        assert!(Secret::parse(br#"{"data":null}"#).unwrap().is_some_and(|s| s.data.is_none()));
        assert!(Secret::parse(b"[1]").is_err());
    }

    #[test]
    fn writes_the_fields_in_order_and_without_token_type() {
        let body = br#"{"auth":{"client_token":"t","token_type":"service","num_uses":0,"policies":null}}"#;
        let text = serde_json::to_string(&Secret::parse(body).unwrap().unwrap()).unwrap();
        assert_eq!(
            text,
            r#"{"request_id":"","lease_id":"","lease_duration":0,"renewable":false,"data":null,"warnings":null,"auth":{"client_token":"t","accessor":"","policies":[],"token_policies":[],"identity_policies":[],"metadata":null,"orphan":false,"entity_id":"","lease_duration":0,"renewable":false,"mfa_requirement":null}}"#
        );
    }

    /// A server, or an engine behind it, may mean harm: see `cofferdam_model::json`.
    #[test]
    fn documents_within_texts_are_not_followed() {
        assert!(Secret::parse(br#"{"data":{"a":{"$serde_json::private::RawValue":"[1]"}}}"#).is_err());
    }
}
