//! What a set of policies allows, kept between requests.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use cofferdam_acl::{Acl, NoIdentity};
use cofferdam_model::{Result, Timestamp};

use crate::policies::Policies;

const KEPT_MAX: usize = 1_024;

/// Built ACLs by the names of their policies.
#[derive(Default)]
pub(crate) struct Acls {
    kept: RwLock<HashMap<Vec<String>, Built>>,
}

/// An ACL, and the number of writes of policies before it was built: new text holds at once.
#[derive(Clone)]
struct Built {
    writes: u64,
    acl: Arc<Acl>,
}

impl Acls {
    /// The ACL of these policies.
    pub(crate) async fn of(&self, names: &[String], policies: &Policies, now: Timestamp) -> Result<Arc<Acl>> {
        let writes = policies.writes();
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(names).cloned();
        if let Some(Built { writes: before, acl }) = kept
            && before == writes
            && acl.valid_until().is_none_or(|until| until > now)
        {
            return Ok(acl);
        }
        let mut parsed = Vec::with_capacity(names.len());
        for name in names {
            parsed.extend(policies.parsed(name).await?);
        }
        // No token speaks for an entity yet: stanzas with placeholders do not count.
        let acl = Arc::new(Acl::new(&parsed, &NoIdentity, now));
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(names.to_vec(), Built { writes, acl: acl.clone() });
        Ok(acl)
    }
}
