//! `operator`: init, unseal, seal, keys.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cofferdam_client::{Method, Request};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::status::{is_recovery, print_status};
use crate::command::{Command, FORMAT};
use crate::context::Context;
use crate::failure::{Doing, Failure, Result};
use crate::files;
use crate::flags::{Args, Flag, Kind, flag};
use crate::output::table;
use crate::text::wrap;

/// The commands of this file.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "operator init",
        usage: "[options]",
        about: "Initialize a server",
        output: FORMAT,
        flags: &[
            flag("status", Kind::Bool, "Only print whether the server is initialized: exit code 0 if so, 2 if not."),
            Flag {
                name: "key-shares",
                alias: "n",
                kind: Kind::Int,
                help: "How many unseal keys to make; 5 if not given.",
            },
            Flag {
                name: "key-threshold",
                alias: "t",
                kind: Kind::Int,
                help: "How many of them unseal the server; 3 if not given.",
            },
            flag("pgp-keys", Kind::List, "Files with public PGP keys, comma-separated, one for each unseal key."),
            flag("root-token-pgp-key", Kind::Text, "A file with a public PGP key for the root token."),
            flag("recovery-shares", Kind::Int, "How many recovery keys to make, with auto-unseal."),
            flag("recovery-threshold", Kind::Int, "How many of them are needed."),
            flag("recovery-pgp-keys", Kind::List, "As -pgp-keys, for the recovery keys."),
        ],
        positionals: (0, 0),
        run: init,
        ..Command::DEFAULT
    },
    Command {
        name: "operator unseal",
        usage: "[options] [KEY]",
        about: "Unseal the server with one of its keys, which is asked for if not given",
        output: FORMAT,
        flags: &[
            flag("reset", Kind::Bool, "Forget the keys that were given so far."),
            flag("migrate", Kind::Bool, "Give the key for a migration of the seal."),
        ],
        positionals: (0, 1),
        run: unseal,
        ..Command::DEFAULT
    },
    Command {
        name: "operator seal",
        usage: "[options]",
        about: "Seal the server",
        positionals: (0, 0),
        run: seal,
        ..Command::DEFAULT
    },
    Command {
        name: "operator step-down",
        usage: "[options]",
        about: "Make the active server give up its place",
        positionals: (0, 0),
        run: step_down,
        ..Command::DEFAULT
    },
    Command {
        name: "operator key-status",
        usage: "[options]",
        about: "Show the encryption key in use",
        output: FORMAT,
        positionals: (0, 0),
        run: key_status,
        ..Command::DEFAULT
    },
    Command {
        name: "operator rotate",
        usage: "[options]",
        about: "Begin to use a new encryption key",
        output: FORMAT,
        positionals: (0, 0),
        run: rotate,
        ..Command::DEFAULT
    },
    super::fence::COMMAND,
];

fn init(context: &mut Context<'_>, args: &Args) -> Result {
    let api = context.api(args)?;
    if args.on("status") {
        return init_status(context, args);
    }
    let seal: Value = api.ask(Request::new(Method::Get, "sys/seal-status")).and_then(|r| Ok(r.json()?)).plain()?;
    let number = |name: &str, default: Option<i64>| args.int(name).filter(|n| *n != 0).or(default);
    let (keys, recovery) = if is_recovery(&seal) { (None, Some((5, 3))) } else { (Some((5, 3)), None) };
    let shares = number("key-shares", keys.map(|k| k.0)).unwrap_or(0);
    let threshold = number("key-threshold", keys.map(|k| k.1)).unwrap_or(0);
    let recovery_shares = number("recovery-shares", recovery.map(|k| k.0)).unwrap_or(0);
    let recovery_threshold = number("recovery-threshold", recovery.map(|k| k.1)).unwrap_or(0);
    let mut body = json!({ "secret_shares": shares, "secret_threshold": threshold });
    if recovery_shares != 0 || recovery_threshold != 0 {
        body["recovery_shares"] = json!(recovery_shares);
        body["recovery_threshold"] = json!(recovery_threshold);
    }
    for (flag, key) in [("pgp-keys", "pgp_keys"), ("recovery-pgp-keys", "recovery_pgp_keys")] {
        if args.is_set(flag) {
            let keys: Result<Vec<String>> = args.split_list(flag).iter().map(|f| pgp_key(f)).collect();
            body[key] = json!(keys?);
        }
    }
    if let Some(file) = args.text("root-token-pgp-key") {
        body["root_token_pgp_key"] = json!(pgp_key(file)?);
    }
    let request = Request::new(Method::Put, "sys/init").body(body);
    let answer: Value = api.send(&request).and_then(|r| Ok(r.json()?)).doing(|| "Error initializing".to_owned())?;
    let made = Made { answer: &answer, shares, threshold, recovery_shares, recovery_threshold };
    if !context.is_table() {
        return context.print_machine(&made);
    }
    made.print(context);
    Ok(0)
}

fn init_status(context: &mut Context<'_>, args: &Args) -> Result {
    // 2 means "not initialized" here.
    let api = context.api(args).map_err(|f| f.code(1))?;
    let doing = || "Error checking init status".to_owned();
    let answer = api.json("sys/init").doing(doing).map_err(|f| f.code(1))?;
    let is = answer["initialized"] == true;
    if context.is_table() {
        context.out(if is { "Vault is initialized" } else { "Vault is not initialized" });
    } else {
        context.print_machine(&json!({ "initialized": is }))?;
    }
    Ok(if is { 0 } else { 2 })
}

/// A key as the API wants it: base64 without armour. A file may hold it as it is, or as base64.
fn pgp_key(file: &str) -> Result<String> {
    if file.starts_with("keybase:") {
        return Err(Failure::local("PGP keys from keybase are not supported; name a file with the public key"));
    }
    let bytes = files::read(Path::new(file.trim_start_matches('@')))
        .map_err(|e| Failure::local(format!("Error reading PGP key: open {file}: {}", files::why(&e))))?;
    let text = String::from_utf8_lossy(&bytes);
    let joined: String = text.split_whitespace().collect();
    Ok(if STANDARD.decode(&joined).is_ok() { joined } else { STANDARD.encode(&bytes) })
}

/// What an initialisation made.
struct Made<'a> {
    answer: &'a Value,
    shares: i64,
    threshold: i64,
    recovery_shares: i64,
    recovery_threshold: i64,
}

impl Made<'_> {
    fn list(&self, name: &str) -> Vec<&str> {
        self.answer[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The keys for a person, base64 where the server gave it.
    fn keys(&self, hex: &str, base64: &str) -> Vec<&str> {
        let (hex, base64) = (self.list(hex), self.list(base64));
        if base64.len() == hex.len() || hex.is_empty() { base64 } else { hex }
    }

    fn print(&self, context: &mut Context<'_>) {
        let keys = self.keys("keys", "keys_base64");
        let recovery = self.keys("recovery_keys", "recovery_keys_base64");
        for (i, key) in keys.iter().enumerate() {
            context.out(format!("Unseal Key {}: {key}", i + 1));
        }
        for (i, key) in recovery.iter().enumerate() {
            context.out(format!("Recovery Key {}: {key}", i + 1));
        }
        context.out("");
        context.out(format!("Initial Root Token: {}", self.answer["root_token"].as_str().unwrap_or_default()));
        context.out("");
        let (shares, threshold) = (self.shares, self.threshold);
        if keys.is_empty() {
            context.out("Success! Vault is initialized");
        } else {
            context.out(wrap(&format!(
                "Vault initialized with {shares} key shares and a key threshold of {threshold}. Please give the keys \
                 printed above to people who will not all be lost at once. After a restart, or when it was sealed, the \
                 server answers nothing until at least {threshold} of these keys have unsealed it."
            )));
            context.out("");
            context.out(wrap(&format!(
                "Vault does not keep the root key. Without at least {threshold} of the keys everything it stores is \
                 lost for good."
            )));
        }
        if !recovery.is_empty() {
            context.out("");
            context.out(wrap(&format!(
                "Recovery key initialized with {} key shares and a key threshold of {}. Please give the keys printed \
                 above to people who will not all be lost at once.",
                self.recovery_shares, self.recovery_threshold
            )));
        }
    }
}

impl serde::Serialize for Made<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = self.list("keys");
        let (shares, threshold) = if keys.is_empty() { (1, 1) } else { (self.shares, self.threshold) };
        let or_null = |list: Vec<&str>| if list.is_empty() { Value::Null } else { json!(list) };
        serializer.collect_map([
            ("unseal_keys_b64", json!(self.list("keys_base64"))),
            ("unseal_keys_hex", json!(keys)),
            ("unseal_shares", json!(shares)),
            ("unseal_threshold", json!(threshold)),
            ("recovery_keys_b64", or_null(self.list("recovery_keys_base64"))),
            ("recovery_keys_hex", or_null(self.list("recovery_keys"))),
            ("recovery_keys_shares", json!(self.recovery_shares)),
            ("recovery_keys_threshold", json!(self.recovery_threshold)),
            ("root_token", self.answer["root_token"].clone()),
        ])
    }
}

fn unseal(context: &mut Context<'_>, args: &Args) -> Result {
    let api = context.api(args)?;
    let (body, doing) = if args.on("reset") {
        (json!({ "reset": true }), "Error resetting unseal process")
    } else {
        let given = args.rest.first().map(|k| k.trim().to_owned()).filter(|k| !k.is_empty());
        let key = match given {
            Some(key) => key,
            None => context.ask_hidden(
                args,
                "Unseal Key (will be hidden): ",
                "an unseal key",
                "The unseal key can be provided as the first argument to the unseal command, where it stays in the \
                 shell's history.",
            )?,
        };
        let mut body = json!({ "key": key });
        if args.on("migrate") {
            body["migrate"] = json!(true);
        }
        (body, "Error unsealing")
    };
    let request = Request::new(Method::Put, "sys/unseal").body(body);
    let status: Value = api.send(&request).and_then(|r| Ok(r.json()?)).doing(|| doing.to_owned())?;
    print_status(context, &api, &status)
}

fn seal(context: &mut Context<'_>, args: &Args) -> Result {
    let request = Request::new(Method::Put, "sys/seal");
    context.api(args)?.send(&request).doing(|| "Error sealing".to_owned())?;
    context.out("Success! Vault is sealed.");
    Ok(0)
}

fn step_down(context: &mut Context<'_>, args: &Args) -> Result {
    let request = Request::new(Method::Put, "sys/step-down");
    context.api(args)?.send(&request).doing(|| "Error stepping down".to_owned())?;
    context.out("Success! Stepped down: ".to_owned() + &context.config(args)?.address);
    Ok(0)
}

fn key_status(context: &mut Context<'_>, args: &Args) -> Result {
    print_key_status(context, args)
}

fn rotate(context: &mut Context<'_>, args: &Args) -> Result {
    let request = Request::new(Method::Post, "sys/rotate");
    context.api(args)?.send(&request).doing(|| "Error rotating key".to_owned())?;
    if context.is_table() {
        context.out("Success! Rotated key\n");
    }
    print_key_status(context, args)
}

fn print_key_status(context: &mut Context<'_>, args: &Args) -> Result {
    let doing = || "Error reading key status".to_owned();
    let answer = context.api(args)?.read("sys/key-status").doing(doing)?;
    let data = answer.and_then(|a| a.data).unwrap_or_default();
    if context.is_table() {
        context.out(table::columns(&key_rows(&data)));
        return Ok(0);
    }
    let pick = |name: &str| data.get(name).cloned().unwrap_or_default();
    context.print_machine(&json!({
        "term": pick("term"), "install_time": pick("install_time"), "encryptions": pick("encryptions"),
    }))
}

fn key_rows(data: &Map<String, Value>) -> Vec<Vec<String>> {
    let number = |name: &str| data.get(name).and_then(Value::as_u64).unwrap_or(0).to_string();
    let time = data.get("install_time").and_then(Value::as_str).unwrap_or_default();
    vec![
        vec!["Key Term".to_owned(), number("term")],
        vec!["Install Time".to_owned(), short_time(time)],
        vec!["Encryption Count".to_owned(), number("encryptions")],
    ]
}

/// `02 Jan 26 15:04 UTC`.
fn short_time(text: &str) -> String {
    let format = format_description!("[day] [month repr:short] [year repr:last_two] [hour]:[minute] UTC");
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|t| t.to_offset(time::UtcOffset::UTC).format(format).ok())
        .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_status_has_no_header() {
        let data = json!({"term": 2, "install_time": "2026-01-02T15:04:05.123456789Z", "encryptions": 7});
        assert_eq!(
            table::columns(&key_rows(data.as_object().unwrap())),
            "Key Term            2\nInstall Time        02 Jan 26 15:04 UTC\nEncryption Count    7"
        );
    }

    #[test]
    fn programs_see_every_key_of_an_initialisation() {
        let answer = json!({"keys": ["aa"], "keys_base64": ["qg=="], "root_token": "hvs.r"});
        let made = Made { answer: &answer, shares: 1, threshold: 1, recovery_shares: 0, recovery_threshold: 0 };
        assert_eq!(
            serde_json::to_string(&made).unwrap(),
            r#"{"unseal_keys_b64":["qg=="],"unseal_keys_hex":["aa"],"unseal_shares":1,"unseal_threshold":1,"recovery_keys_b64":null,"recovery_keys_hex":null,"recovery_keys_shares":0,"recovery_keys_threshold":0,"root_token":"hvs.r"}"#
        );
    }
}
