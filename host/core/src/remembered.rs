//! Answers that are given again without a call, for as long as the call would say the same.
//!
//! A call that saw only its request, its mount and some entries, and changed nothing, is a function of these. The sandbox
//! sees all that a component can look at and says whether a call was one of those (`Changes::repeatable`); the versions
//! of the entries say whether it still is. Who may ask is decided before, for every request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cofferdam_model::engine::Reply;
use cofferdam_model::view::{Changes, Read, Version};
use cofferdam_model::{Result, SecretText};
use cofferdam_storage::Storage;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::mounts::MountEntry;

/// Bytes of all answers, and roughly of a usual one.
const ALL: u64 = 4 << 20;
const USUAL: u64 = 1 << 10;
/// A larger answer is not worth its place.
const LARGEST: usize = 64 << 10;
/// No answer is given that is older.
const AGE: Duration = Duration::from_secs(60);

/// What is asked, apart from the mount as it is now and the engine that serves it.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) mount: &'a Arc<MountEntry>,
    /// The build of the engine.
    pub(crate) digest: &'a str,
    /// Below the mount.
    pub(crate) path: &'a str,
    /// The fields that the engine would get.
    pub(crate) fields: &'a str,
}

impl Question<'_> {
    fn key(&self) -> String {
        // A uuid is of one length, and no path has a NUL.
        [&self.mount.uuid, self.path, "\0", self.fields].concat()
    }
}

/// Answers of reads.
pub(crate) struct Remembered {
    kept: Cache<String, Arc<Answer>, Weight>,
}

struct Answer {
    mount: Arc<MountEntry>,
    digest: String,
    reads: Vec<(String, Version)>,
    data: Option<SecretText>,
    status: Option<u16>,
    warnings: Vec<String>,
    lease_duration: Option<u64>,
    since: Instant,
}

impl Answer {
    fn weight(&self) -> usize {
        /// What it takes besides.
        const FRAME: usize = 320;
        let reads: usize = self.reads.iter().map(|(key, _)| key.len() + 32).sum();
        let warnings: usize = self.warnings.iter().map(String::len).sum();
        FRAME + self.digest.len() + reads + warnings + self.data.as_ref().map_or(0, |data| data.expose().len())
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<String, Arc<Answer>> for Weight {
    fn weight(&self, key: &String, answer: &Arc<Answer>) -> u64 {
        (key.len() + answer.weight()) as u64
    }
}

impl Default for Remembered {
    fn default() -> Self {
        let usual = usize::try_from(ALL / USUAL).unwrap_or(usize::MAX);
        Self { kept: Cache::with_weighter(usual, ALL, Weight) }
    }
}

impl Remembered {
    /// The answer, if the engine would say it again.
    ///
    /// # Errors
    /// Store trouble.
    pub(crate) async fn find(&self, storage: &Storage, question: Question<'_>) -> Result<Option<Reply>> {
        let key = question.key();
        let Some(answer) = self.kept.get(&key) else { return Ok(None) };
        if answer.holds(storage, question).await? {
            return Ok(Some(answer.reply()));
        }
        self.kept.remove(&key);
        Ok(None)
    }

    /// Remembers what a call came to, if it is of that sort.
    pub(crate) fn keep(&self, question: Question<'_>, reply: &Reply, changes: &Changes) {
        if !changes.repeatable || !changes.is_empty() || reply.data.as_ref().is_some_and(|data| data.len() > LARGEST) {
            return;
        }
        let entry = |read: &Read| match read {
            Read::Entry { key, version } => Some((key.clone(), *version)),
            // To count a range takes longer than most calls.
            Read::Range { .. } => None,
        };
        let Some(reads) = changes.reads.iter().map(entry).collect() else { return };
        let answer = Answer {
            mount: Arc::clone(question.mount),
            digest: question.digest.to_owned(),
            reads,
            data: reply.data.as_deref().map(SecretText::new),
            status: reply.status,
            warnings: reply.warnings.clone(),
            lease_duration: reply.lease_duration,
            since: Instant::now(),
        };
        self.kept.insert(question.key(), Arc::new(answer));
    }

    /// Forgets what is too old to be given.
    pub(crate) fn sweep(&self) {
        self.kept.retain(|_, answer| answer.since.elapsed() < AGE);
    }
}

impl Answer {
    /// The versions need not be asked for at one moment: none comes twice, so what is as it was, was so all the time.
    async fn holds(&self, storage: &Storage, question: Question<'_>) -> Result<bool> {
        // A change of the mount makes a new entry of the table.
        if !Arc::ptr_eq(&self.mount, question.mount) || self.digest != question.digest || self.since.elapsed() >= AGE {
            return Ok(false);
        }
        for (key, version) in &self.reads {
            if storage.version(&self.mount.uuid, key).await? != *version {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn reply(&self) -> Reply {
        Reply {
            data: self.data.as_ref().map(|data| data.expose().to_owned()),
            status: self.status,
            warnings: self.warnings.clone(),
            lease_duration: self.lease_duration,
        }
    }
}
