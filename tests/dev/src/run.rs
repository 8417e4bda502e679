//! Running other programs: with their output shown, or taken; and keeping some alive until this one ends.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What went wrong, for a person.
pub(crate) type Outcome<T> = Result<T, String>;

/// Runs a command whose output goes to the terminal; an exit status other than 0 is an error.
pub(crate) fn show(command: &mut Command) -> Outcome<()> {
    let status = command.status().map_err(|e| format!("cannot run {}: {e}", name(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", line(command))) }
}

/// Runs a command and takes its output, whatever its exit status.
pub(crate) fn take(command: &mut Command) -> Outcome<Output> {
    command.stdin(Stdio::null()).output().map_err(|e| format!("cannot run {}: {e}", name(command)))
}

/// Standard output of a command that must succeed; what it said on standard error is the error.
pub(crate) fn text(command: &mut Command) -> Outcome<String> {
    let output = take(command)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} ended with {}\n{}", line(command), output.status, said.trim_end()))
    }
}

/// Whether a command runs and succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Asks until the answer is some, or the time is over.
pub(crate) fn wait_for<T>(what: &str, at_most: Duration, mut ask: impl FnMut() -> Option<T>) -> Outcome<T> {
    let end = Instant::now() + at_most;
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if Instant::now() >= end {
            return Err(format!("waited {} s in vain for {what}", at_most.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A process that ends with this one, however this one ends, and whose folder goes with it.
///
/// A shell waits for the other end of a pipe: it closes when this program drops the value, exits, or is killed.
pub(crate) struct Kept {
    child: Child,
    reaper: Child,
}

impl Kept {
    /// Starts the command; `signal` is what ends it, `folder` is removed then.
    pub(crate) fn start(command: &mut Command, signal: &str, folder: &Path) -> Outcome<Self> {
        let child = command.stdin(Stdio::null()).spawn().map_err(|e| format!("cannot start {}: {e}", name(command)))?;
        let reaper = Command::new("sh")
            .args(["-c", REAPER, "reaper", signal, &child.id().to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("cannot start sh: {e}"))?;
        Ok(Self { child, reaper })
    }

    /// Whether it still runs.
    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.reaper.stdin.take() {
            // A reaper that is gone already cannot be told; nothing else to do.
            let _ = pipe.flush();
        }
        let _ = self.child.wait();
        let _ = self.reaper.wait();
    }
}

/// `$1` signal, `$2` process, `$3` folder. Ctrl-C reaches the whole foreground group, so it is ignored here.
const REAPER: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
kill -"$1" "$2" 2>/dev/null
n=0
while kill -0 "$2" 2>/dev/null && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.1; done
rm -rf "$3"
"#;

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    let words = command.get_args().map(|a| a.to_string_lossy().into_owned());
    std::iter::once(name(command)).chain(words).collect::<Vec<_>>().join(" ")
}
