//! What is sealed in a row, and what it is bound to.
//!
//! Associated data names the place of a body and the plain columns that security hangs on, so that neither can be
//! exchanged by somebody who can write to the store. State, version, due time and uses stay free: they change often, and
//! a mount that moves keeps its uuid.

use cofferdam_crypto::Keyring;
use cofferdam_crypto::keyring::{aad, aad_of};
use cofferdam_model::{Error, Result};

use crate::port::{LeaseRow, Op, StoredEntry, TokenRow};

/// Seals every body of a change.
pub(super) fn op(keyring: &Keyring, op: Op) -> Result<Op> {
    Ok(match op {
        Op::PutEntry { space, key, value } => {
            let value = keyring.seal(&aad("entries", &space, &key), &value)?;
            Op::PutEntry { space, key, value }
        }
        Op::InsertLease(row) => Op::InsertLease(lease(keyring, row)?),
        Op::UpdateLease { expect, row } => Op::UpdateLease { expect, row: lease(keyring, row)? },
        Op::InsertToken(row) => Op::InsertToken(token(keyring, row)?),
        Op::UpdateToken { expect, row } => Op::UpdateToken { expect, row: token(keyring, row)? },
        plain @ (Op::DeleteEntry { .. }
        | Op::DeleteSpace(_)
        | Op::SetGate { .. }
        | Op::DeleteGate(_)
        | Op::DeleteLease { .. }
        | Op::UseToken { .. }
        | Op::DeleteToken { .. }) => plain,
    })
}

fn lease(keyring: &Keyring, mut row: LeaseRow) -> Result<LeaseRow> {
    row.body = keyring.seal(&lease_aad(&row), &row.body)?;
    Ok(row)
}

fn token(keyring: &Keyring, mut row: TokenRow) -> Result<TokenRow> {
    row.body = keyring.seal(&token_aad(&row), &row.body)?;
    Ok(row)
}

/// A sealed row that can be opened.
pub(super) trait Sealed: Sized + Send {
    /// The table, for messages and for telling keys of different tables apart.
    const TABLE: &'static str;

    /// The key, for messages.
    fn key(&self) -> &str;

    /// The row in the clear.
    fn open(self, keyring: &Keyring, space: &str) -> Result<Self>;
}

impl Sealed for StoredEntry {
    const TABLE: &'static str = "entries";

    fn key(&self) -> &str {
        &self.key
    }

    fn open(mut self, keyring: &Keyring, space: &str) -> Result<Self> {
        self.value = body::<Self>(keyring, &aad("entries", space, &self.key), &self.value, &self.key)?;
        Ok(self)
    }
}

impl Sealed for LeaseRow {
    const TABLE: &'static str = "leases";

    fn key(&self) -> &str {
        &self.id
    }

    fn open(mut self, keyring: &Keyring, _space: &str) -> Result<Self> {
        self.body = body::<Self>(keyring, &lease_aad(&self), &self.body, &self.id)?;
        Ok(self)
    }
}

impl Sealed for TokenRow {
    const TABLE: &'static str = "tokens";

    fn key(&self) -> &str {
        &self.digest
    }

    fn open(mut self, keyring: &Keyring, _space: &str) -> Result<Self> {
        self.body = body::<Self>(keyring, &token_aad(&self), &self.body, &self.digest)?;
        Ok(self)
    }
}

fn body<R: Sealed>(keyring: &Keyring, aad: &[u8], sealed: &[u8], key: &str) -> Result<Vec<u8>> {
    match keyring.open(aad, sealed) {
        Ok(mut clear) => Ok(std::mem::take(&mut *clear)),
        Err(error) => Err(damaged(format!("the row {key:?} of {} cannot be opened: {error}", R::TABLE))),
    }
}

/// Not a mistake of this program: whoever asks learns that, and only the log says what it is.
pub(super) fn damaged(log: String) -> Error {
    let told = "the storage is damaged: a part of it does not open, and the server's log says which".to_owned();
    Error { messages: vec![told], ..Error::internal(log) }
}

fn lease_aad(row: &LeaseRow) -> Vec<u8> {
    let LeaseRow { id, mount, backend, generation, token, object_key, .. } = row;
    let (token, object_key) = (optional(token.as_deref()), optional(object_key.as_deref()));
    aad_of(&[
        b"leases",
        mount.as_bytes(),
        id.as_bytes(),
        backend.as_bytes(),
        &generation.to_be_bytes(),
        &token,
        &object_key,
    ])
}

fn token_aad(row: &TokenRow) -> Vec<u8> {
    let TokenRow { digest, accessor_key, parent, .. } = row;
    aad_of(&[b"tokens", b"", digest.as_bytes(), accessor_key.as_bytes(), &optional(parent.as_deref())])
}

/// None and "" are different parts.
fn optional(value: Option<&str>) -> Vec<u8> {
    value.map_or_else(Vec::new, |v| [b"\x01", v.as_bytes()].concat())
}
