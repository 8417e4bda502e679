//! Intent before effect: a durable row, then the create, then the activation.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cofferdam_failpoints::point;
use cofferdam_model::engine::{CallError, Cause, Done, EngineLease, Failure, Issued, Plan};
use cofferdam_model::view::Changes;
use cofferdam_model::{Error, Result, SecretText, Timestamp, ids};
use cofferdam_storage::port::{Batch, Check, Conflict, LeaseState, Op, Outcome};
use futures::future::BoxFuture;

use crate::ledger::Ledger;
use crate::record::{Lease, LeaseRecord};
use crate::stock::{self, Shelf};

/// Of a lease's id, behind the time.
const RANDOM_CHARACTERS: usize = 17;

/// What is to be made, after the engine planned it and the host clamped it.
#[derive(Debug)]
pub struct Intent {
    /// The path of the request.
    pub path: String,
    /// The mount's uuid.
    pub mount: String,
    /// Must be open at intent and at activation: mount, target.
    pub gates: Vec<String>,
    /// Of the backend's target.
    pub generation: u64,
    /// Names the backend itself (its address).
    pub identity: String,
    /// Digest of the token that asks.
    pub token: Option<String>,
    /// The engine's plan; its `carry` is not looked at.
    pub plan: Plan,
    /// The component's digest.
    pub digest: String,
    /// Seconds, clamped.
    pub ttl: u64,
    /// Seconds that the create may take.
    pub creates_within: u64,
    /// Seconds after that until which an effect may still appear.
    pub settles_after: u64,
    /// The backend ends it by itself.
    pub ends_itself: bool,
    /// What the planning call changed.
    pub changes: Changes,
    /// It is made ahead, for nobody yet: `ttl` counts from when it is handed out.
    pub shelf: Option<Shelf>,
}

/// What decides at the activation.
struct Terms {
    gates: Vec<String>,
    /// Of what is made ahead: what must still hold when it is handed out.
    stock: Option<Vec<Check>>,
}

/// The engine's `create`, ready to be called once the intent is durable.
pub type Make = Box<dyn FnOnce(EngineLease) -> BoxFuture<'static, Result<Done<Issued>, CallError>> + Send>;

/// A credential that was made, under an active lease.
#[derive(Debug)]
pub struct Made {
    /// The lease.
    pub lease: Lease,
    /// For the client, JSON text of an object.
    pub data: SecretText,
    /// For the client.
    pub warnings: Vec<String>,
}

/// Why nothing was made.
#[derive(Debug)]
pub enum IssueError {
    /// What the planning call read has changed: plan anew.
    Stale,
    /// Another live lease holds the object: the plan was not free to name it. For the client.
    Taken(Error),
    /// For the client.
    Failed(Error),
}

impl From<Error> for IssueError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Ledger {
    /// Makes a credential. From the moment the intent is durable everything runs in a task of the ledger's own: a
    /// caller that goes away changes nothing.
    ///
    /// # Errors
    /// [`IssueError::Stale`] before anything happened; else why, with nothing left behind that is not on its way out.
    pub async fn issue(self: &Arc<Self>, mut intent: Intent, make: Make) -> Result<Made, IssueError> {
        let changes = std::mem::take(&mut intent.changes);
        let stock = intent.shelf.as_mut().map(|shelf| stock::terms(shelf, &intent.mount, &intent.gates, &changes));
        let terms = Terms { gates: intent.gates.clone(), stock: stock.transpose()? };
        let lease = self.planned(intent);
        point!("issue.planned");
        self.write_intent(&lease, &terms.gates, &changes).await?;
        let ledger = self.clone();
        let task = tokio::spawn(async move {
            let made = ledger.make(lease, terms, make).await;
            match &made {
                // It counts when it is handed out.
                Ok(made) if made.lease.record.shelved.is_some() => {}
                Ok(_) => drop(ledger.events.issued.fetch_add(1, Ordering::Relaxed)),
                Err(_) => drop(ledger.events.failed.fetch_add(1, Ordering::Relaxed)),
            }
            made
        });
        task.await
            .unwrap_or_else(|e| Err(Error::internal(format!("the task of a create ended: {e}"))))
            .map_err(IssueError::Failed)
    }

    fn planned(&self, intent: Intent) -> Lease {
        let now = self.clock.now();
        let unique = ids::timed(now, RANDOM_CHARACTERS);
        let seconds = |s: u64| i64::try_from(s).unwrap_or(i64::MAX);
        let not_after = now.plus_seconds(seconds(intent.creates_within));
        let waits = intent.shelf.as_ref().map_or(0, |shelf| shelf.seconds);
        Lease {
            id: format!("{}/{unique}", intent.path),
            object_key: Some(self.object_key(&intent.identity, &intent.plan.object)),
            backend: intent.plan.backend.clone(),
            generation: intent.generation,
            token: intent.token,
            state: LeaseState::Pending,
            version: 1,
            due_at: Some(not_after),
            record: LeaseRecord {
                path: intent.path,
                kind: intent.plan.kind,
                role: intent.plan.role,
                object: intent.plan.object,
                handle: intent.plan.handle,
                stamp: self.stamp(&intent.mount, &unique),
                digest: intent.digest,
                issued_at: now,
                expires_at: now.plus_seconds(seconds(intent.ttl.saturating_add(waits))),
                not_after,
                settles_after: intent.settles_after,
                ends_itself: intent.ends_itself,
                renewable: intent.plan.ttl.renewable,
                role_ttl: intent.plan.ttl.ttl.unwrap_or(0),
                role_max_ttl: intent.plan.ttl.max_ttl.unwrap_or(0),
                last_renewal: None,
                confirmed: false,
                attempts: 0,
                last_error: None,
                shelved: intent.shelf.map(|shelf| shelf.place(now, &unique)),
            },
            mount: intent.mount,
        }
    }

    async fn write_intent(&self, lease: &Lease, gates: &[String], changes: &Changes) -> Result<(), IssueError> {
        let mut batch = Batch::default();
        batch.extend_changes(&lease.mount, changes);
        batch.checks.extend(self.still_wanted(lease, gates));
        if let Some(object_key) = &lease.object_key {
            batch.checks.push(Check::ObjectFree { object_key: object_key.clone() });
        }
        batch.ops.push(Op::InsertLease(lease.row()?));
        match self.storage.apply(batch).await? {
            Outcome::Applied => Ok(()),
            Outcome::Conflict(Conflict::Stale) => Err(IssueError::Stale),
            Outcome::Conflict(Conflict::ObjectTaken) => Err(IssueError::Taken(refused(&Conflict::ObjectTaken, lease))),
            Outcome::Conflict(why) => Err(refused(&why, lease).into()),
        }
    }

    /// Token, mount and target must be live, at the intent and again at the activation (a revocation shuts them first
    /// and walks the leases afterwards, so that none slips through between).
    fn still_wanted(&self, lease: &Lease, gates: &[String]) -> Vec<Check> {
        let token = lease.token.as_ref().map(|t| Check::TokenLive { digest: t.clone(), now: self.clock.now() });
        token.into_iter().chain(gates.iter().cloned().map(Check::GateOpen)).collect()
    }

    async fn make(self: &Arc<Self>, lease: Lease, terms: Terms, make: Make) -> Result<Made> {
        point!("issue.intended");
        let outcome = self.within(&lease, make).await;
        point!("issue.created");
        let error = match outcome {
            Ok(done) => return self.activate(lease, terms, done).await,
            Err(error) => error,
        };
        // The engine's own word for it is needed: the host's trouble may have ended a call that had begun its work.
        let untouched = match &error {
            CallError::NotStarted(_) => true,
            CallError::Failure(f) => f.untouched,
            CallError::Fault(_) | CallError::Host(_) => false,
        };
        let recorded = if untouched { self.forget(&lease).await } else { self.take_back(&lease).await };
        if let Err(trouble) = recorded {
            // The row is still pending, and pending rows fall due by themselves.
            tracing::error!(lease = lease.id, error = %trouble, "outcome of a create not recorded");
        }
        Err(client_error(error))
    }

    /// The create, begun before `not_after` or not at all, and not waited for much longer.
    async fn within(&self, lease: &Lease, make: Make) -> Result<Done<Issued>, CallError> {
        const GRACE: Duration = Duration::from_secs(1);
        let left = lease.record.not_after.0.saturating_sub(self.clock.now().0);
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_nanos) else {
            let message = format!("{}: writing down what is to be made took too long", lease.record.path);
            return Err(CallError::Failure(Failure {
                cause: Cause::Internal,
                message,
                retry_after: None,
                untouched: true,
            }));
        };
        let late = |_| CallError::Fault(Error::backend(format!("{}: it was not made in time", lease.record.path)));
        tokio::time::timeout(left + GRACE, make(lease.for_engine())).await.map_err(late)?
    }

    async fn activate(self: &Arc<Self>, lease: Lease, terms: Terms, mut done: Done<Issued>) -> Result<Made> {
        let now = self.clock.now();
        let mut active = lease.clone();
        active.record.confirmed = true;
        if let Some(handle) = done.value.handle.take() {
            active.record.handle = handle;
        }
        active.state = LeaseState::Active;
        active.version = lease.version + 1;
        active.due_at = Some(active.record.shelved.as_ref().map_or(active.record.expires_at, |shelved| shelved.until));
        let mut batch = Batch::default();
        batch.extend_changes(&lease.mount, &done.changes);
        batch.checks.extend(self.still_wanted(&lease, &terms.gates));
        batch.ops.push(Op::UpdateLease { expect: lease.version, row: active.row()? });
        let mut refused_stock = None;
        if let (Some(shelved), Some(conditions)) = (&active.record.shelved, terms.stock) {
            match stock::put(&active, shelved, &done, conditions, now) {
                Ok(put) => batch.ops.push(put),
                Err(why) => refused_stock = Some(why),
            }
        }
        let applied = match refused_stock {
            Some(why) => Err(why),
            None => self.storage.apply(batch).await,
        };
        let refusal = match applied {
            Ok(Outcome::Applied) => {
                self.wake_before(active.due_at.unwrap_or(active.record.expires_at), now);
                point!("issue.activated");
                return Ok(Made { lease: active, data: done.value.data, warnings: done.value.warnings });
            }
            Ok(Outcome::Conflict(why)) => refused(&why, &lease),
            // The outcome of the commit is unknown: the row tells.
            Err(trouble) => match self.get(&lease.id).await {
                Ok(Some(found)) if found.state == LeaseState::Active => {
                    return Ok(Made { lease: found, data: done.value.data, warnings: done.value.warnings });
                }
                _ => trouble,
            },
        };
        if let Err(trouble) = self.take_back(&active).await {
            tracing::error!(lease = lease.id, error = %trouble, "a refused create is not yet on its way out");
        }
        Err(refusal)
    }

    /// The create certainly made nothing: its intent goes.
    async fn forget(&self, lease: &Lease) -> Result<()> {
        let ops = vec![Op::DeleteLease { id: lease.id.clone(), expect: lease.version }];
        if self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied {
            self.backends.released(&lease.mount, &lease.backend, lease.generation).await;
        }
        Ok(())
    }

    /// The create succeeded and nobody may have it, or its outcome is unknown (`known.confirmed` says which): it is
    /// revoked at once, and again until it can no longer appear.
    async fn take_back(&self, known: &Lease) -> Result<()> {
        let learn = |record: &mut LeaseRecord| {
            if known.record.confirmed {
                record.confirmed = true;
                record.handle = known.record.handle.clone();
            }
        };
        while self.condemn(&known.id, learn).await?.is_none() {
            // Forgotten by force while it was being made. Its create has ended only now.
            if self.restore(known).await? {
                break;
            }
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Writes the row again, condemned. False: there is one.
    async fn restore(&self, known: &Lease) -> Result<bool> {
        let mut lease = self.condemned(known);
        loop {
            let ops = vec![Op::InsertLease(lease.row()?)];
            match self.storage.apply(Batch { checks: Vec::new(), ops }).await? {
                Outcome::Applied => return Ok(true),
                // The name was given to another lease since; the stamp tells whose the object is.
                Outcome::Conflict(Conflict::ObjectTaken) if lease.object_key.is_some() => lease.object_key = None,
                Outcome::Conflict(_) => return Ok(false),
            }
        }
    }

    pub(crate) fn wake_before(&self, due: Timestamp, now: Timestamp) {
        if due.seconds_since(now) <= crate::worker::NAP_MAX_SECONDS {
            self.wake.notify_one();
        }
    }
}

fn refused(why: &Conflict, lease: &Lease) -> Error {
    match why {
        Conflict::TokenGone => Error::bad_token(),
        Conflict::GateShut(_) => {
            Error::unavailable(format!("{}: the mount or its backend is being removed", lease.record.path))
        }
        Conflict::ObjectTaken => Error::backend(format!(
            "another live lease holds the name {:?}; a username_template needs enough randomness",
            lease.record.object
        )),
        Conflict::Stale | Conflict::RowMoved => {
            Error::unavailable(format!("{}: revoked while it was being made", lease.record.path))
        }
    }
}

/// What the client learns of a call that failed.
pub(crate) fn client_error(error: CallError) -> Error {
    use cofferdam_model::ErrorKind;
    match error {
        CallError::Fault(e) | CallError::Host(e) | CallError::NotStarted(e) => e,
        CallError::Failure(f) => Error::new(
            match f.cause {
                Cause::Invalid | Cause::Unsupported => ErrorKind::Invalid,
                Cause::Throttled => ErrorKind::Throttled,
                _ => ErrorKind::Backend,
            },
            f.message,
        ),
    }
}
