//! `login`, `print token`, and where tokens come from.

use cap_std::fs::PermissionsExt;

use crate::support::{World, prints};

const SELF: &str = r#"{"data":{"id":"hvs.x","accessor":"A","policies":["default"],"identity_policies":["ip"],
    "ttl":3600,"renewable":true,"meta":{"k":"v"}}}"#;
const TABLE: &str = "Key                  Value\n---                  -----\ntoken                hvs.x\n\
    token_accessor       A\ntoken_duration       1h\ntoken_renewable      true\ntoken_policies       [\"default\"]\n\
    identity_policies    [\"ip\"]\npolicies             [\"default\" \"ip\"]\ntoken_meta_k         v\n";

fn stored(world: &World) -> Option<String> {
    world.home_dir().read_to_string(".vault-token").ok()
}

#[test]
fn a_token_is_checked_kept_and_used() {
    let world = World::new(&[("GET /v1/auth/token/lookup-self", 200, SELF), ("GET /v1/p", 200, r#"{"data":{"a":1}}"#)]);
    let login = world.run("login hvs.x");
    assert_eq!((login.code, login.err.as_str()), (0, ""));
    assert!(login.out.starts_with("Success! You are now authenticated. "), "{}", login.out);
    assert!(login.out.ends_with(&format!("\n\n{TABLE}")), "{}", login.out);
    assert_eq!(stored(&world).as_deref(), Some("hvs.x"));
    let mode = world.home_dir().metadata(".vault-token").unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    prints(world.run("print token"), "hvs.x\n");
    prints(world.run("read -field=a p"), "1");
    assert_eq!(world.last().headers["x-vault-token"], "hvs.x");
    let world = world.with("VAULT_TOKEN", "other");
    prints(world.run("print token"), "other\n");
    assert!(world.run("login hvs.x").err.starts_with("WARNING! The VAULT_TOKEN environment variable is set!"));
}

#[test]
fn the_token_may_come_from_stdin_and_may_not_be_kept() {
    let world = World::new(&[("GET /v1/auth/token/lookup-self", 200, SELF)]);
    prints(world.run_with("login -token-only token=-", "hvs.y\n"), "hvs.y");
    assert!(world.seen().is_empty());
    prints(world.run_with("login -no-print token=-", "hvs.x\n"), "");
    assert_eq!(stored(&world).as_deref(), Some("hvs.x"));
    let world = World::new(&[("GET /v1/auth/token/lookup-self", 200, SELF)]);
    let login = world.run("login -no-store -format=json hvs.x");
    assert!(login.code == 0 && login.out.contains("\"client_token\": \"hvs.x\"") && stored(&world).is_none());
    assert!(login.err.starts_with("The token was not stored in token helper."), "{}", login.err);
    let refused =
        World::new(&[("GET /v1/auth/token/lookup-self", 403, r#"{"errors":["permission denied"]}"#)]).run("login x");
    assert!(refused.code == 2 && refused.err.starts_with("Error authenticating: error looking up token: "));
    assert_eq!(world.run("login -no-store -no-print x").code, 1);
    assert_eq!(world.run("login -non-interactive").code, 1);
    assert_eq!(world.run("login token=").code, 2);
}

#[test]
fn a_dash_reads_stdin() {
    let world = World::new(&[("GET /v1/auth/token/lookup-self", 200, SELF)]);
    prints(world.run_with("login -field=token -", "hvs.x\n"), "hvs.x");
    assert_eq!(world.last().headers["x-vault-token"], "hvs.x");
}

#[test]
fn other_methods_send_what_was_given() {
    let answer = r#"{"auth":{"client_token":"hvs.u","policies":["default"],"lease_duration":60}}"#;
    let world = World::new(&[("PUT /v1/auth/userpass/login/ada", 200, answer), ("PUT /v1/auth/ci/login", 200, answer)])
        .with("VAULT_TOKEN", "old");
    prints_field(&world, "login -field=token -method=userpass username=ada password=pw");
    assert_eq!(world.last().body, serde_json::json!({"password": "pw"}));
    assert!(!world.last().headers.contains_key("x-vault-token"), "a login needs no token");
    prints_field(&world, "login -field=token -method=approle -path=ci role_id=r secret_id=s");
    assert_eq!(world.last().body, serde_json::json!({"role_id": "r", "secret_id": "s"}));
    assert_eq!(world.run("login -method=userpass password=x").code, 2);
}

fn prints_field(world: &World, line: &str) {
    let ended = world.run(line);
    assert_eq!((ended.code, ended.out.as_str()), (0, "hvs.u"), "{}", ended.err);
}

#[test]
fn a_wrapped_login_is_unwrapped_before_it_is_kept() {
    let wrapped = r#"{"wrap_info":{"token":"hvs.w","wrapped_accessor":"A","ttl":60}}"#;
    let answer = r#"{"auth":{"client_token":"hvs.u"}}"#;
    let world =
        World::new(&[("PUT /v1/auth/approle/login", 200, wrapped), ("PUT /v1/sys/wrapping/unwrap", 200, answer)]);
    prints(world.run("login -field=token -method=approle -wrap-ttl=1m role_id=r"), "hvs.u");
    assert_eq!(world.last().headers["x-vault-token"], "hvs.w");
    assert_eq!(stored(&world).as_deref(), Some("hvs.u"));
    prints(world.run("login -token-only -method=approle -wrap-ttl=1m role_id=r"), "hvs.w");
}

#[test]
fn a_token_that_cannot_be_kept_is_shown() {
    let world =
        World::new(&[("GET /v1/auth/token/lookup-self", 200, SELF)]).with("VAULT_TOKEN_PATH", "/nowhere/at/all/t");
    let login = world.run("login hvs.x");
    assert_eq!((login.code, login.out.as_str()), (2, TABLE));
    assert!(
        login.err.starts_with("Error storing token: /nowhere/at/all/t: no such file or directory\n"),
        "{}",
        login.err
    );
}
