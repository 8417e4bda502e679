//! Storage as a guest sees it, over entries in memory.

use std::time::Duration;

use cofferdam_model::view::{Changes, Write};

use super::*;
use crate::memory::{Memory, call};
use crate::net::gate::tests::{Table, border};
use crate::policy::{Limits, Policy};
use crate::state::Stop;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A state with a running call over these committed entries.
fn state(view: &Arc<Memory>, change: impl FnOnce(&mut Limits)) -> Result<State, Box<dyn std::error::Error>> {
    let mut policy = Policy::parse("kv", "engine = 'kv'\nworld = 'secrets'")?;
    change(&mut policy.limits);
    let mut state = State::new(border(&Table::default()), &policy.limits);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let mut active = Active::new(call(view, &[], None), Arc::new(policy), deadline, Vec::new());
    active.keeps = Keeps::Storage;
    state.active = Some(active);
    Ok(state)
}

fn committed(keys: &[&str]) -> Arc<Memory> {
    let view = Memory::default();
    let put = |key: &&str| Write::Put { key: (*key).to_owned(), value: key.as_bytes().to_vec() };
    view.commit(Changes { writes: keys.iter().map(put).collect(), ..Changes::default() });
    Arc::new(view)
}

fn changes(state: State) -> Changes {
    state.active.map(Active::into_changes).unwrap_or_default()
}

fn broken_rule(state: &mut State) -> String {
    match state.active.as_mut().and_then(|a| a.stop.take()) {
        Some(Stop::Guest(rule)) => rule,
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn reads_see_writes_and_are_recorded() -> Outcome {
    let view = committed(&["a"]);
    let mut state = state(&view, |_| {})?;
    assert_eq!(state.get("a".to_owned()).await?, Some(b"a".to_vec()));
    assert_eq!(state.get("b".to_owned()).await?, None);
    state.put("b".to_owned(), b"new".to_vec()).await?;
    state.delete("a".to_owned()).await?;
    assert_eq!(state.get("b".to_owned()).await?, Some(b"new".to_vec()));
    assert_eq!(state.get("a".to_owned()).await?, None);
    state.put("b".to_owned(), b"newer".to_vec()).await?;
    let changes = changes(state);
    let entry = |key: &str, version| Read::Entry { key: key.to_owned(), version };
    assert_eq!(changes.reads, [entry("a", 1), entry("b", 0)]);
    let writes = [Write::Delete { key: "a".to_owned() }, Write::Put { key: "b".to_owned(), value: b"newer".to_vec() }];
    assert_eq!(changes.writes, writes);
    Ok(())
}

#[tokio::test]
async fn listings_merge_what_is_pending() -> Outcome {
    let view = committed(&["a", "b/1", "b/2", "c/1", "d"]);
    let mut state = state(&view, |_| {})?;
    state.delete("a".to_owned()).await?;
    state.delete("b/1".to_owned()).await?;
    state.delete("c/1".to_owned()).await?;
    state.put("e/x/y".to_owned(), Vec::new()).await?;
    state.put("aa".to_owned(), Vec::new()).await?;
    let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    assert_eq!(state.list(String::new(), None, 100).await?, list(&["aa", "b/", "d", "e/"]), "c/ is empty now");
    assert_eq!(state.list(String::new(), None, 2).await?, list(&["aa", "b/"]));
    assert_eq!(state.list(String::new(), Some("b/".to_owned()), 2).await?, list(&["d", "e/"]));
    assert_eq!(state.list(String::new(), Some("e/".to_owned()), 2).await?, list(&[]));
    assert_eq!(state.list("b/".to_owned(), None, 100).await?, list(&["2"]));
    assert_eq!(state.list("e/".to_owned(), None, 100).await?, list(&["x/"]));
    assert_eq!(state.list("none/".to_owned(), None, 100).await?, list(&[]));
    state.put("c/2".to_owned(), Vec::new()).await?;
    assert_eq!(state.list(String::new(), None, 100).await?, list(&["aa", "b/", "c/", "d", "e/"]));
    let ranges: Vec<_> = changes(state)
        .reads
        .into_iter()
        .map(|r| match r {
            Read::Range { prefix, count, newest } => (prefix, count, newest),
            Read::Entry { key, version } => (key, -1, version),
        })
        .collect();
    let range = |prefix: &str, count, newest| (prefix.to_owned(), count, newest);
    assert_eq!(ranges, [range("", 5, 5), range("b/", 2, 3), range("e/", 0, 0), range("none/", 0, 0)]);
    Ok(())
}

#[tokio::test]
async fn pages_of_a_listing_miss_nothing() -> Outcome {
    let keys: Vec<String> = (0..50).map(|i| format!("k{i:02}")).collect();
    let view = committed(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let mut state = state(&view, |_| {})?;
    for key in keys.iter().step_by(3) {
        state.delete(key.clone()).await?;
    }
    for i in (0..50).step_by(7) {
        state.put(format!("k{i:02}+"), Vec::new()).await?;
    }
    let whole = state.list(String::new(), None, 1000).await?;
    assert_eq!(whole.len(), 50 - 17 + 8);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = state.list(String::new(), after.clone(), 4).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    Ok(())
}

#[tokio::test]
async fn scans_merge_and_page() -> Outcome {
    let keys: Vec<String> = (0..200).map(|i| format!("f/k{i:03}")).collect();
    let view = committed(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let mut state = state(&view, |_| {})?;
    state.delete("f/k001".to_owned()).await?;
    state.put("f/k000x".to_owned(), b"new".to_vec()).await?;
    state.put("f/k002".to_owned(), b"changed".to_vec()).await?;
    state.put("g".to_owned(), b"beside".to_vec()).await?;
    let first = state.scan("f/".to_owned(), None, 4).await?;
    let found: Vec<_> = first.iter().map(|e| (e.key.as_str(), e.value.as_slice())).collect();
    let want: [(&str, &[u8]); 4] =
        [("f/k000", b"f/k000"), ("f/k000x", b"new"), ("f/k002", b"changed"), ("f/k003", b"f/k003")];
    assert_eq!(found, want);
    let rest = state.scan("f/".to_owned(), Some("f/k003".to_owned()), 10_000).await?;
    assert_eq!(rest.len(), 196);
    assert_eq!(state.scan(String::new(), Some("f/k199".to_owned()), 10).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn keys_against_the_rule_end_the_call() -> Outcome {
    let long = "k".repeat(1025);
    for key in ["", "/", "a/", "/a", "a//b", "a/../b", "..", ".", "a/.", "a\0b", &long] {
        let mut state = state(&committed(&[]), |_| {})?;
        assert!(state.get(key.to_owned()).await.is_err(), "{key:?}");
        assert!(broken_rule(&mut state).contains("a key"), "{key:?}");
        assert!(state.put(key.to_owned(), Vec::new()).await.is_err(), "{key:?}");
        assert!(state.delete(key.to_owned()).await.is_err(), "{key:?}");
        assert!(changes(state).is_empty());
    }
    for prefix in ["a", "/", "a//", "../", "a/../", "./"] {
        let mut state = state(&committed(&[]), |_| {})?;
        assert!(state.list(prefix.to_owned(), None, 1).await.is_err(), "{prefix:?}");
        assert!(broken_rule(&mut state).contains("a prefix"), "{prefix:?}");
        assert!(state.scan(prefix.to_owned(), None, 1).await.is_err(), "{prefix:?}");
    }
    for key in ["a", "a/b", "...", ".a", "ä/ö", "a b", &long[1..]] {
        assert_eq!(is_key(key), Ok(()), "{key:?}");
    }
    Ok(())
}

#[tokio::test]
async fn volumes_are_limited() -> Outcome {
    let view = committed(&["a"]);
    let mut state = state(&view, |limits| {
        limits.write_bytes = 10_000;
        limits.read_bytes = 200;
    })?;
    assert!(state.put("big".to_owned(), vec![0; MAX_VALUE + 1]).await.is_err());
    assert_eq!(broken_rule(&mut state), "storage: a value larger than 1 MiB");
    state.put("a".to_owned(), vec![0; 9_000]).await?;
    state.put("a".to_owned(), vec![0; 9_000]).await?;
    assert!(state.put("b".to_owned(), vec![0; 9_000]).await.is_err(), "the sum counts");
    assert_eq!(broken_rule(&mut state), "storage: more writes than one call may make");
    for _ in 0..3 {
        state.get("c".to_owned()).await?;
    }
    assert!(state.get("c".to_owned()).await.is_err(), "even nothing costs something");
    assert_eq!(broken_rule(&mut state), "storage: more bytes than one call may read");
    Ok(())
}

#[tokio::test]
async fn a_write_that_nobody_would_keep_ends_the_call() -> Outcome {
    let mut state = state(&committed(&["a"]), |_| {})?;
    state.active()?.keeps = Keeps::Nothing;
    assert!(state.get("a".to_owned()).await?.is_some());
    assert!(state.put("a".to_owned(), Vec::new()).await.is_err());
    assert_eq!(broken_rule(&mut state), "storage: a write in a call whose writes nobody keeps");
    assert!(state.delete("a".to_owned()).await.is_err());
    assert_eq!(broken_rule(&mut state), "storage: a write in a call whose writes nobody keeps");
    assert!(changes(state).writes.is_empty());
    Ok(())
}

#[tokio::test]
async fn outside_of_a_call_there_is_no_storage() -> Outcome {
    let mut state = state(&committed(&["a"]), |_| {})?;
    state.active = None;
    assert!(state.get("a".to_owned()).await.is_err());
    assert!(state.list(String::new(), None, 1).await.is_err());
    Ok(())
}
