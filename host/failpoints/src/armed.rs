//! The folder, read at every arrival: what a test wrote a moment ago holds at once.

use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use cap_std::fs::{Dir, OpenOptions};

/// How often a held task looks whether it may go on.
const LOOK: Duration = Duration::from_millis(2);
/// Seconds that have gone by for the server, and not for the machine.
const PASSED: &str = "passed";
/// Seconds that its clock is wrong.
const LEAPT: &str = "leapt";

static FOLDER: OnceLock<Dir> = OnceLock::new();
/// Arrivals are counted one by one.
static ARRIVING: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Hold,
    Fail,
}

/// From now on the points of this process obey the folder. Only the first call counts.
pub fn arm(folder: Dir) {
    let _ = FOLDER.set(folder);
}

/// A task is at a point: returns when it may go on.
pub async fn reach(name: &str) {
    let Some(folder) = FOLDER.get() else { return };
    if arrive(folder, name) != Some(Action::Hold) {
        return;
    }
    while folder.exists(name) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether what is done at a point is to fail.
pub fn fails(name: &str) -> bool {
    FOLDER.get().is_some_and(|folder| arrive(folder, name) == Some(Action::Fail))
}

/// How many seconds more have gone by than the machine counted.
pub fn passed_seconds() -> i64 {
    seconds(PASSED)
}

/// By how many seconds the clock is wrong.
pub fn leapt_seconds() -> i64 {
    seconds(LEAPT)
}

fn seconds(name: &str) -> i64 {
    let text = FOLDER.get().and_then(|folder| folder.read_to_string(name).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Notes an arrival at a point that has an instruction, and answers what it says about this one.
fn arrive(folder: &Dir, name: &str) -> Option<Action> {
    let text = folder.read_to_string(name).ok()?;
    let mut words = text.split_whitespace();
    let action = match words.next() {
        Some("hold") => Action::Hold,
        Some("fail") => Action::Fail,
        _ => return None,
    };
    let passing: u64 = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let _one = ARRIVING.lock().unwrap_or_else(PoisonError::into_inner);
    let here = format!("{name}.here");
    let mut file = folder.open_with(&here, OpenOptions::new().create(true).append(true)).ok()?;
    file.write_all(b".").ok()?;
    let arrivals = file.metadata().ok()?.len();
    (arrivals > passing).then_some(action)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_point_obeys_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let dir = || Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        arm(dir());
        reach("free").await;
        assert!(!fails("free") && passed_seconds() == 0);
        dir().write("leapt", "-7\n").unwrap();
        assert_eq!(leapt_seconds(), -7);

        dir().write("spoilt", "fail 1").unwrap();
        assert_eq!([fails("spoilt"), fails("spoilt"), fails("spoilt")], [false, true, true]);
        reach("spoilt").await;

        dir().write("held", "hold").unwrap();
        let went = AtomicBool::new(false);
        let task = async {
            reach("held").await;
            went.store(true, Ordering::SeqCst);
        };
        let test = async {
            while dir().read("held.here").is_err() {
                tokio::time::sleep(LOOK).await;
            }
            assert!(!went.load(Ordering::SeqCst));
            dir().remove_file("held").unwrap();
        };
        tokio::join!(task, test);
        assert!(went.load(Ordering::SeqCst));
    }
}
