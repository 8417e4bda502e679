//! Notes: one entry each.

use engine_sdk::time::Timestamp;
use engine_sdk::types::{Failure, Kind, Reply, Request};
use engine_sdk::{Context, RouteBuilder, failure};
use serde::{Deserialize, Serialize};

/// Where all notes are listed; also the prefix of their entries.
pub(crate) const FOLDER: &str = "notes/";
/// One note.
pub(crate) const NOTE: &str = "notes/{name}";

pub(crate) fn folder() -> RouteBuilder {
    engine_sdk::route(FOLDER).list().synopsis("Lists the notes.")
}

pub(crate) fn route() -> RouteBuilder {
    engine_sdk::route(NOTE)
        .read()
        .upsert()
        .delete()
        .field("text", Kind::Text, "What the note says.")
        .field("ttl", Kind::Seconds, "How long it can be read; as long as the mount's default lease, if not given.")
        .synopsis("Reads, writes and deletes a note.")
}

/// As it is stored. A field that is added later needs a default, or a new storage format and a migration.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    text: String,
    owner: String,
    expires: Timestamp,
}

/// As it was sent: the host has checked and converted the fields by their kinds.
#[derive(Deserialize)]
struct Sent {
    text: Option<String>,
    ttl: Option<u64>,
}

/// As clients see it.
#[derive(Serialize)]
struct Shown<'a> {
    text: &'a str,
    owner: &'a str,
    expires: String,
}

fn key(name: &str) -> String {
    format!("{FOLDER}{name}")
}

/// The note of this name, if its time has not come.
pub(crate) fn load(ctx: &Context, name: &str) -> Result<Option<Note>, Failure> {
    let note: Option<Note> = ctx.storage().get_json(&key(name))?;
    Ok(note.filter(|note| note.expires > ctx.now().into()))
}

pub(crate) fn read(ctx: &Context, name: &str) -> Result<Reply, Failure> {
    match load(ctx, name)? {
        Some(Note { text, owner, expires }) => {
            Reply::data(&Shown { text: &text, owner: &owner, expires: expires.to_string() })
        }
        None => Ok(Reply::none()),
    }
}

pub(crate) fn write(ctx: &Context, name: &str, request: &Request) -> Result<Reply, Failure> {
    let sent: Sent = request.fields()?;
    let before = load(ctx, name)?;
    // On an update, what is not sent stays as it is.
    let text = match (sent.text, before) {
        (Some(text), _) => text,
        (None, Some(note)) => note.text,
        (None, None) => return Err(failure::invalid("a new note needs a text")),
    };
    let owner = ctx.caller().map(|caller| caller.display_name).unwrap_or_default();
    let ttl = sent.ttl.unwrap_or_else(|| ctx.mount().default_ttl);
    let expires = Timestamp::from(ctx.now()).plus(ttl);
    ctx.storage().put_json(&key(name), &Note { text, owner, expires })?;
    Ok(Reply::none())
}

pub(crate) fn delete(ctx: &Context, name: &str) -> Reply {
    ctx.storage().delete(&key(name));
    Reply::none()
}
