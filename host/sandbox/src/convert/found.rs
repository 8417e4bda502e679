//! What an engine shows of its backends, checked.

use cofferdam_model::inventory as model;

use super::results::handle;
use super::{BadAnswer, check_id};
use crate::bindings::exports::cofferdam::engine::inventory as guest;

/// Objects on a page.
const MAX_ITEMS: usize = 1_000;

/// A page of an inventory.
pub(crate) fn page(page: guest::Page) -> Result<model::Page, BadAnswer> {
    if page.items.len() > MAX_ITEMS {
        return Err(BadAnswer(format!("a page of more than {MAX_ITEMS} objects")));
    }
    if let Some(next) = &page.next {
        check_id("next", next, false)?;
    }
    Ok(model::Page { items: page.items.into_iter().map(found).collect::<Result<_, _>>()?, next: page.next })
}

fn found(found: guest::Found) -> Result<model::Found, BadAnswer> {
    check_id("object", &found.object, false)?;
    check_id("kind", &found.kind, false)?;
    check_id("stamp", &found.stamp, false)?;
    Ok(model::Found {
        object: found.object,
        kind: found.kind,
        stamp: found.stamp,
        handle: handle(found.handle)?,
        created_at: found.created_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::cofferdam::engine::types::Handle;

    fn a_user() -> guest::Found {
        guest::Found {
            object: "v-app-1".to_owned(),
            kind: "user".to_owned(),
            stamp: "cofferdam:c/m/1".to_owned(),
            handle: Handle { format: 1, data: "{}".to_owned() },
            created_at: None,
        }
    }

    #[test]
    fn pages_are_bounded_and_names_are_names() {
        let good = guest::Page { items: vec![a_user(); MAX_ITEMS], next: Some("v-app-1".to_owned()) };
        assert_eq!(page(good).map(|page| page.items.len()), Ok(MAX_ITEMS));
        for bad in [
            guest::Page { items: vec![a_user(); MAX_ITEMS + 1], next: None },
            guest::Page { items: Vec::new(), next: Some(String::new()) },
            guest::Page { items: vec![guest::Found { object: String::new(), ..a_user() }], next: None },
            guest::Page { items: vec![guest::Found { stamp: "a\0b".to_owned(), ..a_user() }], next: None },
            guest::Page {
                items: vec![guest::Found { handle: Handle { format: 1, data: "{".to_owned() }, ..a_user() }],
                next: None,
            },
        ] {
            assert!(page(bad).is_err());
        }
    }
}
