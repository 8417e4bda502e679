//! Rows and changes as the log may show them: bodies are in the clear above the barrier, so only their size is printed.

use std::fmt::{Debug, Formatter, Result};

use crate::port::{LeaseRow, Op, TokenRow};

/// Stands for a body.
struct Bytes<'a>(&'a [u8]);

impl Debug for Bytes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl Debug for LeaseRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { id, mount, backend, generation, token, object_key, state, version, due_at, body } = self;
        f.debug_struct("LeaseRow")
            .field("id", id)
            .field("mount", mount)
            .field("backend", backend)
            .field("generation", generation)
            .field("token", token)
            .field("object_key", object_key)
            .field("state", state)
            .field("version", version)
            .field("due_at", due_at)
            .field("body", &Bytes(body))
            .finish()
    }
}

impl Debug for TokenRow {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { digest, accessor_key, parent, live, version, due_at, uses_left, body } = self;
        f.debug_struct("TokenRow")
            .field("digest", digest)
            .field("accessor_key", accessor_key)
            .field("parent", parent)
            .field("live", live)
            .field("version", version)
            .field("due_at", due_at)
            .field("uses_left", uses_left)
            .field("body", &Bytes(body))
            .finish()
    }
}

impl Debug for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::PutEntry { space, key, value } => write!(f, "PutEntry({space:?}, {key:?}, {:?})", Bytes(value)),
            Self::DeleteEntry { space, key } => write!(f, "DeleteEntry({space:?}, {key:?})"),
            Self::DeleteSpace(space) => write!(f, "DeleteSpace({space:?})"),
            Self::SetGate { gate, open } => write!(f, "SetGate({gate:?}, {open})"),
            Self::DeleteGate(gate) => write!(f, "DeleteGate({gate:?})"),
            Self::InsertLease(row) => f.debug_tuple("InsertLease").field(row).finish(),
            Self::UpdateLease { expect, row } => f.debug_tuple("UpdateLease").field(expect).field(row).finish(),
            Self::DeleteLease { id, expect } => write!(f, "DeleteLease({id:?}, {expect})"),
            Self::InsertToken(row) => f.debug_tuple("InsertToken").field(row).finish(),
            Self::UpdateToken { expect, row } => f.debug_tuple("UpdateToken").field(expect).field(row).finish(),
            Self::UseToken { digest } => write!(f, "UseToken({digest:?})"),
            Self::DeleteToken { digest } => write!(f, "DeleteToken({digest:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Batch;

    #[test]
    fn bodies_are_not_printed() {
        let token = TokenRow {
            digest: "digest".into(),
            accessor_key: "accessor".into(),
            parent: None,
            live: true,
            version: 1,
            due_at: None,
            uses_left: None,
            body: b"AAAA".to_vec(),
        };
        let put = Op::PutEntry { space: "s".into(), key: "k".into(), value: b"AAAA".to_vec() };
        let shown = format!("{:?}", Batch::new().op(put).op(Op::InsertToken(token)));
        assert!(shown.contains("digest") && shown.matches("[4 bytes]").count() == 2, "{shown}");
        assert!(!shown.contains("AAAA") && !shown.contains("65, 65"), "{shown}");
    }
}
