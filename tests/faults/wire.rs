//! What happens inside of a call to the database: at a statement, and between a commit and its answer.

use harness::{Answer, Promised, Reply, wait_until};
use serde_json::json;

use crate::operation::{Begun, End, Operation};
use crate::scene::{Cell, SETTLED, Scene};

/// The first of a create; its transaction stays open.
const LOOKS: &str = "pg_advisory_xact_lock";
/// All else of a create, with its commit.
const COMMITS: &str = "COMMENT ON ROLE";
/// The last of a renewal, with its commit.
const EXTENDS: &str = "VALID UNTIL";
/// The last of a revocation, with its commit.
const DROPS: &str = "DROP ROLE";

fn kept(cell: &Cell) -> Promised {
    Promised { kept: cell.made.clone(), ..Promised::default() }
}

/// Begins an operation, and waits until the database has answered a statement of it.
fn at(scene: &Scene, cell: &Cell, operation: Operation, statement: &str, answer: Answer) -> Begun {
    scene.proxy.on(statement, answer);
    let begun = operation.begin(scene, cell);
    scene.proxy.wait_for_answer();
    begun
}

#[test]
fn killed_inside_a_create() {
    let mut scene = Scene::new();
    for (statement, made) in [(LOOKS, false), (COMMITS, true)] {
        let cell = scene.cell();
        let begun = at(&scene, &cell, Operation::Issue, statement, Answer::Held);
        scene.server.kill();
        scene.proxy.release();
        assert!(begun.answer().is_err());
        if made {
            assert_eq!(scene.oracle(&cell).users().len(), 3, "it was committed");
        }
        scene.server.points().pass(SETTLED);
        scene.server.start_again();
        scene.server.unseal();
        scene.agrees(&cell, &kept(&cell));
        wait_until("what nobody was told of to go", || (scene.oracle(&cell).users().len() == 2).then_some(()));
        scene.ends(&cell);
    }
}

#[test]
fn stopped_inside_a_create() {
    let mut scene = Scene::new();
    for statement in [LOOKS, COMMITS] {
        let cell = scene.cell();
        let begun = at(&scene, &cell, Operation::Issue, statement, Answer::Held);
        scene.server.pause();
        scene.server.points().pass(40);
        scene.proxy.release();
        scene.server.resume();
        let promised = Operation::Issue.promised(&cell.made, &begun.answer(), End::Either);
        scene.agrees(&cell, &promised);
        scene.ends(&cell);
    }
}

/// In real time, and for longer than the database lets a transaction of ours wait (`IDLE_PATIENCE` in the engine's
/// `client/identity.rs`, ten seconds): it is the database that ends it.
#[test]
fn stopped_inside_a_transaction_for_too_long() {
    let mut scene = Scene::new();
    for (operation, end) in [(Operation::Issue, End::Either), (Operation::Revoke, End::Go)] {
        let cell = scene.cell();
        let begun = at(&scene, &cell, operation, LOOKS, Answer::Held);
        wait_until("the transaction to stand open", || (scene.cluster.open_transactions() == 1).then_some(()));
        scene.server.pause();
        wait_until("the database to end it", || (scene.cluster.open_transactions() == 0).then_some(()));
        scene.proxy.release();
        scene.server.resume();
        let promised = operation.promised(&cell.made, &begun.answer(), end);
        scene.agrees(&cell, &promised);
        wait_until("nobody but who was told to have a user", || {
            (scene.oracle(&cell).users().len() == promised.kept.len()).then_some(())
        });
        scene.ends(&cell);
    }
}

#[test]
fn sealed_inside_a_create() {
    let mut scene = Scene::new();
    for waited_for in [true, false] {
        let cell = scene.cell();
        let begun = at(&scene, &cell, Operation::Issue, COMMITS, Answer::Held);
        scene.server.points().hold("seal.drained", 0);
        cell.mount.api.put("sys/seal", json!({})).expect(204);
        if waited_for {
            scene.proxy.release();
        }
        // It waits for the create, and not for ever.
        scene.server.points().wait_for("seal.drained", 1);
        scene.server.points().release("seal.drained");
        scene.proxy.release();
        let answer = begun.answer();
        assert!(!waited_for || answer.as_ref().is_ok_and(Reply::is_ok), "sealing did not wait: {answer:?}");
        scene.server.unseal();
        let promised = Operation::Issue.promised(&cell.made, &answer, End::Either);
        scene.agrees(&cell, &promised);
        scene.ends(&cell);
    }
}

#[test]
fn the_answer_to_a_commit_is_lost() {
    let mut scene = Scene::new();

    // Before it, nothing can have come into being: it is asked again.
    let cell = scene.cell();
    let answer = at(&scene, &cell, Operation::Issue, LOOKS, Answer::Lost).answer();
    assert!(answer.as_ref().is_ok_and(Reply::is_ok), "{answer:?}");
    scene.agrees(&cell, &Operation::Issue.promised(&cell.made, &answer, End::Either));
    scene.ends(&cell);

    // What was made without its maker's knowledge goes at once, long before the intent is over.
    let cell = scene.cell();
    let answer = at(&scene, &cell, Operation::Issue, COMMITS, Answer::Lost).answer().unwrap();
    assert!(!answer.is_ok(), "{answer:?}");
    wait_until("the unknown user to go", || (scene.oracle(&cell).users().len() == 2).then_some(()));
    scene.agrees(&cell, &kept(&cell));
    scene.ends(&cell);

    // The lease ends when it said before, though the user would live longer.
    let cell = scene.cell();
    let before = cell.made[0].expiry(&cell.mount.api);
    let answer = at(&scene, &cell, Operation::Renew, EXTENDS, Answer::Lost).answer().unwrap();
    assert!(!answer.is_ok(), "a renewal without an answer was acknowledged: {answer:?}");
    assert_eq!(cell.made[0].expiry(&cell.mount.api), before);
    scene.agrees(&cell, &kept(&cell));
    scene.ends(&cell);

    let cell = scene.cell();
    let answer = at(&scene, &cell, Operation::Revoke, DROPS, Answer::Lost).answer();
    // Whatever it was told, it is being taken back.
    let promised = Operation::Revoke.promised(&cell.made, &answer, End::Go);
    scene.agrees(&cell, &promised);
    scene.ends(&cell);
}
