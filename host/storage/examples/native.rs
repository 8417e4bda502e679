//! Credentials without a server: how many this machine makes where each lease is durable before its user is made and
//! after, and nothing else is done.
//!
//! `native <directory> <script> <url> <clients> <milliseconds>` prints the rate, in a second. The script holds what is said
//! to PostgreSQL for one user, a line for each round trip, with `{name}` and `{number}` in it.
#![expect(clippy::print_stdout, reason = "its output is what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a tool of the benches reads a file of theirs")]

#[path = "parts/rows.rs"]
mod rows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cofferdam_storage::Storage;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use rows::Result;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, script, url, clients, millis] = arguments.as_slice() else {
        return Err("native <directory> <script> <url> <clients> <milliseconds>".into());
    };
    let storage = rows::open(directory).await?;
    let script: Arc<[String]> = std::fs::read_to_string(script)?.lines().map(str::to_owned).collect();
    let mut ready = Vec::new();
    for _ in 0..clients.parse()? {
        ready.push(PgConnection::connect(url).await?);
    }
    let (start, time) = (Instant::now(), Duration::from_millis(millis.parse()?));
    let clients: Vec<_> = ready
        .into_iter()
        .enumerate()
        .map(|(client, database)| {
            let (storage, script) = (storage.clone(), Arc::clone(&script));
            tokio::spawn(async move { make(&storage, database, &script, client, start + time).await })
        })
        .collect();
    let mut made = 0;
    for client in clients {
        made += client.await??;
    }
    println!("{:.1}", f64::from(made) / start.elapsed().as_secs_f64());
    storage.close().await;
    Ok(())
}

/// Makes users, one after the other. Answers how many.
async fn make(
    storage: &Storage,
    mut database: PgConnection,
    script: &[String],
    client: usize,
    end: Instant,
) -> Result<u32> {
    // Each run has names of its own.
    let run = std::process::id();
    let mut made = 0;
    while Instant::now() < end {
        let name = format!("n{run}-{client}-{made}");
        let lease = rows::lease(&format!("db/creds/app/{name:0>24}"));
        rows::intend(storage, &lease).await?;
        for trip in script {
            let trip = trip.replace("{name}", &name).replace("{number}", &(client + 1).to_string());
            sqlx::raw_sql(AssertSqlSafe(trip)).fetch_all(&mut database).await?;
        }
        rows::activate(storage, lease, i64::from(made)).await?;
        made += 1;
    }
    Ok(made)
}
