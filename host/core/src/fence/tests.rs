//! Which pairs of store and file are taken for what, crashes between their two writes included.

use std::sync::Mutex as Locked;

use cofferdam_storage::Sqlite;

use super::*;

/// A file that can be copied, lost and made to fail.
#[derive(Default)]
struct File {
    seen: Locked<Option<Seen>>,
    fails: Locked<bool>,
}

impl File {
    fn get(&self) -> Option<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn set(&self, seen: Option<Seen>) {
        *self.seen.lock().unwrap() = seen;
    }

    fn at(&self, file: &str, machine: &str) {
        let mut seen = self.seen.lock().unwrap();
        let text = seen.as_ref().map(|s| s.text.clone()).unwrap_or_default();
        let place = Place { file: Some(file.to_owned()), machine: Some(machine.to_owned()) };
        *seen = Some(Seen { text, place });
    }
}

impl Witness for File {
    fn look(&self) -> io::Result<Option<Seen>> {
        Ok(self.get())
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut seen = self.seen.lock().unwrap();
        let place = seen.as_ref().map(|s| s.place.clone()).unwrap_or_default();
        if text.is_empty() {
            seen.get_or_insert_with(Seen::default);
        } else if *self.fails.lock().unwrap() {
            return Err(io::Error::other("no space"));
        } else {
            *seen = Some(Seen { text: text.to_owned(), place });
        }
        Ok(())
    }
}

async fn world() -> (Arc<Sqlite>, Arc<File>) {
    (Arc::new(Sqlite::memory().await.unwrap()), Arc::new(File::default()))
}

/// A server on this store and file, as it judges them at its start.
async fn start(store: &Arc<Sqlite>, file: &Arc<File>) -> Fence {
    let fence = Fence::new(store.clone(), Some(file.clone()));
    fence.judge().await.unwrap();
    fence
}

async fn reason(store: &Arc<Sqlite>, file: &Arc<File>) -> Option<&'static str> {
    start(store, file).await.reason()
}

#[tokio::test]
async fn the_same_store_and_file_are_never_fenced() {
    let (store, file) = world().await;
    for _ in 0..3 {
        let fence = start(&store, &file).await;
        assert_eq!(fence.reason(), None);
        fence.check().unwrap();
        fence.advance().await.unwrap();
    }
    // Ended before it had moved the mark.
    assert_eq!(reason(&store, &file).await, None);
}

#[tokio::test]
async fn a_crash_at_any_write_is_no_copy() {
    let (store, file) = world().await;
    // Before the first mark: the file is there and empty, and the store knows nothing, or knows what was to come.
    file.write("").unwrap();
    assert_eq!(reason(&store, &file).await, None);
    for _ in 0..2 {
        *file.fails.lock().unwrap() = true;
        start(&store, &file).await.advance().await.unwrap_err();
        assert_eq!(reason(&store, &file).await, None, "the store was told, the file was not");
        *file.fails.lock().unwrap() = false;
        let announced = store.meta(META_FENCE).await.unwrap().unwrap();
        let record: Record = serde_json::from_slice(&announced).unwrap();
        file.write(&record.next.unwrap().text()).unwrap();
        assert_eq!(reason(&store, &file).await, None, "the file was told, the store does not know yet");
        start(&store, &file).await.advance().await.unwrap();
        assert_eq!(reason(&store, &file).await, None);
    }
}

#[tokio::test]
async fn a_store_from_a_backup_is_fenced_until_somebody_lifts_it() {
    let (store, file) = world().await;
    start(&store, &file).await.advance().await.unwrap();
    let backup = store.meta(META_FENCE).await.unwrap().unwrap();
    start(&store, &file).await.advance().await.unwrap();
    store.set_meta(vec![(META_FENCE.to_owned(), backup)]).await.unwrap();
    let fence = start(&store, &file).await;
    assert_eq!(fence.reason(), Some("the store is older than the mark beside it"));
    assert!(fence.check().unwrap_err().to_string().contains("fenced"));
    let stop = watch::Sender::new(false);
    let (lifted, ()) = tokio::join!(fence.lifted(stop.subscribe()), async { fence.lift().await.unwrap() });
    assert!(lifted && fence.reason().is_none());
    assert_eq!(reason(&store, &file).await, None, "what was lifted stays so");
}

#[tokio::test]
async fn a_store_without_its_file_and_a_file_without_its_store() {
    let (store, file) = world().await;
    start(&store, &file).await.advance().await.unwrap();
    let kept = file.get();
    file.set(None);
    assert_eq!(reason(&store, &file).await, Some("the mark that belongs beside the store is missing"));
    file.set(Some(Seen { text: String::new(), place: Place::default() }));
    assert_eq!(reason(&store, &file).await, Some("the mark beside the store is not the store's"));
    file.set(Some(Seen { text: "?".repeat(54), place: Place::default() }));
    assert_eq!(reason(&store, &file).await, Some("the mark beside the store does not read"));
    file.set(kept);
    assert_eq!(reason(&store, &file).await, None);
    let another = Arc::new(Sqlite::memory().await.unwrap());
    assert_eq!(reason(&another, &file).await, Some("the store is older than the mark beside it"));
}

#[tokio::test]
async fn two_copies_that_both_went_on_are_told_apart() {
    let (store, file) = world().await;
    start(&store, &file).await.advance().await.unwrap();
    let (row, text) = (store.meta(META_FENCE).await.unwrap().unwrap(), file.get());
    start(&store, &file).await.advance().await.unwrap();
    let gone_on = file.get();
    store.set_meta(vec![(META_FENCE.to_owned(), row)]).await.unwrap();
    file.set(text);
    start(&store, &file).await.advance().await.unwrap();
    file.set(gone_on);
    assert_eq!(reason(&store, &file).await, Some("the mark beside the store is not the store's"));
}

#[tokio::test]
async fn copies_and_other_machines_are_seen_where_they_can_be() {
    let (store, file) = world().await;
    file.at("one", "here");
    start(&store, &file).await.advance().await.unwrap();
    file.at("two", "here");
    assert_eq!(reason(&store, &file).await, Some("store and mark are copies"));
    file.at("one", "there");
    let fence = start(&store, &file).await;
    assert_eq!(fence.reason(), Some("the store was last used on another machine"));
    fence.lift().await.unwrap();
    assert_eq!(reason(&store, &file).await, None);
    // What is not known is not compared.
    file.set(file.get().map(|seen| Seen { place: Place::default(), ..seen }));
    assert_eq!(reason(&store, &file).await, None);
}

#[tokio::test]
async fn whoever_waits_for_a_fence_that_stays_is_let_go_at_the_end() {
    let (store, file) = world().await;
    start(&store, &file).await.advance().await.unwrap();
    file.set(None);
    let fence = start(&store, &file).await;
    let stop = watch::Sender::new(false);
    let (lifted, _) = tokio::join!(fence.lifted(stop.subscribe()), async { stop.send_replace(true) });
    assert!(!lifted && fence.reason().is_some());
}
