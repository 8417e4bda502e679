//! Roles: `roles/{name}`. What users are made like.

use std::collections::BTreeMap;

use engine_sdk::types::{Failure, Operation, Outcome, Reply, Request};
use engine_sdk::{Context, failure};
use serde::{Deserialize, Serialize};

/// A role as it is stored and shown.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Role {
    /// The connection.
    pub(crate) db_name: String,
    pub(crate) creation_statements: Vec<String>,
    pub(crate) revocation_statements: Vec<String>,
    pub(crate) rollback_statements: Vec<String>,
    pub(crate) renew_statements: Vec<String>,
    /// Seconds; 0: the mount's.
    pub(crate) default_ttl: u64,
    /// Seconds; 0: the mount's.
    pub(crate) max_ttl: u64,
    pub(crate) credential_type: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) credential_config: BTreeMap<String, String>,
}

/// What a write may send. Absent fields stay as they are.
#[derive(Deserialize)]
struct Write {
    db_name: Option<String>,
    creation_statements: Option<Vec<String>>,
    revocation_statements: Option<Vec<String>>,
    rollback_statements: Option<Vec<String>>,
    renew_statements: Option<Vec<String>>,
    default_ttl: Option<u64>,
    max_ttl: Option<u64>,
    credential_type: Option<String>,
    credential_config: Option<BTreeMap<String, String>>,
}

impl Role {
    /// The role of this name.
    pub(crate) fn load(ctx: &Context, name: &str) -> Result<Option<Self>, Failure> {
        ctx.storage().get_json(&key(name))
    }

    fn merge(&mut self, sent: Write) {
        fn set<T>(place: &mut T, sent: Option<T>) {
            if let Some(sent) = sent {
                *place = sent;
            }
        }
        set(&mut self.db_name, sent.db_name);
        set(&mut self.creation_statements, sent.creation_statements);
        set(&mut self.revocation_statements, sent.revocation_statements);
        set(&mut self.rollback_statements, sent.rollback_statements);
        set(&mut self.renew_statements, sent.renew_statements);
        set(&mut self.default_ttl, sent.default_ttl);
        set(&mut self.max_ttl, sent.max_ttl);
        set(&mut self.credential_type, sent.credential_type);
        set(&mut self.credential_config, sent.credential_config);
        if self.credential_type.is_empty() {
            "password".clone_into(&mut self.credential_type);
        }
    }

    fn check(&self) -> Result<(), Failure> {
        if self.db_name.is_empty() {
            return Err(failure::invalid("db_name is required: the name of a connection"));
        }
        match self.credential_type.as_str() {
            "password" => Ok(()),
            other => Err(failure::invalid(format!("credential_type {other:?} is not supported: passwords are"))),
        }
    }
}

/// Serves `roles/{name}`.
pub(crate) fn handle(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    let name = request.param("name");
    let stored = Role::load(ctx, name)?;
    let reply = match request.operation {
        Operation::Read => match stored {
            Some(role) => Reply::data(&role)?,
            None => Reply::none(),
        },
        Operation::Delete => {
            ctx.storage().delete(&key(name));
            Reply::none()
        }
        _ => {
            let mut role = stored.unwrap_or_default();
            role.merge(request.fields()?);
            role.check()?;
            ctx.storage().put_json(&key(name), &role)?;
            Reply::none()
        }
    };
    Ok(reply.into())
}

/// The storage key.
pub(crate) fn key(name: &str) -> String {
    format!("roles/{name}")
}
