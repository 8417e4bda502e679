//! An engine that cannot say what it is.

use serde_json::json;

use crate::arena::arena;

#[test]
fn it_cannot_be_mounted() {
    let api = arena().api();
    let reply = api.post("sys/mounts/mute", json!({ "type": "describe_loop" }));
    assert!(reply.status >= 400, "mounted all the same: {}", reply.body);
    assert!(api.get("sys/mounts").expect(200)["data"].get("mute/").is_none(), "the mount is listed");
    arena().neighbour_is_well();
}
