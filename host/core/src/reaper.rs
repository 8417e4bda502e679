//! Ends tokens with everything that hangs on them, and mounts with everything that is in them. Resumable: the state
//! goes first, and what is left is found again by the same queues.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_failpoints::point;
use cofferdam_model::Result;
use cofferdam_storage::port::{Batch, LeaseFilter, Op};
use cofferdam_tokens::{Token, Tokens};
use tokio::sync::watch;

use crate::repeat::repeat;
use crate::spaces;
use crate::vault::Vault;

/// The queue is looked at this often.
pub(crate) const NAP: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(30);
const PAGE: usize = 256;
/// Seconds until an unfinished revocation of a token is tried again.
const RETRY: i64 = 10;

/// Ends expired and condemned tokens until `stop`.
pub(crate) async fn work(vault: Arc<Vault>, stop: watch::Receiver<bool>) {
    let round = || async {
        if let Err(e) = round(&vault).await {
            tracing::error!(error = %e, "the token queue cannot be worked off");
        }
        NAP
    };
    repeat(stop, Some(&vault.reap), round).await;
}

async fn round(vault: &Arc<Vault>) -> Result<()> {
    loop {
        let due = vault.tokens.due(vault.clock.proven(), PAGE).await?;
        let full = due.len() == PAGE;
        let mut ended = 0;
        for token in due {
            match revoke_tree(vault, token.digest.clone(), false).await {
                Ok(()) => ended += 1,
                Err(e) => tracing::warn!(accessor = token.record.accessor, error = %e, "a token is not yet gone"),
            }
        }
        // Where nothing moves, the next look comes after a nap.
        if !full || ended == 0 {
            return Ok(());
        }
    }
}

/// Revokes a token, its descendants and their leases. With `sync`, leases are waited for.
pub(crate) async fn revoke_tree(vault: &Arc<Vault>, digest: String, sync: bool) -> Result<()> {
    // From the token down to what is being revoked now. On the heap: a chain of children may be of any length.
    let mut path: Vec<Token> = vault.tokens.condemn(&digest).await?.into_iter().collect();
    point!("token.condemned");
    while let Some(token) = path.last() {
        match vault.tokens.children(&token.digest, 1).await?.pop() {
            Some(child) => path.extend(vault.tokens.condemn(&child.digest).await?),
            None => {
                finish(vault, token, sync).await?;
                path.pop();
            }
        }
    }
    Ok(())
}

/// The token alone: its leases and its cubbyhole, then its row. Its children must be gone or cut off.
async fn finish(vault: &Arc<Vault>, token: &Token, sync: bool) -> Result<()> {
    let leases = LeaseFilter { token: Some(token.digest.clone()), ..LeaseFilter::default() };
    // Condemned leases are the ledger's from now on; the token's row need not wait for their backends.
    if let Err(e) = vault.ledger().revoke_all(leases, sync, false).await
        && !sync
    {
        vault.tokens.defer(token, vault.clock.proven().plus_seconds(RETRY)).await?;
        return Err(e);
    }
    point!("token.emptied");
    let ops = vec![Op::DeleteSpace(spaces::cubbyhole(&token.digest)), Tokens::removal(&token.digest)];
    vault.storage.apply(Batch { checks: Vec::new(), ops }).await.map(|_| ())
}

/// Revokes a token but not its children: they become orphans.
pub(crate) async fn revoke_orphan(vault: &Arc<Vault>, digest: String) -> Result<()> {
    let Some(token) = vault.tokens.condemn(&digest).await? else { return Ok(()) };
    loop {
        let children = vault.tokens.children(&digest, PAGE).await?;
        if children.is_empty() {
            break;
        }
        for child in children {
            if child.live {
                // False: it changed meanwhile; the next look sees how.
                vault.tokens.orphan(&child).await?;
            } else {
                revoke_tree(vault, child.digest, false).await?;
            }
        }
    }
    finish(vault, &token, false).await
}

/// Brings to their end what a crash interrupted: rotations, mounts that are being removed, and what ended leases held.
pub(crate) async fn sweep(vault: Arc<Vault>, stop: watch::Receiver<bool>) {
    let round = || async {
        if let Err(e) = crate::rotate::resume(&vault).await {
            tracing::error!(error = %e, "rotations cannot be resumed");
        }
        for mount in vault.mounts.draining() {
            if let Err(e) = vault.finish_unmount(&mount.uuid).await {
                tracing::warn!(mount = mount.path, error = %e, "a mount is still draining");
            }
        }
        if let Err(e) = vault.release_targets().await {
            tracing::error!(error = %e, "old targets cannot be looked for");
        }
        SWEEP
    };
    repeat(stop, None, round).await;
}

/// Lets go of what is kept in memory for a while. Asks no backend, so no fence holds it up.
pub(crate) async fn forget(vault: Arc<Vault>, stop: watch::Receiver<bool>) {
    let round = || async {
        vault.remembered.sweep();
        vault.listings.sweep(vault.clock.proven());
        SWEEP
    };
    repeat(stop, None, round).await;
}
