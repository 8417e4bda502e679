//! The rows of an answer, and its single fields.

use cofferdam_client::{Auth, Secret, WrapInfo};
use cofferdam_model::duration;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::value::{cell, quoted_list};

/// The rows of a table: lease, token, wrapping, then the data by key.
pub(crate) fn rows(secret: &Secret) -> Vec<(String, String)> {
    let mut rows = Rows(Vec::new());
    if secret.lease_duration > 0 {
        let time = duration::short_text(secret.lease_duration);
        if secret.lease_id.is_empty() {
            rows.add("refresh_interval", time);
        } else {
            rows.add("lease_id", secret.lease_id.clone());
            rows.add("lease_duration", time);
            rows.add("lease_renewable", secret.renewable.to_string());
        }
    }
    if let Some(auth) = &secret.auth {
        rows.auth(auth);
    }
    if let Some(wrap) = &secret.wrap_info {
        rows.wrap(wrap);
    }
    if let Some(data) = &secret.data {
        rows.0.extend(data_rows(data));
    }
    rows.0
}

/// One row for each key.
pub(crate) fn data_rows(data: &Map<String, Value>) -> Vec<(String, String)> {
    let mut rows: Vec<_> = data.iter().map(|(k, v)| (k.clone(), cell(k, v))).collect();
    rows.sort();
    rows
}

struct Rows(Vec<(String, String)>);

impl Rows {
    fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.push((key.to_owned(), value.into()));
    }

    fn auth(&mut self, auth: &Auth) {
        if let Some(requirement) = auth.mfa_requirement.as_ref().filter(|m| !m.is_null()) {
            return self.mfa(requirement);
        }
        self.add("token", &*auth.client_token);
        self.add("token_accessor", &*auth.accessor);
        let time = match auth.lease_duration {
            0 => "∞".to_owned(),
            seconds => duration::short_text(seconds),
        };
        self.add("token_duration", time);
        self.add("token_renewable", auth.renewable.to_string());
        self.add("token_policies", quoted_list(&auth.token_policies));
        self.add("identity_policies", quoted_list(&auth.identity_policies));
        self.add("policies", quoted_list(&auth.policies));
        for (key, value) in auth.metadata.iter().flatten() {
            self.add(&format!("token_meta_{key}"), super::value::plain(value));
        }
    }

    fn mfa(&mut self, requirement: &Value) {
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        self.add("mfa_request_id", text(&requirement["mfa_request_id"]));
        for (name, set) in requirement["mfa_constraints"].as_object().into_iter().flatten() {
            for method in set["any"].as_array().into_iter().flatten() {
                let prefix = format!("mfa_constraint_{name}_{}", text(&method["type"]));
                self.add(&format!("{prefix}_id"), text(&method["id"]));
                let passcode = method["uses_passcode"].as_bool().unwrap_or_default();
                self.add(&format!("{prefix}_uses_passcode"), passcode.to_string());
                if !text(&method["name"]).is_empty() {
                    self.add(&format!("{prefix}_name"), text(&method["name"]));
                }
            }
        }
    }

    fn wrap(&mut self, wrap: &WrapInfo) {
        self.add("wrapping_token:", &*wrap.token);
        self.add("wrapping_accessor:", &*wrap.accessor);
        self.add("wrapping_token_ttl:", duration::short_text(wrap.ttl));
        self.add("wrapping_token_creation_time:", go_time(&wrap.creation_time));
        self.add("wrapping_token_creation_path:", &*wrap.creation_path);
        if !wrap.wrapped_accessor.is_empty() {
            self.add("wrapped_accessor:", &*wrap.wrapped_accessor);
        }
    }
}

/// A time as Go prints it; what is no time stays as it is.
fn go_time(text: &str) -> String {
    let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) else {
        return text.to_owned();
    };
    let fraction = format!("{:09}", time.nanosecond());
    let fraction = match fraction.trim_end_matches('0') {
        "" => String::new(),
        digits => format!(".{digits}"),
    };
    let (hours, minutes, _) = time.offset().as_hms();
    let sign = if time.offset().is_negative() { '-' } else { '+' };
    let offset = format!("{sign}{:02}{:02}", hours.abs(), minutes.abs());
    let zone = if time.offset().is_utc() { "UTC" } else { &offset };
    let (date, clock) = (time.date(), time.time());
    let [h, m, s] = [clock.hour(), clock.minute(), clock.second()];
    format!("{date} {h:02}:{m:02}:{s:02}{fraction} {offset} {zone}")
}

/// A single field of an answer, pseudo-fields included.
pub(crate) fn field(secret: &Secret, name: &str) -> Option<Value> {
    let data = || secret.field(name).filter(|v| !v.is_null()).cloned();
    if let Some(auth) = &secret.auth {
        return match name {
            "token" => Some(json!(auth.client_token)),
            "token_accessor" => Some(json!(auth.accessor)),
            "token_duration" => Some(json!(auth.lease_duration)),
            "token_renewable" => Some(json!(auth.renewable)),
            "token_policies" => Some(json!(auth.token_policies)),
            "identity_policies" => Some(json!(auth.identity_policies)),
            "policies" => Some(json!(auth.policies)),
            _ => data(),
        };
    }
    if let Some(wrap) = &secret.wrap_info {
        return match name {
            "wrapping_token" => Some(json!(wrap.token)),
            "wrapping_accessor" => Some(json!(wrap.accessor)),
            "wrapping_token_ttl" => Some(json!(wrap.ttl)),
            "wrapping_token_creation_time" => Some(json!(wrap.creation_time)),
            "wrapping_token_creation_path" => Some(json!(wrap.creation_path)),
            "wrapped_accessor" => Some(json!(wrap.wrapped_accessor)),
            _ => data(),
        };
    }
    match name {
        "lease_duration" | "refresh_interval" => Some(json!(secret.lease_duration)),
        "lease_id" => Some(json!(secret.lease_id)),
        "request_id" => Some(json!(secret.request_id)),
        "renewable" => Some(json!(secret.renewable)),
        "data" => secret.field("data").cloned().or_else(|| Some(Value::Object(secret.data.clone()?))),
        _ => data(),
    }
    .filter(|v| !v.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::table;

    fn printed(body: &str) -> String {
        table::pairs(rows(&Secret::parse(body.as_bytes()).unwrap().unwrap()))
    }

    #[test]
    fn a_leased_secret() {
        let body = r#"{"lease_id":"database/creds/ro/Fg2m","lease_duration":3600,"renewable":true,
            "data":{"username":"u","password":"p"}}"#;
        assert_eq!(
            printed(body),
            "Key                Value\n---                -----\nlease_id           database/creds/ro/Fg2m\n\
             lease_duration     1h\nlease_renewable    true\npassword           p\nusername           u"
        );
    }

    #[test]
    fn a_secret_without_lease() {
        assert_eq!(
            printed(r#"{"lease_duration":2764800,"data":{"x":"y"}}"#),
            "Key                 Value\n---                 -----\nrefresh_interval    768h\nx                   y"
        );
    }

    #[test]
    fn a_token() {
        let body = r#"{"auth":{"client_token":"hvs.x","accessor":"HuopNzMdex46dyRSmfu9V1MO","lease_duration":3600,
            "renewable":true,"token_policies":["default"],"policies":["default"],"metadata":{"a":"b"}}}"#;
        assert_eq!(
            printed(body),
            "Key                  Value\n---                  -----\ntoken                hvs.x\n\
             token_accessor       HuopNzMdex46dyRSmfu9V1MO\ntoken_duration       1h\ntoken_renewable      true\n\
             token_policies       [\"default\"]\nidentity_policies    []\npolicies             [\"default\"]\n\
             token_meta_a         b"
        );
        let root = printed(r#"{"auth":{"client_token":"b.x","lease_duration":0}}"#);
        assert!(root.contains("token_duration       ∞\n") && root.contains("token_accessor       n/a\n"));
    }

    #[test]
    fn a_wrapped_answer() {
        let body = r#"{"wrap_info":{"token":"hvs.w","accessor":"A","ttl":300,"wrapped_accessor":"B",
            "creation_time":"2026-01-02T03:04:05.678Z","creation_path":"kv/a"}}"#;
        assert_eq!(
            printed(body),
            "Key                              Value\n---                              -----\n\
             wrapping_token:                  hvs.w\nwrapping_accessor:               A\n\
             wrapping_token_ttl:              5m\n\
             wrapping_token_creation_time:    2026-01-02 03:04:05.678 +0000 UTC\n\
             wrapping_token_creation_path:    kv/a\nwrapped_accessor:                B"
        );
    }

    #[test]
    fn times_of_other_zones() {
        assert_eq!(go_time("2026-01-02T03:04:05+02:30"), "2026-01-02 03:04:05 +0230 +0230");
        assert_eq!(go_time("soon"), "soon");
    }

    #[test]
    fn fields_and_pseudo_fields() {
        let secret = |body: &str| Secret::parse(body.as_bytes()).unwrap().unwrap();
        let plain = secret(r#"{"request_id":"r","lease_id":"l","lease_duration":60,"data":{"a":1,"n":null}}"#);
        assert_eq!(field(&plain, "a"), Some(json!(1)));
        assert_eq!(field(&plain, "n"), None);
        assert_eq!(field(&plain, "refresh_interval"), Some(json!(60)));
        assert_eq!(field(&plain, "data"), Some(json!({"a": 1, "n": null})));
        assert_eq!(field(&plain, "token"), None);
        let token = secret(r#"{"auth":{"client_token":"t","policies":["a"]}}"#);
        assert_eq!(field(&token, "policies"), Some(json!(["a"])));
        assert_eq!(field(&token, "request_id"), None);
    }
}
