//! The syncs of a server, as the kernel was asked for them: written down by strace, and made to fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a server syncs from its next start on.
pub struct Syncs {
    folder: PathBuf,
    failing: Option<u32>,
}

impl Syncs {
    pub(crate) fn new(parent: &Path, failing: Option<u32>) -> Self {
        let folder = parent.join("syncs");
        fs::create_dir(&folder).expect("a folder for the syncs");
        Self { folder, failing }
    }

    /// The binary under strace, which attaches from aside: the process that is started becomes the binary itself.
    pub(crate) fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new("strace");
        // A file for each thread: no line of one is cut by another's, and each is of a call that has returned.
        command.args(["-D", "-ff", "-qq", "--seccomp-bpf", "-e", "signal=none", "-e", "trace=fsync,fdatasync"]);
        if let Some(failing) = self.failing {
            command.args(["-e", &format!("inject=fsync,fdatasync:error=EIO:when={failing}")]);
        }
        command.arg("-o").arg(self.folder.join("thread")).arg(binary);
        command
    }

    /// How many have succeeded. A line is written before its thread goes on: what a client was answered is in it.
    pub fn done(&self) -> usize {
        self.count("= 0")
    }

    /// How many were made to fail.
    pub fn failed(&self) -> usize {
        self.count("(INJECTED)")
    }

    fn count(&self, end: &str) -> usize {
        let files = fs::read_dir(&self.folder).expect("a folder of syncs").flatten();
        let texts = files.map(|file| fs::read_to_string(file.path()).expect("a thread's syncs"));
        texts.map(|text| text.lines().filter(|line| line.ends_with(end)).count()).sum()
    }
}
