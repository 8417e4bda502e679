//! Tests of the parent module.

use std::pin::pin;

use futures::FutureExt as _;
use serde_json::json;

use super::*;
use crate::policy::tests::limits;

fn rule() -> ConnectionRule {
    ConnectionRule {
        route: "config/{name}".to_owned(),
        open: "most".to_owned(),
        idle: "idle".to_owned(),
        lifetime: "lifetime".to_owned(),
        usual: 4,
    }
}

fn written(fields: Value) -> Result<ConnectionLimits> {
    let Value::Object(fields) = fields else { panic!("an object") };
    rule().read(&fields)
}

#[test]
fn a_configuration_is_read_as_the_peer_reads_it() {
    let limits = Limits { warm_instances: 16, warm_lifetime_s: 300, ..limits() };
    let of = |fields: Value| Allowance::of(written(fields).unwrap(), Some(&rule()), &limits);
    let seconds = Duration::from_secs;
    for (fields, open, idle, lifetime) in [
        (json!({}), Some(4), 4, 300),
        (json!({"most": null, "lifetime": ""}), Some(4), 4, 300),
        (json!({"most": 0, "idle": 0, "lifetime": 0}), Some(4), 4, 300),
        (json!({"most": 2}), Some(2), 2, 300),
        (json!({"most": 2, "idle": 9}), Some(2), 2, 300),
        (json!({"most": 9, "idle": 3}), Some(9), 3, 300),
        (json!({"most": 40}), Some(40), 16, 300),
        (json!({"most": -1}), None, 16, 300),
        (json!({"most": -1, "idle": 5}), None, 5, 300),
        (json!({"idle": -1}), Some(4), 0, 300),
        (json!({"lifetime": "30s"}), Some(4), 4, 30),
        (json!({"lifetime": "2h"}), Some(4), 4, 300),
        (json!({"lifetime": -5}), Some(4), 4, 300),
    ] {
        let want = Allowance { open, idle, lifetime: seconds(lifetime) };
        assert_eq!(of(fields.clone()), want, "{fields}");
    }
    let unlimited = Allowance::of(ConnectionLimits::default(), None, &limits);
    assert_eq!((unlimited.open, unlimited.idle), (None, 16), "an engine without such fields");
}

#[test]
fn what_does_not_read_names_its_field() {
    for (fields, name) in
        [(json!({"most": "many"}), "most"), (json!({"idle": 1.5}), "idle"), (json!({"lifetime": "soon"}), "lifetime")]
    {
        let said = written(fields).unwrap_err().to_string();
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn what_was_not_written_stays() {
    let before = ConnectionLimits { open: Some(2), idle: Some(1), lifetime: None };
    let now = ConnectionLimits { open: Some(5), ..ConnectionLimits::default() };
    assert_eq!(now.or(before), ConnectionLimits { open: Some(5), idle: Some(1), lifetime: None });
}

#[test]
fn no_more_run_than_may_and_the_first_to_come_is_the_next() {
    let connections = Connections::default();
    let take = |most| connections.take("m", "b", most, false);
    let first = take(2).now_or_never().unwrap().unwrap();
    let second = take(2).now_or_never().unwrap().unwrap();
    assert_eq!(second.running(), 2);
    let (mut third, mut fourth) = (pin!(take(2)), pin!(take(2)));
    assert!(third.as_mut().now_or_never().is_none());
    assert!(fourth.as_mut().now_or_never().is_none());
    assert!(connections.take("m", "other", 2, false).now_or_never().is_some(), "another backend is not concerned");
    assert!(connections.take("n", "b", 2, false).now_or_never().is_some(), "nor another mount");
    drop(first);
    assert!(fourth.as_mut().now_or_never().is_none(), "it came later");
    let third = third.now_or_never().unwrap().unwrap();
    assert_eq!(third.running(), 2);
    drop((second, third));
    assert!(fourth.now_or_never().is_some());
}

#[test]
fn who_gives_up_leaves_the_place_to_the_next() {
    let connections = Connections::default();
    let take = || connections.take("m", "b", 1, false);
    let held = take().now_or_never().unwrap();
    let mut patient = {
        let mut gone = Box::pin(take());
        assert!(gone.as_mut().now_or_never().is_none());
        let mut patient = Box::pin(take());
        assert!(patient.as_mut().now_or_never().is_none());
        patient
    };
    // One more that was let in, but never looked.
    drop(held);
    let let_in = Box::pin(take());
    assert_eq!(patient.as_mut().now_or_never().unwrap().unwrap().running(), 1);
    drop(let_in);
    drop(patient);
    assert!(take().now_or_never().is_some());
}

#[test]
fn a_smaller_number_holds_for_new_calls() {
    let connections = Connections::default();
    let take = |most| connections.take("m", "b", most, false);
    let mut held: Vec<_> = (0..3).map(|_| take(3).now_or_never().unwrap()).collect();
    let mut new = pin!(take(1));
    assert!(new.as_mut().now_or_never().is_none());
    held.truncate(1);
    assert!(new.as_mut().now_or_never().is_none(), "one still runs");
    held.clear();
    assert!(new.now_or_never().is_some());
}

#[test]
fn who_waits_for_a_backend_that_is_silent_is_told_at_once() {
    let connections = Connections::default();
    let take = |stays| connections.take("m", "b", 1, stays);
    let held = take(false).now_or_never().unwrap().unwrap();
    let (mut client, mut revocation) = (pin!(take(false)), pin!(take(true)));
    let mut other = pin!(connections.take("m", "other", 1, false));
    let _busy = connections.take("m", "other", 1, false).now_or_never();
    for waiting in [client.as_mut().now_or_never(), revocation.as_mut().now_or_never()] {
        assert!(waiting.is_none());
    }
    assert!(other.as_mut().now_or_never().is_none());
    held.silent();
    assert!(client.now_or_never().unwrap().is_none(), "it would find the same");
    assert!(revocation.as_mut().now_or_never().is_none(), "it has all the time");
    assert!(other.now_or_never().is_none(), "another backend is not concerned");
    let mut later = pin!(take(false));
    assert!(later.as_mut().now_or_never().is_none(), "it waits for its turn as any");
    drop(held);
    drop(revocation.now_or_never().unwrap().unwrap());
    assert!(later.now_or_never().unwrap().is_some());
}
