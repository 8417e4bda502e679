//! From version 1 to version 2: every secret becomes the first version of a key.

use engine_sdk::types::Failure;
use engine_sdk::{Context, failure};

use crate::plain;
use crate::versioned::{Config, Metadata, store};

const PAGE: u32 = 1_000;

pub(crate) fn add_versions(ctx: &Context) -> Result<(), Failure> {
    let now = ctx.now().into();
    let config = Config::default();
    let mut after: Option<String> = None;
    loop {
        let page = ctx.storage().scan(plain::ROOT, after.as_deref(), PAGE);
        for entry in &page {
            let path = entry.key.strip_prefix(plain::ROOT).ok_or_else(|| unreadable(&entry.key))?;
            let text = std::str::from_utf8(&entry.value).map_err(|_| unreadable(&entry.key))?;
            let (_, body) = plain::split(text)?;
            let mut metadata = Metadata::new(now);
            metadata.add_version(now, &config);
            store::put_version(ctx, path, metadata.current, body)?;
            store::put_metadata(ctx, path, &metadata)?;
            ctx.storage().delete(&entry.key);
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => after = Some(last.key.clone()),
            _ => return Ok(()),
        }
    }
}

fn unreadable(key: &str) -> Failure {
    failure::internal(format!("the entry {key:?} cannot be read"))
}
