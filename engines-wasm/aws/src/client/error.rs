//! What AWS says no with, in the contract's terms.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use engine_sdk::failure;
use engine_sdk::types::{Cause, Failure};

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{call}: {message}")]
pub(crate) struct Error {
    pub(crate) cause: Cause,
    /// The operation, as AWS calls it.
    pub(crate) call: &'static str,
    pub(crate) message: String,
    /// The call certainly had no effect.
    pub(crate) untouched: bool,
    /// AWS did not take the signature: the key is wrong, or the clock.
    pub(crate) unsigned: bool,
}

impl Error {
    /// There is no time left to begin something.
    pub(crate) fn late() -> Self {
        Self {
            cause: Cause::Throttled,
            call: "not begun",
            message: "not enough time is left in this call".to_owned(),
            untouched: true,
            unsigned: false,
        }
    }

    /// Found by us, not said by AWS.
    pub(crate) fn ours(cause: Cause, call: &'static str, message: impl Into<String>) -> Self {
        Self { cause, call, message: message.into(), untouched: false, unsigned: false }
    }

    /// There is no such thing.
    pub(crate) fn is_missing(&self) -> bool {
        self.cause == Cause::Missing
    }

    /// From what the SDK says of a call.
    pub(crate) fn of<E>(call: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        move |error| {
            let (cause, untouched) = match &error {
                SdkError::ConstructionFailure(_) => (Cause::Internal, true),
                SdkError::ServiceError(answer) => {
                    let status = answer.raw().status().as_u16();
                    (judge(answer.err().code().unwrap_or_default(), status), (400..500).contains(&status))
                }
                _ => (Cause::Unreachable, false),
            };
            let unsigned = match &error {
                SdkError::ServiceError(answer) => answer.err().code().is_some_and(is_of_signatures),
                _ => false,
            };
            let message = match &error {
                SdkError::ServiceError(answer) => {
                    let (code, status) = (answer.err().code(), answer.raw().status().as_u16());
                    match (code, answer.err().message()) {
                        (Some(code), Some(message)) => format!("{code}: {message}"),
                        (Some(code), None) => code.to_owned(),
                        _ => format!("AWS answered with status {status}"),
                    }
                }
                SdkError::TimeoutError(_) => "AWS did not answer in time".to_owned(),
                other => DisplayErrorContext(other).to_string(),
            };
            Self { cause, call, message, untouched, unsigned }
        }
    }
}

/// What AWS answers to a signature that is wrong or of another time.
fn is_of_signatures(code: &str) -> bool {
    matches!(code, "SignatureDoesNotMatch" | "InvalidSignatureException" | "RequestTimeTooSkewed" | "AuthFailure")
}

/// The cause behind an error code.
fn judge(code: &str, status: u16) -> Cause {
    match code {
        "NoSuchEntity" => Cause::Missing,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown"
        | "EntityTemporarilyUnmodifiable"
        | "ConcurrentModification" => Cause::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "NotAuthorized"
        | "IncompleteSignature"
        | "OptInRequired" => Cause::Denied,
        code if is_of_signatures(code) => Cause::Denied,
        "EntityAlreadyExists" => Cause::Conflict,
        "DeleteConflict" => Cause::Dependent,
        "ValidationError" | "InvalidInput" | "MalformedPolicyDocument" | "PackedPolicyTooLarge" => Cause::Invalid,
        _ if status == 429 => Cause::Throttled,
        _ if status >= 500 => Cause::Unreachable,
        _ => Cause::Refused,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        failure::new(error.cause, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_cause() {
        for (code, status, want) in [
            ("NoSuchEntity", 404, Cause::Missing),
            ("Throttling", 400, Cause::Throttled),
            ("AccessDenied", 403, Cause::Denied),
            ("EntityAlreadyExists", 409, Cause::Conflict),
            ("DeleteConflict", 409, Cause::Dependent),
            ("MalformedPolicyDocument", 400, Cause::Invalid),
            ("LimitExceeded", 409, Cause::Refused),
            ("ServiceFailure", 500, Cause::Unreachable),
            ("", 503, Cause::Unreachable),
            ("", 429, Cause::Throttled),
        ] {
            assert_eq!(judge(code, status), want, "{code} {status}");
        }
    }
}
