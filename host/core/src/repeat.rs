//! What all workers have in common: a round, a nap, the next round, until they are stopped.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// Goes on with rounds until `stop`. A round says how long there will be nothing to do; whoever knows better wakes it.
pub(crate) async fn repeat<R>(mut stop: watch::Receiver<bool>, wake: Option<&Notify>, mut round: impl FnMut() -> R)
where
    R: Future<Output = Duration>,
{
    while !*stop.borrow() {
        let nap = round().await;
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = woken(wake) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

async fn woken(wake: Option<&Notify>) {
    match wake {
        Some(wake) => wake.notified().await,
        None => std::future::pending().await,
    }
}

/// Returns at the end of whoever may stop us, too.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stopped| *stopped).await);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const NAP: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn rounds_follow_naps_and_calls_until_the_end() {
        let (stop, stopped) = watch::channel(false);
        let (wake, rounds) = (Notify::new(), Cell::new(0));
        let round = || async {
            rounds.set(rounds.get() + 1);
            NAP
        };
        let mut work = std::pin::pin!(repeat(stopped, Some(&wake), round));
        let mut passes = async |seconds: u64| {
            let over = tokio::time::timeout(Duration::from_secs(seconds), work.as_mut()).await;
            (rounds.get(), over.is_ok())
        };
        assert_eq!(passes(59).await, (1, false));
        assert_eq!(passes(2).await, (2, false), "the nap is over");
        wake.notify_one();
        assert_eq!(passes(1).await, (3, false), "somebody called");
        stop.send_replace(true);
        assert_eq!(passes(1).await, (3, true));
    }

    #[tokio::test]
    async fn nothing_begins_after_the_end() {
        let (_, stopped) = watch::channel(true);
        repeat(stopped, None, || async { panic!("a round after the end") }).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_without_a_word_is_one_too() {
        let (stop, stopped) = watch::channel(false);
        drop(stop);
        let rounds = Cell::new(0);
        let round = || async {
            rounds.set(rounds.get() + 1);
            NAP
        };
        let over = tokio::time::timeout(Duration::from_secs(600), repeat(stopped, None, round)).await;
        assert!(over.is_ok() && rounds.get() == 1, "{}", rounds.get());
    }
}
