//! Looks for what earlier calls, its own or others', left behind in memory, and leaves a mark for later ones.

use std::sync::atomic::{AtomicU64, Ordering};

use hostile_guests::{Attack, Failure, Outcome, Request, Route, route, told};
use serde_json::json;

/// Written all over the memory; no other bytes of this component look like it.
const MARK: u64 = 0x5ea1_ed5e_c4e7_0001;
const WORDS: usize = (8 << 20) / 8;

static CALLS: AtomicU64 = AtomicU64::new(0);

struct Residue;

impl Attack for Residue {
    const NAME: &'static str = "residue";

    fn routes() -> Vec<Route> {
        vec![route("attack", None)]
    }

    fn handle(_request: &Request) -> Result<Outcome, Failure> {
        let before = CALLS.fetch_add(1, Ordering::Relaxed);
        let file_before = std::fs::read("left-behind").is_ok();
        let file_now = std::fs::write("left-behind", "x").is_ok();
        told(json!({ "calls_before": before, "marks": search_and_mark(), "files": file_before || file_now }))
    }
}

/// How many words of fresh memory hold the mark; afterwards all of them do.
fn search_and_mark() -> usize {
    let layout = std::alloc::Layout::array::<u64>(WORDS).expect("a small layout");
    // SAFETY: the layout is not empty.
    let memory = unsafe { std::alloc::alloc(layout) }.cast::<u64>();
    assert!(!memory.is_null(), "eight megabytes are within the limit");
    let mut found = 0;
    for word in 0..WORDS {
        // SAFETY: within the allocation. Memory of WebAssembly is always initialized; the reads are volatile, so the
        // compiler assumes nothing of their values. It is never freed: the instance ends with the call.
        unsafe {
            found += usize::from(memory.add(word).read_volatile() == MARK);
            memory.add(word).write_volatile(MARK);
        }
    }
    found
}

hostile_guests::bindings::export_engine!(Residue with_types_in hostile_guests::bindings);
