//! Compartments that nobody looks into.

use async_trait::async_trait;
use cofferdam_model::engine::Grant;
use cofferdam_model::review::{Denial, Explained, Instances, Report, Review, Reviewed};
use cofferdam_model::{Error, Result};

pub(crate) struct Unseen;

#[async_trait]
impl Review for Unseen {
    async fn engine(&self, _: &str, _: bool) -> Option<Reviewed> {
        None
    }

    fn reports(&self) -> Vec<Report> {
        Vec::new()
    }

    fn denials(&self) -> Vec<Denial> {
        Vec::new()
    }

    fn instances(&self) -> Instances {
        Instances::default()
    }

    async fn explain(&self, _: &str, _: Option<&[Grant]>, _: &str, _: u16) -> Result<Explained> {
        Err(Error::not_found())
    }
}
