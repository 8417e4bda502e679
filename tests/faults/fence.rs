//! The server is killed between the writes that move the mark of its store on: no crash is taken for a copy.

use std::thread;

use harness::{Api, Server};
use serde_json::{Value, json};

/// Before the store is told, before the file is written, before the store knows that it was.
const POINTS: [&str; 3] = ["fence.begun", "fence.announced", "fence.marked"];

/// Kills the server in the course of this write, and starts it again.
fn killed_at(server: &mut Server, point: &str, path: &'static str, body: &Value) {
    let (api, body): (Api, Value) = (server.api(), body.clone());
    let asking = thread::spawn(move || api.try_send("PUT", path, Some(body)));
    server.points().wait_for(point, 1);
    server.kill();
    server.points().release(point);
    // A seal is answered before it is over.
    drop(asking.join().unwrap());
    server.start_again();
}

fn is_not_fenced(server: &Server, when: &str) {
    server.unseal();
    let state = server.api().get("sys/fence").expect(200);
    assert_eq!(state["data"], json!({ "fenced": false, "reason": "" }), "{when}");
}

#[test]
fn killed_while_the_mark_moves_on() {
    let mut server = Server::armed();
    for point in POINTS {
        server.points().hold(point, 0);
        killed_at(&mut server, point, "sys/seal", &json!({}));
        is_not_fenced(&server, &format!("killed in a seal at {point}"));

        server.kill();
        server.start_again();
        server.points().hold(point, 0);
        let key = json!({ "key": server.keys()[0] });
        killed_at(&mut server, point, "sys/unseal", &key);
        is_not_fenced(&server, &format!("killed in an unseal at {point}"));
    }
}
