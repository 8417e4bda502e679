//! Which leases this process works on right now.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Leases in work, by id. Whoever waits for one holds a receiver; it ends with the sender.
#[derive(Default)]
pub(crate) struct Claims(Mutex<HashMap<String, watch::Sender<()>>>);

impl Claims {
    /// Claims a lease for this task; else waits to be told that whoever has it is done.
    pub(crate) fn take(&self, id: &str) -> Result<Claim<'_>, Taken> {
        let mut claims = self.lock();
        if let Some(holder) = claims.get(id) {
            return Err(Taken(holder.subscribe()));
        }
        claims.insert(id.to_owned(), watch::Sender::new(()));
        Ok(Claim { claims: self, id: id.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim on a lease, given back on drop.
pub(crate) struct Claim<'a> {
    claims: &'a Claims,
    id: String,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.id);
    }
}

/// Another task has the lease.
pub(crate) struct Taken(watch::Receiver<()>);

impl Taken {
    /// Returns once the other task is done, whatever became of it.
    pub(crate) async fn ended(mut self) {
        // Nothing is ever sent: this ends when the sender goes.
        while self.0.changed().await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_works_and_the_others_are_told() {
        let claims = Claims::default();
        let claim = claims.take("a");
        assert!(claim.is_ok() && claims.take("b").is_ok());
        let Err(taken) = claims.take("a") else { unreachable!("claimed twice") };
        let mut ended = Box::pin(taken.ended());
        assert!(ended.as_mut().now_or_never().is_none());
        drop(claim);
        ended.await;
        assert!(claims.take("a").is_ok());
        assert!(claims.lock().is_empty());
    }
}
