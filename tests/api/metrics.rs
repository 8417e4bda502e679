//! Metrics: in Prometheus's text and as JSON, with a token or where a listener is open for them.

use std::fs;

use harness::{Api, DatabaseMount, Postgres, Server};
use serde_json::json;

/// The value of a metric with exactly these labels (`name{a="b"}`).
fn value(text: &str, metric: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok())
}

fn scrape(api: &Api) -> String {
    let reply = api.get("sys/metrics?format=prometheus");
    assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    reply.expect(200).as_str().expect("a text").to_owned()
}

#[test]
fn compartments_are_measured_by_engine_and_mount() {
    let server = Server::dev();
    let api = server.api();
    let mount = DatabaseMount::new(&api, "m-db", Postgres::shared());
    api.mount("m-kv", "kv");
    for i in 0..3 {
        api.put(&format!("m-kv/k{i}"), json!({ "a": "b" })).expect(204);
    }
    mount.credential("app");
    let closed = "postgresql://{{username}}:{{password}}@169.254.169.254:5432/x";
    assert!(!mount.configure("meta", closed, Postgres::shared(), json!({})).is_ok());
    let text = scrape(&api);
    let kv = "{engine=\"kv\",mount=\"m-kv/\"}";
    let database = "{engine=\"database\",mount=\"m-db/\"}";
    assert_eq!(value(&text, &format!("cofferdam_engine_calls_total{kv}")), Some(3.0), "{text}");
    for counted in
        ["egress_connections", "egress_denials", "engine_calls", "egress_sent_bytes", "egress_received_bytes"]
    {
        let count = value(&text, &format!("cofferdam_{counted}_total{database}"));
        assert!(count.is_some_and(|n| n >= 1.0), "{counted}: {count:?}\n{text}");
    }
    assert_eq!(value(&text, &format!("cofferdam_egress_sent_bytes_total{kv}")), Some(0.0), "no network, no bytes");
    assert_eq!(value(&text, &format!("cofferdam_engine_calls_running{database}")), Some(0.0));
    assert_eq!(value(&text, "vault_core_unsealed"), Some(1.0));
    assert_eq!(value(&text, "cofferdam_leases_total{event=\"issued\"}"), Some(1.0));
    assert_eq!(value(&text, "vault_expire_num_leases"), Some(1.0));
    assert_eq!(value(&text, "cofferdam_fenced"), Some(0.0));
    assert!(value(&text, "cofferdam_http_responses_total{class=\"2xx\"}").is_some_and(|n| n >= 5.0), "{text}");
    assert!(value(&text, "cofferdam_instances_places{pool=\"common\"}").is_some_and(|n| n > 1.0));
    assert!(value(&text, "process_resident_memory_bytes").is_some_and(|n| n > 1e6), "{text}");
    assert!(!text.contains(Postgres::shared().password()));

    let json = api.get("sys/metrics").expect(200);
    let gauges = json["Gauges"].as_array().unwrap();
    assert!(gauges.iter().any(|g| g["Name"] == "vault_core_unsealed" && g["Value"] == 1.0), "{json}");
    let calls = json["Counters"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["Name"] == "cofferdam_engine_calls_total" && c["Labels"]["mount"] == "m-kv/");
    assert!(calls.is_some_and(|c| c["Count"].as_f64() == Some(3.0)), "{json}");
    api.get("sys/metrics?format=other").refused(400, "unknown");
}

#[test]
fn who_scrapes_needs_a_token_or_an_open_listener() {
    let mut server = Server::blank();
    let config = server.folder().join("server.hcl");
    let text = fs::read_to_string(&config).unwrap();
    let opened =
        text.replace("tls_disable = true", "tls_disable = true\n  telemetry { unauthenticated_metrics_access = true }");
    server.init(1, 1);
    server.unseal();
    server.api().anonymous().get("sys/metrics?format=prometheus").expect(403);
    scrape(&server.api());

    server.stop();
    fs::write(&config, &opened).unwrap();
    server.start_again();
    let sealed = scrape(&server.api().anonymous());
    assert_eq!(value(&sealed, "vault_core_unsealed"), Some(0.0), "a sealed server tells that it is: {sealed}");
    server.unseal();
    let accept = [("Accept".to_owned(), "application/openmetrics-text;version=1.0.0,*/*;q=0.1".to_owned())];
    let reply = server.api().anonymous().exchange("GET", "sys/metrics", &accept, None).unwrap();
    assert_eq!(value(reply.expect(200).as_str().unwrap(), "vault_core_unsealed"), Some(1.0));

    server.stop();
    fs::write(&config, format!("{opened}telemetry {{ prometheus_retention_time = \"0s\" }}\n")).unwrap();
    server.start_again();
    server.unseal();
    server.api().get("sys/metrics?format=prometheus").refused(400, "prometheus is not enabled");
    server.api().get("sys/metrics").expect(200);
}
