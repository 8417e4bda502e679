//! Work that survives its client: dropped before its end, it is finished in the background.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future that runs where it is awaited, and moves to a task of its own when it is dropped unfinished.
///
/// The server drops a request's future as soon as the client hangs up. Half of a request must not stay undone only
/// for that, and a task for every request would cost the many that nobody abandons.
pub(crate) struct Detach<T: Send + 'static> {
    work: Option<Work<T>>,
}

impl<T: Send + 'static> Detach<T> {
    /// Wraps the work.
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(Box::pin(work)) }
    }
}

impl<T: Send + 'static> Future for Detach<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let done = work.as_mut().poll(cx);
        if done.is_ready() {
            self.work = None;
        }
        done
    }
}

impl<T: Send + 'static> Drop for Detach<T> {
    fn drop(&mut self) {
        // Without a runtime (the process is ending) there is nobody left to finish it.
        if let (Some(work), Ok(runtime)) = (self.work.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {

    use futures::poll;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn goes_on_after_its_owner_is_gone() {
        let (start, started) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel::<u8>();
        let mut work = Detach::new(async move {
            started.await.ok();
            done.send(7).ok();
        });
        assert!(poll!(&mut work).is_pending());
        drop(work);
        start.send(()).unwrap();
        assert_eq!(finished.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn is_the_work_itself_otherwise() {
        assert_eq!(Detach::new(async { 3 }).await, 3);
    }
}
