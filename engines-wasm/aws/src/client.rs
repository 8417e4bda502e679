//! The AWS side: IAM and STS calls, and what is done with them. Knows nothing of mounts, roles and configurations.

mod end;
mod error;
mod keys;
mod session;
mod stock;
mod transport;
mod user;

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_iam as iam;
use aws_sdk_sts as sts;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use engine_sdk::types::Cause;
use serde::{Deserialize, Serialize};

pub(crate) use end::{Ended, Ours, end_user};
pub(crate) use error::Error;
pub(crate) use keys::{accepted, create_key, delete_key, delete_own_key, keys_of};
pub(crate) use session::{Session, Way, open};
pub(crate) use stock::{Stamped, page_of_stamped, stamped, user_id};
pub(crate) use transport::run;
pub(crate) use user::{Recipe, create_user};

/// What one attempt of one request may take.
const ATTEMPT: Duration = Duration::from_secs(15);
/// The SDK's usual number.
const USUAL_ATTEMPTS: u32 = 3;
/// More would only keep the caller waiting.
const MOST_ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// The keys with which requests are signed.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

/// Where AWS is, for one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) iam: Endpoint,
    /// STS, and where else it is asked if it does not answer.
    pub(crate) sts: Vec<Endpoint>,
    /// Negative: the usual number.
    pub(crate) max_retries: i64,
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    /// For which requests are signed.
    pub(crate) region: String,
}

/// Clients for the time of one call.
pub(crate) struct Client {
    /// Repeats what failed in passing.
    iam: iam::Client,
    /// Repeats nothing: what makes something must not be sent twice unless AWS said no.
    iam_once: iam::Client,
    sts: Vec<sts::Client>,
    attempts: u32,
    /// Nothing is begun after that.
    deadline: Instant,
}

impl Client {
    /// Clients that work at most so long.
    pub(crate) fn new(place: &Place, keys: &Keys, budget: Duration) -> Self {
        let attempts = u32::try_from(place.max_retries).map_or(USUAL_ATTEMPTS, |n| n.saturating_add(1));
        let attempts = attempts.min(MOST_ATTEMPTS);
        let retry = RetryConfig::standard().with_max_attempts(attempts);
        let once = RetryConfig::disabled();
        let sts = place.sts.iter().map(|at| {
            let config = sts::Config::builder()
                .region(sts::config::Region::new(at.region.clone()))
                .endpoint_url(&at.url)
                .credentials_provider(credentials(keys))
                .retry_config(retry.clone())
                .timeout_config(timeouts(budget))
                .http_client(transport::http())
                .sleep_impl(transport::Sleep);
            sts::Client::from_conf(config.build())
        });
        let iam = |retry: RetryConfig| {
            let config = iam::Config::builder()
                .region(iam::config::Region::new(place.iam.region.clone()))
                .endpoint_url(&place.iam.url)
                .credentials_provider(credentials(keys))
                .retry_config(retry)
                .timeout_config(timeouts(budget))
                .http_client(transport::http())
                .sleep_impl(transport::Sleep);
            iam::Client::from_conf(config.build())
        };
        Self {
            sts: sts.collect(),
            iam: iam(retry.clone()),
            iam_once: iam(once),
            attempts,
            deadline: Instant::now() + budget,
        }
    }

    /// Whether there is time to begin something.
    fn in_time(&self) -> Result<(), Error> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(Error::late()) }
    }

    /// Makes something: again only where AWS refused for now, so that nothing is made twice.
    async fn make<T>(&self, mut call: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            self.in_time()?;
            match call().await {
                Err(error) if error.cause == Cause::Throttled && error.untouched && attempt < self.attempts => {}
                // If our clock is wrong, the SDK has learnt of it from the answer and signs for AWS's time from now on.
                Err(error) if error.unsigned && error.untouched && attempt == 1 => {}
                result => return result,
            }
            self.pause(attempt).await?;
            attempt += 1;
        }
    }

    /// Does something to a user that was made a moment ago, and that not every part of AWS knows yet.
    async fn soon<T>(&self, user: &str, mut call: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            self.in_time()?;
            match call().await {
                Err(error) if error.is_missing() && error.message.contains(user) => {}
                result => return result,
            }
            self.pause(attempt).await?;
            attempt += 1;
        }
    }

    async fn pause(&self, attempt: u32) -> Result<(), Error> {
        let pause = FIRST_PAUSE.saturating_mul(1 << attempt.min(8)).min(LONGEST_PAUSE);
        if Instant::now() + pause >= self.deadline {
            return Err(Error::late());
        }
        transport::sleep(pause).await;
        Ok(())
    }
}

fn credentials(keys: &Keys) -> Credentials {
    Credentials::new(&keys.access_key, &keys.secret_key, None, None, "slot")
}

fn timeouts(budget: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(budget).operation_attempt_timeout(ATTEMPT.min(budget)).build()
}
