//! Answers of guests, checked.

use cofferdam_model::SecretText;
use cofferdam_model::engine as model;
use serde_json::value::RawValue;

use super::{BadAnswer, MAX_HANDLE, MAX_JSON, MAX_MESSAGE, Shape, check_id, check_json};
use crate::bindings::cofferdam::engine::types as wit;
use crate::bindings::exports::cofferdam::engine::credentials as guest;
use crate::redact::Redactor;

const MAX_KEYS: usize = 10_000;
/// Bytes of one name in a listing.
const MAX_LISTED: usize = 1025;
const MAX_WARNINGS: usize = 64;
/// Bytes of what a plan carries to its create.
const MAX_CARRY: usize = 256 << 10;
/// What JSON takes for space (RFC 8259, section 2).
const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
/// Statuses that an engine may choose.
const STATUS: std::ops::RangeInclusive<u16> = 200..=499;
/// A number of seconds that every client can read.
const MAX_SECONDS: u64 = i64::MAX as u64 / 1_000_000_000;
/// The longest that a guest may put off a repetition: a day.
const MAX_RETRY_AFTER: u64 = 86_400;

/// What a request comes to. `response_bytes` is the policy's limit.
pub(crate) fn outcome(
    outcome: wit::Outcome,
    response_bytes: usize,
    redactor: &Redactor,
) -> Result<model::Outcome, BadAnswer> {
    Ok(match outcome {
        wit::Outcome::Reply(answer) => model::Outcome::Reply(reply(answer, response_bytes.min(MAX_JSON), redactor)?),
        wit::Outcome::Issue(answer) => model::Outcome::Issue(plan(answer)?),
        wit::Outcome::Rotate(slot) => {
            check_id("slot", &slot, false)?;
            model::Outcome::Rotate(slot)
        }
        wit::Outcome::Keep(keeping) => {
            check_id("slot", &keeping.slot, false)?;
            if let Some(data) = &keeping.data {
                check_json(data, response_bytes.min(MAX_JSON), Shape::Object)?;
            }
            let every = keeping.every.map(|s| s.clamp(1, MAX_SECONDS));
            model::Outcome::Keep(model::Keeping { slot: keeping.slot, every, data: keeping.data })
        }
    })
}

fn reply(reply: wit::Reply, max_bytes: usize, redactor: &Redactor) -> Result<model::Reply, BadAnswer> {
    if let Some(status) = reply.status.filter(|s| !STATUS.contains(s)) {
        return Err(BadAnswer(format!("the status {status}")));
    }
    let data = match reply.body {
        wit::Body::None => None,
        wit::Body::Data(data) => {
            let null = data.trim_matches(JSON_SPACE) == "null";
            check_json(&data, max_bytes, if null { Shape::Any } else { Shape::Object })?;
            Some(data)
        }
        // Nothing to list is nothing there.
        wit::Body::Keys(listing) if listing.keys.is_empty() && listing.info.is_none() => None,
        wit::Body::Keys(listing) => Some(listing_data(listing, max_bytes)?),
    };
    Ok(model::Reply {
        data,
        status: reply.status,
        warnings: warnings(reply.warnings, redactor)?,
        lease_duration: reply.lease_duration.map(|s| s.min(MAX_SECONDS)),
    })
}

/// `{"keys": […], "key_info": {…}}`, as clients know it.
fn listing_data(listing: wit::Listing, max_bytes: usize) -> Result<String, BadAnswer> {
    #[derive(serde::Serialize)]
    struct Data<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        key_info: Option<&'a RawValue>,
        keys: Vec<String>,
    }
    if listing.keys.len() > MAX_KEYS {
        return Err(BadAnswer(format!("more than {MAX_KEYS} keys")));
    }
    if listing.keys.iter().any(|k| k.len() > MAX_LISTED) {
        return Err(BadAnswer(format!("a key of more than {MAX_LISTED} bytes")));
    }
    if listing.keys.iter().any(|k| k.is_empty() || k.contains('\0')) {
        return Err(BadAnswer::new("a key that is empty or holds a NUL"));
    }
    let info = listing.info.map(|info| {
        check_json(&info, max_bytes, Shape::Object)?;
        RawValue::from_string(info).map_err(|_| BadAnswer::new("text that is no JSON"))
    });
    let info = info.transpose()?;
    let data = serde_json::to_string(&Data { key_info: info.as_deref(), keys: listing.keys })
        .map_err(|_| BadAnswer::new("a listing that cannot be written"))?;
    if data.len() > max_bytes {
        return Err(BadAnswer(format!("a listing of more than {max_bytes} bytes")));
    }
    Ok(data)
}

fn plan(plan: wit::Plan) -> Result<model::Plan, BadAnswer> {
    check_id("kind", &plan.kind, false)?;
    check_id("role", &plan.role, true)?;
    check_id("backend", &plan.backend, false)?;
    check_id("object", &plan.object, false)?;
    check_json(&plan.carry, MAX_CARRY, Shape::Any).map_err(|e| BadAnswer(format!("carry: {e}")))?;
    Ok(model::Plan {
        kind: plan.kind,
        role: plan.role,
        backend: plan.backend,
        object: plan.object,
        handle: handle(plan.handle)?,
        carry: SecretText::new(plan.carry),
        ttl: model::TtlWish { ttl: plan.ttl.ttl, max_ttl: plan.ttl.max_ttl, renewable: plan.ttl.renewable },
    })
}

pub(super) fn handle(handle: wit::Handle) -> Result<model::Handle, BadAnswer> {
    check_json(&handle.data, MAX_HANDLE, Shape::Any).map_err(|e| BadAnswer(format!("handle: {e}")))?;
    Ok(model::Handle { format: handle.format, data: handle.data })
}

/// A credential that was made.
pub(crate) fn issued(issued: guest::Issued, redactor: &Redactor) -> Result<model::Issued, BadAnswer> {
    check_json(&issued.data, MAX_JSON, Shape::Object)?;
    Ok(model::Issued {
        data: SecretText::new(issued.data),
        warnings: warnings(issued.warnings, redactor)?,
        handle: issued.handle.map(handle).transpose()?,
    })
}

/// A credential that was renewed.
pub(crate) fn renewed(renewed: guest::Renewed, redactor: &Redactor) -> Result<model::Renewed, BadAnswer> {
    Ok(model::Renewed {
        handle: renewed.handle.map(handle).transpose()?,
        warnings: warnings(renewed.warnings, redactor)?,
    })
}

/// Answers to a revocation: one for each lease.
pub(crate) fn ended(
    answers: Vec<Result<guest::Ended, wit::Failure>>,
    leases: usize,
    redactor: &Redactor,
) -> Result<Vec<Result<model::Ended, model::Failure>>, BadAnswer> {
    if answers.len() != leases {
        return Err(BadAnswer(format!("{} answers for {leases} leases", answers.len())));
    }
    Ok(answers
        .into_iter()
        .map(|answer| match answer {
            Ok(guest::Ended::Removed) => Ok(model::Ended::Removed),
            Ok(guest::Ended::Absent) => Ok(model::Ended::Absent),
            Err(said) => Err(failure(said, redactor)),
        })
        .collect())
}

/// A root secret.
pub(crate) fn text_secret(json: String) -> Result<SecretText, BadAnswer> {
    let secret = SecretText::new(json);
    check_json(secret.expose(), MAX_CARRY, Shape::Any)?;
    Ok(secret)
}

/// What the guest says went wrong, redacted and cut.
pub(crate) fn failure(failure: wit::Failure, redactor: &Redactor) -> model::Failure {
    let message = redactor.line(&failure.message, MAX_MESSAGE);
    model::Failure {
        cause: cause(failure.cause),
        message: if message.is_empty() { "the engine gave no reason".to_owned() } else { message },
        retry_after: failure.retry_after.map(|s| s.min(MAX_RETRY_AFTER)),
        untouched: failure.untouched,
    }
}

fn cause(cause: wit::Cause) -> model::Cause {
    match cause {
        wit::Cause::Invalid => model::Cause::Invalid,
        wit::Cause::Denied => model::Cause::Denied,
        wit::Cause::Missing => model::Cause::Missing,
        wit::Cause::Conflict => model::Cause::Conflict,
        wit::Cause::Unreachable => model::Cause::Unreachable,
        wit::Cause::Refused => model::Cause::Refused,
        wit::Cause::Throttled => model::Cause::Throttled,
        wit::Cause::Dependent => model::Cause::Dependent,
        wit::Cause::Unsupported => model::Cause::Unsupported,
        wit::Cause::Internal => model::Cause::Internal,
    }
}

fn warnings(warnings: Vec<String>, redactor: &Redactor) -> Result<Vec<String>, BadAnswer> {
    if warnings.len() > MAX_WARNINGS {
        return Err(BadAnswer(format!("more than {MAX_WARNINGS} warnings")));
    }
    Ok(warnings.iter().map(|w| redactor.line(w, MAX_MESSAGE)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_reply(body: wit::Body) -> wit::Outcome {
        wit::Outcome::Reply(wit::Reply { body, status: None, warnings: Vec::new(), lease_duration: None })
    }

    fn a_plan() -> wit::Plan {
        wit::Plan {
            kind: "user".to_owned(),
            role: "app".to_owned(),
            backend: "pg".to_owned(),
            object: "v-app-1".to_owned(),
            handle: wit::Handle { format: 1, data: "{}".to_owned() },
            carry: "{}".to_owned(),
            ttl: wit::TtlWish { ttl: None, max_ttl: None, renewable: true },
        }
    }

    fn check(answer: wit::Outcome) -> Result<model::Outcome, BadAnswer> {
        outcome(answer, 1000, &Redactor::default())
    }

    #[test]
    fn good_answers_pass() {
        assert!(matches!(check(a_reply(wit::Body::None)), Ok(model::Outcome::Reply(r)) if r.data.is_none()));
        assert!(matches!(check(wit::Outcome::Issue(a_plan())), Ok(model::Outcome::Issue(p)) if p.object == "v-app-1"));
        let keys =
            wit::Listing { keys: vec!["a\"b".to_owned(), "c/".to_owned()], info: Some(r#"{"c/":1.50}"#.to_owned()) };
        let Ok(model::Outcome::Reply(listed)) = check(a_reply(wit::Body::Keys(keys))) else {
            unreachable!("a listing is a reply");
        };
        assert_eq!(listed.data.as_deref(), Some(r#"{"key_info":{"c/":1.50},"keys":["a\"b","c/"]}"#));
    }

    #[test]
    fn bad_answers_do_not() {
        let plan = |change: fn(&mut wit::Plan)| {
            let mut plan = a_plan();
            change(&mut plan);
            wit::Outcome::Issue(plan)
        };
        let listing = |keys| a_reply(wit::Body::Keys(wit::Listing { keys, info: None }));
        let status =
            wit::Reply { body: wit::Body::None, status: Some(500), warnings: Vec::new(), lease_duration: None };
        let chatty =
            wit::Reply { body: wit::Body::None, status: None, warnings: vec![String::new(); 65], lease_duration: None };
        for (i, bad) in [
            a_reply(wit::Body::Data("[]".to_owned())),
            a_reply(wit::Body::Data(format!("{{\"a\":\"{}\"}}", "x".repeat(1000)))),
            listing(vec![String::new(); 10_001]),
            listing(vec!["x".repeat(1026)]),
            listing(vec![String::new()]),
            listing(vec!["x".repeat(100); 11]),
            a_reply(wit::Body::Data("null".to_owned() + &" ".repeat(1000))),
            a_reply(wit::Body::Data("\u{2003}null".to_owned())),
            wit::Outcome::Reply(status),
            wit::Outcome::Reply(chatty),
            wit::Outcome::Rotate(String::new()),
            plan(|p| p.object = String::new()),
            plan(|p| p.object = "x".repeat(513)),
            plan(|p| p.backend = "a\nb".to_owned()),
            plan(|p| p.handle.data = format!("\"{}\"", "x".repeat(16 << 10))),
            plan(|p| p.handle.data = String::new()),
            plan(|p| p.carry = "{".to_owned()),
        ]
        .into_iter()
        .enumerate()
        {
            assert!(check(bad).is_err(), "case {i}");
        }
    }

    #[test]
    fn failures_are_redacted_and_cut() {
        let redactor = Redactor::new([&SecretText::new("hunter22")], []);
        let said = |message: String| {
            let cause = wit::Cause::Refused;
            failure(wit::Failure { cause, message, retry_after: Some(u64::MAX), untouched: true }, &redactor)
        };
        assert_eq!(said("no: hunter22\nend".to_owned()).message, "no: [redacted] end");
        assert!(said("x".repeat(10_000)).message.len() <= MAX_MESSAGE);
        assert_eq!(said(String::new()).message, "the engine gave no reason");
        assert_eq!(said(String::new()).retry_after, Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn one_answer_for_each_lease() {
        let redactor = Redactor::default();
        assert!(ended(vec![Ok(guest::Ended::Absent)], 2, &redactor).is_err());
        assert_eq!(ended(vec![Ok(guest::Ended::Absent)], 1, &redactor), Ok(vec![Ok(model::Ended::Absent)]));
    }
}
