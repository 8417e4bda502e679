//! Who the command line is: the token that is named, stored, or none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::{cli, row, server};

#[test]
fn a_login_is_remembered_in_a_private_file() {
    let vault = cli().without("VAULT_TOKEN");
    assert_eq!(vault.run(&["token", "lookup"]).code, 2);
    let said = vault.ok(&["login", "root"]);
    assert!(said.starts_with("Success! You are now authenticated."), "{said}");
    assert_eq!(row(&said, "token_policies"), "[\"root\"]");
    let file = vault.home().join(".vault-token");
    assert_eq!(fs::read_to_string(&file).unwrap(), "root");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(row(&vault.ok(&["token", "lookup"]), "policies"), "[root]");
    assert_eq!(vault.ok(&["print", "token"]), "root\n");
}

#[test]
fn a_token_is_made_and_revoked() {
    let vault = cli();
    let made = vault.ok(&["token", "create", "-policy=default", "-ttl=1h", "-metadata=a=b"]);
    assert_eq!(row(&made, "token_duration"), "1h");
    assert_eq!(row(&made, "token_policies"), "[\"default\"]");
    assert_eq!(row(&made, "token_meta_a"), "b");
    let token = row(&made, "token");
    let revoked = vault.ok(&["token", "revoke", token]);
    assert_eq!(revoked, "Success! Revoked token (if it existed)\n");
    let other = cli().with("VAULT_TOKEN", token);
    assert_eq!(other.run(&["token", "lookup"]).code, 2);
}

#[test]
fn capabilities_are_told() {
    let vault = cli();
    let policy = "path \"secret/data/cli-caps\" { capabilities = [\"read\", \"create\"] }";
    let written = vault.run_with_input(&["policy", "write", "cli-caps", "-"], policy);
    assert_eq!((written.code, written.out.as_str()), (0, "Success! Uploaded policy: cli-caps\n"), "{}", written.err);
    assert_eq!(vault.ok(&["policy", "read", "cli-caps"]).trim_end(), policy);
    assert!(vault.ok(&["policy", "list"]).lines().any(|l| l == "cli-caps"));
    let made = vault.json(&["token", "create", "-policy=cli-caps", "-format=json"]);
    let token = made["auth"]["client_token"].as_str().unwrap();
    assert_eq!(vault.ok(&["token", "capabilities", token, "secret/data/cli-caps"]), "create, read\n");
    assert_eq!(vault.ok(&["token", "capabilities", token, "secret/data/other"]), "deny\n");
}

#[test]
fn both_names_of_the_environment_work() {
    let vault = cli().without("VAULT_TOKEN").without("VAULT_ADDR");
    let ours = vault.with("COFFERDAM_ADDR", server().url()).with("COFFERDAM_TOKEN", "root");
    assert_eq!(row(&ours.ok(&["token", "lookup"]), "policies"), "[root]");
}
