//! An engine that cannot say what it is.

use serde_json::json;

use crate::arena::arena;

#[test]
fn it_cannot_be_mounted() {
    arena().undescribed("mute", json!({ "type": "describe_loop" }));
    let metrics = arena().api().get("sys/metrics?format=prometheus").expect(200);
    let counted = "cofferdam_engine_faults_total{engine=\"describe_loop\",kind=";
    assert!(metrics.as_str().unwrap().contains(counted), "{metrics}");
}
