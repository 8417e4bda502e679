//! Fuzz targets: what guests answer. What the host takes is within the contract's limits, and is what was said.

use cofferdam_model::SecretText;
use cofferdam_model::engine as model;
use serde_json::{Value, json};

use super::lines::Lines;
use crate::bindings::cofferdam::engine::types as wit;
use crate::bindings::exports::cofferdam::engine::credentials::{Ended, Issued, Renewed};
use crate::bindings::exports::cofferdam::engine::inventory::{Found, Page};
use crate::convert::{self, BadAnswer};
use crate::redact::Redactor;

/// The limits as the contract and its README have them, in bytes.
const ID: usize = 512;
const MESSAGE: usize = 2 << 10;
const HANDLE: usize = 16 << 10;
const CARRY: usize = 256 << 10;
const JSON: usize = 4 << 20;
/// What no message may show.
const SECRET: &str = "hunter22";

/// The first line says which function answers.
fn answers(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let redactor = Redactor::new([&SecretText::new(SECRET)], []);
    let mut lines = Lines::new(&input);
    let check: fn(&mut Lines<'_>, &Redactor) =
        lines.one_of(&[outcomes as fn(&mut Lines<'_>, &Redactor), issued, renewed, ended, failures, secrets]);
    check(&mut lines, &redactor);
}

fn outcomes(lines: &mut Lines<'_>, redactor: &Redactor) {
    let allowed = lines.one_of(&[1_000, 1 << 20, usize::MAX]);
    let most = allowed.min(JSON);
    let said = match lines.number::<u8>() % 4 {
        0 => wit::Outcome::Reply(a_reply(lines, most)),
        1 => wit::Outcome::Issue(a_plan(lines)),
        2 => wit::Outcome::Rotate(lines.text(ID)),
        _ => wit::Outcome::Keep(wit::Keeping {
            slot: lines.text(ID),
            every: lines.maybe(Lines::number),
            data: lines.maybe(|l| l.json(most)),
        }),
    };
    let Some(taken) = taken(convert::outcome(said.clone(), allowed, redactor)) else { return };
    match (said, taken) {
        (wit::Outcome::Reply(said), model::Outcome::Reply(taken)) => same_reply(&said, &taken, most),
        (wit::Outcome::Issue(said), model::Outcome::Issue(taken)) => same_plan(&said, &taken),
        (wit::Outcome::Rotate(said), model::Outcome::Rotate(taken)) => same_id(&said, &taken),
        (wit::Outcome::Keep(said), model::Outcome::Keep(taken)) => {
            same_id(&said.slot, &taken.slot);
            assert_eq!(taken.data, said.data);
            assert!(taken.data.is_none_or(|data| value(&data, most).is_object()));
            assert_eq!(taken.every.is_some(), said.every.is_some());
            assert!(taken.every.is_none_or(|s| s > 0 && i64::try_from(s).is_ok()));
        }
        (said, taken) => panic!("{said:?} became {taken:?}"),
    }
}

fn a_reply(lines: &mut Lines<'_>, most: usize) -> wit::Reply {
    wit::Reply {
        body: match lines.number::<u8>() % 3 {
            0 => wit::Body::None,
            1 => wit::Body::Data(lines.json(most)),
            _ => wit::Body::Keys(wit::Listing {
                keys: lines.list(10_000, |l| l.text(1_025)),
                info: lines.maybe(|l| l.json(most)),
            }),
        },
        status: lines.maybe(Lines::number),
        warnings: warnings(lines),
        lease_duration: lines.maybe(Lines::number),
    }
}

fn same_reply(said: &wit::Reply, taken: &model::Reply, most: usize) {
    assert_eq!(taken.status, said.status);
    assert!(taken.status.is_none_or(|status| (200..500).contains(&status)), "{taken:?}");
    same_warnings(&said.warnings, &taken.warnings);
    assert_eq!(taken.lease_duration.is_some(), said.lease_duration.is_some());
    assert!(taken.lease_duration <= said.lease_duration);
    match (&said.body, &taken.data) {
        (wit::Body::None, None) => {}
        (wit::Body::Data(said), Some(taken)) => {
            assert_eq!(taken, said);
            assert!(matches!(value(taken, most), Value::Object(_) | Value::Null), "{taken:?}");
        }
        (wit::Body::Keys(said), None) => assert!(said.keys.is_empty() && said.info.is_none()),
        (wit::Body::Keys(said), Some(taken)) => {
            let taken = value(taken, most);
            assert_eq!(taken["keys"], json!(said.keys));
            assert_eq!(taken.get("key_info"), said.info.as_ref().map(|info| value(info, most)).as_ref());
            assert!(taken["key_info"].is_object() || said.info.is_none());
            assert!(said.keys.len() <= 10_000);
            assert!(said.keys.iter().all(|key| (1..=1_025).contains(&key.len()) && !key.contains('\0')));
        }
        (said, taken) => panic!("{said:?} became {taken:?}"),
    }
}

fn a_plan(lines: &mut Lines<'_>) -> wit::Plan {
    wit::Plan {
        kind: lines.text(ID),
        role: lines.text(ID),
        backend: lines.text(ID),
        object: lines.text(ID),
        handle: a_handle(lines),
        carry: lines.json(CARRY),
        ttl: wit::TtlWish {
            ttl: lines.maybe(Lines::number),
            max_ttl: lines.maybe(Lines::number),
            renewable: lines.flag(),
        },
    }
}

fn same_plan(said: &wit::Plan, taken: &model::Plan) {
    for (said, taken) in [(&said.kind, &taken.kind), (&said.backend, &taken.backend), (&said.object, &taken.object)] {
        same_id(said, taken);
    }
    assert_eq!(taken.role, said.role);
    assert!(taken.role.is_empty() || is_id(&taken.role), "{taken:?}");
    same_handle(&said.handle, &taken.handle);
    assert_eq!(taken.carry.expose(), said.carry);
    value(&said.carry, CARRY);
    assert_eq!(
        (taken.ttl.ttl, taken.ttl.max_ttl, taken.ttl.renewable),
        (said.ttl.ttl, said.ttl.max_ttl, said.ttl.renewable)
    );
}

fn issued(lines: &mut Lines<'_>, redactor: &Redactor) {
    let said = Issued { data: lines.json(JSON), warnings: warnings(lines), handle: lines.maybe(a_handle) };
    let Some(taken) = taken(convert::issued(said.clone(), redactor)) else { return };
    assert_eq!(taken.data.expose(), said.data);
    assert!(value(&said.data, JSON).is_object());
    same_warnings(&said.warnings, &taken.warnings);
    same_handles(said.handle.as_ref(), taken.handle.as_ref());
}

fn renewed(lines: &mut Lines<'_>, redactor: &Redactor) {
    let said = Renewed { handle: lines.maybe(a_handle), warnings: warnings(lines) };
    let Some(taken) = taken(convert::renewed(said.clone(), redactor)) else { return };
    same_warnings(&said.warnings, &taken.warnings);
    same_handles(said.handle.as_ref(), taken.handle.as_ref());
}

fn ended(lines: &mut Lines<'_>, redactor: &Redactor) {
    let leases = lines.number();
    let said =
        lines.list(3, |l| if l.flag() { Err(a_failure(l)) } else { Ok(l.one_of(&[Ended::Removed, Ended::Absent])) });
    let Some(taken) = taken(convert::ended(said.clone(), leases, redactor)) else {
        assert_ne!(said.len(), leases, "each lease has its answer");
        return;
    };
    assert_eq!((taken.len(), said.len()), (leases, leases));
    for pair in said.iter().zip(&taken) {
        match pair {
            (Ok(Ended::Removed), Ok(model::Ended::Removed)) | (Ok(Ended::Absent), Ok(model::Ended::Absent)) => {}
            (Err(said), Err(taken)) => same_failure(said, taken),
            (said, taken) => panic!("{said:?} became {taken:?}"),
        }
    }
}

fn failures(lines: &mut Lines<'_>, redactor: &Redactor) {
    let said = a_failure(lines);
    same_failure(&said, &convert::failure(said.clone(), redactor));
}

fn a_failure(lines: &mut Lines<'_>) -> wit::Failure {
    use wit::Cause::{
        Conflict, Denied, Dependent, Internal, Invalid, Missing, Refused, Throttled, Unreachable, Unsupported,
    };
    wit::Failure {
        cause: lines.one_of(&[
            Invalid,
            Denied,
            Missing,
            Conflict,
            Unreachable,
            Refused,
            Throttled,
            Dependent,
            Unsupported,
            Internal,
        ]),
        message: lines.text(MESSAGE),
        retry_after: lines.maybe(Lines::number),
        untouched: lines.flag(),
    }
}

fn same_failure(said: &wit::Failure, taken: &model::Failure) {
    // Both sides call the causes by the same names.
    assert!(format!("{:?}", said.cause).ends_with(&format!("{:?}", taken.cause)), "{said:?} became {taken:?}");
    assert!(is_line(&taken.message) && !taken.message.is_empty(), "{taken:?}");
    assert_eq!(taken.retry_after, said.retry_after.map(|s| s.min(86_400)));
    assert_eq!(taken.untouched, said.untouched);
}

fn secrets(lines: &mut Lines<'_>, _: &Redactor) {
    let said = lines.json(CARRY);
    let Some(taken) = taken(convert::text_secret(said.clone())) else { return };
    assert_eq!(taken.expose(), said);
    value(&said, CARRY);
}

/// What a guest shows of its backend.
fn pages(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut lines = Lines::new(&input);
    let said = Page { items: lines.list(1_000, a_find), next: lines.maybe(|l| l.text(ID)) };
    let Some(taken) = taken(convert::page(said.clone())) else { return };
    assert_eq!(taken.items.len(), said.items.len());
    assert!(taken.items.len() <= 1_000);
    assert_eq!(taken.next, said.next);
    assert!(taken.next.as_deref().is_none_or(is_id), "{:?}", taken.next);
    for (said, taken) in said.items.iter().zip(&taken.items) {
        for (said, taken) in [(&said.object, &taken.object), (&said.kind, &taken.kind), (&said.stamp, &taken.stamp)] {
            same_id(said, taken);
        }
        same_handle(&said.handle, &taken.handle);
        assert_eq!(taken.created_at, said.created_at);
    }
}

fn a_find(lines: &mut Lines<'_>) -> Found {
    Found {
        object: lines.text(ID),
        kind: lines.text(ID),
        stamp: lines.text(ID),
        handle: a_handle(lines),
        created_at: lines.maybe(Lines::number),
    }
}

fn a_handle(lines: &mut Lines<'_>) -> wit::Handle {
    wit::Handle { format: lines.number(), data: lines.json(HANDLE) }
}

fn same_handle(said: &wit::Handle, taken: &model::Handle) {
    assert_eq!((taken.format, &taken.data), (said.format, &said.data));
    value(&taken.data, HANDLE);
}

fn same_handles(said: Option<&wit::Handle>, taken: Option<&model::Handle>) {
    assert_eq!(taken.is_some(), said.is_some());
    if let (Some(said), Some(taken)) = (said, taken) {
        same_handle(said, taken);
    }
}

fn warnings(lines: &mut Lines<'_>) -> Vec<String> {
    lines.list(64, |l| l.text(MESSAGE))
}

fn same_warnings(said: &[String], taken: &[String]) {
    assert_eq!(taken.len(), said.len());
    assert!(taken.len() <= 64 && taken.iter().all(|line| is_line(line)), "{taken:?}");
}

fn same_id(said: &str, taken: &str) {
    assert_eq!(taken, said);
    assert!(is_id(taken), "{taken:?}");
}

/// Whether it can be the name of something.
pub(super) fn is_id(text: &str) -> bool {
    (1..=ID).contains(&text.len()) && !text.contains(char::is_control)
}

/// Whether it is one line for people, without the secret.
fn is_line(text: &str) -> bool {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}');
    text.len() <= MESSAGE && !text.contains(breaks) && !text.contains(SECRET)
}

/// What a text of no more than so many bytes says.
fn value(text: &str, most: usize) -> Value {
    assert!(text.len() <= most, "{} bytes", text.len());
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
}

/// What was taken. A refusal is one line too, and not a long one.
pub(super) fn taken<T>(checked: Result<T, BadAnswer>) -> Option<T> {
    checked.inspect_err(|e| assert!(e.0.len() < 4_096 && !e.0.contains(char::is_control), "{e:?}")).ok()
}

#[test]
fn answers_hold() {
    cofferdam_fuzz::run("answer", answers);
}

#[test]
fn pages_hold() {
    cofferdam_fuzz::run("page", pages);
}
