//! Replays a recorded conversation against a server and compares every answer.
//!
//! A scenario is `{"area", "about", "needs": [variables], "steps": [step, …]}`. A step has `do` ("VERB path?query"), and
//! may have `as` (a token's variable, `root` unless said, `none`), `headers`, `body` (`{"<raw>": "text"}` for bytes that
//! are no JSON), `expect` (status or statuses, body pattern, header patterns), `save` (variable ← path of the answer),
//! `wait` (seconds before the step) and `why`. `${variable}` is filled in everywhere. Patterns: see `pattern.rs`.

mod pattern;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use fancy_regex::{Captures, Regex};
use serde_json::{Map, Value};

use crate::api::{Api, Reply};
pub use pattern::fits;

/// What a replay found.
pub struct Replay {
    /// All steps, in order.
    pub steps: Vec<Step>,
}

/// One step, played.
#[derive(Debug)]
pub struct Step {
    /// Counted from 1.
    pub number: usize,
    /// What was asked.
    pub asked: String,
    /// What was wrong with the answer, if anything.
    pub fault: Option<String>,
}

type Variables = BTreeMap<String, Value>;

impl Replay {
    /// Plays a scenario file with a root client and the variables that it needs.
    pub fn play(file: &Path, root: &Api, variables: &[(&str, &str)]) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let scenario: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut env: Variables = variables.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
        env.insert("root".to_owned(), Value::from(root.token()));
        for need in scenario["needs"].as_array().into_iter().flatten() {
            let need = need.as_str().expect("needs are names");
            assert!(env.contains_key(need), "{} needs the variable {need}", file.display());
        }
        let steps = scenario["steps"].as_array().expect("a scenario has steps");
        let play = |(index, step): (usize, &Value)| Step {
            number: index + 1,
            asked: step["do"].as_str().expect("a step does something").to_owned(),
            fault: one(step, root, &mut env).err().map(|fault| match step["why"].as_str() {
                Some(why) => format!("{fault}\n     shows: {why}"),
                None => fault,
            }),
        };
        Self { steps: steps.iter().enumerate().map(play).collect() }
    }

    /// The numbers of the steps that failed.
    pub fn failed(&self) -> Vec<usize> {
        self.steps.iter().filter(|s| s.fault.is_some()).map(|s| s.number).collect()
    }

    /// The faults of some steps, for people.
    pub fn report(&self, numbers: &[usize]) -> String {
        let lines = self
            .steps
            .iter()
            .filter(|s| numbers.contains(&s.number))
            .filter_map(|s| Some(format!("#{} {}\n     {}", s.number, s.asked, s.fault.as_deref()?)));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn one(step: &Value, root: &Api, env: &mut Variables) -> Result<(), String> {
    if let Some(seconds) = step["wait"].as_f64() {
        // The recording waited for time to pass on the server; so does its replay.
        sleep(Duration::from_secs_f64(seconds));
    }
    let reply = send(step, root, env)?;
    let want = fill(&step["expect"], env)?;
    let statuses = match &want["status"] {
        Value::Array(several) => several.clone(),
        single => vec![single.clone()],
    };
    if !statuses.iter().any(|s| s.as_u64() == Some(u64::from(reply.status))) {
        return Err(format!("status: wanted {}, got {} {}", want["status"], reply.status, pattern::short(&reply.body)));
    }
    if let Some(body) = want.get("body") {
        pattern::check(body, &reply.body, "body")?;
    }
    for (name, wanted) in want["headers"].as_object().into_iter().flatten() {
        let got = reply.headers.get(&name.to_lowercase()).map_or(Value::Null, |v| Value::from(v.as_str()));
        pattern::check(wanted, &got, &format!("header {name}"))?;
    }
    for (variable, path) in step["save"].as_object().into_iter().flatten() {
        let path = path.as_str().ok_or("save: no path")?;
        env.insert(variable.clone(), pick(&reply.body, path)?);
    }
    Ok(())
}

fn send(step: &Value, root: &Api, env: &Variables) -> Result<Reply, String> {
    let line = text(&fill(&step["do"], env)?);
    let (verb, path) = line.split_once(' ').ok_or("do: no path")?;
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Value::Object(given) = fill(&step["headers"], env)? {
        headers.extend(given.iter().map(|(name, value)| (name.clone(), text(value))));
    }
    let has = |headers: &[(String, String)], name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let who = step["as"].as_str().unwrap_or("root");
    if who != "none" && !has(&headers, "X-Vault-Token") {
        headers.push(("X-Vault-Token".to_owned(), text(variable(who, env)?)));
    }
    let body = match step.get("body") {
        None => None,
        Some(body) => {
            if !has(&headers, "Content-Type") {
                headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
            }
            let body = fill(body, env)?;
            Some(body.get("<raw>").map_or_else(|| body.to_string(), text).into_bytes())
        }
    };
    root.exchange(verb, path, &headers, body)
}

fn pick(body: &Value, path: &str) -> Result<Value, String> {
    let mut at = body;
    for segment in path.split('.') {
        at = match at {
            Value::Array(list) => segment.parse::<usize>().ok().and_then(|i| list.get(i)),
            other => other.get(segment),
        }
        .ok_or_else(|| format!("save: nothing at {path}"))?;
    }
    Ok(at.clone())
}

fn fill(value: &Value, env: &Variables) -> Result<Value, String> {
    Ok(match value {
        Value::String(given) => fill_text(given, env)?,
        Value::Array(list) => Value::Array(list.iter().map(|v| fill(v, env)).collect::<Result<_, _>>()?),
        Value::Object(map) => {
            let mut filled = Map::new();
            for (key, v) in map {
                filled.insert(text(&fill_text(key, env)?), fill(v, env)?);
            }
            Value::Object(filled)
        }
        other => other.clone(),
    })
}

fn fill_text(given: &str, env: &Variables) -> Result<Value, String> {
    if !given.contains("${") {
        return Ok(Value::from(given));
    }
    let names = Regex::new(r"\$\{(\w+)\}").expect("a valid expression");
    let whole = given.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if let Some(name) = whole.filter(|n| n.chars().all(|c| c.is_alphanumeric() || c == '_')) {
        return Ok(variable(name, env)?.clone());
    }
    let mut missing = None;
    let filled = names.replace_all(given, |found: &Captures<'_>| match variable(&found[1], env) {
        Ok(value) => text(value),
        Err(error) => {
            missing = Some(error);
            String::new()
        }
    });
    missing.map_or_else(|| Ok(Value::from(filled.as_ref())), Err)
}

fn variable<'a>(name: &str, env: &'a Variables) -> Result<&'a Value, String> {
    env.get(name).ok_or_else(|| format!("the variable {name} was never saved"))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
