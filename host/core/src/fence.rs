//! The fence: a store that was copied or restored must not act on backends as if it were the only one.
//!
//! A *mark* lies in the store and in a file beside it, and moves on at every start, at every seal and now and then. A
//! store whose mark is not the file's, or whose file is not the one that it knows, starts fenced: it serves what lies in
//! it, and nothing expires, is revoked, issued, renewed or rotated until an operator says that no other copy is in use.
//!
//! The store is told of the next mark before the file gets it, so a crash between the two is told from a restored store.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_failpoints::point;
use cofferdam_model::{Error, Result, ids};
use cofferdam_storage::port::Physical;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};

use crate::repeat::stopped;

/// What the store knows, a plain value of it.
const META_FENCE: &str = "fence";
/// A store that is restored from a backup younger than this may be taken for the one that was there.
const ADVANCE: Duration = Duration::from_secs(15 * 60);

/// The file beside the store. Its calls may block.
pub trait Witness: Send + Sync {
    /// What the file holds and where it is. None: there is no such file.
    ///
    /// # Errors
    /// What the system says.
    fn look(&self) -> io::Result<Option<Seen>>;
    /// Writes over what the file holds, in place and durably; makes the file where there is none. The text always has
    /// the same length, or none.
    ///
    /// # Errors
    /// What the system says.
    fn write(&self, text: &str) -> io::Result<()>;
}

/// The file as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What it holds.
    pub text: String,
    /// Where it is.
    pub place: Place,
}

/// What tells a file from its copies. What is not known here is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What the file system calls the file; a copy is called otherwise.
    pub file: Option<String>,
    /// What tells this machine from others.
    pub machine: Option<String>,
}

/// The same in store and file, and never again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Counts the marks of a store.
    count: u64,
    /// Two copies that both go on have different ones.
    nonce: String,
}

impl Mark {
    fn after(count: u64) -> Self {
        Self { count: count.saturating_add(1), nonce: ids::hex_digits(32) }
    }

    fn text(&self) -> String {
        format!("{:020} {:>32}\n", self.count, self.nonce)
    }

    fn parse(text: &str) -> Option<Self> {
        let (count, nonce) = text.trim_end().split_once(' ')?;
        Some(Self { count: count.parse().ok()?, nonce: nonce.trim().to_owned() })
    }
}

/// The store's side.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    /// What the file was seen to hold; none before the first mark.
    seen: Option<Mark>,
    /// What the file is being given.
    next: Option<Mark>,
    place: Place,
}

/// Why the server is fenced, if it is. Without a witness (a store in memory) it never is.
pub(crate) struct Fence {
    store: Arc<dyn Physical>,
    witness: Option<Arc<dyn Witness>>,
    reason: watch::Sender<Option<&'static str>>,
    /// One change of the mark at a time.
    moving: Mutex<()>,
}

impl Fence {
    pub(crate) fn new(store: Arc<dyn Physical>, witness: Option<Arc<dyn Witness>>) -> Self {
        Self { store, witness, reason: watch::Sender::new(None), moving: Mutex::default() }
    }

    /// Why the server is fenced; none: it is not.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        *self.reason.borrow()
    }

    /// For whatever acts on a backend.
    ///
    /// # Errors
    /// Unavailable while fenced.
    pub(crate) fn check(&self) -> Result<()> {
        match self.reason() {
            None => Ok(()),
            Some(why) => Err(Error::unavailable(format!(
                "this server is fenced and acts on no backend: {why}. If no other copy of the store is in use, an \
                 operator lifts the fence (sys/fence)"
            ))),
        }
    }

    /// Compares store and file, and remembers what came of it.
    ///
    /// # Errors
    /// The store's trouble.
    pub(crate) async fn judge(&self) -> Result<()> {
        let Some(witness) = &self.witness else { return Ok(()) };
        let record = self.recall().await?;
        let why = match look(witness).await {
            Ok(seen) => judge(record.as_ref(), seen.as_ref()),
            Err(error) => {
                tracing::error!(%error, "the mark beside the store cannot be read");
                Some("the mark beside the store cannot be read")
            }
        };
        if let Some(why) = why {
            tracing::error!("FENCED: {why}. Nothing expires, is revoked, issued or rotated until an operator lifts it");
        }
        self.reason.send_replace(why);
        Ok(())
    }

    /// Moves the mark on, whatever the file held before: whoever calls this knows that the store is the right one.
    ///
    /// # Errors
    /// Trouble of the store or the file. What was not finished is seen as such at the next start.
    pub(crate) async fn advance(&self) -> Result<()> {
        let Some(witness) = &self.witness else { return Ok(()) };
        let _one = self.moving.lock().await;
        // Where there is no file yet the store must know the new one before a mark is in it.
        write(witness, String::new()).await.map_err(trouble)?;
        let seen = look(witness).await.map_err(trouble)?.unwrap_or_default();
        let record = self.recall().await?;
        let held = Mark::parse(&seen.text);
        let known = record.iter().flat_map(|r| [&r.seen, &r.next]).flatten().chain(&held).map(|m| m.count).max();
        let next = Mark::after(known.unwrap_or(0));
        point!("fence.begun");
        self.keep(&Record { seen: held, next: Some(next.clone()), place: seen.place.clone() }).await?;
        point!("fence.announced");
        write(witness, next.text()).await.map_err(trouble)?;
        point!("fence.marked");
        self.keep(&Record { seen: Some(next), next: None, place: seen.place }).await
    }

    /// Moves the mark on if the server is not fenced. Where that fails, the mark is only older than it could be.
    pub(crate) async fn move_on(&self) {
        if self.reason().is_none()
            && let Err(error) = self.advance().await
        {
            tracing::warn!(%error, "the mark beside the store stays as it is");
        }
    }

    /// An operator's word that no other copy of this store is in use.
    ///
    /// # Errors
    /// As [`Fence::advance`]; the fence stays then.
    pub(crate) async fn lift(&self) -> Result<()> {
        self.advance().await?;
        self.reason.send_replace(None);
        Ok(())
    }

    /// Returns once the server is not fenced. False: it ends before that.
    pub(crate) async fn lifted(&self, mut stop: watch::Receiver<bool>) -> bool {
        let mut reason = self.reason.subscribe();
        let lifted = async { reason.wait_for(Option::is_none).await.is_ok() };
        tokio::select! {
            lifted = lifted => lifted,
            () = stopped(&mut stop) => false,
        }
    }

    async fn recall(&self) -> Result<Option<Record>> {
        let Some(bytes) = self.store.meta(META_FENCE).await? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Error::internal(format!("the store's record of its mark does not read: {e}")))
    }

    async fn keep(&self, record: &Record) -> Result<()> {
        let bytes = serde_json::to_vec(record).map_err(|e| Error::internal(format!("the record of the mark: {e}")))?;
        self.store.set_meta(vec![(META_FENCE.to_owned(), bytes)]).await
    }
}

/// Why this store is not, or may not be, the one that was last used here.
fn judge(record: Option<&Record>, seen: Option<&Seen>) -> Option<&'static str> {
    let Some(record) = record else {
        // A new store, or one from before there were marks. An empty file is the beginning of the first mark.
        let older = seen.is_some_and(|seen| !seen.text.is_empty());
        return older.then_some("the store is older than the mark beside it");
    };
    let Some(seen) = seen else { return Some("the mark that belongs beside the store is missing") };
    let held = Mark::parse(&seen.text);
    if held.is_none() && !seen.text.is_empty() {
        return Some("the mark beside the store does not read");
    }
    if held != record.seen && (held.is_none() || held != record.next) {
        let count = |mark: Option<&Mark>| mark.map_or(0, |m| m.count);
        let known = count(record.seen.as_ref()).max(count(record.next.as_ref()));
        return Some(if count(held.as_ref()) > known {
            "the store is older than the mark beside it"
        } else {
            "the mark beside the store is not the store's"
        });
    }
    let differ = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
    if differ(&record.place.machine, &seen.place.machine) {
        return Some("the store was last used on another machine");
    }
    differ(&record.place.file, &seen.place.file).then_some("store and mark are copies")
}

/// Moves the mark on every so often, while the server is not fenced.
pub(crate) async fn work(fence: Arc<Fence>, mut stop: watch::Receiver<bool>) {
    while fence.lifted(stop.clone()).await {
        tokio::select! {
            () = tokio::time::sleep(ADVANCE) => {}
            () = stopped(&mut stop) => return,
        }
        fence.move_on().await;
    }
}

async fn look(witness: &Arc<dyn Witness>) -> io::Result<Option<Seen>> {
    let witness = Arc::clone(witness);
    tokio::task::spawn_blocking(move || witness.look()).await.map_err(io::Error::other)?
}

async fn write(witness: &Arc<dyn Witness>, text: String) -> io::Result<()> {
    let witness = Arc::clone(witness);
    tokio::task::spawn_blocking(move || witness.write(&text)).await.map_err(io::Error::other)?
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn trouble(error: io::Error) -> Error {
    Error::unavailable(format!("the mark beside the store: {error}"))
}

#[cfg(test)]
mod tests;
