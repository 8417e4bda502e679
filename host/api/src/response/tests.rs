//! The envelope in all its forms.

use axum::body::to_bytes;
use cofferdam_model::{SecretText, Timestamp};
use serde_json::{Value, json};

use super::*;

async fn body(response: HttpResponse<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn shown(response: &Response, operation: Operation) -> (u16, Value) {
    let (status, text) = body(answer(response, operation, "the-id")).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn the_envelope_has_every_key() {
    let (status, value) = shown(&Response::with_value(&json!({"v": "1"})), Operation::Read).await;
    assert_eq!(status, 200);
    let want = json!({"request_id": "the-id", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": {"v": "1"}, "wrap_info": null, "warnings": null, "auth": null, "mount_type": ""});
    assert_eq!(value, want);
}

#[tokio::test]
async fn data_is_spliced_in_as_it_is() {
    let raw = RawValue::from_string(r#"{"z":1.500,"a":12345678901234567890}"#.to_owned()).unwrap();
    let response = Response { data: Some(raw), mount_type: Some("kv".to_owned()), ..Response::default() };
    let (_, text) = body(answer(&response, Operation::Read, "x")).await;
    assert!(text.contains(r#""data":{"z":1.500,"a":12345678901234567890},"#), "{text}");
    assert!(text.ends_with("\"mount_type\":\"kv\"}\n"), "{text}");
}

#[tokio::test]
async fn nothing_is_204_for_writes_and_404_for_reads() {
    for operation in [Operation::Update, Operation::Patch, Operation::Delete] {
        assert_eq!(shown(&Response::empty(), operation).await, (204, json!("")));
    }
    for operation in [Operation::Read, Operation::List] {
        assert_eq!(shown(&Response::empty(), operation).await, (404, json!({"errors": []})));
    }
    let warned = Response::empty().warn("mind this");
    let (status, value) = shown(&warned, Operation::Update).await;
    assert_eq!((status, &value["warnings"]), (200, &json!(["mind this"])));
}

#[tokio::test]
async fn a_status_of_the_vault_wins() {
    let with = |status, data: Option<&Value>| Response {
        status: Some(status),
        ..data.map_or_else(Response::empty, Response::with_value)
    };
    assert_eq!(shown(&with(202, None), Operation::Update).await, (202, json!("")));
    assert_eq!(shown(&with(204, Some(&json!({}))), Operation::Update).await, (204, json!("")));
    assert_eq!(shown(&with(503, None), Operation::Read).await, (503, json!({"errors": []})));
    let (status, value) = shown(&with(404, Some(&json!({"data": null}))), Operation::Read).await;
    assert_eq!((status, &value["data"]), (404, &json!({"data": null})));
}

#[tokio::test]
async fn bare_answers_have_no_envelope() {
    let health = json!({"sealed": true});
    let response = Response { bare: true, status: Some(472), ..Response::with_value(&health) };
    assert_eq!(shown(&response, Operation::Read).await, (472, health));
}

#[tokio::test]
async fn old_endpoints_show_their_data_twice() {
    let data = json!({"keys": ["a"], "policies": ["b"], "warnings": "not these"});
    let response = Response { copy_to_top: true, ..Response::with_value(&data) };
    let (_, value) = shown(&response, Operation::Read).await;
    assert_eq!(value["keys"], json!(["a"]));
    assert_eq!(value["policies"], json!(["b"]));
    assert_eq!(value["data"], data);
    assert_eq!(value["warnings"], Value::Null);
    assert_eq!(value["request_id"], "the-id");
}

#[tokio::test]
async fn a_wrapped_answer_shows_only_where_it_is() {
    let wrap = WrapInfo {
        token: SecretText::new("hvs.w"),
        accessor: "acc".to_owned(),
        ttl: 60,
        creation_time: Timestamp::from_seconds(0),
        creation_path: "secret/a".to_owned(),
        wrapped_accessor: None,
    };
    let response = Response { wrap_info: Some(Box::new(wrap)), ..Response::with_value(&json!({"hidden": 1})) };
    let (status, value) = shown(&response, Operation::Read).await;
    assert_eq!(status, 200);
    assert_eq!(value["request_id"], "");
    assert_eq!(value["data"], Value::Null);
    let want = json!({"token": "hvs.w", "accessor": "acc", "ttl": 60, "creation_time": "1970-01-01T00:00:00Z",
        "creation_path": "secret/a"});
    assert_eq!(value["wrap_info"], want);
}

#[tokio::test]
async fn a_login_lists_what_the_token_is() {
    let info = AuthInfo {
        client_token: SecretText::new("hvs.t"),
        policies: vec!["default".to_owned()],
        token_policies: vec!["default".to_owned()],
        token_type: "service".to_owned(),
        ..AuthInfo::default()
    };
    let response = Response { auth: Some(Box::new(info)), ..Response::empty() };
    let (_, value) = shown(&response, Operation::Update).await;
    let want = json!({"client_token": "hvs.t", "accessor": "", "policies": ["default"],
        "token_policies": ["default"], "metadata": null, "lease_duration": 0, "renewable": false, "entity_id": "",
        "token_type": "service", "orphan": false, "mfa_requirement": null, "num_uses": 0});
    assert_eq!(value["auth"], want);
}
