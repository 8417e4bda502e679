//! A backend in memory: objects with stamps, and moods.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use cofferdam_leases::{Backends, Lease};
use cofferdam_model::engine::{CallError, Cause, Done, Ended, EngineLease, Failure, Handle, Issued, Renewed};
use cofferdam_model::view::Changes;
use cofferdam_model::{Error, Result, SecretText};
use tokio::sync::Notify;

use crate::steps::Steps;

/// How a backend takes the next revocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    Unreachable,
    Conflict,
    /// Says no, and to come again after so many seconds.
    Refused(u64),
    Fault,
    /// Does what it is asked to and loses its answer.
    Mute,
    /// Does not answer until the mood changes.
    Hangs,
    Panics,
}

/// What a create comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creates {
    Well,
    /// The object is there; the answer is lost.
    Mute,
    /// Nothing is there, and nothing will be.
    Untouched,
    /// The call never reached the engine.
    NotStarted,
    /// The host's trouble ends the call after the object was made.
    HostTrouble,
    /// Nothing yet: the object appears when [`Backend::release`] is called.
    Zombie,
}

#[derive(Default)]
struct State {
    /// Object → stamp.
    objects: BTreeMap<String, String>,
    zombies: BTreeMap<String, String>,
    moods: HashMap<String, Mood>,
    /// Revocations asked for, by backend.
    asked: HashMap<String, u32>,
    under_way: HashMap<String, u32>,
    most_under_way: HashMap<String, u32>,
    released: usize,
}

#[derive(Default)]
pub(crate) struct Backend {
    state: Mutex<State>,
    changed: Notify,
    pub(crate) steps: Steps,
}

impl Backend {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set_mood(&self, backend: &str, mood: Mood) {
        self.state().moods.insert(backend.to_owned(), mood);
        self.changed.notify_waiters();
    }

    fn mood(&self, backend: &str) -> Mood {
        self.state().moods.get(backend).copied().unwrap_or(Mood::Good)
    }

    pub(crate) fn objects(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// Puts an object there that is somebody else's.
    pub(crate) fn plant(&self, object: &str, stamp: &str) {
        self.state().objects.insert(object.to_owned(), stamp.to_owned());
    }

    /// How often a backend was asked to revoke.
    pub(crate) fn asked(&self, backend: &str) -> u32 {
        self.state().asked.get(backend).copied().unwrap_or(0)
    }

    pub(crate) fn most_under_way(&self, backend: &str) -> u32 {
        self.state().most_under_way.get(backend).copied().unwrap_or(0)
    }

    pub(crate) fn released(&self) -> usize {
        self.state().released
    }

    /// Zombie creates show their effect now.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        let zombies = std::mem::take(&mut state.zombies);
        state.objects.extend(zombies);
    }

    pub(crate) async fn create(&self, lease: EngineLease, how: Creates) -> Result<Done<Issued>, CallError> {
        self.steps.pass().await;
        let (object, stamp) = (lease.object.clone(), lease.stamp);
        let untouched = |message: &str| failure(Cause::Refused, message, true);
        if how == Creates::NotStarted {
            return Err(CallError::NotStarted(Error::unavailable("nothing was free in time")));
        }
        if how == Creates::Untouched || self.state().objects.contains_key(&object) {
            return Err(untouched("it was not made"));
        }
        if how == Creates::Zombie {
            self.state().zombies.insert(object, stamp);
            return Err(CallError::Fault(Error::backend("it did not answer in time")));
        }
        self.state().objects.insert(object, stamp);
        self.steps.pass().await;
        match how {
            Creates::Mute => Err(CallError::Fault(Error::backend("the answer was lost"))),
            Creates::HostTrouble => Err(CallError::Host(Error::unavailable("the store is down"))),
            _ => Ok(Done {
                value: Issued {
                    data: SecretText::new("{}"),
                    warnings: Vec::new(),
                    handle: Some(Handle { format: 1, data: "\"made\"".to_owned() }),
                },
                changes: Changes::default(),
            }),
        }
    }

    fn take(&self, lease: &Lease) -> Result<Ended, CallError> {
        let mut state = self.state();
        match state.objects.get(&lease.record.object) {
            None => Ok(Ended::Absent),
            Some(stamp) if *stamp == lease.record.stamp => {
                state.objects.remove(&lease.record.object);
                Ok(Ended::Removed)
            }
            Some(_) if lease.record.confirmed => Err(failure(Cause::Conflict, "it bears another stamp", false)),
            Some(_) => Ok(Ended::Absent),
        }
    }

    async fn answer(&self, lease: &Lease) -> Result<Ended, CallError> {
        loop {
            let changed = self.changed.notified();
            match self.mood(&lease.backend) {
                Mood::Good => return self.take(lease),
                Mood::Unreachable => return Err(failure(Cause::Unreachable, "no answer", false)),
                Mood::Conflict => return Err(failure(Cause::Conflict, "it is another database", false)),
                Mood::Refused(after) => {
                    let CallError::Failure(said) = failure(Cause::Throttled, "not now", false) else { unreachable!() };
                    return Err(CallError::Failure(Failure { retry_after: Some(after), ..said }));
                }
                Mood::Fault => return Err(CallError::Fault(Error::backend("it broke"))),
                Mood::Mute => {
                    self.take(lease)?;
                    return Err(CallError::Fault(Error::backend("the answer was lost")));
                }
                Mood::Hangs => changed.await,
                Mood::Panics => panic!("the engine's port broke"),
            }
        }
    }
}

pub(crate) fn failure(cause: Cause, message: &str, untouched: bool) -> CallError {
    CallError::Failure(Failure { cause, message: message.to_owned(), retry_after: None, untouched })
}

/// Counts a call for as long as it runs.
struct UnderWay<'a>(&'a Backend, String);

impl<'a> UnderWay<'a> {
    fn new(backend: &'a Backend, name: &str) -> Self {
        let mut state = backend.state();
        *state.asked.entry(name.to_owned()).or_default() += 1;
        let now = state.under_way.entry(name.to_owned()).or_default();
        *now += 1;
        let now = *now;
        let most = state.most_under_way.entry(name.to_owned()).or_default();
        *most = now.max(*most);
        drop(state);
        Self(backend, name.to_owned())
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(now) = self.0.state().under_way.get_mut(&self.1) {
            *now -= 1;
        }
    }
}

#[async_trait]
impl Backends for Backend {
    async fn revoke(&self, lease: &Lease) -> Result<Ended, CallError> {
        self.steps.pass().await;
        let _under_way = UnderWay::new(self, &lease.backend);
        let answer = self.answer(lease).await;
        self.steps.pass().await;
        answer
    }

    async fn renew(&self, lease: &Lease, _extended: EngineLease) -> Result<Done<Renewed>, CallError> {
        self.steps.pass().await;
        if !self.state().objects.contains_key(&lease.record.object) {
            return Err(failure(Cause::Missing, "it is gone", false));
        }
        self.steps.pass().await;
        Ok(Done { value: Renewed::default(), changes: Changes::default() })
    }

    async fn released(&self, _mount: &str, _backend: &str, _generation: u64) {
        self.state().released += 1;
    }
}
