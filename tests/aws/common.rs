//! A server for all tests, a mount that works with the cloud, and what the cloud knows.

use std::sync::OnceLock;
use std::time::Duration;

use harness::{Api, Moto, Reply, Server, wait_at_most};
use serde_json::{Value, json};

/// A policy that allows something.
pub(crate) const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}"#;

/// How long the slowest machine takes to compile the engine.
const COMPILED: Duration = Duration::from_secs(600);

/// The server that all tests of this run share: compiling the engine takes longer than all else in a test. It may take
/// longer than a request, and the mount comes after its answer.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::dev();
        let api = server.api();
        wait_at_most(COMPILED, "the engine to be compiled", || {
            let mounted = api.post("sys/mounts/first", json!({ "type": "aws" })).is_ok()
                || api.get("sys/mounts").ok()["data"].get("first/").is_some();
            mounted.then_some(())
        });
        api.delete("sys/mounts/first").ok();
        server
    })
}

/// A mount of the engine.
pub(crate) struct AwsMount {
    pub(crate) api: Api,
    pub(crate) path: String,
}

/// A credential, as a client got it.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) lease: String,
    pub(crate) data: Value,
    pub(crate) seconds: u64,
    pub(crate) renewable: bool,
}

impl Credential {
    /// Reads the answer of `creds/…`.
    #[track_caller]
    pub(crate) fn of(body: &Value) -> Self {
        let lease = body["lease_id"].as_str().unwrap_or_else(|| panic!("no credential: {body}"));
        Self {
            lease: lease.to_owned(),
            data: body["data"].clone(),
            seconds: body["lease_duration"].as_u64().expect("a duration"),
            renewable: body["renewable"] == true,
        }
    }

    /// The credentials as boto3 takes them.
    pub(crate) fn for_boto(&self) -> Value {
        let mut keys = json!({
            "aws_access_key_id": self.data["access_key"], "aws_secret_access_key": self.data["secret_key"],
        });
        if self.data["session_token"].is_string() {
            keys["aws_session_token"] = self.data["session_token"].clone();
        }
        keys
    }

    /// The user that the cloud knows under this lease.
    pub(crate) fn user(&self, moto: &Moto) -> Option<String> {
        let unique = self.lease.rsplit('/').next().expect("a lease has a last part");
        all_users(moto).into_iter().find(|(_, stamp)| stamp.ends_with(unique)).map(|(name, _)| name)
    }
}

impl AwsMount {
    /// Mounts the engine at `path`, aimed at this cloud or at what stands before it.
    #[track_caller]
    pub(crate) fn new(api: &Api, path: &str, endpoint: &str) -> Self {
        let mount = Self::bare(api, path);
        mount.configure(endpoint, json!({})).ok();
        mount
    }

    /// Mounts the engine without a configuration.
    #[track_caller]
    pub(crate) fn bare(api: &Api, path: &str) -> Self {
        api.mount(path, "aws");
        Self { api: api.clone(), path: path.to_owned() }
    }

    /// The users of this mount in the cloud, and their stamps.
    #[track_caller]
    pub(crate) fn users(&self, moto: &Moto) -> Vec<(String, String)> {
        let mounts = self.api.get("sys/mounts").ok();
        let uuid = mounts["data"][format!("{}/", self.path)]["uuid"].as_str().expect("a mount has a uuid").to_owned();
        all_users(moto).into_iter().filter(|(_, stamp)| stamp.contains(&uuid)).collect()
    }

    /// Writes the configuration; further fields in `more`.
    #[track_caller]
    pub(crate) fn configure(&self, endpoint: &str, more: Value) -> Reply {
        let mut body = json!({
            "access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "iam_endpoint": endpoint, "sts_endpoint": endpoint,
        });
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        self.api.post(&format!("{}/config/root", self.path), body)
    }

    /// Writes a role.
    #[track_caller]
    pub(crate) fn role(&self, name: &str, fields: Value) {
        self.api.post(&format!("{}/roles/{name}", self.path), fields).ok();
    }

    /// Asks for a credential.
    #[track_caller]
    pub(crate) fn ask(&self, role: &str) -> Reply {
        self.api.get(&format!("{}/creds/{role}", self.path))
    }

    /// Gets one.
    #[track_caller]
    pub(crate) fn credential(&self, role: &str) -> Credential {
        Credential::of(&self.ask(role).ok())
    }

    /// The leases of a role, by the last part of their ids.
    #[track_caller]
    pub(crate) fn leases(&self, role: &str) -> Vec<String> {
        let reply = self.api.list(&format!("sys/leases/lookup/{}/creds/{role}", self.path));
        if reply.status == 404 {
            return Vec::new();
        }
        let keys = reply.ok()["data"]["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Takes a lease back, and waits until that is done.
    #[track_caller]
    pub(crate) fn revoke(&self, credential: &Credential) -> Reply {
        self.api.put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": true }))
    }
}

/// The users that bear a stamp, and their stamps.
#[track_caller]
fn all_users(moto: &Moto) -> Vec<(String, String)> {
    let listed = moto.ask("iam", "list_users", json!({})).expect("users");
    let names = listed["Users"].as_array().cloned().unwrap_or_default();
    let names = names.iter().filter_map(|user| user["UserName"].as_str().map(str::to_owned));
    // A user may go between the two questions.
    let stamp = |name: &String| {
        let tags = moto.ask("iam", "list_user_tags", json!({ "UserName": name })).ok()?;
        let tag = tags["Tags"].as_array()?.iter().find(|tag| tag["Key"] == "cofferdam")?.clone();
        tag["Value"].as_str().map(str::to_owned)
    };
    names.filter_map(|name| stamp(&name).map(|stamp| (name, stamp))).collect()
}
