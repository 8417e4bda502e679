//! A database mount that is ready for use: what most tests begin with.

use serde_json::{Value, json};

use crate::api::{Api, Reply};
use crate::postgres::Postgres;

/// A mount of the database engine, aimed at a cluster.
pub struct DatabaseMount {
    /// A client that may do anything.
    pub api: Api,
    /// Where it is mounted.
    pub path: String,
}

/// A credential, as a client got it.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The lease's full id.
    pub lease: String,
    /// The database user.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The lease's duration, in seconds.
    pub seconds: u64,
}

impl Credential {
    /// Reads the answer of `creds/…`.
    #[track_caller]
    pub fn of(body: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no credential: {body}")).to_owned();
        Self {
            lease: text(&body["lease_id"]),
            user: text(&body["data"]["username"]),
            password: text(&body["data"]["password"]),
            seconds: body["lease_duration"].as_u64().expect("a duration"),
        }
    }

    /// When the lease ends, as the server says. None: it does not know the lease.
    #[track_caller]
    pub fn expiry(&self, api: &Api) -> Option<String> {
        let reply = api.put("sys/leases/lookup", json!({ "lease_id": self.lease }));
        assert!(matches!(reply.status, 200 | 400), "lease lookup answered {}: {}", reply.status, reply.body);
        let time = || reply.body["data"]["expire_time"].as_str().expect("a time").to_owned();
        (reply.status == 200).then(time)
    }

    /// Whether the server still knows the lease.
    #[track_caller]
    pub fn is_live(&self, api: &Api) -> bool {
        self.expiry(api).is_some()
    }
}

/// The statement that makes a user.
const CREATE: &str = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";

impl DatabaseMount {
    /// Mounts the engine at `path`, connects it as `pg`, and makes the role `app` (an hour, a day at most).
    #[track_caller]
    pub fn new(api: &Api, path: &str, cluster: &Postgres) -> Self {
        Self::with_url(api, path, cluster, &cluster.url())
    }

    /// The same by a connection URL of its own.
    #[track_caller]
    pub fn with_url(api: &Api, path: &str, cluster: &Postgres, url: &str) -> Self {
        let mount = Self { api: api.clone(), path: path.to_owned() };
        api.mount(path, "database");
        mount.configure("pg", url, cluster, json!({})).ok();
        mount.role("app", "1h", "24h");
        mount
    }

    /// Writes a connection; further fields in `more`.
    #[track_caller]
    pub fn configure(&self, name: &str, url: &str, cluster: &Postgres, more: Value) -> Reply {
        let mut body = Self::configuration(url, cluster);
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        self.api.post(&format!("{}/config/{name}", self.path), body)
    }

    /// What a connection to a cluster is written as.
    pub fn configuration(url: &str, cluster: &Postgres) -> Value {
        json!({
            "plugin_name": "postgresql-database-plugin", "connection_url": url, "allowed_roles": "*",
            "username": Postgres::ADMIN, "password": cluster.password(),
        })
    }

    /// Writes a role of the connection `pg` with these times.
    #[track_caller]
    pub fn role(&self, name: &str, ttl: &str, max: &str) {
        self.role_with(name, json!({ "default_ttl": ttl, "max_ttl": max }));
    }

    /// Writes a role of the connection `pg` with these fields on top of a plain one.
    #[track_caller]
    pub fn role_with(&self, name: &str, more: Value) {
        let mut body = json!({ "db_name": "pg", "creation_statements": [CREATE] });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        self.api.post(&format!("{}/roles/{name}", self.path), body).ok();
    }

    /// Asks for a credential.
    #[track_caller]
    pub fn creds(&self, role: &str) -> Reply {
        self.api.get(&format!("{}/creds/{role}", self.path))
    }

    /// Asks for a credential that must be given.
    #[track_caller]
    pub fn credential(&self, role: &str) -> Credential {
        Credential::of(&self.creds(role).expect(200))
    }

    /// The leases of a role that the server lists, sorted; their last segments.
    #[track_caller]
    pub fn leases(&self, role: &str) -> Vec<String> {
        let reply = self.api.list(&format!("sys/leases/lookup/{}/creds/{role}", self.path));
        if reply.status == 404 {
            return Vec::new();
        }
        let body = reply.ok();
        let keys = body["data"]["keys"].as_array().expect("keys");
        keys.iter().map(|k| k.as_str().expect("a key").to_owned()).collect()
    }
}
