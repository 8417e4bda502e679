//! What happens while a pool is filled, and while something is handed out of it.

use harness::{Promised, Reply, wait_until};
use serde_json::json;

use crate::action::Action;
use crate::operation::{End, Operation};
use crate::scene::{Cell, Scene};

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

/// Something happens where the first of two is being made.
fn filled(actions: &[Action]) {
    let mut scene = Scene::new();
    for action in actions {
        for point in ["pool.filling", "issue.intended", "issue.created", "issue.activated", "pool.filled"] {
            println!("{action:?} of a pool at {point}");
            let cell = scene.cell();
            scene.server.points().hold(point, 0);
            pool(&cell, 2);
            scene.server.points().wait_for(point, 1);
            action.strike(&mut scene, point);
            // The second comes after it, wherever that is.
            action.met(&scene);
            action.end(&mut scene);
            full(&cell, 2);
            scene.agrees(&cell, &kept(&cell));
            wait_until("nobody but clients and the pool to have a user", || {
                (scene.oracle(&cell).users().len() == 4).then_some(())
            });
            full(&cell, 2);
            scene.ends(&cell);
        }
    }
}

#[test]
fn killed_while_it_is_filled() {
    filled(&[Action::Kill]);
}

#[test]
fn stopped_or_cut_off_while_it_is_filled() {
    filled(&[Action::Pause, Action::Cut]);
}

#[test]
fn the_store_fails_while_it_is_filled() {
    filled(&[Action::Full, Action::Unsynced, Action::Unanswered]);
}

/// Whether the one that waited is the asker's, though perhaps nobody told it.
fn is_given(action: Action, point: &str) -> bool {
    // Before the commit only what hinders it counts, and whose answer alone is lost is read again.
    point == "stock.handed" || matches!(action, Action::Pause | Action::Cut | Action::Unanswered)
}

/// Something happens where the one that waits is handed out.
fn handed(action: Action, scene: &mut Scene, point: &str) {
    println!("{action:?} of what is handed out at {point}");
    let cell = scene.cell();
    pool(&cell, 1);
    full(&cell, 1);
    let mine: Vec<&String> = cell.made.iter().map(|credential| &credential.user).collect();
    let users = scene.oracle(&cell).users();
    let waiting = users.into_iter().find(|user| !mine.contains(&user)).unwrap();
    scene.server.points().hold(point, 0);
    let asking = Operation::Issue.begin(scene, &cell);
    scene.server.points().wait_for(point, 1);
    action.strike(scene, point);
    let answer = asking.answer();
    // Another one is made in its place.
    action.met(scene);
    action.end(scene);
    let given = is_given(action, point);
    let told = answer.as_ref().is_ok_and(Reply::is_ok);
    assert_eq!(told, given && action != Action::Kill, "{action:?} at {point}: {answer:?}");
    let mut promised = Operation::Issue.promised(&cell.made, &answer, End::Either);
    assert!(!told || promised.kept.last().is_some_and(|credential| credential.user == waiting));
    full(&cell, 1);
    // What nobody was told of hangs on the token all the same, and is not given to another one.
    let next = cell.mount.credential("app");
    assert_eq!(next.user == waiting, !given, "{action:?} at {point}");
    let hanging = promised.kept.clone();
    promised.kept.push(next.clone());
    scene.agrees(&cell, &promised);
    assert!(Operation::Token.begin(scene, &cell).answer().unwrap().is_ok());
    scene.agrees(&cell, &Promised { kept: vec![next], revoked: hanging, ..Promised::default() });
    wait_until("the one that waited to go with the token, or to stay", || {
        (scene.cluster.has_role(&waiting) != given).then_some(())
    });
    full(&cell, 1);
    scene.ends(&cell);
}

fn handed_all(actions: &[Action]) {
    let mut scene = Scene::new();
    for action in actions {
        for point in ["stock.handing", "stock.handed"] {
            handed(*action, &mut scene, point);
        }
    }
}

#[test]
fn killed_while_it_hands_out() {
    handed_all(&[Action::Kill]);
}

#[test]
fn stopped_or_cut_off_while_it_hands_out() {
    handed_all(&[Action::Pause, Action::Cut]);
}

#[test]
fn the_store_fails_while_it_hands_out() {
    handed_all(&[Action::Full, Action::Unsynced, Action::Unanswered]);
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
