//! Calls described instead of made.

use cofferdam_client::{Client, Method, Request};

/// A cURL command that makes the call. The token is not shown but asked for.
pub(crate) fn curl(client: &Client, request: &Request) -> String {
    let tls = &client.config().tls;
    let mut text = String::from("curl ");
    if tls.skip_verify {
        text.push_str("--insecure ");
    }
    if request.method != Method::Get {
        text.push_str(&format!("-X {} ", request.method));
    }
    let files = [
        ("--cacert", &tls.ca_cert),
        ("--capath", &tls.ca_path),
        ("--cert", &tls.client_cert),
        ("--key", &tls.client_key),
    ];
    for (option, file) in files {
        if let Some(file) = file {
            text.push_str(&format!("{option} {} ", quoted(&file.to_string_lossy())));
        }
    }
    for (name, value) in client.headers(request) {
        let value = if name == "X-Vault-Token" { "$(vault print token)".to_owned() } else { escaped(&value) };
        text.push_str(&format!("-H \"{name}: {value}\" "));
    }
    if let Some(body) = &request.body {
        text.push_str(&format!("-d {} ", quoted(&body.to_string())));
    }
    text.push_str(&format!("\"{}\"", client.url(request)));
    text
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

/// For use between double quotes of a shell.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '"' | '\\' | '$' | '`').then_some('\\').into_iter().chain([c])).collect()
}

/// A policy that allows the call.
pub(crate) fn policy(request: &Request) -> String {
    let list = request.query.iter().any(|(k, v)| k == "list" && v == "true");
    let mut capabilities = match request.method {
        Method::Get if list => vec!["list"],
        Method::Get => vec!["read"],
        Method::Put | Method::Post => vec!["create", "update"],
        Method::Patch => vec!["patch"],
        Method::Delete => vec!["delete"],
    };
    if needs_sudo(&request.path, list) {
        capabilities.push("sudo");
    }
    format!("path \"{}\" {{\n  capabilities = [\"{}\"]\n}}", request.path, capabilities.join("\", \""))
}

/// The paths that ask for `sudo`, `*` standing for any rest.
fn needs_sudo(path: &str, list: bool) -> bool {
    const LISTED: &[&str] = &["auth/token/accessors", "sys/leases/lookup*", "sys/plugins/catalog/*"];
    const ALWAYS: &[&str] = &[
        "auth/token/revoke-orphan",
        "sys/audit",
        "sys/audit/*",
        "sys/auth/*",
        "sys/config/auditing/*",
        "sys/config/cors",
        "sys/config/ui/headers/*",
        "sys/internal/inspect/*",
        "sys/leases",
        "sys/leases/revoke-force/*",
        "sys/leases/revoke-prefix/*",
        "sys/plugins/catalog/*",
        "sys/raw",
        "sys/raw/*",
        "sys/remount",
        "sys/revoke-force/*",
        "sys/revoke-prefix/*",
        "sys/rotate",
        "sys/rotate/keyring",
        "sys/rotate/root",
        "sys/seal",
        "sys/step-down",
    ];
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == *pattern,
    };
    ALWAYS.iter().any(matches) || (list && LISTED.iter().any(matches))
}

#[cfg(test)]
mod tests {
    use cofferdam_client::Config;
    use serde_json::json;

    use super::*;

    fn client() -> Client {
        let config =
            Config { address: "http://127.0.0.1:8200".into(), token: Some("hvs.x".into()), ..Config::default() };
        Client::new(config, &crate::files::UserFiles).unwrap()
    }

    #[test]
    fn curl_hides_the_token_and_quotes_the_body() {
        let put = Request::new(Method::Put, "kv/a").body(json!({"a": "it's"}));
        assert_eq!(
            curl(&client(), &put),
            "curl -X PUT -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $(vault print token)\" \
             -d '{\"a\":\"it'\"'\"'s\"}' \"http://127.0.0.1:8200/v1/kv/a\""
        );
        assert_eq!(
            curl(&client(), &Request::list("kv")),
            "curl -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $(vault print token)\" \
             \"http://127.0.0.1:8200/v1/kv?list=true\""
        );
    }

    #[test]
    fn policies_name_the_capabilities() {
        let text = |r| policy(&r);
        assert_eq!(text(Request::new(Method::Get, "a/b")), "path \"a/b\" {\n  capabilities = [\"read\"]\n}");
        assert!(text(Request::list("a")).contains("[\"list\"]"));
        assert!(text(Request::new(Method::Post, "sys/auth/x")).contains("[\"create\", \"update\", \"sudo\"]"));
        assert!(text(Request::list("sys/leases/lookup/a")).contains("[\"list\", \"sudo\"]"));
    }
}
