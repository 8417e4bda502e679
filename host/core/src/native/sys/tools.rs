//! `sys/tools`: random bytes and hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cofferdam_model::route::FieldKind::{Integer, Text};
use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde_json::json;

use crate::native::{Ctx, Routes};

const BYTES_MAX: i64 = 131_072;

pub(super) fn routes(table: Routes) -> Routes {
    let format = ("format", Text, "base64 or hex.");
    let bytes = ("bytes", Integer, "How many, 1 to 131072; 32 if not given.");
    table
        .route("tools/random", "Random bytes.")
        .fields(&[bytes, format])
        .write(random)
        .route("tools/random/{a}", "Random bytes.")
        .fields(&[bytes, format])
        .write(random)
        .route("tools/random/{a}/{b}", "Random bytes.")
        .fields(&[bytes, format])
        .write(random)
}

fn random(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let mut count = if ctx.has("bytes") { ctx.number("bytes") } else { 32 };
        for part in [ctx.param("a"), ctx.param("b")] {
            match part {
                "" | "platform" | "seal" | "all" => {}
                number => {
                    count = number.parse().map_err(|_| Error::invalid(format!("bytes: {number:?} is no number")))?
                }
            }
        }
        if !(1..=BYTES_MAX).contains(&count) {
            return Err(Error::invalid(format!("bytes: must be from 1 to {BYTES_MAX}")));
        }
        let mut out = vec![0u8; usize::try_from(count).unwrap_or(0)];
        OsRng.try_fill_bytes(&mut out).map_err(|e| Error::internal(format!("random bytes: {e}")))?;
        let text = match ctx.text("format") {
            "" | "base64" => STANDARD.encode(&out),
            "hex" => hex::encode(&out),
            other => return Err(Error::invalid(format!("format: {other:?} is neither base64 nor hex"))),
        };
        Ok(Response::with_value(&json!({ "random_bytes": text })))
    })
}
