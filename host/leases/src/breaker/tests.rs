//! Tests of the breakers.

use cofferdam_model::clock::ManualClock;
use futures::FutureExt;

use super::*;

fn key(name: &str) -> BackendKey {
    ("m".to_owned(), name.to_owned())
}

const NOW: Timestamp = Timestamp(1_000_000_000_000);

#[test]
fn pauses_double_and_close_again() {
    let breakers = Breakers::new(1, 1);
    let key = key("b");
    assert_eq!(breakers.open_until(&key, NOW), None);
    assert_eq!(breakers.trip(&key, NOW), NOW.plus_seconds(1));
    assert_eq!(breakers.trip(&key, NOW), NOW.plus_seconds(1), "one failure, however many saw it");
    let later = NOW.plus_seconds(1);
    assert_eq!(breakers.trip(&key, later), later.plus_seconds(2));
    assert_eq!(breakers.open(later), std::slice::from_ref(&key));
    breakers.close(&key);
    assert_eq!(breakers.open_until(&key, later), None);
    assert_eq!(breakers.remembered(), 0, "nothing is remembered of a backend that answers");
}

#[test]
fn a_clock_that_was_put_back_does_not_shut_a_backend_for_a_day() {
    let breakers = Breakers::new(1, 1);
    breakers.trip(&key("b"), NOW.plus_seconds(86_400));
    assert_eq!(breakers.open_until(&key("b"), NOW), None);
    assert_eq!(breakers.trip(&key("b"), NOW), NOW.plus_seconds(2));
}

#[test]
fn a_backend_has_only_its_own_share() {
    let breakers = Breakers::new(4, 2);
    let clock = ManualClock::new(NOW);
    let (slow, other) = (key("slow"), key("other"));
    let held: Vec<_> = (0..2).map(|_| breakers.enter(&slow, true, &clock).now_or_never()).collect();
    assert!(held.iter().all(|p| matches!(p, Some(Ok(_)))));
    assert!(breakers.enter(&slow, true, &clock).now_or_never().is_none());
    assert!(matches!(breakers.enter(&other, true, &clock).now_or_never(), Some(Ok(_))));
    drop(held);
    assert_eq!(breakers.remembered(), 0);
}

#[test]
fn backends_that_failed_leave_half_of_the_permits_to_the_others() {
    let breakers = Breakers::new(4, 4);
    let clock = ManualClock::new(NOW);
    let dead: Vec<_> = (0..9).map(|n| key(&format!("dead{n}"))).collect();
    for key in &dead {
        breakers.trip(key, NOW);
    }
    clock.advance_seconds(1);
    let mut held = Vec::new();
    for key in &dead {
        // One probes; the second caller of the same backend waits for what it finds.
        held.extend(breakers.enter(key, true, &clock).now_or_never());
        assert!(breakers.enter(key, true, &clock).now_or_never().is_none());
    }
    assert_eq!(held.len(), 2);
    let good = key("good");
    let passes: Vec<_> = (0..2).map(|_| breakers.enter(&good, true, &clock).now_or_never()).collect();
    assert!(passes.iter().all(|p| matches!(p, Some(Ok(_)))));
}

#[tokio::test]
async fn whoever_waited_learns_what_the_others_found() {
    let breakers = Breakers::new(4, 1);
    let clock = ManualClock::new(NOW);
    let key = key("b");
    let first = breakers.enter(&key, true, &clock).await;
    let (second, third) = (breakers.enter(&key, true, &clock), breakers.enter(&key, false, &clock));
    let end = async {
        breakers.trip(&key, NOW);
        drop(first);
    };
    let (second, third, ()) = tokio::join!(second, async { third.await.map(drop) }, end);
    assert_eq!(second.err(), Some(NOW.plus_seconds(1)));
    assert_eq!(third.err(), None, "whoever is not patient asks all the same");
}

#[test]
fn retries_never_stop_and_never_wait_long() {
    for attempts in 1..100 {
        let pause = retry_after(attempts);
        assert!((1..=750).contains(&pause), "{pause}");
    }
}
