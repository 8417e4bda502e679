//! The neighbour of all attackers: a mount of an ordinary engine that is asked over and over, whatever goes on beside it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Api, PATIENCE};
use serde_json::json;

/// An answer that takes so long was held up. Attacks hold their calls for three seconds (`deadline_ms` in their
/// policies), so whoever had to wait for one of them would take longer; undisturbed, it is some hundredths.
const STALL: Duration = Duration::from_millis(2_500);
/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(10);

/// The mount, and what it answered so far.
pub(crate) struct Neighbour {
    api: Api,
    answers: Mutex<Vec<Answer>>,
    answered: Condvar,
}

#[derive(Clone, Debug)]
struct Answer {
    asked: Instant,
    took: Duration,
    /// What it said in place of what it should.
    trouble: Option<String>,
}

impl Neighbour {
    /// Mounts it, and asks it for as long as somebody keeps it.
    pub(crate) fn move_in(api: &Api) -> Arc<Self> {
        api.mount("neighbour", "kv");
        api.put("neighbour/greeting", json!({ "text": "hello" })).expect(204);
        let neighbour = Arc::new(Self { api: api.clone(), answers: Mutex::new(Vec::new()), answered: Condvar::new() });
        let kept = Arc::downgrade(&neighbour);
        thread::spawn(move || {
            while let Some(neighbour) = kept.upgrade() {
                neighbour.ask();
                drop(neighbour);
                thread::sleep(PAUSE);
            }
        });
        neighbour
    }

    /// The neighbour does not notice this: it answers well and at once, all the while and once more afterwards.
    #[track_caller]
    pub(crate) fn unnoticed<T>(&self, attack: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let came = attack();
        for answer in self.answers(begun, Instant::now()) {
            assert!(answer.trouble.is_none(), "the neighbour answered {:?}", answer.trouble);
            assert!(answer.took < STALL, "the neighbour was held up for {:?}", answer.took);
        }
        came
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self) {
        let asked = Instant::now();
        // Not its secret: an answer that was remembered would say nothing of its compartment.
        let said = self.api.try_send("LIST", "neighbour", None);
        let took = asked.elapsed();
        let trouble = match said {
            Ok(reply) if reply.status == 200 && reply.body["data"]["keys"][0] == "greeting" => None,
            Ok(reply) => Some(format!("{}: {}", reply.status, reply.body)),
            Err(error) => Some(error),
        };
        self.lock().push(Answer { asked, took, trouble });
        self.answered.notify_all();
    }

    /// What was asked or answered between two moments, and the first that was asked after them.
    #[track_caller]
    fn answers(&self, begun: Instant, over: Instant) -> Vec<Answer> {
        let not_yet = |answers: &mut Vec<Answer>| answers.last().is_none_or(|last| last.asked < over);
        let (answers, waited) =
            self.answered.wait_timeout_while(self.lock(), PATIENCE, not_yet).unwrap_or_else(PoisonError::into_inner);
        let seen = answers.iter().rev().take_while(|answer| answer.asked + answer.took >= begun).cloned().collect();
        drop(answers);
        assert!(!waited.timed_out(), "the neighbour has not answered for {PATIENCE:?}");
        seen
    }
}
