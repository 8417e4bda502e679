//! Credentials that are made ahead: handed out once, to those who may, and as good as any other.

use std::collections::BTreeSet;
use std::thread;

use harness::{Api, Credential, DatabaseMount, Postgres, Server, wait_until};
use serde_json::{Value, json};

const READERS: usize = 16;

/// Makes a pool for the role `app`, and waits until it is full.
fn pool(mount: &DatabaseMount, size: usize) -> BTreeSet<String> {
    mount.api.post(&format!("sys/pool/{}/creds/app", mount.path), json!({ "size": size })).expect(204);
    full(mount, size);
    stock(mount)
}

fn full(mount: &DatabaseMount, size: usize) {
    let path = format!("sys/pool/{}/creds/app", mount.path);
    wait_until("the pool to be full", || (mount.api.get(&path).expect(200)["data"]["ready"] == size).then_some(()));
}

/// The users that wait, as the inventory tells.
fn stock(mount: &DatabaseMount) -> BTreeSet<String> {
    let shown = mount.api.get(&format!("sys/inventory/{}?state=stock", mount.path)).ok();
    let objects = shown["data"]["objects"].as_array().unwrap();
    objects.iter().map(|object| object["object"].as_str().unwrap().to_owned()).collect()
}

fn all_at_once(asker: &Api, path: &str) -> Vec<Value> {
    thread::scope(|scope| {
        let asking: Vec<_> = (0..READERS).map(|_| scope.spawn(|| asker.get(path).ok())).collect();
        asking.into_iter().map(|task| task.join().unwrap()).collect()
    })
}

#[test]
fn a_pool_serves_many_readers_and_each_user_once() {
    let (cluster, server) = (Postgres::start(), Server::dev());
    let api = server.api();
    let mount = DatabaseMount::new(&api, "db", &cluster);
    let waiting = pool(&mount, 6);
    assert_eq!(waiting.len(), 6);
    api.policy("app", "path \"db/creds/app\" { capabilities = [\"read\"] }");
    let nobody = api.child(&["default"], json!({}));
    nobody.get("db/creds/app").refused(403, "permission denied");

    let asker = api.child(&["app"], json!({}));
    let answers = all_at_once(&asker, "db/creds/app");
    let made: Vec<Credential> = answers.iter().map(Credential::of).collect();
    let users: BTreeSet<String> = made.iter().map(|credential| credential.user.clone()).collect();
    assert_eq!(users.len(), READERS, "one user was given to two readers");
    assert!(users.is_superset(&waiting), "what waited was not handed out");
    for (answer, credential) in answers.iter().zip(&made) {
        // A pool that fills up while they ask hands out more than waited at first.
        let ready = answer["ready_at"].is_string();
        assert!(ready || !waiting.contains(&credential.user), "{answer}");
        assert_eq!(credential.seconds, 3_600);
        assert_eq!(answer["data"].as_object().unwrap().len(), 2, "{answer}");
        cluster.try_login(&credential.user, &credential.password).unwrap();
    }
    full(&mount, 6);

    let old = stock(&mount);
    mount.role("app", "2h", "24h");
    assert_eq!(mount.credential("app").seconds, 7_200, "a credential of the old role was handed out");
    wait_until("the old role's stock to go", || old.iter().all(|user| !cluster.has_role(user)).then_some(()));
    full(&mount, 6);

    api.post("auth/token/revoke", json!({ "token": asker.token() })).expect(204);
    wait_until("the token's users to go", || users.iter().all(|user| !cluster.has_role(user)).then_some(()));
    assert_eq!(stock(&mount).len(), 6, "what waits hangs on no token");
    api.delete("sys/mounts/db").expect(204);
    assert!(cluster.roles_like("v-%").is_empty(), "{:?}", cluster.roles_like("v-%"));
}
