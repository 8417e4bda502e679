//! Killed at the named points while a user's key is made, changed or given up and while an orphan is adopted or
//! destroyed; and a create whose answer was lost, which counts as one until it cannot come any more.

use std::thread::{self, JoinHandle};

use harness::{Moto, Reply, Server, wait_at_most, wait_until};
use serde_json::{Value, json};

use crate::common::{AwsMount, POLICY};
use crate::inventory::{exists, state, stray};
use crate::proxy::{Fault, Proxy};
use crate::statics::{PATIENCE, credential, keys, user, works};

/// Seconds until a rotation that failed is tried again.
const RETRIED: i64 = 60;
const PERIOD: i64 = 3_600;
/// Seconds after which a create has no more time (it has a minute), and for which an absence is not believed after that.
const NOT_AFTER: i64 = 70;
const SETTLES: i64 = 1_200;

/// The first write after an unseal also counts uses of the barrier's key, in a commit of its own, which no test means.
const FIRST_WRITE: &str = "path \"nothing\" { capabilities = [\"read\"] }";

/// A server with failpoints, a mount on it, and a cloud.
struct Scene {
    server: Server,
    moto: &'static Moto,
    mount: AwsMount,
}

impl Scene {
    fn new(path: &str) -> Self {
        let (server, moto) = (Server::armed_for_aws(), Moto::shared());
        let mount = AwsMount::new(&server.api(), path, &moto.url());
        Self { server, moto, mount }
    }

    /// A request in a thread of its own.
    fn begin(&self, verb: &'static str, path: &str, body: Option<Value>) -> JoinHandle<Result<Reply, String>> {
        let (api, path) = (self.mount.api.clone(), format!("{}/{path}", self.mount.path));
        thread::spawn(move || api.try_send(verb, &path, body))
    }

    /// Killed at the point where it is held, and started again.
    fn die_at(&mut self, point: &str) {
        self.server.kill();
        self.server.points().release(point);
        self.server.points().pass(RETRIED);
        self.server.start_again();
        self.server.unseal();
        self.mount.api.policy("nothing", FIRST_WRITE);
    }

    /// The user has these keys and no others.
    #[track_caller]
    fn has(&self, user: &str, wanted: &[&str], when: &str) {
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        let mut last = Vec::new();
        let agreed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_at_most(PATIENCE, "the user to have its keys", || {
                last = keys(self.moto, user);
                last.sort();
                (last == wanted).then_some(())
            });
        }));
        assert!(agreed.is_ok(), "{when}: IAM has {last:?}, and it should be {wanted:?}\n{}", self.server.log());
    }

    /// Makes the server look at what is due.
    fn wake(&self) {
        self.mount.api.put(&format!("sys/leases/revoke-prefix/{}/creds/nothing", self.mount.path), json!({})).ok();
    }
}

fn id(credential: &Value) -> &str {
    credential["access_key"].as_str().unwrap()
}

fn role(name: &str) -> Value {
    json!({ "username": name, "rotation_period": PERIOD })
}

/// What a rotation goes by; `store.committed` stands behind the commits of the role, of the candidate, of what is there,
/// of what was made, of the promotion and of the end.
const ROTATION: &[(&str, usize)] = &[
    ("store.committed", 0),
    ("rotate.proposed", 0),
    ("rotate.applied", 0),
    ("rotate.applied", 1),
    ("store.committed", 3),
    ("rotate.proven", 0),
    ("rotate.promoted", 0),
    ("store.commit", 5),
    ("store.committed", 5),
];

#[test]
fn the_key_that_clients_get_is_the_one_in_iam_wherever_a_rotation_is_killed() {
    let mut scene = Scene::new("points-rotation");
    for (at, (point, passing)) in ROTATION.iter().enumerate() {
        let name = format!("rotated-{at}");
        let (own, path, when) = (user(scene.moto, &name), format!("static-roles/{name}"), format!("{point} {passing}"));
        // The first key.
        scene.server.points().hold(point, *passing);
        let begun = scene.begin("POST", &path, Some(role(&name)));
        scene.server.points().wait_for(point, passing + 1);
        scene.die_at(point);
        assert!(begun.join().unwrap().is_err(), "{when}: a killed server answered");
        let first = wait_at_most(PATIENCE, "a first key", || credential(&scene.mount, &name));
        scene.has(&name, &[own.as_str(), id(&first)], &format!("made, {when}"));
        works(scene.moto, &first, &name);

        // The next one, a period later. The write is one commit, and wakes whoever rotates.
        scene.server.points().pass(PERIOD);
        scene.server.points().hold(point, *passing);
        let begun = scene.begin("POST", &path, Some(role(&name)));
        scene.server.points().wait_for(point, passing + 1);
        scene.die_at(point);
        let _ = begun.join().unwrap();
        let next = wait_at_most(PATIENCE, "another key", || {
            credential(&scene.mount, &name).filter(|now| now["access_key"] != first["access_key"])
        });
        // AWS allows two keys: the user's own gave way.
        scene.has(&name, &[id(&next)], &format!("changed, {when}"));
        works(scene.moto, &next, &name);
        scene.mount.api.delete(&format!("{}/{path}", scene.mount.path)).ok();
    }
}

#[test]
fn a_key_that_is_made_while_its_role_goes_goes_too() {
    let mut scene = Scene::new("points-role-goes");
    // Where the rotation stands when the role is deleted, and where the server is killed after that, if it is.
    for (at, (point, passing, killed)) in [
        ("rotate.applied", 1, None),
        ("rotate.applied", 1, Some("rotate.applied")),
        ("rotate.applied", 1, Some("rotate.given-up")),
        ("rotate.proven", 0, Some("rotate.proven")),
        ("rotate.proven", 0, Some("rotate.given-up")),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("goes-{at}");
        let (own, path) = (user(scene.moto, &name), format!("static-roles/{name}"));
        let when = format!("{point} {passing}, killed at {killed:?}");
        scene.server.points().hold(point, passing);
        let begun = scene.begin("POST", &path, Some(role(&name)));
        scene.server.points().wait_for(point, passing + 1);
        assert_eq!(keys(scene.moto, &name).len(), 2, "{when}: the key is there");
        scene.mount.api.delete(&format!("{}/{path}", scene.mount.path)).ok();
        match killed {
            Some(last) if last != point => {
                scene.server.points().hold(last, 0);
                scene.server.points().release(point);
                scene.server.points().wait_for(last, 1);
                scene.die_at(last);
            }
            Some(_) => scene.die_at(point),
            None => scene.server.points().release(point),
        }
        let _ = begun.join().unwrap();
        scene.has(&name, &[own.as_str()], &when);
        // Another role of that name is another role, as soon as nothing is left of the first one.
        let again = || scene.mount.api.post(&format!("{}/{path}", scene.mount.path), role(&name));
        wait_until("another role", || again().is_ok().then_some(()));
        let made = wait_until("its key", || credential(&scene.mount, &name));
        scene.has(&name, &[own.as_str(), id(&made)], &when);
        // What clients were given stays.
        scene.mount.api.delete(&format!("{}/{path}", scene.mount.path)).ok();
        scene.has(&name, &[own.as_str(), id(&made)], &when);
    }
}

#[test]
fn a_key_whose_answer_is_held_goes_with_its_role() {
    let scene = Scene::new("points-held");
    let proxy = Proxy::start(scene.moto.port());
    scene.mount.configure(&proxy.url(), json!({})).ok();
    let own = user(scene.moto, "held");
    proxy.on("CreateAccessKey", Fault::HoldAfter, 1);
    let begun = scene.begin("POST", "static-roles/held", Some(role("held")));
    wait_until("the key to be made", || (keys(scene.moto, "held").len() == 2).then_some(()));
    scene.mount.api.delete("points-held/static-roles/held").ok();
    proxy.go_on();
    let _ = begun.join().unwrap();
    scene.has("held", &[own.as_str()], "the answer came after the deletion");
}

#[test]
fn an_orphan_is_adopted_or_destroyed_or_an_orphan_wherever_the_server_is_killed() {
    let mut scene = Scene::new("points-orphans");
    scene.mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    let made = scene.mount.credential("app");
    let stamp = scene.mount.users(scene.moto)[0].1.clone();
    let mark = &stamp[..=stamp.rfind('/').unwrap()];
    for (at, (action, point, done)) in [
        ("adopt", "store.commit", false),
        ("adopt", "store.committed", true),
        ("destroy", "store.commit", false),
        ("destroy", "store.committed", true),
        ("destroy", "revoke.condemned", true),
        ("destroy", "revoke.ended", true),
        ("destroy", "revoke.removed", true),
    ]
    .into_iter()
    .enumerate()
    {
        let (name, when) = (format!("orphan-{at}"), format!("{action}, {point}"));
        stray(scene.moto, &name, &format!("{mark}{name}x"));
        let path = format!("sys/inventory/{}/{action}", scene.mount.path);
        scene.server.points().hold(point, 0);
        let (api, object) = (scene.mount.api.clone(), json!({ "object": name }));
        let begun = thread::spawn(move || api.try_send("PUT", &path, Some(object)));
        scene.server.points().wait_for(point, 1);
        scene.die_at(point);
        assert!(begun.join().unwrap().is_err(), "{when}: a killed server answered");
        match (action, done) {
            (_, false) => assert_eq!(state(&scene.mount, &name).as_deref(), Some("orphan"), "{when}"),
            ("adopt", true) => assert_eq!(state(&scene.mount, &name).as_deref(), Some("leased"), "{when}"),
            _ => {
                wait_until("the user to go", || (!exists(scene.moto, &name)).then_some(()));
                assert_eq!(state(&scene.mount, &name), None, "{when}");
                if point != "revoke.removed" {
                    wait_until("its lease to go", || (forgotten(&scene) > 0.0).then_some(()));
                }
            }
        }
    }
    assert!(made.user(scene.moto).is_some(), "what nothing concerned is gone");
    scene.mount.api.put("sys/leases/revoke-prefix/points-orphans", json!({ "sync": true })).expect(204);
    let left = scene.mount.users(scene.moto);
    assert!(left.iter().all(|(name, _)| name.starts_with("orphan-")) && left.len() == 2, "{left:?}");
}

#[test]
fn a_create_whose_answer_was_lost_counts_until_it_cannot_come_any_more() {
    let scene = Scene::new("points-late");
    let proxy = Proxy::start(scene.moto.port());
    scene.mount.configure(&proxy.url(), json!({ "max_retries": 0 })).ok();
    scene.mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
    for comes in [true, false] {
        proxy.on("CreateUser", if comes { Fault::Late } else { Fault::CutBefore }, 1);
        let before = forgotten(&scene);
        proxy.count("GetUser");
        assert!(!scene.mount.ask("app").is_ok());
        let look = || {
            let all = "sys/leases/revoke-prefix/points-late/creds/app";
            scene.mount.api.put(all, json!({ "sync": true })).expect(204);
            assert!(proxy.count("GetUser") > 0, "AWS was not asked");
        };
        // The time for making it is over, and there is nobody: that is not believed yet.
        for seconds in [NOT_AFTER, SETTLES - 2 * NOT_AFTER] {
            scene.server.points().pass(seconds);
            look();
            assert_eq!(scene.mount.users(scene.moto), [], "nobody is there yet");
            assert!(forgotten(&scene) <= before, "believed to be absent too early");
        }
        if comes {
            proxy.go_on();
            wait_until("the user to appear", || (!scene.mount.users(scene.moto).is_empty()).then_some(()));
        }
        // By itself, once it is certain.
        scene.server.points().pass(3 * NOT_AFTER);
        scene.wake();
        wait_until("its row to go", || (forgotten(&scene) > before).then_some(()));
        assert_eq!(scene.mount.users(scene.moto), [], "it came late, and nobody knows it");
    }
}

/// How many leases have gone for good.
fn forgotten(scene: &Scene) -> f64 {
    let shown = scene.mount.api.get("sys/metrics").expect(200);
    let counters = shown["Counters"].as_array().unwrap();
    let removed = |of: &&Value| of["Name"] == "cofferdam_leases_total" && of["Labels"]["event"] == "removed";
    counters.iter().find(removed).map_or(0.0, |counter| counter["Count"].as_f64().unwrap())
}
