//! Entries that several callers want at once are read together: one visit to SQLite's thread, and one look at what was
//! committed, for all of them.
//!
//! Whoever gets a lane first reads for those who wait as well. What is asked for is always read after it was asked for.

use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use sqlx::{Row as _, SqliteConnection};
use tokio::sync::oneshot;

use super::entries;
use super::fault::Fault;
use super::lanes::Lanes;
use crate::port::StoredEntry;

/// The most that is read at once. A power of two: statements are kept prepared, so there must be few of them.
const TOGETHER: usize = 32;

/// The statements with room for 1, 2, 4 entries and so on.
static STATEMENTS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..=TOGETHER.ilog2()).map(|power| sql(1 << power)).collect());

type Answer = Result<Option<StoredEntry>, Fault>;

struct Ask {
    space: String,
    key: String,
    answer: oneshot::Sender<Answer>,
}

/// Those who wait for entries.
#[derive(Default)]
pub(super) struct Gathered {
    waiting: Mutex<Vec<Ask>>,
}

impl Gathered {
    /// The entry under this key.
    pub(super) async fn get(&self, lanes: &Lanes, space: &str, key: &str) -> Answer {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.lock().push(Ask { space: space.to_owned(), key: key.to_owned(), answer });
            // Whoever is about to ask may come first.
            tokio::task::yield_now().await;
            let answer = loop {
                tokio::select! {
                    biased;
                    answer = &mut answered => break answer,
                    lane = lanes.take() => self.serve(&mut *lane.ok_or_else(Fault::closed)?).await,
                }
            };
            // Whoever read for us may have been stopped: then it is asked anew.
            if let Ok(answer) = answer {
                return answer;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// Reads for some of those who wait.
    async fn serve(&self, conn: &mut SqliteConnection) {
        let asks: Vec<Ask> = {
            let mut waiting = self.lock();
            let some = waiting.len().min(TOGETHER);
            waiting.drain(..some).collect()
        };
        if asks.len() > 1
            && let Ok(found) = read(conn, &asks).await
        {
            for (ask, found) in asks.into_iter().zip(found) {
                answer(ask.answer, Ok(found));
            }
            return;
        }
        // Also where they could not be read together: what is wrong with one must not concern the others.
        one_by_one(conn, asks).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Ask>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(to: oneshot::Sender<Answer>, with: Answer) {
    // The caller may have gone.
    let _ = to.send(with);
}

async fn one_by_one(conn: &mut SqliteConnection, asks: Vec<Ask>) {
    for ask in asks {
        let found = entries::get(conn, &ask.space, &ask.key).await;
        answer(ask.answer, found);
    }
}

/// The entries that are asked for, in this order.
async fn read(conn: &mut SqliteConnection, asks: &[Ask]) -> Result<Vec<Option<StoredEntry>>, Fault> {
    // The last is asked for again until there are as many as a statement has room for.
    let room = asks.len().next_power_of_two();
    let statement = STATEMENTS.get(room.ilog2() as usize).ok_or_else(|| Fault::bug("too many entries at once"))?;
    let mut query = sqlx::query(statement.as_str());
    for ask in asks.iter().chain(std::iter::repeat_n(&asks[asks.len() - 1], room - asks.len())) {
        query = query.bind(&ask.space).bind(&ask.key);
    }
    let mut found: Vec<Option<StoredEntry>> = asks.iter().map(|_| None).collect();
    for row in query.fetch_all(conn).await? {
        let place = usize::try_from(row.try_get::<i64, _>(3)?).unwrap_or(usize::MAX);
        if let Some(found) = found.get_mut(place) {
            *found = Some(entries::entry(&row)?);
        }
    }
    Ok(found)
}

/// One look-up in the index for each, in one statement. A CROSS JOIN is made in the order in which it is written.
fn sql(room: usize) -> String {
    let mut sql = "WITH asked (place, space, key) AS (VALUES ".to_owned();
    for place in 0..room {
        let _ = write!(sql, "{}({place}, ?, ?)", if place == 0 { "" } else { ", " });
    }
    sql.push_str(
        ") SELECT entries.key, entries.version, entries.value, asked.place FROM asked CROSS JOIN entries \
         ON entries.space = asked.space AND entries.key = asked.key",
    );
    sql
}
