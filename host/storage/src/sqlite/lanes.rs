//! A few connections, each used by one task at a time.

use std::ops::{Deref, DerefMut};

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

/// Connections that do not differ from each other.
pub(super) struct Lanes {
    connections: Vec<Mutex<SqliteConnection>>,
    permits: Semaphore,
}

impl Lanes {
    pub(super) fn new(connections: Vec<SqliteConnection>) -> Self {
        let permits = Semaphore::new(connections.len());
        Self { connections: connections.into_iter().map(Mutex::new).collect(), permits }
    }

    /// A free connection, in the order of asking. None once closed.
    pub(super) async fn take(&self) -> Option<Lane<'_>> {
        let permit = self.permits.acquire().await.ok()?;
        // A permit is given back after its connection, so one is free for us.
        let guard = match self.connections.iter().find_map(|c| c.try_lock().ok()) {
            Some(guard) => guard,
            None => self.connections.first()?.lock().await,
        };
        Some(Lane { guard, _permit: permit })
    }

    /// Lets nobody in from now on, and waits for those inside.
    pub(super) async fn close(&self) {
        self.permits.close();
        for connection in &self.connections {
            drop(connection.lock().await);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    #[cfg(test)]
    pub(super) async fn nth(&self, n: usize) -> MutexGuard<'_, SqliteConnection> {
        self.connections[n].lock().await
    }

    /// Closes the connections and waits for it.
    pub(super) async fn disconnect(self) {
        for connection in self.connections {
            if let Err(error) = connection.into_inner().close().await {
                tracing::warn!(%error, "a connection to the storage was not closed in order");
            }
        }
    }
}

/// A connection on loan.
pub(super) struct Lane<'a> {
    // Dropped before the permit.
    guard: MutexGuard<'a, SqliteConnection>,
    _permit: SemaphorePermit<'a>,
}

impl Deref for Lane<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.guard
    }
}

impl DerefMut for Lane<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.guard
    }
}
