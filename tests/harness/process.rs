//! A process that ends with the test that started it, however the test ends.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process};

/// A running program. Dropping it kills it; so does the end of the test process, even by SIGKILL, because a shell waits
/// at the other end of a pipe that closes then. Values in statics, which are never dropped, are covered by that too.
pub struct Kept {
    child: Child,
    reaper: Child,
}

impl Kept {
    /// Starts a program; when it is over, `folder` is removed as well if one is given.
    pub fn start(command: &mut Command, folder: Option<PathBuf>) -> Self {
        let child = command.stdin(Stdio::null()).spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let reaper = Command::new("sh")
            .args(["-c", REAPER, "reaper", &child.id().to_string()])
            .args(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Self { child, reaper }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: Signal) {
        signal_process(self.child.id(), signal);
    }

    /// Kills it with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        // Only fails if it has ended already, which is what was asked for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        let _ = self.child.wait();
        let _ = self.reaper.wait();
    }
}

/// A program that may do what every user may, also where the tests run as root.
pub fn powerless(program: impl AsRef<OsStr>) -> Command {
    if !getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--inh-caps=-all", "--bounding-set=-all", "--"]).arg(program);
    command
}

/// Sends a signal to a process by its number.
pub(crate) fn signal_process(id: u32, signal: Signal) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process number");
    // The process may be gone: then there is nobody to tell.
    let _ = kill_process(pid, signal);
}

/// The processes that `id` started.
pub(crate) fn children(id: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|n| n.parse().ok()).collect()
}

/// `$1` process, `$2` folder. A stopped process must be woken to see that its parent died.
const REAPER: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
kids=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
kill -KILL "$1" 2>/dev/null
for kid in $kids; do kill -KILL "$kid" 2>/dev/null; done
n=0
while kill -0 "$1" 2>/dev/null && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.05; done
if [ -n "$2" ]; then rm -rf "$2"; fi
"#;
