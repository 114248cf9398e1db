//! What can go wrong between us and the remote service, and what it means for the caller.

use std::time::Duration;

use jiff::Timestamp;

use super::TransportError;

/// What a caller may conclude from an error, and so what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request itself is at fault: sending it again changes nothing.
    Terminal,
    /// Nothing happened, or happening twice does no harm: try again later.
    Transient,
    /// The allowance of the token is used up; the whole token has to wait.
    Throttled {
        /// How long the remote service asks to wait.
        retry_after: Option<Duration>,
    },
    /// The token is not accepted.
    Unauthorized,
    /// The object is not there.
    NotFound,
    /// It may or may not have happened: look before sending again.
    Ambiguous,
}

/// What a reply says about itself: identifiers under which the remote service filed the request, which its support asks
/// for, and the service's time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestIds {
    /// `X-Request-Id` of the reply.
    pub request_id: Option<String>,
    /// `Atl-Traceid` of the reply.
    pub trace_id: Option<String>,
    /// `Date` of the reply: the clock of the remote service, or of what answered for it.
    pub date: Option<Timestamp>,
    /// Whether the reply comes from a cache: it has an `Age`.
    pub cached: bool,
}

/// A failed call.
///
/// The text is made for people on call and is the same for the same cause, so that it can be put into a condition
/// without rewriting it at every attempt: request ids and waiting times are fields only. Nothing in it repeats a
/// credential of the request, whatever the remote service said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address of the remote service cannot be used.
    #[error("the API address {url:?} cannot be used: {reason}")]
    InvalidBaseUrl {
        /// The address as given, without credentials.
        url: String,
        /// What is wrong with it, and the way out.
        reason: String,
    },
    /// The token cannot be sent at all.
    #[error("the API token cannot be used: {reason}")]
    InvalidToken {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The HTTP client could not be built.
    #[error(
        "the HTTP client could not be set up: {source}; check the proxy settings and that the system has CA certificates"
    )]
    Setup {
        /// The cause.
        source: TransportError,
    },
    /// The request was refused before it was sent, because it could not mean anything.
    #[error("{operation}: {reason}")]
    InvalidRequest {
        /// What was asked.
        operation: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The request could not be written as JSON.
    #[error("{operation}: the request could not be written as JSON: {reason}")]
    Encode {
        /// What was asked.
        operation: &'static str,
        /// Why.
        reason: String,
    },
    /// No connection: the request was certainly not sent.
    #[error("{operation}: cannot reach {address}: {source}")]
    Unreachable {
        /// What was asked.
        operation: &'static str,
        /// The address of the API.
        address: String,
        /// The cause.
        source: TransportError,
    },
    /// The request was sent, at least in part, and no complete reply came.
    #[error("{operation}: no reply from {address}: {source}")]
    Lost {
        /// What was asked.
        operation: &'static str,
        /// The address of the API.
        address: String,
        /// Whether sending it twice would have effects twice.
        effectful: bool,
        /// Whether time ran out, as opposed to a connection that broke.
        timed_out: bool,
        /// The cause.
        source: TransportError,
    },
    /// The remote service answered with an error.
    #[error("{operation}: Statuspage answered {status}{}{}", quoted(message), advice(operation, address, *status))]
    Status {
        /// What was asked.
        operation: &'static str,
        /// The address of the API.
        address: String,
        /// Whether sending it twice would have effects twice.
        effectful: bool,
        /// HTTP status.
        status: u16,
        /// The remote service's own words, as far as they could be found in the body.
        message: String,
        /// First part of the body as it came.
        body: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// What its support asks for.
        request_ids: Box<RequestIds>,
    },
    /// The remote service answered success, but not what was asked for.
    #[error(
        "{operation}: the reply ({status}) is not what the API promises: {reason}; check that the API address is that of Statuspage, not of a proxy or a login page"
    )]
    Undecodable {
        /// What was asked.
        operation: &'static str,
        /// Whether sending it twice would have effects twice.
        effectful: bool,
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
        /// First part of the body as it came.
        body: String,
        /// What its support asks for.
        request_ids: Box<RequestIds>,
    },
    /// The reply is larger than anything the API has reason to send.
    #[error("{operation}: the reply holds more than {limit} {unit}; check that the API address is that of Statuspage")]
    TooLarge {
        /// What was asked.
        operation: &'static str,
        /// Whether sending it twice would have effects twice.
        effectful: bool,
        /// How many are read at most.
        limit: usize,
        /// Of what: bytes, or values of JSON.
        unit: &'static str,
    },
}

fn quoted(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

/// The call that has an answer wherever the API is: one that is not found there is no page but the wrong address.
pub(super) const LIST_PAGES: &str = "list pages";

/// What to do about a status, for the person who reads it.
fn advice(operation: &str, address: &str, status: u16) -> String {
    let words = match status {
        300..=399 => "; redirects are not followed: check the API address",
        401 => "; check the API token",
        403 => "; give the token's user the role that this needs, or use another token",
        404 if operation == LIST_PAGES => {
            let hint = if address.ends_with("/v1") {
                ""
            } else {
                ", which usually ends with /v1"
            };
            return format!("; check the API address {address}{hint}");
        }
        404 => "; it was deleted or never existed, or the token cannot see its page",
        405 => "; the object does not offer this: data points, for example, need a provider of type Self",
        420 | 429 => "; too many requests with this token",
        400 | 409 | 410 | 422 => "; correct the declaration",
        500..=599 => "; this usually passes, but an odd value can cause it too",
        _ => "",
    };
    words.to_owned()
}

impl Error {
    /// What this error means for the caller.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::InvalidBaseUrl { .. } | Self::Setup { .. } | Self::InvalidRequest { .. } | Self::Encode { .. } => {
                ErrorClass::Terminal
            }
            Self::InvalidToken { .. } => ErrorClass::Unauthorized,
            Self::Unreachable { .. } => ErrorClass::Transient,
            Self::Lost { effectful, .. } | Self::Undecodable { effectful, .. } | Self::TooLarge { effectful, .. } => {
                repeatable_unless(*effectful)
            }
            Self::Status {
                status,
                effectful,
                retry_after,
                ..
            } => match *status {
                401 => ErrorClass::Unauthorized,
                404 => ErrorClass::NotFound,
                420 | 429 => ErrorClass::Throttled {
                    retry_after: *retry_after,
                },
                status if leaves_open(status) => repeatable_unless(*effectful),
                0..=u16::MAX => ErrorClass::Terminal,
            },
        }
    }

    /// Whether the remote service may have done what was asked: no reply came, or one that does not say.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Lost { .. } | Self::Undecodable { .. } | Self::TooLarge { .. } => true,
            Self::Status { status, .. } => leaves_open(*status),
            _ => false,
        }
    }

    /// The call that failed; none for errors of the set-up.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        match self {
            Self::InvalidBaseUrl { .. } | Self::InvalidToken { .. } | Self::Setup { .. } => None,
            Self::InvalidRequest { operation, .. }
            | Self::Encode { operation, .. }
            | Self::Unreachable { operation, .. }
            | Self::Lost { operation, .. }
            | Self::Status { operation, .. }
            | Self::Undecodable { operation, .. }
            | Self::TooLarge { operation, .. } => Some(operation),
        }
    }

    /// HTTP status of the reply, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } | Self::Undecodable { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the remote service asks to wait before the same is asked again, whatever the status: one that is down
    /// for maintenance says so too.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Identifiers of the request at the remote service, if there was a reply.
    #[must_use]
    pub fn request_ids(&self) -> Option<&RequestIds> {
        match self {
            Self::Status { request_ids, .. } | Self::Undecodable { request_ids, .. } => Some(request_ids),
            _ => None,
        }
    }

    /// Whether the object is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.class() == ErrorClass::NotFound
    }
}

/// A gateway may have given up on a request that went through behind it.
fn leaves_open(status: u16) -> bool {
    matches!(status, 408 | 500..=599)
}

fn repeatable_unless(effectful: bool) -> ErrorClass {
    if effectful {
        ErrorClass::Ambiguous
    } else {
        ErrorClass::Transient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, effectful: bool) -> Error {
        Error::Status {
            operation: "create component",
            address: "https://api.statuspage.io/v1".to_owned(),
            effectful,
            status,
            message: "Name can't be blank".to_owned(),
            body: String::new(),
            retry_after: Some(Duration::from_secs(7)),
            request_ids: Box::default(),
        }
    }

    #[test]
    fn statuses_have_classes() {
        for status in [301, 400, 403, 405, 409, 410, 418, 422] {
            assert_eq!(answered(status, true).class(), ErrorClass::Terminal, "{status}");
            assert!(!answered(status, true).may_have_happened(), "{status}");
        }
        assert_eq!(answered(401, true).class(), ErrorClass::Unauthorized);
        assert_eq!(answered(404, true).class(), ErrorClass::NotFound);
        for status in [420, 429] {
            let retry_after = Some(Duration::from_secs(7));
            assert_eq!(answered(status, true).class(), ErrorClass::Throttled { retry_after });
        }
        for status in [500, 502, 503, 504] {
            assert_eq!(answered(status, true).class(), ErrorClass::Ambiguous, "{status}");
            assert_eq!(answered(status, false).class(), ErrorClass::Transient, "{status}");
            assert!(answered(status, false).may_have_happened(), "{status}");
        }
    }

    #[test]
    fn an_undecodable_reply_is_ambiguous_for_a_create_only() {
        for (effectful, class) in [(true, ErrorClass::Ambiguous), (false, ErrorClass::Transient)] {
            let error = Error::Undecodable {
                operation: "create component",
                effectful,
                status: 201,
                reason: "it has no id".to_owned(),
                body: String::new(),
                request_ids: Box::default(),
            };
            assert_eq!(error.class(), class);
        }
    }

    #[test]
    fn the_text_has_the_words_of_the_remote_and_the_way_out() {
        assert_eq!(
            answered(422, true).to_string(),
            "create component: Statuspage answered 422: Name can't be blank; correct the declaration"
        );
        assert!(answered(401, false).to_string().ends_with("check the API token"));
    }

    #[test]
    fn a_list_of_pages_that_is_not_found_is_a_wrong_address() {
        for (address, advice) in [
            (
                "http://127.0.0.1:8080",
                "; check the API address http://127.0.0.1:8080, which usually ends with /v1",
            ),
            (
                "http://127.0.0.1:8080/v1",
                "; check the API address http://127.0.0.1:8080/v1",
            ),
        ] {
            let mut error = answered(404, false);
            if let Error::Status {
                operation, address: at, ..
            } = &mut error
            {
                (*operation, *at) = (LIST_PAGES, address.to_owned());
            }
            assert!(error.to_string().ends_with(advice), "{error}");
        }
    }
}
