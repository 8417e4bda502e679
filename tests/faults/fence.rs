//! What happens between the writes that move the mark of a store on: nothing of it is taken for a copy.

use harness::Server;
use serde_json::json;

use crate::action::Action;
use crate::operation::Begun;
use crate::scene::Scene;

/// Before the store is told, before the file is written, before the store knows that it was.
const POINTS: [&str; 3] = ["fence.begun", "fence.announced", "fence.marked"];

/// Sends a write that moves the mark on, lets something happen at a point of it, and unseals.
fn play(scene: &mut Scene, action: Action, point: &str, path: &str, body: serde_json::Value) {
    println!("{action:?} of {path} at {point}");
    scene.server.points().hold(point, 0);
    let begun = Begun::send(&scene.server.api(), "PUT", path, Some(body));
    scene.server.points().wait_for(point, 1);
    action.strike(scene, point);
    // A seal is answered before it is over, and nobody waits for the mark.
    drop(begun.answer());
    action.met(scene);
    action.end(scene);
}

fn is_not_fenced(server: &Server, when: &str) {
    let state = server.api().get("sys/fence").expect(200);
    assert_eq!(state["data"], json!({ "fenced": false, "reason": "" }), "{when}");
}

fn play_all(actions: &[Action]) {
    let mut scene = Scene::new();
    for action in actions {
        for point in POINTS {
            play(&mut scene, *action, point, "sys/seal", json!({}));
            is_not_fenced(&scene.server, &format!("{action:?} in a seal at {point}"));

            scene.server.kill();
            scene.server.start_again();
            let key = json!({ "key": scene.server.keys()[0] });
            play(&mut scene, *action, point, "sys/unseal", key);
            // What this one left behind is judged by the next.
            scene.server.crash_and_recover();
            is_not_fenced(&scene.server, &format!("{action:?} in an unseal at {point}"));
        }
    }
}

#[test]
fn killed_while_the_mark_moves_on() {
    play_all(&[Action::Kill]);
}

#[test]
fn stopped_while_the_mark_moves_on() {
    play_all(&[Action::Pause]);
}

#[test]
fn the_store_fails_while_the_mark_moves_on() {
    play_all(&[Action::Full, Action::Unsynced, Action::Unanswered]);
}
