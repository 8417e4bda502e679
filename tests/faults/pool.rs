//! The server is killed while a pool is filled, and while something is handed out of it.

use harness::{Credential, Promised, wait_until};
use serde_json::json;

use crate::operation::Operation;
use crate::scene::{Cell, SETTLED, Scene};

/// Asks for a pool of this size for the cell's role.
fn pool(cell: &Cell, size: usize) {
    cell.mount.api.post(&format!("sys/pool/{}/creds/app", cell.mount.path), json!({ "size": size })).expect(204);
}

fn full(cell: &Cell, size: usize) {
    let path = format!("sys/pool/{}/creds/app", cell.mount.path);
    wait_until("the pool to be full", || {
        (cell.mount.api.get(&path).expect(200)["data"]["ready"] == size).then_some(())
    });
}

fn kept(cell: &Cell) -> Promised {
    Promised { kept: cell.made.clone(), ..Promised::default() }
}

/// The server is killed where it stands, and comes back when the time for everything is over.
fn killed(scene: &mut Scene, point: &str) {
    scene.server.kill();
    scene.server.points().release(point);
    scene.server.points().pass(SETTLED);
    scene.server.start_again();
    scene.server.unseal();
}

#[test]
fn killed_while_it_is_filled() {
    let mut scene = Scene::new();
    for point in ["pool.filling", "issue.intended", "issue.created", "issue.activated", "pool.filled"] {
        let cell = scene.cell();
        scene.server.points().hold(point, 0);
        pool(&cell, 2);
        scene.server.points().wait_for(point, 1);
        killed(&mut scene, point);
        full(&cell, 2);
        scene.agrees(&cell, &kept(&cell));
        wait_until("nobody but clients and the pool to have a user", || {
            (scene.oracle(&cell).users().len() == 4).then_some(())
        });
        scene.ends(&cell);
    }
}

#[test]
fn killed_while_it_hands_out() {
    let mut scene = Scene::new();
    for (point, given) in [("stock.handing", false), ("stock.handed", true)] {
        let cell = scene.cell();
        pool(&cell, 1);
        full(&cell, 1);
        let mine: Vec<&String> = cell.made.iter().map(|credential| &credential.user).collect();
        let users = scene.oracle(&cell).users();
        let waiting = users.into_iter().find(|user| !mine.contains(&user)).unwrap();
        scene.server.points().hold(point, 0);
        let asking = Operation::Issue.begin(&scene, &cell);
        scene.server.points().wait_for(point, 1);
        killed(&mut scene, point);
        assert!(asking.answer().is_err());
        full(&cell, 1);
        // What nobody was told of hangs on the token all the same, and is not given to another one.
        let next = cell.mount.credential("app");
        assert_eq!(next.user == waiting, !given, "held at {point}");
        let mut promised = kept(&cell);
        promised.kept.push(next.clone());
        scene.agrees(&cell, &promised);
        assert!(Operation::Token.begin(&scene, &cell).answer().unwrap().is_ok());
        let told: Vec<Credential> = cell.made.clone();
        scene.agrees(&cell, &Promised { kept: vec![next], revoked: told, ..Promised::default() });
        assert_eq!(scene.cluster.has_role(&waiting), !given, "held at {point}");
        full(&cell, 1);
        scene.ends(&cell);
    }
}

#[test]
fn a_token_is_revoked_while_it_is_handed_something() {
    let mut scene = Scene::new();
    let cell = scene.cell();
    pool(&cell, 1);
    full(&cell, 1);
    let point = "stock.handing";
    scene.server.points().hold(point, 0);
    let asking = Operation::Issue.begin(&scene, &cell);
    scene.server.points().wait_for(point, 1);
    assert!(Operation::Token.begin(&scene, &cell).answer().unwrap().is_ok());
    scene.server.points().release(point);
    let answer = asking.answer().unwrap();
    assert!(!answer.is_ok(), "a revoked token got {}", answer.body);
    scene.agrees(&cell, &Promised { revoked: cell.made.clone(), ..Promised::default() });
    full(&cell, 1);
    assert_eq!(scene.oracle(&cell).users().len(), 1, "what waited still waits");
    scene.ends(&cell);
}
