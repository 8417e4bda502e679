//! How fast the store is on this machine: `cargo run --release -p cofferdam-storage --example load [directory]`.
#![expect(clippy::print_stdout, reason = "its output is what this program is for")]

use std::sync::Arc;
use std::time::Instant;

use cofferdam_crypto::Keyring;
use cofferdam_model::{Result, Timestamp};
use cofferdam_storage::port::{Batch, Check, LeaseRow, LeaseState, Op, Outcome, Physical};
use cofferdam_storage::{Sqlite, Storage};

const EACH: usize = 20_000;

#[tokio::main]
async fn main() -> Result<()> {
    let disk = Arc::new(Sqlite::open(std::env::args().nth(1).unwrap_or_else(|| "load-store".to_owned())).await?);
    for (store, name) in [(Arc::new(Sqlite::memory().await?), "memory"), (disk, "disk")] {
        let storage = Storage::new(Arc::clone(&store) as Arc<dyn Physical>);
        storage.unseal(Arc::new(Keyring::new(Timestamp(0))));
        for tasks in [1, 8, 64, 256] {
            let before = store.stats();
            run(name, "put", tasks, &storage, async |s, i| {
                let check = Check::Entry { space: "m".into(), key: format!("none/{i}"), version: 0 };
                s.apply(Batch::new().check(check).op(put(i))).await.map(drop)
            })
            .await?;
            let after = store.stats();
            println!("  {} batches, {} commits", after.batches - before.batches, after.commits - before.commits);
            run(name, "get", tasks, &storage, async |s, i| s.entry("m", &key(i)).await.map(drop)).await?;
            run(name, "lease: intent, activation", tasks, &storage, async |s, i| {
                let row = lease(&format!("db/creds/ro/{tasks}-{i}"));
                let active = LeaseRow { state: LeaseState::Active, due_at: Some(Timestamp(i)), ..row.clone() };
                s.apply(Batch::new().op(Op::InsertLease(row))).await?;
                let outcome = s.apply(Batch::new().op(Op::UpdateLease { expect: 1, row: active })).await?;
                assert_eq!(outcome, Outcome::Applied);
                Ok(())
            })
            .await?;
        }
        let start = Instant::now();
        let names = storage.names("m", "path/", None, usize::MAX).await?.len();
        println!("{name}: {names} names in {:?}", start.elapsed());
        storage.close().await;
    }
    Ok(())
}

async fn run<F>(store: &str, what: &str, tasks: usize, storage: &Storage, call: F) -> Result<()>
where
    F: AsyncFn(Storage, i64) -> Result<()>,
{
    let count = if tasks == 1 { EACH / 10 } else { EACH };
    let next = std::sync::atomic::AtomicI64::new(0);
    let start = Instant::now();
    let worker = async || {
        loop {
            let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if i >= i64::try_from(count).unwrap_or(i64::MAX) {
                return Ok::<_, cofferdam_model::Error>(());
            }
            call(storage.clone(), i).await?;
        }
    };
    futures::future::try_join_all((0..tasks).map(|_| worker())).await?;
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("{store}: {what}, {tasks} at once: {rate:.0} a second");
    Ok(())
}

fn key(i: i64) -> String {
    format!("path/{i:08}")
}

fn put(i: i64) -> Op {
    Op::PutEntry { space: "m".into(), key: key(i), value: vec![7; 300] }
}

fn lease(id: &str) -> LeaseRow {
    LeaseRow {
        id: id.to_owned(),
        mount: "m".into(),
        backend: "b".into(),
        generation: 1,
        token: Some("0123456789abcdef0123456789abcdef".into()),
        object_key: Some(id.to_owned()),
        state: LeaseState::Pending,
        version: 1,
        due_at: Some(Timestamp(5)),
        body: vec![7; 600],
    }
}
