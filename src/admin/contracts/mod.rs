//! The contracts of others that the API keeps, so that their clients work unchanged: each with its shapes, its words, and
//! where its oddities come from. What is ours stands beside them and borrows their shapes ([`super::resources`],
//! [`super::access`]).
//!
//! Invariant: every failure below a contract's prefix, unknown paths and panics included, has that contract's shape.

pub(super) mod insights;
pub mod panko;
pub(super) mod webitel;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use panko::failure::{self as events, EventsError};
use panko::format::Format;

/// Whose words a path is answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contract {
    /// `/api/v1`
    Insights,
    /// `/api/v2`
    Webitel,
    /// `/v2`
    Panko,
    /// Everything else: probes, metrics, the description of the API.
    Plain,
}

/// An error outside all contracts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlainError {
    /// What is wrong.
    pub error: String,
}

impl Contract {
    pub(super) fn of(path: &str) -> Contract {
        let below = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match path {
            _ if below("/api/v1") => Contract::Insights,
            _ if below("/api/v2") => Contract::Webitel,
            _ if below("/v2") => Contract::Panko,
            _ => Contract::Plain,
        }
    }

    /// The answer that tells of a problem.
    fn say(self, problem: &Problem, method: &Method, path: &str, format: Format) -> Response {
        let mut answer = match self {
            Contract::Insights => insights::failure(problem, method).into_response(),
            Contract::Webitel => webitel::failure(problem, method, path).into_response(),
            Contract::Panko => events::failure(problem, method, format),
            Contract::Plain => {
                let error = problem.sentence(method);
                (problem.status(), Json(PlainError { error })).into_response()
            }
        };
        if let Some(seconds) = problem.retry_after() {
            let headers = answer.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }

    pub(super) fn error_schema(self, generator: &mut SchemaGenerator) -> Schema {
        match self {
            Contract::Insights => generator.subschema_for::<insights::InsightsErrors>(),
            Contract::Webitel => generator.subschema_for::<webitel::WebitelError>(),
            Contract::Panko => generator.subschema_for::<EventsError>(),
            Contract::Plain => generator.subschema_for::<PlainError>(),
        }
    }
}

/// What was asked, beside the answer: for the log, which is written when that is known.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
}

/// [`Problem::TooLarge`], as `tower_http::limit` says it: by this status and a text.
const TOO_LARGE: StatusCode = StatusCode::PAYLOAD_TOO_LARGE;
/// [`Problem::Timeout`], as the middleware lets `tower_http::timeout` say it: by a status that nothing else here has.
pub(super) const TIMED_OUT: StatusCode = StatusCode::GATEWAY_TIMEOUT;

/// Gives every problem that comes out of what is inside the shape of its contract.
pub(super) async fn say_problems(request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let contract = Contract::of(uri.path());
    let format = Format::of(request.headers()).unwrap_or(Format::Json);
    let id = events::request_id(&request).filter(|_| contract == Contract::Panko);
    let mut answer = next.run(request).await;
    let problem = match answer.status() {
        TOO_LARGE => Some(Problem::TooLarge),
        TIMED_OUT => Some(Problem::Timeout),
        _ => answer.extensions_mut().remove(),
    };
    if let Some(problem) = problem {
        let extensions = std::mem::take(answer.extensions_mut());
        answer = contract.say(&problem, &method, uri.path(), format);
        *answer.extensions_mut() = extensions;
    }
    answer.headers_mut().extend(id);
    answer.extensions_mut().insert(Asked { method, uri });
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::Refusal;

    #[test]
    fn a_prefix_is_a_whole_segment() {
        let of = |path| Contract::of(path);
        assert_eq!(of("/api/v1"), Contract::Insights);
        assert_eq!(of("/api/v1/nope"), Contract::Insights);
        assert_eq!(of("/api/v12/x"), Contract::Plain);
        assert_eq!(of("/api/v2/status"), Contract::Webitel);
        assert_eq!(of("/v2/events"), Contract::Panko);
        assert_eq!(of("/v2x"), Contract::Plain);
        assert_eq!(of("/"), Contract::Plain);
    }

    /// The text of an answer, with its status.
    async fn shown(problem: &Problem, path: &str) -> (u16, String) {
        let answer = Contract::of(path).say(problem, &Method::POST, path, Format::Json);
        let charset = if path.starts_with("/api/v2") {
            webitel::JSON_WITH_CHARSET
        } else {
            "application/json"
        };
        assert_eq!(answer.headers()[header::CONTENT_TYPE], charset, "{path}");
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_problem_has_the_shape_of_its_contract() {
        let no_credentials = "Authentication credentials were not provided.";
        let wrong = "Incorrect authentication credentials.";
        for (problem, status, text, in_webitel) in [
            (Problem::NotFound, 404, "Not found.", (404, "/api/v2/x not found.")),
            (
                Problem::MethodNotAllowed,
                405,
                r#"Method \"POST\" not allowed."#,
                (404, "/api/v2/x not found."),
            ),
            (
                Problem::Unauthorized(Refusal::Missing),
                401,
                no_credentials,
                (401, "Invalid Token or Key"),
            ),
            (
                Problem::Unauthorized(Refusal::Malformed),
                401,
                wrong,
                (401, "Invalid Token or Key"),
            ),
            (
                Problem::Unauthorized(Refusal::Unknown),
                401,
                wrong,
                (401, "Invalid User"),
            ),
            (
                Problem::Unauthorized(Refusal::Expired),
                401,
                "The credentials have expired.",
                (401, "Token Expired"),
            ),
            (
                Problem::Forbidden,
                403,
                "You do not have permission to perform this action.",
                (403, "You do not have permission to perform this action."),
            ),
            (
                Problem::TooLarge,
                413,
                "The request body is too large.",
                (413, "The request body is too large."),
            ),
            (
                Problem::HeadTooLarge,
                431,
                "The address and the headers are too large.",
                (431, "The address and the headers are too large."),
            ),
            (
                Problem::Throttled(7),
                429,
                "Request was throttled. Expected available in 7 seconds.",
                (429, "Request was throttled. Expected available in 7 seconds."),
            ),
            (
                Problem::Overloaded,
                503,
                "Too many requests are in progress; try again.",
                (503, "Too many requests are in progress; try again."),
            ),
            (
                Problem::Timeout,
                503,
                "The answer took too long; try again.",
                (503, "The answer took too long; try again."),
            ),
            (
                Problem::Unavailable,
                503,
                "The credentials cannot be checked now; try again.",
                (503, "The credentials cannot be checked now; try again."),
            ),
            (
                Problem::Internal,
                500,
                "Internal server error.",
                (500, "Internal server error."),
            ),
        ] {
            let insights = format!(r#"{{"errors":[{{"detail":"{text}","source":"detail","status":"{status}"}}]}}"#);
            assert_eq!(shown(&problem, "/api/v1/x").await, (status, insights));
            let webitel = format!(r#"{{"status":"error","info":"{}"}}"#, in_webitel.1);
            assert_eq!(shown(&problem, "/api/v2/x").await, (in_webitel.0, webitel));
            let code = if status < 500 { "Client" } else { "Server" };
            let fault = if status == 404 {
                "The resource could not be found."
            } else {
                text
            };
            let events =
                format!(r#"{{"error_message":{{"faultcode":"{code}","faultstring":"{fault}","debuginfo":null}}}}"#);
            assert_eq!(shown(&problem, "/v2/x").await, (status, events));
            assert_eq!(
                shown(&problem, "/x").await,
                (status, format!(r#"{{"error":"{text}"}}"#))
            );
        }
    }

    #[test]
    fn waiting_is_said_where_it_helps() {
        let wait = |problem: Problem| {
            let answer = Contract::Panko.say(&problem, &Method::GET, "/v2/events", Format::Json);
            let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse::<u64>();
            seconds.ok()
        };
        assert_eq!(wait(Problem::Throttled(7)), Some(7));
        assert_eq!(wait(Problem::Overloaded), Some(1));
        assert_eq!(wait(Problem::Unavailable), Some(1));
        assert_eq!(wait(Problem::NotFound), None);
    }
}
