//! What goes wrong, told on standard error, with the exit codes that scripts rely on.

use crate::cli;

#[test]
fn a_refusal_says_what_was_asked_and_answered() {
    let vault = cli();
    let limited = vault.json(&["token", "create", "-policy=default", "-ttl=5m", "-format=json"]);
    let other = cli().with("VAULT_TOKEN", limited["auth"]["client_token"].as_str().unwrap());
    let said = other.run(&["read", "secret/data/x"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    let url = format!("URL: GET {}/v1/secret/data/x", crate::server().url());
    assert!(said.err.starts_with("Error reading secret/data/x: Error making API request.\n\n"), "{}", said.err);
    assert!(said.err.contains(&url) && said.err.contains("Code: 403. Errors:\n\n"), "{}", said.err);
    assert!(said.err.contains("permission denied"), "{}", said.err);
}

#[test]
fn nothing_found_is_2() {
    let vault = cli();
    for command in ["read", "list"] {
        let said = vault.run(&[command, "cubbyhole/nothing"]);
        assert_eq!((said.code, said.err.trim_end()), (2, "No value found at cubbyhole/nothing"), "{command}");
    }
}

#[test]
fn usage_is_1_and_an_unknown_command_127() {
    let vault = cli();
    assert_eq!(vault.run(&["write", "secret/x"]).code, 1);
    assert_eq!(vault.run(&["write", "secret/x", "novalue"]).code, 1);
    let said = vault.run(&["read", "-no-such-flag", "x"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("flag provided but not defined: -no-such-flag"), "{}", said.err);
    let said = vault.run(&["read", "-format=bogus", "x"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("Invalid output format: bogus"), "{}", said.err);
    assert_eq!(vault.run(&["no-such-command"]).code, 127);
}

#[test]
fn nobody_there_is_2() {
    let vault = cli().with("VAULT_ADDR", "http://127.0.0.1:1").with("VAULT_MAX_RETRIES", "0");
    assert_eq!(vault.run(&["read", "secret/x"]).code, 2);
    assert_eq!(vault.run(&["status"]).code, 1);
}

#[test]
fn a_missing_field_is_1() {
    let vault = cli();
    let said = vault.run(&["read", "-field=none", "auth/token/lookup-self"]);
    assert_eq!((said.code, said.err.trim_end()), (1, "Field \"none\" not present in secret"));
}

#[test]
fn secrets_do_not_come_back_in_errors() {
    let vault = cli();
    let said = vault.run(&[
        "write",
        "secret/config",
        "password=very-secret-words",
        "connection_url=postgresql://u:p@127.0.0.1:1/x",
    ]);
    assert!(!said.err.contains("very-secret-words"), "{}", said.err);
}
