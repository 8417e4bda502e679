//! What is known of a key and its versions.

use std::collections::BTreeMap;

use engine_sdk::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Config;

/// How many versions are kept where nobody said.
const DEFAULT_MAX_VERSIONS: u32 = 10;

/// The most that are kept, whatever was said: all of them must fit into one entry, and go in one call.
const MOST_VERSIONS: u32 = 8_000;

/// A key: one entry, read with every request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Metadata {
    /// The latest version's number; 0: no version was written yet.
    pub(super) current: u64,
    /// The oldest version that is still known; 0 while none was dropped.
    pub(super) oldest: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    #[serde(default)]
    pub(super) max_versions: u32,
    #[serde(default)]
    pub(super) cas_required: bool,
    #[serde(default)]
    pub(super) metadata_cas_required: bool,
    /// Counts the writes of the metadata.
    #[serde(default)]
    pub(super) metadata_version: u64,
    /// Seconds; 0: no limit of the key's own.
    #[serde(default)]
    pub(super) delete_version_after: u64,
    #[serde(default)]
    pub(super) custom: Option<BTreeMap<String, String>>,
    /// By rising number.
    pub(super) versions: Vec<Version>,
    /// Whether the key is still an entry of version 1.
    #[serde(skip)]
    pub(super) is_inherited: bool,
}

/// One version of a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) created: Timestamp,
    /// When it was, or will be, deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deletion: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) destroyed: bool,
}

impl Version {
    /// Whether its data may be shown. Only a version with an end needs to know the time.
    pub(super) fn is_live(&self, now: impl FnOnce() -> Timestamp) -> bool {
        !self.destroyed && self.deletion.is_none_or(|deletion| deletion > now())
    }
}

impl Metadata {
    /// A key without versions.
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            current: 0,
            oldest: 0,
            created: now,
            updated: now,
            max_versions: 0,
            cas_required: false,
            metadata_cas_required: false,
            metadata_version: 0,
            delete_version_after: 0,
            custom: None,
            versions: Vec::new(),
            is_inherited: false,
        }
    }

    /// The version of this number; 0 means the latest.
    pub(super) fn version(&self, number: u64) -> Option<&Version> {
        let number = if number == 0 { self.current } else { number };
        self.versions.iter().rfind(|version| version.number == number)
    }

    pub(super) fn version_mut(&mut self, number: u64) -> Option<&mut Version> {
        self.versions.iter_mut().rfind(|version| version.number == number)
    }

    /// When a version that begins now deletes itself: the shorter of the key's and the mount's limit.
    pub(super) fn deletion(&self, now: Timestamp, config: &Config) -> Option<Timestamp> {
        let of_mount = u64::try_from(config.delete_version_after).ok()?;
        [of_mount, self.delete_version_after].into_iter().filter(|limit| *limit > 0).min().map(|limit| now.plus(limit))
    }

    /// Adds the next version and returns the numbers of those that must go for it.
    pub(super) fn add_version(&mut self, now: Timestamp, config: &Config) -> Vec<u64> {
        self.current += 1;
        self.updated = now;
        let deletion = self.deletion(now, config);
        self.versions.push(Version { number: self.current, created: now, deletion, destroyed: false });

        let limit = match self.max_versions.max(config.max_versions) {
            0 => DEFAULT_MAX_VERSIONS,
            limit => limit.min(MOST_VERSIONS),
        };
        if self.current - self.oldest < u64::from(limit) {
            return Vec::new();
        }
        let last_to_go = self.current - u64::from(limit);
        self.oldest = last_to_go + 1;
        let gone = self.versions.iter().take_while(|version| version.number <= last_to_go).count();
        self.versions.drain(..gone).map(|version| version.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000);

    fn config(max_versions: u32, delete_version_after: i64) -> Config {
        Config { max_versions, delete_version_after, ..Config::default() }
    }

    fn numbers(metadata: &Metadata) -> Vec<u64> {
        metadata.versions.iter().map(|version| version.number).collect()
    }

    #[test]
    fn keeps_ten_versions_unless_told() {
        let mut metadata = Metadata::new(NOW);
        for _ in 0..10 {
            assert!(metadata.add_version(NOW, &config(0, 0)).is_empty());
        }
        assert_eq!(metadata.add_version(NOW, &config(0, 0)), [1]);
        assert_eq!(numbers(&metadata), (2..=11).collect::<Vec<_>>());
        assert_eq!(metadata.oldest, 2);
    }

    #[test]
    fn a_lower_limit_drops_several_at_once_and_the_larger_limit_wins() {
        let mut metadata = Metadata::new(NOW);
        for _ in 0..5 {
            metadata.add_version(NOW, &config(0, 0));
        }
        metadata.max_versions = 2;
        assert_eq!(metadata.add_version(NOW, &config(3, 0)), [1, 2, 3]);
        assert_eq!(metadata.add_version(NOW, &config(0, 0)), [4, 5]);
        assert_eq!(numbers(&metadata), [6, 7]);
        assert_eq!(metadata.add_version(NOW, &config(4, 0)), [0; 0]);
    }

    #[test]
    fn the_most_versions_fit_into_one_entry() -> Result<(), serde_json::Error> {
        let mut metadata = Metadata::new(NOW);
        for _ in 0..=MOST_VERSIONS {
            metadata.add_version(Timestamp::from_unix(4_000_000_000), &config(u32::MAX, 1));
        }
        assert_eq!(metadata.versions.len(), MOST_VERSIONS as usize);
        assert!(serde_json::to_string(&metadata)?.len() < 1 << 20);
        Ok(())
    }

    #[test]
    fn the_shorter_limit_deletes_and_a_negative_one_of_the_mount_switches_off() {
        let mut metadata = Metadata::new(NOW);
        assert_eq!(metadata.deletion(NOW, &config(0, 0)), None);
        assert_eq!(metadata.deletion(NOW, &config(0, 60)), Some(NOW.plus(60)));
        metadata.delete_version_after = 30;
        assert_eq!(metadata.deletion(NOW, &config(0, 0)), Some(NOW.plus(30)));
        assert_eq!(metadata.deletion(NOW, &config(0, 60)), Some(NOW.plus(30)));
        assert_eq!(metadata.deletion(NOW, &config(0, 20)), Some(NOW.plus(20)));
        assert_eq!(metadata.deletion(NOW, &config(0, -1)), None);
    }
}
