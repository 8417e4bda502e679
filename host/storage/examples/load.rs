//! The store alone, on this machine: `cargo run --release -p cofferdam-storage --example load -- <command>`.
//!
//! `serve <directory>` reads lines `<rows> <clients> <milliseconds>` and answers each with how many batches of these rows
//! were synced in a second. Rows: `secret` (a new secret of the KV engine, version 2), `token` (a new token), `lease` (an
//! intent and its activation, two batches).
//!
//! `fill <store> <unseal key> <count> <due from> <due to>` copies a lease that the store holds so many times; the copies
//! fall due between so many seconds from now.
#![expect(clippy::print_stdout, reason = "its output is what this program is for")]

#[path = "parts/rows.rs"]
mod rows;

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use cofferdam_crypto::{Keyring, shamir};
use cofferdam_model::{Clock as _, SystemClock, Timestamp, ids};
use cofferdam_storage::port::{Batch, Check, LeaseFilter, LeaseRow, LeaseState, Op, Outcome, Physical};
use cofferdam_storage::{Sqlite, Storage};
use rows::{GATE, PARENT, Result, apply, token};

/// Rows that `fill` writes in one batch.
const FILL_BATCH: usize = 500;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", directory] => serve(directory).await,
        ["fill", directory, key, count, from, to] => {
            fill(directory, key, count.parse()?, from.parse()?..to.parse()?).await
        }
        _ => Err("serve <directory>, or fill <store> <unseal key> <count> <due from> <due to>".into()),
    }
}

async fn serve(directory: &str) -> Result<()> {
    let storage = rows::open(directory).await?;
    let load = Arc::new(Load { storage: storage.clone(), made: AtomicI64::new(0) });
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let [rows, clients, millis] = words.as_slice() else { return Err(format!("what is {line:?}?").into()) };
        let rows = match *rows {
            "secret" => Rows::Secret,
            "token" => Rows::Token,
            "lease" => Rows::Lease,
            other => return Err(format!("no rows {other:?}").into()),
        };
        println!("{:.1}", load.run(rows, clients.parse()?, Duration::from_millis(millis.parse()?)).await?);
    }
    storage.close().await;
    Ok(())
}

#[derive(Clone, Copy)]
enum Rows {
    Secret,
    Token,
    Lease,
}

struct Load {
    storage: Storage,
    /// So that every key is new.
    made: AtomicI64,
}

impl Load {
    /// Batches a second.
    async fn run(self: &Arc<Self>, rows: Rows, clients: usize, time: Duration) -> Result<f64> {
        let start = Instant::now();
        let client = |load: Arc<Self>| async move {
            let mut done = 0_u32;
            while start.elapsed() < time {
                load.one(rows).await?;
                done += 1;
            }
            Ok::<u32, Box<dyn std::error::Error + Send + Sync>>(done)
        };
        let clients: Vec<_> = (0..clients).map(|_| tokio::spawn(client(Arc::clone(self)))).collect();
        let mut done = 0;
        for client in clients {
            done += client.await??;
        }
        Ok(f64::from(done) / start.elapsed().as_secs_f64())
    }

    async fn one(&self, rows: Rows) -> Result<()> {
        let i = self.made.fetch_add(1, Ordering::Relaxed);
        match rows {
            Rows::Secret => apply(&self.storage, secret(i)).await,
            Rows::Token => {
                let alive = Check::TokenLive { digest: PARENT.into(), now: Timestamp(0) };
                let time = ids::timed(SystemClock.now(), 0);
                let made = Op::InsertToken(token(&format!("{time}{}", scattered(i)), Some(PARENT)));
                apply(&self.storage, Batch { checks: vec![alive], ops: vec![made] }).await
            }
            Rows::Lease => {
                let row = rows::lease(&format!("db/creds/app/{i:024}"));
                rows::intend(&self.storage, &row).await?;
                rows::activate(&self.storage, row, i).await
            }
        }
    }
}

/// As long as a digest, and as far from the one before: a digest's place in an index is anywhere.
fn scattered(i: i64) -> String {
    // 2^64 over the golden ratio: what follows is spread evenly.
    let place = i.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{place:016x}{i:032x}{:016x}", place.swap_bytes())
}

/// What the engine reads before it writes a new secret, and the two entries that it writes.
fn secret(i: i64) -> Batch {
    let space = || "00000000-0000-0000-0000-000000000000".to_owned();
    let seen = |key: String| Check::Entry { space: space(), key, version: 0 };
    let put = |key: String, bytes: usize| Op::PutEntry { space: space(), key, value: vec![b'7'; bytes] };
    let path = format!("bench/{}/{}", i % 32, i / 32);
    Batch {
        checks: vec![
            seen("config".into()),
            seen(format!("meta/{path}")),
            seen("upgraded".into()),
            Check::GateOpen(GATE.into()),
        ],
        ops: vec![put(format!("data/{path}/1"), 60), put(format!("meta/{path}"), 300)],
    }
}

/// Real rows: copies of one that the server wrote, with other names.
async fn fill(directory: &str, key: &str, count: usize, due: std::ops::Range<i64>) -> Result<()> {
    let store = Arc::new(Sqlite::open(directory).await?);
    let share = shamir::parse_share(key).map_err(|e| e.to_string())?;
    let root = shamir::combine(&[share], 1).map_err(|e| e.to_string())?;
    let blob = store.meta("keyring").await?.ok_or("the store was never initialised")?;
    let storage = Storage::new(store as Arc<dyn Physical>);
    storage.unseal(Arc::new(Keyring::unwrap(&root, &blob).map_err(|e| e.to_string())?));
    let filter = LeaseFilter { state: Some(LeaseState::Active), ..LeaseFilter::default() };
    let model = storage.leases(&filter, 1).await?.pop().ok_or("there is no lease to copy")?;
    let path = model.id.rsplit_once('/').map_or("", |(path, _)| path).to_owned();
    let now = SystemClock.now();
    let copy = |i: usize| {
        let later = due.start + i64::try_from(i).unwrap_or(0) % (due.end - due.start).max(1);
        Op::InsertLease(LeaseRow {
            id: format!("{path}/{i:024}"),
            object_key: Some(format!("{i:064x}")),
            version: 1,
            due_at: Some(now.plus_seconds(later)),
            ..model.clone()
        })
    };
    for start in (0..count).step_by(FILL_BATCH) {
        let ops = (start..count.min(start + FILL_BATCH)).map(copy).collect();
        match storage.apply(Batch { checks: Vec::new(), ops }).await? {
            Outcome::Applied => {}
            Outcome::Conflict(why) => return Err(format!("not applied: {why:?}").into()),
        }
    }
    println!("{count}");
    storage.close().await;
    Ok(())
}
