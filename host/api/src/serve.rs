//! The service itself: one request in, one answer out, whatever happens in between.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{ConnectInfo, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Request as HttpRequest, Response as HttpResponse, StatusCode};
use cofferdam_model::{Error, Request, Response, Result, ids};
use futures::FutureExt;

use crate::detach::Detach;
use crate::request::{self, NAMESPACE, Refusal};
use crate::{Handler, Limits, error, leftover, response};

/// What a listener serves: it gives each connection its service, which knows the client's address.
pub type Service = IntoMakeServiceWithConnectInfo<Router, SocketAddr>;

/// The API for one listener.
pub fn service<H: Handler>(handler: Arc<H>, limits: Limits) -> Service {
    router(handler, limits).into_make_service_with_connect_info::<SocketAddr>()
}

struct Shared<H> {
    handler: Arc<H>,
    limits: Limits,
}

/// There is one route: what a path means is the vault's matter.
pub(crate) fn router<H: Handler>(handler: Arc<H>, limits: Limits) -> Router {
    Router::new().fallback(entry::<H>).with_state(Arc::new(Shared { handler, limits }))
}

async fn entry<H: Handler>(State(shared): State<Arc<Shared<H>>>, request: HttpRequest<Body>) -> HttpResponse<Body> {
    let (parts, mut body) = request.into_parts();
    let id = ids::uuid();
    let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let read = request::read(id.clone(), &parts, &mut body, remote, &shared.limits).await;
    // Before the work: a client may send its next request as soon as it has the answer.
    let more = leftover::take(&parts, &mut body).await;
    let mut answer = match read {
        Ok(request) => serve(&shared, request, &id).await,
        Err(refusal) => refuse(refusal, &id),
    };
    shared.handler.answered(answer.status().as_u16());
    if let Some(namespace) = parts.headers.get(NAMESPACE) {
        answer.headers_mut().insert(NAMESPACE, namespace.clone());
    }
    if !more {
        leftover::close(parts.version, answer.headers_mut());
    }
    answer
}

async fn serve<H: Handler>(shared: &Shared<H>, request: Request, id: &str) -> HttpResponse<Body> {
    let operation = request.operation;
    match guarded(Arc::clone(&shared.handler), request, shared.limits.duration).await {
        Ok(answer) => response::answer(&answer, operation, id),
        Err(problem) => error::answer(&problem, id),
    }
}

/// The handler's work, with an end to the client's wait but not to the work itself: what was begun is finished. A panic
/// in it is this request's failure alone.
async fn guarded<H: Handler>(handler: Arc<H>, request: Request, within: std::time::Duration) -> Result<Response> {
    let work = async move { AssertUnwindSafe(handler.handle(request)).catch_unwind().await };
    match tokio::time::timeout(within, Detach::new(work)).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::internal("a request's handler panicked")),
        Err(_) => Err(Error::unavailable(format!("the request took longer than {} s", within.as_secs()))),
    }
}

fn refuse(refusal: Refusal, id: &str) -> HttpResponse<Body> {
    match refusal {
        Refusal::Silent(status) => error::silent(status),
        Refusal::Bare(status) => response::bare(status),
        Refusal::Error(problem) => error::answer(&problem, id),
        Refusal::Redirect(to) => match HeaderValue::try_from(to) {
            Ok(to) => {
                let mut answer = response::bare(StatusCode::TEMPORARY_REDIRECT);
                answer.headers_mut().insert(LOCATION, to);
                answer
            }
            Err(_) => response::bare(StatusCode::BAD_REQUEST),
        },
    }
}

#[cfg(test)]
mod tests;
