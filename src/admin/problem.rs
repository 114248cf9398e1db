//! What can go wrong with a request, whichever contract it is of. How each contract says it stands in
//! [`super::contracts`].

use axum::Extension;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// Why a credential is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is none, or half of one.
    Missing,
    /// It cannot be read, or its signature is wrong, or nobody here takes such credentials.
    Malformed,
    /// Whoever it names is not known, or has another one.
    Unknown,
    /// It was good until some time ago.
    Expired,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The credentials are missing or not accepted.
    Unauthorized(Refusal),
    /// The caller is known and may not.
    Forbidden,
    /// Parameters are wrong: name and sentence of each, in their order.
    Parameters(Vec<(String, String)>),
    /// The body is larger than anything that is read here.
    TooLarge,
    /// Address and headers are larger than anything that is sent to here in earnest.
    HeadTooLarge,
    /// Too many failed attempts: seconds until the next one.
    Throttled(u64),
    /// More requests are at work than the server takes.
    Overloaded,
    /// The answer took too long.
    Timeout,
    /// Something that the answer needs does not work now.
    Unavailable,
    /// A mistake of ours.
    Internal,
    /// Something that only one contract knows, in its words.
    Worded(StatusCode, String),
}

impl Problem {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Problem::NotFound => StatusCode::NOT_FOUND,
            Problem::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Problem::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Problem::Forbidden => StatusCode::FORBIDDEN,
            Problem::Parameters(_) => StatusCode::BAD_REQUEST,
            Problem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Problem::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Problem::Overloaded | Problem::Timeout | Problem::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Problem::Worded(status, _) => *status,
        }
    }

    /// Seconds after which asking again may help, where that is known.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Problem::Throttled(seconds) => Some(*seconds),
            Problem::Overloaded | Problem::Unavailable | Problem::Worded(StatusCode::TOO_MANY_REQUESTS, _) => Some(1),
            _ => None,
        }
    }

    pub(super) fn sentence(&self, method: &Method) -> String {
        let sentence = match self {
            Problem::NotFound => "Not found.",
            Problem::MethodNotAllowed => return format!("Method \"{method}\" not allowed."),
            Problem::Unauthorized(Refusal::Missing) => "Authentication credentials were not provided.",
            Problem::Unauthorized(Refusal::Expired) => "The credentials have expired.",
            Problem::Unauthorized(_) => "Incorrect authentication credentials.",
            Problem::Forbidden => "You do not have permission to perform this action.",
            Problem::Parameters(parameters) => {
                let all: Vec<String> = parameters
                    .iter()
                    .map(|(name, sentence)| format!("{name}: {sentence}"))
                    .collect();
                return all.join(" ");
            }
            Problem::TooLarge => "The request body is too large.",
            Problem::HeadTooLarge => "The address and the headers are too large.",
            Problem::Throttled(seconds) => {
                return format!("Request was throttled. Expected available in {seconds} seconds.");
            }
            Problem::Overloaded => "Too many requests are in progress; try again.",
            Problem::Timeout => "The answer took too long; try again.",
            Problem::Unavailable => "The credentials cannot be checked now; try again.",
            Problem::Internal => "Internal server error.",
            Problem::Worded(_, sentence) => sentence,
        };
        sentence.to_owned()
    }
}

/// Without a body: [`super::contracts::say_problems`] writes it, in the words of the contract that the path is of.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status(), Extension(self)).into_response()
    }
}
