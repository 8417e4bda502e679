//! Where AWS is: the endpoints as the host knows them, and the regions for which requests are signed.

use engine_sdk::types::{Failure, Target};
use engine_sdk::{Context, failure};
use serde::{Deserialize, Serialize};

use crate::client::{Endpoint, Place};

/// What a configuration without a region means.
const USUAL: &str = "us-east-1";
/// In this partition's old STS, which serves all of its regions, requests are signed for the usual one.
const OLD_STS: &str = "https://sts.amazonaws.com";

/// What the configuration says besides endpoints. A lease remembers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Regions {
    pub(crate) region: String,
    pub(crate) sts_region: String,
    pub(crate) sts_fallback_regions: Vec<String>,
    pub(crate) max_retries: i64,
}

impl Regions {
    /// The endpoints of this call's backend.
    pub(crate) fn place(&self, ctx: &Context) -> Result<Place, Failure> {
        let target = ctx.target().ok_or_else(|| failure::internal("this call has no backend"))?;
        self.of(&target)
    }

    fn of(&self, target: &Target) -> Result<Place, Failure> {
        let urls = |field: &str| {
            let of_field = target.endpoints.iter().filter(move |endpoint| endpoint.field == field);
            of_field.map(|endpoint| endpoint.url.clone()).collect::<Vec<_>>()
        };
        let iam = urls("iam_endpoint").into_iter().next().ok_or_else(|| failure::internal("IAM has no endpoint"))?;
        let region = or(&self.region, USUAL);
        let sts_region = or(&self.sts_region, region);
        let own = urls("sts_endpoint").into_iter().map(|url| (url, sts_region));
        let fallbacks = urls("sts_fallback_endpoints").into_iter().enumerate();
        let fallbacks = fallbacks.map(|(at, url)| {
            (url, self.sts_fallback_regions.get(at).map_or(sts_region, |region| or(region, sts_region)))
        });
        let sts = own.chain(fallbacks).map(|(url, region)| {
            let region = if url.trim_end_matches('/') == OLD_STS { USUAL } else { region };
            Endpoint { url, region: region.to_owned() }
        });
        Ok(Place {
            iam: Endpoint { url: iam, region: of_iam(region).to_owned() },
            sts: sts.collect(),
            max_retries: self.max_retries,
        })
    }
}

fn or<'a>(text: &'a str, usual: &'a str) -> &'a str {
    if text.is_empty() { usual } else { text }
}

/// IAM is one for a partition, and takes signatures for one region of it.
fn of_iam(region: &str) -> &'static str {
    let partitions = [
        ("cn-", "cn-north-1"),
        ("us-gov-", "us-gov-west-1"),
        ("us-iso-", "us-iso-east-1"),
        ("us-isob-", "us-isob-east-1"),
        ("us-isof-", "us-isof-south-1"),
        ("eu-isoe-", "eu-isoe-west-1"),
        ("eusc-", "eusc-de-east-1"),
    ];
    partitions.iter().find(|(begin, _)| region.starts_with(begin)).map_or(USUAL, |(_, region)| region)
}

#[cfg(test)]
mod tests {
    use engine_sdk::types::Endpoint as Told;

    use super::*;

    fn target(endpoints: &[(&str, &str)]) -> Target {
        let told = |(field, url): &(&str, &str)| Told { field: (*field).to_owned(), url: (*url).to_owned() };
        Target {
            generation: 1,
            host: "iam.amazonaws.com".to_owned(),
            port: 443,
            location: String::new(),
            endpoints: endpoints.iter().map(told).collect(),
        }
    }

    #[test]
    fn signs_for_the_region_of_the_endpoint() {
        let regions = Regions { region: "eu-central-1".to_owned(), max_retries: -1, ..Regions::default() };
        let target = target(&[
            ("iam_endpoint", "https://iam.amazonaws.com"),
            ("sts_endpoint", "https://sts.eu-central-1.amazonaws.com"),
            ("sts_endpoint", "https://sts.amazonaws.com"),
        ]);
        let place = regions.of(&target).unwrap();
        assert_eq!(place.iam.region, "us-east-1");
        let signed: Vec<_> = place.sts.iter().map(|sts| sts.region.as_str()).collect();
        assert_eq!(signed, ["eu-central-1", "us-east-1"]);
        let gov = Regions { region: "us-gov-east-1".to_owned(), ..regions };
        assert_eq!(gov.of(&target).unwrap().iam.region, "us-gov-west-1");
    }

    #[test]
    fn fallbacks_have_regions_of_their_own() {
        let regions = Regions { sts_fallback_regions: vec!["eu-west-1".to_owned()], ..Regions::default() };
        let target = target(&[
            ("iam_endpoint", "http://iam.corp"),
            ("sts_endpoint", "http://sts.corp"),
            ("sts_fallback_endpoints", "http://a.corp"),
            ("sts_fallback_endpoints", "http://b.corp"),
        ]);
        let signed: Vec<_> = regions.of(&target).unwrap().sts.into_iter().map(|sts| sts.region).collect();
        assert_eq!(signed, ["us-east-1", "eu-west-1", "us-east-1"]);
        assert!(regions.of(&Target { endpoints: Vec::new(), ..target }).is_err());
    }
}
