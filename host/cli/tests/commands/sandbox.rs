//! `sandbox` and `engine`.

use serde_json::Value;

use crate::support::{World, prints};

const GRANT: &str = r#"{"mount":"db/","engine":"database","backend":"pg","host":"db.corp","port":5432,"protocol":"tcp",
    "origin":"configuration","why":"db/config/pg: connection_url=…","generation":1,"current":true,
    "written_by":"ci (A)","written_at":"2026-01-02T03:04:05Z","names_it":true}"#;

#[test]
fn shows_grants_with_their_reasons() {
    let body = format!(r#"{{"data":{{"grants":[{GRANT}]}}}}"#);
    let world = World::new(&[
        ("GET /v1/sys/sandbox/grants", 200, &body),
        ("GET /v1/sys/sandbox/grants/db", 200, r#"{"data":{"grants":[]}}"#),
    ]);
    prints(
        world.run("sandbox grants"),
        "Mount    Backend    Host       Port    Protocol    Origin           Why                               By\n\
         -----    -------    ----       ----    --------    ------           ---                               --\n\
         db/      pg         db.corp    5432    tcp         configuration    db/config/pg: connection_url=…    ci (A) at 2026-01-02T03:04:05Z\n",
    );
    prints(world.run("sandbox grants db/"), "Nothing to show.\n");
    let json: Value = serde_json::from_str(&world.run("sandbox grants -format=json").out).unwrap();
    assert_eq!(json[0]["backend"], "pg");
}

#[test]
fn shows_refusals() {
    let body = r#"{"data":{"counts":[],"denials":[{"time":"T","engine":"database","mount":"db/","request_id":"R",
        "attempt":"connect 10.0.0.1:80","reason":"no grant names it"}]}}"#;
    let world = World::new(&[("GET /v1/sys/sandbox/denials?limit=5&mount=db", 200, body)]);
    prints(
        world.run("sandbox denials -limit=5 db/"),
        "Time    Engine      Mount    Request    Attempt                Reason\n\
         ----    ------      -----    -------    -------                ------\n\
         T       database    db/      R          connect 10.0.0.1:80    no grant names it\n",
    );
}

#[test]
fn explains_and_ends_as_the_answer_is() {
    let shut = r#"{"data":{"mount":"db/","backend":null,"host":"a.b","port":1,"allowed":false,
        "reason":"a call that names no backend has no network","addresses":[],"rules":[]}}"#;
    let open = format!(
        r#"{{"data":{{"mount":"db/","backend":"pg","host":"db.corp","port":5432,"allowed":true,"reason":null,
            "addresses":[{{"address":"10.0.0.5","allowed":true,"reason":null}}],"rules":[{GRANT}]}}}}"#
    );
    let world = World::new(&[
        ("GET /v1/sys/sandbox/explain?host=a.b&mount=db&port=1", 200, shut),
        ("GET /v1/sys/sandbox/explain?backend=pg&host=db.corp&mount=db&port=5432", 200, &open),
    ]);
    let said = world.run("sandbox explain db/ a.b:1");
    let want = "db/ without a backend to a.b:1 is refused: a call that names no backend has no network\n\n\
                The call has no grants.\n";
    assert_eq!((said.code, said.out.as_str()), (2, want));
    let said = world.run("sandbox explain -backend=pg db db.corp:5432");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.starts_with("db/ on backend pg to db.corp:5432 is allowed\n  address 10.0.0.5: allowed\n\nNames it")
    );
    assert_eq!(world.run("sandbox explain db nonsense").code, 1);
}

#[test]
fn inspects_a_component() {
    let world = World::new(&[]);
    let (component, policy, bad) = (world.file("x.wasm", "abc"), world.file("p", "no"), world.file("q", "bad"));
    let (component, policy, bad) = (component.display(), policy.display(), bad.display());
    prints(
        world.run(&format!("engine inspect {component}")),
        "Key         Value\n---         -----\ndigest      abc\nsize        3\ncontract    n/a\nworld       n/a\n\
         import      wasi:io/poll@0.2.0\n",
    );
    let refused = world.run(&format!("engine inspect -format=json -policy={policy} {component}"));
    let json: Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!((refused.code, &json["refused"][0]), (2, &Value::from("no")));
    assert_eq!(world.run(&format!("engine inspect -policy={bad} {component}")).code, 1);
    assert_eq!(world.run("engine inspect nowhere.wasm").code, 1);
}
