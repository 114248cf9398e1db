//! Who is told of requests: for histograms, logs and traces of the program that uses the client.

use std::time::Duration;

/// Told of every request once it has ended, failed ones included.
pub trait RequestObserver: Send + Sync {
    /// A request has ended. Must not block: the caller of the request waits meanwhile.
    fn request_ended(&self, request: &EndedRequest);
}

/// A request that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedRequest {
    /// What was asked, such as `create component`: one of the client's operations, so that there are few.
    pub operation: &'static str,
    /// What became of it.
    pub outcome: RequestOutcome,
    /// How long it waited for the budget of its token.
    pub waited: Duration,
    /// How long the service took, reading the reply included.
    pub took: Duration,
}

/// What became of a request, as coarse as a label of a metric should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestOutcome {
    /// The service did it.
    Success,
    /// The service refused it: 4xx, or a redirect.
    Refused,
    /// Too many requests with this token: 420 or 429.
    Throttled,
    /// The service failed: 5xx.
    Failed,
    /// No reply, or not a whole one.
    NoReply,
}

impl RequestOutcome {
    /// All of them.
    pub const ALL: [RequestOutcome; 5] = [
        RequestOutcome::Success,
        RequestOutcome::Refused,
        RequestOutcome::Throttled,
        RequestOutcome::Failed,
        RequestOutcome::NoReply,
    ];

    /// What a reply with this status is.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            200..300 => RequestOutcome::Success,
            420 | 429 => RequestOutcome::Throttled,
            500.. => RequestOutcome::Failed,
            _ => RequestOutcome::Refused,
        }
    }

    /// One word, such as `no_reply`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RequestOutcome::Success => "success",
            RequestOutcome::Refused => "refused",
            RequestOutcome::Throttled => "throttled",
            RequestOutcome::Failed => "failed",
            RequestOutcome::NoReply => "no_reply",
        }
    }
}
