//! What is remembered of a token.

use std::collections::BTreeMap;

use cofferdam_model::Timestamp;
use cofferdam_storage::port::TokenRow;
use serde::{Deserialize, Serialize};

/// The sealed body of a token's row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenRecord {
    /// Allows look-up, renewal and revocation without the token.
    pub accessor: String,
    /// Digest of the parent; none: an orphan.
    pub parent: Option<String>,
    /// Lower case, sorted, without duplicates; `root` alone.
    pub policies: Vec<String>,
    /// The path of the request that made it.
    pub path: String,
    /// What its creator said.
    pub meta: Option<BTreeMap<String, String>>,
    /// `root`, `token`, `token-<name>`, or of a login.
    pub display_name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Seconds at creation; 0: does not expire.
    pub creation_ttl: u64,
    /// When it ends; none: never.
    pub expires_at: Option<Timestamp>,
    /// Seconds from creation beyond which no renewal goes; 0: none.
    pub explicit_max_ttl: u64,
    /// Seconds; 0: not periodic.
    pub period: u64,
    /// Uses at creation; 0: without limit.
    pub num_uses: u64,
    /// May be renewed.
    pub renewable: bool,
    /// The last renewal.
    pub last_renewal: Option<Timestamp>,
    /// The role that made it.
    pub role: String,
    /// The entity that it speaks for.
    pub entity_id: String,
}

impl TokenRecord {
    /// Whether it is all-powerful.
    pub fn is_root(&self) -> bool {
        self.policies.iter().any(|p| p == "root")
    }

    /// Seconds until it ends, rounded; 0 where it does not.
    pub fn ttl(&self, now: Timestamp) -> u64 {
        self.expires_at.map_or(0, |end| u64::try_from(end.seconds_since(now)).unwrap_or(0))
    }
}

/// A token that was found: its row and what the row says.
#[derive(Clone, Debug)]
pub struct Token {
    /// Keyed digest, hex.
    pub digest: String,
    /// Of the row.
    pub version: i64,
    /// False once it is being revoked.
    pub live: bool,
    /// Uses left; none: without limit.
    pub uses_left: Option<i64>,
    /// The rest.
    pub record: TokenRecord,
}

impl Token {
    /// The row that holds this token now, due when it ends.
    ///
    /// # Errors
    /// Where the record does not become JSON, which is a fault of ours.
    pub fn row(&self, accessor_key: String) -> cofferdam_model::Result<TokenRow> {
        let body = serde_json::to_vec(&self.record)
            .map_err(|e| cofferdam_model::Error::internal(format!("token record: {e}")))?;
        Ok(TokenRow {
            digest: self.digest.clone(),
            accessor_key,
            parent: self.record.parent.clone(),
            live: self.live,
            version: self.version,
            due_at: self.record.expires_at,
            uses_left: self.uses_left,
            body,
        })
    }
}

/// A token to be made.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// An id of the creator's own choice.
    pub id: Option<String>,
    /// Everything but accessor, creation time and end, which are filled in.
    pub record: TokenRecord,
}
