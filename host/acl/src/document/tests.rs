//! Tests of reading policies.

use serde_json::json;

use super::*;

fn parse(text: &str) -> Result<Policy, HclError> {
    Policy::parse("Test", text)
}

fn only(text: &str) -> Result<PathRule, HclError> {
    let mut policy = parse(text)?;
    assert_eq!(policy.paths.len(), 1, "{text}");
    Ok(policy.paths.remove(0))
}

#[test]
fn reads_every_key() -> Result<(), HclError> {
    let rule = only(
        r#"
        name = "something else"
        path "/secret/*" {
            capabilities = ["read", "update"]
            allowed_parameters = { "Colour" = ["red", "b*"] "size" = [] }
            denied_parameters { flag = [true, 5, 0x1f, ["a"]] }
            required_parameters = ["Owner"]
            min_wrapping_ttl = "1m"
            max_wrapping_ttl = 3600
            comment = "why"
            expiration = "2026-01-31T12:00:00Z"
            pagination_limit = 100
            list_scan_response_keys_filter_path = "secret/{{ .path }}"
            mfa_methods = ["x"]
            control_group = { factor "ops" { identity { group_names = ["g"] approvals = 1 } } }
        }"#,
    )?;
    assert_eq!(rule.path, Template::parse("secret/*").unwrap());
    assert_eq!(rule.capabilities.names(), ["read", "update"]);
    assert_eq!(json!(rule.allowed_parameters), json!({"colour": ["red", "b*"], "size": []}));
    assert_eq!(json!(rule.denied_parameters), json!({"flag": [true, 5, "0x1f", ["a"]]}));
    assert_eq!(rule.required_parameters, ["owner"]);
    assert_eq!((rule.min_wrapping_ttl, rule.max_wrapping_ttl), (60, 3600));
    assert_eq!(rule.expiration, Some(Timestamp::from_seconds(1_769_860_800)));
    assert_eq!(rule.pagination_limit, 100);
    assert_eq!(rule.list_filter.as_deref(), Some("secret/{{ .path }}"));
    assert_eq!(parse("")?.name, "test");
    Ok(())
}

#[test]
fn reads_the_older_shorthand() -> Result<(), HclError> {
    for (word, want) in [
        ("read", &["list", "read"][..]),
        ("write", &["create", "delete", "list", "read", "update"]),
        ("sudo", &["create", "delete", "list", "read", "sudo", "update"]),
        ("deny", &["deny"]),
    ] {
        assert_eq!(only(&format!("path \"a\" {{ policy = \"{word}\" }}"))?.capabilities.names(), want, "{word}");
    }
    let both = only(r#"path "a" { policy = "read" capabilities = ["patch"] }"#)?;
    assert_eq!(both.capabilities.names(), ["list", "patch", "read"]);
    Ok(())
}

#[test]
fn json_and_base64_say_the_same() -> Result<(), HclError> {
    let hcl = "path \"c-b\" { capabilities = [\"list\"] allowed_parameters = { a = [] } }";
    let want = parse(hcl)?;
    let json = r#"{"path":{"c-b":{"capabilities":["list"],"allowed_parameters":{"a":[]}}}}"#;
    assert_eq!(parse(json)?, want);
    assert_eq!(parse(r#"{"path":[{"c-b":[{"capabilities":["list"],"allowed_parameters":[{"a":[]}]}]}]}"#)?, want);
    for text in [hcl, json] {
        let wrapped = STANDARD.encode(text);
        assert_eq!(decode(&wrapped), text);
        assert_eq!(parse(&wrapped)?, want);
    }
    assert_eq!(decode(hcl), hcl);
    Ok(())
}

#[test]
fn refuses_and_names_what_is_wrong() {
    for (text, word) in [
        ("path \"a\" { capabilities = [\"fly\"] }", "\"fly\""),
        ("path \"a\" { capabilities = [\"read\"]", "end of the text"),
        ("path \"a\" { capabilities = \"read\" }", "a list"),
        ("path \"a\" { capabilities = [1] }", "a number"),
        ("path \"a\" { colour = \"red\" }", "\"colour\""),
        ("paths \"a\" { capabilities = [\"read\"] }", "\"paths\""),
        ("path \"a/+*\" { capabilities = [\"read\"] }", "+*"),
        ("path \"a\" { policy = \"all\" }", "\"all\""),
        ("path \"a\" { min_wrapping_ttl = \"2h\" max_wrapping_ttl = \"1h\" }", "max_wrapping_ttl"),
        ("path \"a\" { min_wrapping_ttl = \"soon\" }", "min_wrapping_ttl"),
        ("path \"a\" { max_wrapping_ttl = \"-1s\" }", "max_wrapping_ttl"),
        ("path \"a\" { allowed_parameters = { x = \"red\" } }", "\"x\""),
        ("path \"a\" { allowed_parameters = [\"x\"] }", "allowed_parameters"),
        ("path \"a\" { required_parameters = { x = 1 } }", "required_parameters"),
        ("path \"a\" { expiration = \"tomorrow\" }", "expiration"),
        ("path \"a\" { pagination_limit = -1 }", "pagination_limit"),
        ("path \"a\" { capabilities = [] capabilities = [] }", "twice"),
        ("path \"a/{{identity.entity.id\" { }", "braces"),
        ("path { capabilities = [\"read\"] }", "label"),
        ("path \"a\" \"b\" { }", "label"),
        ("path = \"a\"", "path"),
        ("{\"path\":{\"a\":{\"colour\":1}}}", "\"colour\""),
        ("hello", "hello"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
}
