//! The failpoints of a server that was built with them, steered through a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::wait::wait_until;

/// A server's failpoints. What is written here holds at once, and over restarts.
pub struct Points {
    folder: PathBuf,
}

impl Points {
    /// Tells the server which folder.
    pub(crate) const VARIABLE: &'static str = "COFFERDAM_FAILPOINTS";

    pub(crate) fn new(parent: &Path) -> Self {
        let folder = parent.join("points");
        fs::create_dir(&folder).expect("a folder for the failpoints");
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on tasks are held at this point, after `passing` of them went by.
    pub fn hold(&self, name: &str, passing: usize) {
        self.instruct(name, &format!("hold {passing}"));
    }

    /// From now on what is done at this point fails.
    pub fn fail(&self, name: &str) {
        self.instruct(name, "fail 0");
    }

    /// Lets go on who is held at this point, and everybody after them.
    pub fn release(&self, name: &str) {
        // It may have been released before.
        let _ = fs::remove_file(self.folder.join(name));
    }

    /// Waits until `count` tasks have arrived at this point since it got its instruction.
    #[track_caller]
    pub fn wait_for(&self, name: &str, count: usize) {
        wait_until(&format!("{count} arrivals at {name}"), || (self.arrivals(name) >= count).then_some(()));
    }

    /// How many tasks have arrived at this point since it got its instruction.
    pub fn arrivals(&self, name: &str) -> usize {
        let bytes = fs::metadata(self.folder.join(format!("{name}.here"))).map_or(0, |m| m.len());
        usize::try_from(bytes).expect("a small number")
    }

    /// So many seconds go by for the server.
    pub fn pass(&self, seconds: i64) {
        self.add("passed", seconds);
    }

    /// The server's clock goes wrong by so many seconds more.
    pub fn leap(&self, seconds: i64) {
        self.add("leapt", seconds);
    }

    fn add(&self, name: &str, seconds: i64) {
        let now: i64 = fs::read_to_string(self.folder.join(name)).map_or(0, |text| text.parse().expect("a number"));
        self.write(name, &(now + seconds).to_string());
    }

    fn instruct(&self, name: &str, text: &str) {
        self.release(name);
        let _ = fs::remove_file(self.folder.join(format!("{name}.here")));
        self.write(name, text);
    }

    /// In one step: the server reads all of it or nothing.
    fn write(&self, name: &str, text: &str) {
        let draft = self.folder.join(format!("{name}.draft"));
        fs::write(&draft, text).expect("an instruction is written");
        fs::rename(draft, self.folder.join(name)).expect("an instruction is put in place");
    }
}
