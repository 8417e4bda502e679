//! `status`: whether the server is initialised and sealed.

use serde_json::{Value, json};

use crate::api::{Api, CallError};
use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::flags::Args;
use crate::output::table;

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "status",
    usage: "[options]",
    about: "Print seal and HA status",
    details: "  The exit code is 0 if unsealed, 1 on error, 2 if sealed.",
    output: FORMAT,
    positionals: (0, 0),
    run: status,
    ..Command::DEFAULT
}];

fn status(context: &mut Context<'_>, args: &Args) -> Result {
    // An error must not look like a sealed server, whose code is 2.
    let api = context.api(args).map_err(|f| f.code(1))?;
    let status =
        api.json("sys/seal-status").doing(|| "Error checking seal status".to_owned()).map_err(|f| f.code(1))?;
    let code = print_status(context, &api, &status)?;
    Ok(if status["sealed"] == true { 2 } else { code })
}

/// Prints an answer of the seal together with what the leader says.
pub(super) fn print_status(context: &mut Context<'_>, api: &Api, seal: &Value) -> Result {
    let leader = match api.json("sys/leader") {
        Ok(leader) => leader,
        // A sealed server of a cluster cannot know its leader.
        Err(CallError::Client(e)) if e.to_string().contains("Vault is sealed") => json!({ "ha_enabled": true }),
        Err(e) => return Err(e).doing(|| "Error checking leader status".to_owned()).map_err(|f: Failure| f.code(1)),
    };
    if context.is_table() {
        context.out(table::pairs(rows(seal, &leader)));
        return Ok(0);
    }
    context.print_machine(&Machine { seal, leader: &leader })
}

fn rows(seal: &Value, leader: &Value) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |key: &str, value: String| rows.push((key.to_owned(), value));
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let number = |v: &Value| v.as_u64().unwrap_or(0);
    let on = |v: &Value| *v == true;
    let recovery = if on(&seal["recovery_seal"]) { "Recovery " } else { "" };
    row("Seal Type", text(&seal["type"]));
    if !recovery.is_empty() {
        row("Recovery Seal Type", text(&seal["recovery_seal_type"]));
    }
    row("Initialized", on(&seal["initialized"]).to_string());
    row("Sealed", on(&seal["sealed"]).to_string());
    row(&format!("Total {recovery}Shares"), number(&seal["n"]).to_string());
    row("Threshold", number(&seal["t"]).to_string());
    if on(&seal["sealed"]) {
        row("Unseal Progress", format!("{}/{}", number(&seal["progress"]), number(&seal["t"])));
        row("Unseal Nonce", text(&seal["nonce"]));
    }
    if on(&seal["migration"]) {
        row("Seal Migration in Progress", "true".to_owned());
    }
    for (key, name) in [
        ("Version", "version"),
        ("Build Date", "build_date"),
        ("Commit Date", "commit_date"),
        ("Storage Type", "storage_type"),
    ] {
        if !text(&seal[name]).is_empty() {
            row(key, text(&seal[name]));
        }
    }
    if !text(&seal["cluster_name"]).is_empty() && !text(&seal["cluster_id"]).is_empty() {
        row("Cluster Name", text(&seal["cluster_name"]));
        row("Cluster ID", text(&seal["cluster_id"]));
    }
    if on(&seal["fenced"]) {
        row("Fenced", text(&seal["fence_reason"]));
    }
    row("HA Enabled", on(&leader["ha_enabled"]).to_string());
    if on(&leader["ha_enabled"]) && !on(&seal["sealed"]) {
        let is_self = on(&leader["is_self"]);
        row("HA Cluster", text(&leader["leader_cluster_address"]));
        row("HA Mode", if is_self { "active" } else { "standby" }.to_owned());
        if is_self && has_time(&leader["active_time"]) {
            row("Active Since", text(&leader["active_time"]));
        }
        if !is_self && !text(&leader["leader_address"]).is_empty() {
            row("Active Node Address", text(&leader["leader_address"]));
        }
    }
    for (key, name) in [("Raft Committed Index", "raft_committed_index"), ("Raft Applied Index", "raft_applied_index")]
    {
        if number(&leader[name]) > 0 {
            row(key, number(&leader[name]).to_string());
        }
    }
    rows
}

/// Go's zero time means that there is none.
fn has_time(value: &Value) -> bool {
    value.as_str().is_some_and(|t| !t.is_empty() && !t.starts_with("0001-01-01"))
}

/// The status for programs: always the same keys in the same order.
struct Machine<'a> {
    seal: &'a Value,
    leader: &'a Value,
}

impl Machine<'_> {
    fn fields(&self) -> Vec<(&str, Value)> {
        const SEAL: &[(&str, Zero)] = &[
            ("type", Zero::Text),
            ("initialized", Zero::False),
            ("sealed", Zero::False),
            ("t", Zero::Number),
            ("n", Zero::Number),
            ("progress", Zero::Number),
            ("nonce", Zero::Text),
            ("version", Zero::Text),
            ("build_date", Zero::Text),
            ("commit_date", Zero::Absent),
            ("migration", Zero::False),
            ("cluster_name", Zero::Absent),
            ("cluster_id", Zero::Absent),
            ("recovery_seal", Zero::False),
            ("recovery_seal_type", Zero::Absent),
            ("storage_type", Zero::Absent),
            ("fenced", Zero::Absent),
            ("fence_reason", Zero::Absent),
            ("warnings", Zero::Absent),
        ];
        const LEADER: &[(&str, Zero)] = &[
            ("ha_enabled", Zero::False),
            ("is_self", Zero::Absent),
            ("active_time", Zero::Absent),
            ("leader_address", Zero::Absent),
            ("leader_cluster_address", Zero::Absent),
            ("raft_committed_index", Zero::Absent),
            ("raft_applied_index", Zero::Absent),
        ];
        let pick = |from: &Value, (name, zero): &(&'static str, Zero)| {
            let found = &from[*name];
            let is_zero = match found {
                Value::Null => true,
                Value::Bool(on) => !on,
                Value::Number(n) => n.as_u64() == Some(0),
                Value::String(s) => s.is_empty() || s.starts_with("0001-01-01"),
                Value::Array(a) => a.is_empty(),
                Value::Object(o) => o.is_empty(),
            };
            match zero {
                _ if !is_zero => Some((*name, found.clone())),
                Zero::Absent => None,
                Zero::Text => Some((*name, json!(""))),
                Zero::False => Some((*name, json!(false))),
                Zero::Number => Some((*name, json!(0))),
            }
        };
        let seal = SEAL.iter().filter_map(|field| pick(self.seal, field));
        seal.chain(LEADER.iter().filter_map(|field| pick(self.leader, field))).collect()
    }
}

/// How a field is printed that has no value.
#[derive(Clone, Copy)]
enum Zero {
    Absent,
    Text,
    False,
    Number,
}

impl serde::Serialize for Machine<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
    }
}

/// The status without leader, for a seal that was asked in passing.
pub(super) fn is_recovery(seal: &Value) -> bool {
    seal["recovery_seal"] == true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(more: Value) -> Value {
        let mut seal = json!({"type": "shamir", "initialized": true, "sealed": false, "t": 2, "n": 3, "progress": 0,
            "nonce": "", "version": "1.0.0", "migration": false, "recovery_seal": false, "storage_type": "raft"});
        let (Value::Object(map), Value::Object(more)) = (&mut seal, more) else { return Value::Null };
        map.extend(more);
        seal
    }

    #[test]
    fn an_unsealed_server() {
        let seal = seal(json!({"cluster_name": "vault-cluster-d2a612a1", "cluster_id": "8507789c"}));
        assert_eq!(
            table::pairs(rows(&seal, &json!({"ha_enabled": false}))),
            "Key             Value\n---             -----\nSeal Type       shamir\nInitialized     true\n\
             Sealed          false\nTotal Shares    3\nThreshold       2\nVersion         1.0.0\n\
             Storage Type    raft\nCluster Name    vault-cluster-d2a612a1\nCluster ID      8507789c\n\
             HA Enabled      false"
        );
    }

    #[test]
    fn a_fenced_server_says_why() {
        let fenced = json!({"fenced": true, "fence_reason": "store and mark are copies"});
        let shown = table::pairs(rows(&seal(fenced.clone()), &json!({"ha_enabled": false})));
        assert!(shown.contains("Fenced          store and mark are copies\nHA Enabled"), "{shown}");
        let text = serde_json::to_string(&Machine { seal: &seal(fenced), leader: &json!({}) }).unwrap();
        assert!(text.contains(r#""fenced":true,"fence_reason":"store and mark are copies""#), "{text}");
    }

    #[test]
    fn a_sealed_server_and_one_of_a_cluster() {
        let sealed = table::pairs(rows(&seal(json!({"sealed": true, "progress": 1, "nonce": "791c"})), &json!({})));
        assert!(
            sealed.contains("Threshold          2\nUnseal Progress    1/2\nUnseal Nonce       791c\nVersion"),
            "{sealed}"
        );
        let leader = json!({"ha_enabled": true, "is_self": true, "active_time": "2026-01-02T03:04:05Z",
            "leader_cluster_address": "https://n:8201", "leader_address": "https://n:8200", "raft_applied_index": 7});
        let active = table::pairs(rows(&seal(json!({})), &leader));
        assert!(
            active.ends_with(
                "HA Enabled            true\nHA Cluster            https://n:8201\nHA Mode               active\n\
                 Active Since          2026-01-02T03:04:05Z\nRaft Applied Index    7"
            ),
            "{active}"
        );
    }

    #[test]
    fn programs_see_the_same_keys_in_order() {
        let text =
            serde_json::to_string(&Machine { seal: &seal(json!({"sealed": true})), leader: &json!({}) }).unwrap();
        assert_eq!(
            text,
            r#"{"type":"shamir","initialized":true,"sealed":true,"t":2,"n":3,"progress":0,"nonce":"","version":"1.0.0","build_date":"","migration":false,"recovery_seal":false,"storage_type":"raft","ha_enabled":false}"#
        );
    }
}
