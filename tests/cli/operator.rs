//! Initialise, unseal, status: on a server of one's own.

use harness::{Cli, Server};

use crate::row;

#[test]
fn from_init_to_seal() {
    let server = Server::blank();
    let vault = Cli::bare().with("VAULT_ADDR", server.url());
    assert_eq!(vault.run(&["operator", "init", "-status"]).code, 2);
    let blank = vault.run(&["status"]);
    assert_eq!((blank.code, row(&blank.out, "Initialized")), (2, "false"));

    let made = vault.ok(&["operator", "init", "-key-shares=3", "-key-threshold=2"]);
    let value = |start: &str| {
        let line = made.lines().find_map(|l| l.strip_prefix(start)).unwrap_or_else(|| panic!("no {start}\n{made}"));
        line.trim().to_owned()
    };
    let (first, second, root) = (value("Unseal Key 1:"), value("Unseal Key 3:"), value("Initial Root Token:"));
    assert_eq!(vault.run(&["operator", "init", "-status"]).code, 0);
    assert_eq!(vault.run(&["operator", "init"]).code, 2);

    let half = vault.ok(&["operator", "unseal", &first]);
    assert_eq!((row(&half, "Sealed"), row(&half, "Unseal Progress")), ("true", "1/2"));
    assert_eq!(vault.run(&["status"]).code, 2);
    let open = vault.ok(&["operator", "unseal", &second]);
    assert_eq!((row(&open, "Sealed"), row(&open, "Total Shares")), ("false", "3"));
    let status = vault.ok(&["status"]);
    assert_eq!(
        (row(&status, "Initialized"), row(&status, "Sealed"), row(&status, "Threshold")),
        ("true", "false", "2")
    );

    let vault = vault.with("VAULT_TOKEN", &root);
    vault.ok(&["secrets", "list"]);
    assert_eq!(vault.ok(&["operator", "seal"]), "Success! Vault is sealed.\n");
    assert_eq!(vault.run(&["status"]).code, 2);
}

#[test]
fn lists_are_tables() {
    let list = crate::cli().ok(&["secrets", "list"]);
    let mut lines = list.lines();
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["Path", "Type", "Accessor", "Description"]);
    let paths: Vec<&str> = lines.skip(1).filter_map(|l| l.split_whitespace().next()).collect();
    for path in ["cubbyhole/", "identity/", "secret/", "sys/"] {
        assert!(paths.contains(&path), "{path}: {list}");
    }
    let mounts = crate::cli().ok(&["auth", "list"]);
    assert!(mounts.lines().any(|l| l.starts_with("token/")), "{mounts}");
}
