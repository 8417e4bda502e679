//! The one writer: many batches, one transaction, one sync.
//!
//! While a group is being synced the next one gathers in the queue, so groups grow with the load and nobody waits for
//! company. The writer is a task of its own: a caller that goes away does not disturb its batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cofferdam_failpoints::{fails, point};
use cofferdam_model::view::Version;
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::apply::apply;
use super::at_once;
use super::fault::Fault;
use super::lanes::Lanes;
use super::place::Place;
use super::rows::Rows;
use super::waves;
use crate::port::{Batch, Op, Outcome};

/// Callers beyond these wait before they enter the queue.
const QUEUE: usize = 1024;
/// The largest group.
const GROUP: usize = 256;
/// A group that has reached so many bytes is closed.
const GROUP_BYTES: usize = 4 << 20;
/// Versions are reserved on disk in blocks, so that a group does not have to write the counter.
const RESERVE: Version = 4096;

/// What is to be written, all or nothing.
pub(super) enum Work {
    Batch(Batch),
    Meta(Vec<(String, Vec<u8>)>),
}

impl Work {
    fn batch(&self) -> Option<&Batch> {
        match self {
            Self::Batch(batch) => Some(batch),
            Self::Meta(_) => None,
        }
    }

    fn ops(&self) -> &[Op] {
        match self {
            Self::Batch(batch) => &batch.ops,
            Self::Meta(_) => &[],
        }
    }
}

struct Job {
    work: Work,
    answer: oneshot::Sender<Result<Outcome, Fault>>,
}

enum Message {
    Job(Job),
    Close(oneshot::Sender<()>),
    /// Lets a test spoil the connection.
    #[cfg(test)]
    Spoil(Spoil, oneshot::Sender<()>),
}

/// What a test does to the writer's connection.
#[cfg(test)]
pub(super) enum Spoil {
    Run(&'static str),
    /// Every commit fails.
    Commits,
}

#[cfg(test)]
impl Spoil {
    async fn apply(self, conn: &mut SqliteConnection) {
        match self {
            Self::Run(sql) => {
                sqlx::raw_sql(sql).execute(conn).await.ok();
            }
            Self::Commits => {
                if let Ok(mut handle) = conn.lock_handle().await {
                    handle.set_commit_hook(|| false);
                }
            }
        }
    }
}

/// How much was written.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) batches: AtomicU64,
    pub(super) commits: AtomicU64,
}

/// The way to the writer. The writer ends when this is dropped or closed.
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    pub(super) counters: Arc<Counters>,
}

impl Writer {
    /// Starts writing on the only connection of `lanes`. `versions`: the largest version ever given out. `place` is kept
    /// until the connection is closed.
    pub(super) fn start(lanes: Arc<Lanes>, rows: Arc<Rows>, versions: Version, place: Option<Place>) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let (reserved, broken) = (versions, None);
        let state = State { lanes, rows, versions, reserved, broken, counters: Arc::clone(&counters), place };
        tokio::spawn(state.run(messages));
        Self { queue, counters }
    }

    pub(super) async fn write(&self, work: Work) -> Result<Outcome, Fault> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Message::Job(Job { work, answer })).await.map_err(|_| Fault::closed())?;
        answered.await.map_err(|_| Fault::closed())?
    }

    /// Writes what is in the queue, then nothing more. Returns when the file is closed.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error means that the writer has ended: that is what was asked for.
            let _ = closed.await;
        }
    }

    #[cfg(test)]
    pub(super) async fn spoil(&self, how: Spoil) {
        let (done, answered) = oneshot::channel();
        self.queue.send(Message::Spoil(how, done)).await.ok();
        answered.await.ok();
    }
}

struct State {
    lanes: Arc<Lanes>,
    /// To be told of what is written.
    rows: Arc<Rows>,
    /// The last version given out.
    versions: Version,
    /// The largest version that the disk knows to be taken.
    reserved: Version,
    /// Why nothing may be written any more.
    broken: Option<Fault>,
    counters: Arc<Counters>,
    place: Option<Place>,
}

impl State {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.recv().await {
            let mut next = Some(message);
            while let Some(message) = next.take() {
                match message {
                    Message::Job(first) => {
                        let (group, stopped_by) = gather(first, &mut messages);
                        self.write(group).await;
                        next = stopped_by;
                    }
                    Message::Close(done) => {
                        messages.close();
                        self.finish().await;
                        // Whoever asked may have gone.
                        let _ = done.send(());
                        return;
                    }
                    #[cfg(test)]
                    Message::Spoil(how, done) => {
                        if let Some(mut lane) = self.lanes.take().await {
                            how.apply(&mut lane).await;
                        }
                        done.send(()).ok();
                    }
                }
            }
        }
        self.finish().await;
    }

    async fn finish(self) {
        let Self { lanes, place, .. } = self;
        if place.is_some()
            && let Some(mut lane) = lanes.take().await
            && let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *lane).await
        {
            // Nothing is lost: the log is read when the store is opened next.
            tracing::warn!(%error, "the storage was closed without moving its log into the database");
        }
        lanes.close().await;
        if let Some(lanes) = Arc::into_inner(lanes) {
            lanes.disconnect().await;
        }
        drop(place);
    }

    async fn write(&mut self, group: Vec<Job>) {
        self.counters.batches.fetch_add(group.len() as u64, Ordering::Relaxed);
        match self.attempt(&group).await {
            Ok(outcomes) => {
                for (job, outcome) in group.into_iter().zip(outcomes) {
                    answer(job, Ok(outcome));
                }
            }
            // One that is too large for what space is left, or hits a mistake of ours, must not fail the others.
            Err(fault) if group.len() > 1 && fault.may_be_of_one() => {
                for job in group {
                    let result = self.attempt(std::slice::from_ref(&job)).await;
                    answer(job, result.map(|mut outcomes| outcomes.pop().unwrap_or(Outcome::Applied)));
                }
            }
            Err(fault) => {
                for job in group {
                    answer(job, Err(fault.clone()));
                }
            }
        }
    }

    /// One transaction. On an error nothing of it is there, except after a failed sync, when nobody can know.
    async fn attempt(&mut self, group: &[Job]) -> Result<Vec<Outcome>, Fault> {
        if let Some(fault) = &self.broken {
            return Err(fault.clone());
        }
        let (lanes, rows) = (Arc::clone(&self.lanes), Arc::clone(&self.rows));
        let mut lane = lanes.take().await.ok_or_else(Fault::closed)?;
        let _moving = rows.moving(group.iter().flat_map(|job| job.work.ops()));
        let result = self.transact(&mut lane, group).await;
        if let Err(fault) = &result {
            // SQLite may have rolled back by itself; then this fails, as it should.
            let _ = sqlx::query("ROLLBACK").execute(&mut *lane).await;
            tracing::error!(error = %fault, batches = group.len(), "a write to the storage failed");
            if fault.is_lasting() {
                self.broken = Some(fault.clone());
            }
        }
        result
    }

    async fn transact(&mut self, conn: &mut SqliteConnection, group: &[Job]) -> Result<Vec<Outcome>, Fault> {
        point!("store.commit");
        if fails!("store.full") {
            return Err(Fault::full("a test's disk is full"));
        }
        if fails!("store.unsynced") {
            return Err(Fault::io("a test's sync failed, and nothing is on the disk"));
        }
        let outcomes = match group {
            [alone] if self.at_once(conn, &alone.work).await? => vec![Outcome::Applied],
            _ => self.step_by_step(conn, group).await?,
        };
        point!("store.committed");
        if fails!("store.unanswered") {
            return Err(Fault::io("a test's sync failed, and everything is on the disk"));
        }
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(outcomes)
    }

    /// Writes and commits in one visit. False: it has to be done in several, and nothing was begun.
    async fn at_once(&mut self, conn: &mut SqliteConnection, work: &Work) -> Result<bool, Fault> {
        match work.batch() {
            Some(batch) if self.versions + puts(work) <= self.reserved => {
                at_once::write(conn, batch, &mut self.versions).await
            }
            _ => Ok(false),
        }
    }

    /// Begins a transaction, applies the group in it, and commits.
    async fn step_by_step(&mut self, conn: &mut SqliteConnection, group: &[Job]) -> Result<Vec<Outcome>, Fault> {
        let before = self.versions;
        let outcomes = match self.in_waves(conn, group).await? {
            Some(outcomes) => outcomes,
            None => {
                self.versions = before;
                self.one_by_one(conn, group).await?
            }
        };
        let last = before + group.iter().map(|job| puts(&job.work)).sum::<Version>();
        let reserve = (last > self.reserved).then_some(last + RESERVE);
        if let Some(reserve) = reserve {
            sqlx::query("UPDATE store SET versions = ?1 WHERE id = 1").bind(reserve).execute(&mut *conn).await?;
        }
        sqlx::query("COMMIT").execute(&mut *conn).await.map_err(|e| Fault::from(e).of_commit())?;
        if let Some(reserve) = reserve {
            self.reserved = reserve;
        }
        Ok(outcomes)
    }

    /// Begins the transaction and applies the group in it. None: it has to be done one by one, and nothing was begun.
    async fn in_waves(&mut self, conn: &mut SqliteConnection, group: &[Job]) -> Result<Option<Vec<Outcome>>, Fault> {
        let batches: Option<Vec<&Batch>> = group.iter().map(|job| job.work.batch()).collect();
        let Some(waves) = batches.and_then(waves::cut) else { return Ok(None) };
        let outcomes = waves::apply(conn, &waves, &mut self.versions).await?;
        if outcomes.is_none() {
            sqlx::query("ROLLBACK").execute(conn).await?;
        }
        Ok(outcomes)
    }

    /// Begins the transaction and applies the group in it, one statement after the other.
    async fn one_by_one(&mut self, conn: &mut SqliteConnection, group: &[Job]) -> Result<Vec<Outcome>, Fault> {
        sqlx::query(waves::BEGIN).execute(&mut *conn).await?;
        let mut outcomes = Vec::with_capacity(group.len());
        for job in group {
            outcomes.push(match &job.work {
                Work::Batch(batch) => apply(conn, batch, &mut self.versions).await?,
                Work::Meta(values) => {
                    set_meta(conn, values).await?;
                    Outcome::Applied
                }
            });
        }
        Ok(outcomes)
    }
}

fn answer(job: Job, result: Result<Outcome, Fault>) {
    // The caller may have gone.
    let _ = job.answer.send(result);
}

/// Takes what waits, up to the size of a group. Also returns the message that ended it, if it was no job.
fn gather(first: Job, messages: &mut mpsc::Receiver<Message>) -> (Vec<Job>, Option<Message>) {
    let mut bytes = size(&first.work);
    let mut group = vec![first];
    while group.len() < GROUP && bytes < GROUP_BYTES {
        match messages.try_recv() {
            Ok(Message::Job(job)) => {
                bytes += size(&job.work);
                group.push(job);
            }
            Ok(other) => return (group, Some(other)),
            Err(_) => break,
        }
    }
    (group, None)
}

/// Roughly: bodies only.
fn size(work: &Work) -> usize {
    match work {
        Work::Batch(batch) => batch.ops.iter().map(Op::body_len).sum(),
        Work::Meta(values) => values.iter().map(|(_, v)| v.len()).sum(),
    }
}

/// The versions that it takes.
fn puts(work: &Work) -> Version {
    work.ops().iter().filter(|op| matches!(op, Op::PutEntry { .. })).map(|_| 1).sum()
}

async fn set_meta(conn: &mut SqliteConnection, values: &[(String, Vec<u8>)]) -> Result<(), Fault> {
    for (key, value) in values {
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(value)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
