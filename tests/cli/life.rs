//! The life of a database credential, command by command as the guides print them.

use harness::{Postgres, wait_until};

use crate::{cli, row};

const CREATION: &str = "creation_statements=CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' \
                        VALID UNTIL '{{expiration}}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";";

#[test]
fn from_enable_to_revoke() {
    let cluster = Postgres::shared();
    let vault = cli();
    let enabled = vault.ok(&["secrets", "enable", "-path=life", "database"]);
    assert_eq!(enabled, "Success! Enabled the database secrets engine at: life/\n");
    let url = format!("connection_url={}", cluster.url());
    let user = format!("username={}", Postgres::ADMIN);
    let password = format!("password={}", cluster.password());
    let plugin = "plugin_name=postgresql-database-plugin";
    let configured = vault.ok(&["write", "life/config/pg", plugin, "allowed_roles=readonly", &url, &user, &password]);
    assert_eq!(configured, "Success! Data written to: life/config/pg\n");
    let written = vault.ok(&["write", "life/roles/readonly", "db_name=pg", CREATION, "default_ttl=1h", "max_ttl=24h"]);
    assert_eq!(written, "Success! Data written to: life/roles/readonly\n");

    let read = vault.ok(&["read", "life/creds/readonly"]);
    let keys: Vec<&str> = read.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert_eq!(keys, ["Key", "---", "lease_id", "lease_duration", "lease_renewable", "password", "username"]);
    assert_eq!(row(&read, "lease_duration"), "1h");
    let (lease, user) = (row(&read, "lease_id"), row(&read, "username"));
    cluster.try_login(user, row(&read, "password")).expect("the user logs in");

    assert_eq!(vault.ok(&["list", "sys/leases/lookup/life/creds/readonly"]).lines().count(), 3);
    let renewed = vault.ok(&["lease", "renew", lease]);
    assert_eq!(row(&renewed, "lease_id"), lease);
    let found = vault.ok(&["lease", "lookup", lease]);
    assert_eq!(row(&found, "id"), lease);
    let revoked = vault.ok(&["lease", "revoke", lease]);
    assert_eq!(revoked, "All revocation operations queued successfully!\n");
    wait_until("the user to be dropped", || (!cluster.has_role(user)).then_some(()));
    let lost = vault.run(&["lease", "lookup", lease]);
    assert_eq!(lost.code, 2);
    assert!(lost.err.starts_with(&format!("error looking up lease id {lease}:")), "{}", lost.err);

    let fields = ["read", "-field=username", "life/creds/readonly"];
    let user = vault.ok(&fields);
    assert!(cluster.has_role(&user), "{user:?}");
    assert_eq!(
        vault.ok(&["lease", "revoke", "-prefix", "-sync", "life/creds/readonly"]).lines().count(),
        1,
        "one line of success"
    );
    assert!(!cluster.has_role(&user));
    let disabled = vault.ok(&["secrets", "disable", "life"]);
    assert_eq!(disabled, "Success! Disabled the secrets engine (if it existed) at: life/\n");
}

#[test]
fn as_json() {
    let cluster = Postgres::shared();
    harness::DatabaseMount::new(&crate::server().api(), "life-json", cluster);
    let read = cli().json(&["read", "-format=json", "life-json/creds/app"]);
    assert_eq!(read["lease_duration"], 3_600);
    assert_eq!(read["renewable"], true);
    assert!(cluster.has_role(read["data"]["username"].as_str().unwrap()));
}
