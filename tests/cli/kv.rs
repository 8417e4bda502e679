//! Key-value commands and their layouts.

use crate::cli;

#[test]
fn version_2() {
    let vault = cli();
    let put = vault.ok(&["kv", "put", "secret/cli/app", "user=ada", "pw=x1"]);
    assert!(
        put.starts_with("======= Secret Path =======\nsecret/data/cli/app\n") || put.contains("secret/data/cli/app")
    );
    let got = vault.ok(&["kv", "get", "secret/cli/app"]);
    assert!(got.contains("\n==== Data ====\nKey     Value\n---     -----\npw      x1\nuser    ada\n"), "{got}");
    assert_eq!(vault.ok(&["kv", "get", "-field=pw", "secret/cli/app"]).trim_end(), "x1");
    vault.ok(&["kv", "put", "secret/cli/app", "pw=x2"]);
    assert_eq!(vault.ok(&["kv", "get", "-field=pw", "-version=1", "secret/cli/app"]).trim_end(), "x1");
    assert_eq!(vault.ok(&["kv", "list", "secret/cli"]), "Keys\n----\napp\n");
    vault.ok(&["kv", "delete", "secret/cli/app"]);
    let gone = vault.run(&["kv", "get", "secret/cli/nothing"]);
    assert_eq!((gone.code, gone.err.trim_end()), (2, "No value found at secret/data/cli/nothing"));
}

#[test]
fn version_1() {
    let vault = cli();
    vault.ok(&["secrets", "enable", "-path=kv1", "-version=1", "kv"]);
    assert_eq!(vault.ok(&["kv", "put", "kv1/app", "x=y"]), "Success! Data written to: kv1/app\n");
    assert_eq!(vault.ok(&["kv", "get", "kv1/app"]), "== Data ==\nKey    Value\n---    -----\nx      y\n");
    let read = vault.ok(&["read", "kv1/app"]);
    assert_eq!(
        read,
        "Key                 Value\n---                 -----\nrefresh_interval    768h\nx                   y\n"
    );
    assert_eq!(vault.ok(&["list", "kv1"]), "Keys\n----\napp\n");
    assert_eq!(vault.json(&["list", "-format=json", "kv1"]), serde_json::json!(["app"]));
    assert_eq!(vault.ok(&["delete", "kv1/app"]), "Success! Data deleted (if it existed) at: kv1/app\n");
}

#[test]
fn data_comes_from_arguments_files_and_standard_input() {
    let vault = cli();
    std::fs::write(vault.home().join("value.txt"), "from a file\n").unwrap();
    std::fs::write(vault.home().join("many.json"), "{\"a\": 1, \"b\": \"two\"}").unwrap();
    vault.ok(&["kv", "put", "secret/cli-in/x", "file=@value.txt", "literal=\\@x", "empty="]);
    let data = &vault.json(&["kv", "get", "-format=json", "secret/cli-in/x"])["data"]["data"];
    assert_eq!(*data, serde_json::json!({ "file": "from a file\n", "literal": "@x", "empty": "" }));
    vault.ok(&["kv", "put", "secret/cli-in/x", "@many.json"]);
    let data = &vault.json(&["kv", "get", "-format=json", "secret/cli-in/x"])["data"]["data"];
    assert_eq!(*data, serde_json::json!({ "a": 1, "b": "two" }));
    let said = vault.run_with_input(&["kv", "put", "secret/cli-in/x", "x=-"], "piped");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(vault.ok(&["kv", "get", "-field=x", "secret/cli-in/x"]).trim_end(), "piped");
}
