//! Two things at one moment, in the order that hurts: failpoints are the barriers.

use harness::{Credential, Promised, Reply, wait_until};
use serde_json::json;

use crate::operation::{Begun, Operation};
use crate::scene::{Cell, Scene};

/// Begins an operation and waits until it stands at a point.
fn at(scene: &Scene, cell: &Cell, operation: Operation, point: &str) -> Begun {
    scene.server.points().hold(point, 0);
    let begun = operation.begin(scene, cell);
    scene.server.points().wait_for(point, 1);
    begun
}

/// Lets it go on, and waits for its answer.
fn on(scene: &Scene, begun: Begun, point: &str) -> Reply {
    scene.server.points().release(point);
    begun.answer().unwrap()
}

fn gone(cell: &Cell) -> Promised {
    Promised { revoked: cell.made.clone(), ..Promised::default() }
}

#[test]
fn a_token_is_revoked_while_its_credential_is_made() {
    let mut scene = Scene::new();
    for point in ["issue.planned", "issue.intended", "issue.created"] {
        let cell = scene.cell();
        let asking = at(&scene, &cell, Operation::Issue, point);
        assert!(Operation::Token.begin(&scene, &cell).answer().unwrap().is_ok());
        let answer = on(&scene, asking, point);
        assert!(!answer.is_ok(), "held at {point}, a revoked token got {}", answer.body);
        scene.agrees(&cell, &gone(&cell));
        wait_until(&format!("what was held at {point} to be ended"), || {
            scene.oracle(&cell).users().is_empty().then_some(())
        });
        scene.ends(&cell);
    }
}

#[test]
fn a_parent_is_revoked_while_its_child_is_made() {
    let mut scene = Scene::new();
    let cell = scene.cell();
    let points = scene.server.points();
    points.hold("token.create", 0);
    let making = Begun::send(&cell.asker, "POST", "auth/token/create", Some(json!({ "ttl": "1h" })));
    points.wait_for("token.create", 1);
    assert!(Operation::Token.begin(&scene, &cell).answer().unwrap().is_ok());
    let answer = on(&scene, making, "token.create");
    assert!(!answer.is_ok(), "a revoked token has a child: {}", answer.body);
    scene.agrees(&cell, &gone(&cell));
    scene.ends(&cell);
}

#[test]
fn a_mount_is_removed_while_a_credential_is_made() {
    let mut scene = Scene::new();
    for point in ["issue.planned", "issue.intended", "issue.created"] {
        let cell = scene.cell();
        let asking = at(&scene, &cell, Operation::Issue, point);
        let removed = Operation::Unmount.begin(&scene, &cell).answer().unwrap();
        assert!(removed.is_ok(), "{}", removed.body);
        let answer = on(&scene, asking, point);
        assert!(!answer.is_ok(), "held at {point}, a removed mount gave {}", answer.body);
        scene.agrees(&cell, &gone(&cell));
        scene.ends(&cell);
    }
}

#[test]
fn two_creates_want_one_name() {
    let mut scene = Scene::new();
    for point in ["issue.planned", "issue.intended", "issue.created"] {
        let cell = scene.cell();
        let fixed = json!({ "username_template": "v-x-one-x" });
        cell.mount.configure("one", &scene.proxy.url(), &scene.cluster, fixed).ok();
        cell.mount.role_with("one", json!({ "db_name": "one", "default_ttl": "24h" }));
        let path = format!("{}/creds/one", cell.mount.path);
        scene.server.points().hold(point, 0);
        let first = Begun::send(&cell.mount.api, "GET", &path, None);
        scene.server.points().wait_for(point, 1);
        let second = Begun::send(&cell.mount.api, "GET", &path, None);
        let (first, second) = if point == "issue.planned" {
            scene.server.points().wait_for(point, 2);
            (on(&scene, first, point), second.answer().unwrap())
        } else {
            // The first has its intent already: the second is refused before it comes to the point.
            let second = second.answer().unwrap();
            (on(&scene, first, point), second)
        };
        assert_eq!([&first, &second].iter().filter(|r| r.is_ok()).count(), 1, "{first:?} and {second:?}");
        let (given, refused) = if first.is_ok() { (first, second) } else { (second, first) };
        assert!(refused.body["errors"].to_string().contains("holds the name"), "{refused:?}");
        let credential = Credential::of(&given.body);
        assert!(credential.is_live(&cell.mount.api));
        assert!(scene.cluster.try_login(&credential.user, &credential.password).is_ok());
        scene.agrees(&cell, &Promised { kept: cell.made.clone(), ..Promised::default() });
        assert!(scene.cluster.has_role(&credential.user), "the refused one took the other one's user along");
        scene.ends(&cell);
    }
}

#[test]
fn a_lease_is_revoked_while_it_is_renewed() {
    let mut scene = Scene::new();
    let revoked = |cell: &Cell| Promised {
        revoked: cell.made[..1].to_vec(),
        kept: cell.made[1..].to_vec(),
        ..Promised::default()
    };
    for point in ["renew.begun", "renew.extended"] {
        let cell = scene.cell();
        let renewing = at(&scene, &cell, Operation::Renew, point);
        assert!(Operation::Revoke.begin(&scene, &cell).answer().unwrap().is_ok());
        let answer = on(&scene, renewing, point);
        assert!(!answer.is_ok(), "held at {point}, a revoked lease was renewed: {}", answer.body);
        scene.agrees(&cell, &revoked(&cell));
        scene.ends(&cell);
    }
    for point in ["revoke.condemned", "revoke.ended"] {
        let cell = scene.cell();
        let revoking = at(&scene, &cell, Operation::Revoke, point);
        let answer = Operation::Renew.begin(&scene, &cell).answer().unwrap();
        assert!(!answer.is_ok(), "a lease that is being revoked was renewed: {}", answer.body);
        assert!(on(&scene, revoking, point).is_ok());
        scene.agrees(&cell, &revoked(&cell));
        scene.ends(&cell);
    }
}

#[test]
fn one_of_many_cannot_be_revoked() {
    let mut scene = Scene::new();
    let cell = scene.cell();
    let stuck = &cell.made[0].user;
    let mut superuser = scene.cluster.superuser();
    superuser.batch_execute(&format!("ALTER ROLE \"{stuck}\" RENAME TO mine")).unwrap();
    let answer = Operation::Prefix.begin(&scene, &cell).answer().unwrap();
    assert!(!answer.is_ok(), "a user that is still there was said to be gone: {}", answer.body);
    assert!(!scene.cluster.has_role(&cell.made[1].user), "its neighbour was not tried");
    assert!(scene.cluster.has_role("mine"), "a user of another name was dropped");
    // An operator has looked; it is tried again within the hour.
    superuser.batch_execute(&format!("ALTER ROLE mine RENAME TO \"{stuck}\"")).unwrap();
    scene.server.points().pass(3_600);
    scene.agrees(&cell, &gone(&cell));
    scene.ends(&cell);
}
