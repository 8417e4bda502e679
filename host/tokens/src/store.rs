//! Finds, makes, renews and ends token rows.

use std::sync::Arc;

use cofferdam_crypto::Key;
use cofferdam_crypto::digest::keyed_digest;
use cofferdam_model::{Clock, Error, Result, SecretText, Timestamp, ids};
use cofferdam_storage::Storage;
use cofferdam_storage::port::{Batch, Check, Op, Outcome, TokenRow};
use quick_cache::sync::Cache;

use crate::record::{NewToken, Token, TokenRecord};

/// What the id of a service token starts with.
pub const PREFIX: &str = "hvs.";
/// Of a token, and of an accessor, behind the time.
const RANDOM_CHARACTERS: usize = 24;

type Known = (Arc<[u8]>, Arc<Token>);

/// Tokens whose records are kept as they were read.
const KNOWN: usize = 1_024;

/// The token table.
#[derive(Clone)]
pub struct Tokens {
    /// By digest, with the sealed body that they were read from. No two writes seal alike: a row with this body is the
    /// same row, and not a later one under the same id.
    known: Arc<Cache<String, Known>>,
    storage: Storage,
    clock: Arc<dyn Clock>,
    digest_key: Arc<Key>,
    accessor_key: Arc<Key>,
}

impl Tokens {
    /// `root` is a key of the barrier; the keys of the digests are derived from it.
    pub fn new(storage: Storage, clock: Arc<dyn Clock>, root: &Key) -> Self {
        Self {
            known: Arc::new(Cache::new(KNOWN)),
            storage,
            clock,
            digest_key: Arc::new(root.derive("token digest")),
            accessor_key: Arc::new(root.derive("accessor digest")),
        }
    }

    /// The digest under which a token is kept.
    pub fn digest(&self, token: &str) -> String {
        placed(token.strip_prefix(PREFIX).unwrap_or(""), keyed_digest(&self.digest_key, token))
    }

    fn accessor_digest(&self, accessor: &str) -> String {
        placed(accessor, keyed_digest(&self.accessor_key, accessor))
    }

    /// The token, if it is known, live, not expired and has a use left.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn lookup(&self, token: &str) -> Result<Option<Arc<Token>>> {
        let now = self.clock.now();
        let digest = self.digest(token);
        let Some(row) = self.storage.sealed_token(&digest).await? else { return Ok(None) };
        let same = |(body, t): &Known| (t.version, t.live, &**body) == (row.version, row.live, row.body.as_slice());
        let token = match self.known.get(&digest).filter(same) {
            // Uses are taken without another body.
            Some((_, known)) if known.uses_left == row.uses_left => known,
            Some((_, known)) => Arc::new(Token { uses_left: row.uses_left, ..Token::clone(&known) }),
            None => {
                let body = Arc::from(row.body.as_slice());
                let token = Arc::new(open(self.storage.open_token(row)?)?);
                self.known.insert(digest, (body, Arc::clone(&token)));
                token
            }
        };
        Ok(Some(token).filter(|t| is_valid(t, now)))
    }

    /// The row of this digest, whatever its state.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn find(&self, digest: &str) -> Result<Option<Token>> {
        self.storage.token(digest).await?.map(open).transpose()
    }

    /// The valid token of this accessor.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn by_accessor(&self, accessor: &str) -> Result<Option<Token>> {
        let now = self.clock.now();
        let row = self.storage.token_by_accessor(&self.accessor_digest(accessor)).await?;
        Ok(row.map(open).transpose()?.filter(|t| is_valid(t, now)))
    }

    /// All valid tokens' accessors, sorted.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn accessors(&self) -> Result<Vec<String>> {
        const PAGE: usize = 1_000;
        let now = self.clock.now();
        let mut out = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.storage.tokens(after.as_deref(), PAGE).await?;
            let full = page.len() == PAGE;
            after = page.last().map(|row| row.digest.clone());
            out.extend(open_all(page).into_iter().filter(|t| is_valid(t, now)).map(|t| t.record.accessor));
            if !full {
                out.sort();
                return Ok(out);
            }
        }
    }

    /// Makes a token. Its parent, if any, must still be live when the row is written.
    ///
    /// # Errors
    /// Bad or taken id; a parent that is gone; store trouble.
    pub async fn create(&self, new: NewToken) -> Result<(SecretText, Token)> {
        let now = self.clock.now();
        let custom = new.id.is_some();
        let id = new.id.unwrap_or_else(|| format!("{PREFIX}{}", ids::timed(now, RANDOM_CHARACTERS)));
        let mut record = TokenRecord { accessor: ids::timed(now, RANDOM_CHARACTERS), created_at: now, ..new.record };
        record.expires_at = match record.creation_ttl {
            0 => None,
            ttl => Some(now.plus_seconds(i64::try_from(ttl).unwrap_or(i64::MAX))),
        };
        let token = Token {
            digest: self.digest(&id),
            version: 1,
            live: true,
            uses_left: (record.num_uses > 0).then(|| i64::try_from(record.num_uses).unwrap_or(i64::MAX)),
            record,
        };
        let mut batch = Batch::default();
        if let Some(parent) = &token.record.parent {
            batch.checks.push(Check::TokenLive { digest: parent.clone(), now });
        }
        batch.ops.push(Op::InsertToken(token.row(self.accessor_digest(&token.record.accessor))?));
        match self.storage.apply(batch).await? {
            Outcome::Applied => Ok((SecretText::new(id), token)),
            Outcome::Conflict(cofferdam_storage::port::Conflict::TokenGone) => Err(Error::bad_token()),
            Outcome::Conflict(_) if custom => Err(Error::invalid("cannot create a token with a duplicate ID")),
            Outcome::Conflict(why) => Err(Error::internal(format!("new token: {why:?}"))),
        }
    }

    /// Takes one use of a token with a limit. False: none was left.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn use_one(&self, digest: &str) -> Result<bool> {
        let batch = Batch { checks: Vec::new(), ops: vec![Op::UseToken { digest: digest.to_owned() }] };
        Ok(self.storage.apply(batch).await? == Outcome::Applied)
    }

    /// Gives a token a new end. False: it changed meanwhile (a revocation, most likely).
    ///
    /// # Errors
    /// Store trouble.
    pub async fn extend(&self, token: &Token, expires_at: Timestamp) -> Result<bool> {
        if !token.live {
            return Ok(false);
        }
        let mut next = token.clone();
        next.record.expires_at = Some(expires_at);
        next.record.last_renewal = Some(self.clock.now());
        self.replace(token.version, next).await
    }

    /// Cuts a token from its parent. False: it changed meanwhile.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn orphan(&self, token: &Token) -> Result<bool> {
        let Some(mut row) = self.storage.token(&token.digest).await?.filter(|row| row.version == token.version) else {
            return Ok(false);
        };
        if let Ok(mut next) = open(row.clone()) {
            next.record.parent = None;
            return self.replace(token.version, next).await;
        }
        row.parent = None;
        row.version += 1;
        self.put(row).await
    }

    async fn replace(&self, expect: i64, mut next: Token) -> Result<bool> {
        next.version = expect + 1;
        let mut row = next.row(self.accessor_digest(&next.record.accessor))?;
        if !next.live {
            // Its revocation is unfinished, and must stay due.
            row.due_at = Some(self.clock.proven());
        }
        self.put(row).await
    }

    /// Replaces the row before this one. False: it changed meanwhile.
    async fn put(&self, row: TokenRow) -> Result<bool> {
        let ops = vec![Op::UpdateToken { expect: row.version - 1, row }];
        Ok(self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied)
    }

    /// Marks a token as being revoked, durably: from now on nothing can be made on it. Its row stays due until the
    /// revocation is finished, so that a crash resumes it. Works on rows whose record does not read, too. None: there is
    /// no such token.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn condemn(&self, digest: &str) -> Result<Option<Token>> {
        loop {
            let Some(mut row) = self.storage.token(digest).await? else { return Ok(None) };
            if !row.live {
                return Ok(Some(open_or_blank(row)));
            }
            row.live = false;
            row.version += 1;
            row.due_at = Some(self.clock.proven());
            if self.put(row.clone()).await? {
                return Ok(Some(open_or_blank(row)));
            }
        }
    }

    /// Puts off the next attempt to finish a revocation, whatever version the row has by now. Not for a live token: that
    /// would move its end.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn defer(&self, token: &Token, due_at: Timestamp) -> Result<()> {
        loop {
            let Some(mut row) = self.storage.token(&token.digest).await?.filter(|row| !row.live) else { return Ok(()) };
            row.version += 1;
            row.due_at = Some(due_at);
            if self.put(row).await? {
                return Ok(());
            }
        }
    }

    /// Direct children, at most `limit`. One whose record does not read is among them, with an empty record: it must
    /// end with its parent all the same.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn children(&self, digest: &str, limit: usize) -> Result<Vec<Token>> {
        Ok(self.storage.token_children(digest, limit).await?.into_iter().map(open_or_blank).collect())
    }

    /// Tokens whose end, or whose unfinished revocation, is due; those too whose record does not read.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Token>> {
        Ok(self.storage.tokens_due(now, limit).await?.into_iter().map(open_or_blank).collect())
    }

    /// What removes the row once nothing hangs on it any more.
    pub fn removal(digest: &str) -> Op {
        Op::DeleteToken { digest: digest.to_owned() }
    }
}

/// The digest behind the time that the id begins with, if it has the form of one that was made here.
fn placed(id: &str, digest: String) -> String {
    let ours = id.len() == ids::TIME_CHARACTERS + RANDOM_CHARACTERS && id.bytes().all(|b| b.is_ascii_alphanumeric());
    match id.get(..ids::TIME_CHARACTERS).filter(|_| ours) {
        Some(time) => format!("{time}{digest}"),
        None => digest,
    }
}

fn is_valid(token: &Token, now: Timestamp) -> bool {
    token.live && token.record.expires_at.is_none_or(|end| end > now) && token.uses_left.is_none_or(|left| left > 0)
}

/// Opens rows; one that does not read is logged and left out.
fn open_all(rows: Vec<TokenRow>) -> Vec<Token> {
    rows.into_iter()
        .filter_map(|row| open(row).inspect_err(|e| tracing::error!(error = %e, "token left out")).ok())
        .collect()
}

/// For ending it nothing but the row's own columns is needed.
fn open_or_blank(row: TokenRow) -> Token {
    let TokenRow { digest, version, live, uses_left, parent, .. } = row.clone();
    open(row).unwrap_or_else(|e| {
        tracing::error!(error = %e, "the token can only be ended");
        Token { digest, version, live, uses_left, record: TokenRecord { parent, ..TokenRecord::default() } }
    })
}

fn open(row: TokenRow) -> Result<Token> {
    let record = serde_json::from_slice(&row.body)
        .map_err(|e| Error::internal(format!("token {}: its record does not read: {e}", row.digest)))?;
    Ok(Token { digest: row.digest, version: row.version, live: row.live, uses_left: row.uses_left, record })
}
