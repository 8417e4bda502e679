//! `sys/metrics`.

use cofferdam_model::response::Raw;
use cofferdam_model::route::FieldKind::Text;
use cofferdam_model::{Error, Request, Response, Result};
use futures::future::BoxFuture;

use crate::core::Core;
use crate::metrics;
use crate::native::{Ctx, Routes};

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("metrics", "Metrics of the server and its compartments.")
        .fields(&[("format", Text, "prometheus, or none for JSON.")])
        .read(read)
}

fn read(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { answer(ctx.core, ctx.request).await })
}

/// The metrics in the format that the request asks for.
pub(crate) async fn answer(core: &Core, request: &Request) -> Result<Response> {
    let format = request.data.get("format").and_then(|f| f.as_str()).unwrap_or_default();
    match format {
        "" if !request.wants_metrics_text => {
            Ok(Response { bare: true, ..Response::with_value(&metrics::json(core).await?) })
        }
        "" | "prometheus" if !core.settings.prometheus => Err(Error::invalid("prometheus is not enabled")),
        "" | "prometheus" => {
            let raw = Raw { media_type: metrics::TEXT, text: metrics::text(core).await? };
            Ok(Response { raw: Some(raw), ..Response::default() })
        }
        other => Err(Error::invalid(format!("metric response format {other:?} unknown"))),
    }
}
