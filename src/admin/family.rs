//! The families of the API and how each one says that something went wrong.
//!
//! Invariant: every failure below a family's prefix, unknown paths and panics included, has that family's shape.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::identity::Refusal;

/// A group of resources with one contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// `/api/v1`: the contract of insights-rbac.
    Insights,
    /// `/api/v2`: the contract of Webitel.
    Webitel,
    /// `/v2`: the contract of Panko.
    Events,
    /// Everything else: probes, metrics, the description of the API.
    Plain,
}

impl Family {
    /// The family of a path.
    pub fn of(path: &str) -> Family {
        let below = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if below("/api/v1") {
            Family::Insights
        } else if below("/api/v2") {
            Family::Webitel
        } else if below("/v2") {
            Family::Events
        } else {
            Family::Plain
        }
    }
}

/// What went wrong, for every family.
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
}

/// Errors of `/api/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InsightsErrors {
    /// One entry a problem.
    pub errors: Vec<InsightsError>,
}

/// One error of `/api/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InsightsError {
    /// What is wrong.
    pub detail: String,
    /// The parameter, `detail` when it is about none.
    pub source: Option<String>,
    /// The status as text.
    pub status: String,
}

/// An error of `/api/v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebitelError {
    /// Always `error`.
    pub status: String,
    /// What is wrong.
    pub info: String,
}

/// An error of `/v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsError {
    /// The error.
    pub error_message: EventsFault,
}

/// What is inside an error of `/v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventsFault {
    /// `Client`, or `Server` from 500 on.
    pub faultcode: String,
    /// What is wrong.
    pub faultstring: String,
    /// Always null.
    pub debuginfo: Option<String>,
}

/// An error outside all families.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlainError {
    /// What is wrong.
    pub error: String,
}

impl Problem {
    /// The status of the answer to a path.
    pub fn status(&self, family: Family) -> StatusCode {
        match self {
            Problem::NotFound => StatusCode::NOT_FOUND,
            // Webitel knows no 405.
            Problem::MethodNotAllowed if family == Family::Webitel => StatusCode::NOT_FOUND,
            Problem::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Problem::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Problem::Forbidden => StatusCode::FORBIDDEN,
            Problem::Parameters(_) => StatusCode::BAD_REQUEST,
            Problem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Problem::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Problem::Overloaded | Problem::Timeout | Problem::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer to a request, in the shape of its family.
    pub fn answer(&self, method: &Method, path: &str) -> Response {
        let family = Family::of(path);
        let status = self.status(family);
        let body = match family {
            Family::Insights => self.insights(method, status),
            Family::Webitel => json!({"status": "error", "info": self.webitel(method, path)}),
            Family::Events => {
                let code = if status.is_server_error() { "Server" } else { "Client" };
                let text = match self {
                    Problem::NotFound => "The resource could not be found.".to_owned(),
                    other => other.sentence(method),
                };
                json!({"error_message": {"faultcode": code, "faultstring": text, "debuginfo": null}})
            }
            Family::Plain => json!({"error": self.sentence(method)}),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if family == Family::Webitel {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON_WITH_CHARSET));
        }
        match self {
            Problem::Throttled(seconds) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            Problem::Overloaded | Problem::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }

    fn insights(&self, method: &Method, status: StatusCode) -> Value {
        let entry = |detail: &str, source: &str| json!({"detail": detail, "source": source, "status": status.as_str()});
        let errors = match self {
            Problem::Parameters(parameters) => parameters
                .iter()
                .map(|(name, sentence)| entry(sentence, name))
                .collect(),
            other => vec![entry(&other.sentence(method), "detail")],
        };
        json!({ "errors": errors })
    }

    fn webitel(&self, method: &Method, path: &str) -> String {
        match self {
            Problem::NotFound | Problem::MethodNotAllowed => format!("{path} not found."),
            Problem::Unauthorized(Refusal::Unknown) => "Invalid User".to_owned(),
            Problem::Unauthorized(Refusal::Expired) => "Token Expired".to_owned(),
            Problem::Unauthorized(_) => "Invalid Token or Key".to_owned(),
            other => other.sentence(method),
        }
    }

    fn sentence(&self, method: &Method) -> String {
        match self {
            Problem::NotFound => "Not found.".to_owned(),
            Problem::MethodNotAllowed => format!("Method \"{method}\" not allowed."),
            Problem::Unauthorized(Refusal::Missing) => "Authentication credentials were not provided.".to_owned(),
            Problem::Unauthorized(Refusal::Expired) => "The credentials have expired.".to_owned(),
            Problem::Unauthorized(_) => "Incorrect authentication credentials.".to_owned(),
            Problem::Forbidden => "You do not have permission to perform this action.".to_owned(),
            Problem::Parameters(parameters) => {
                let all: Vec<String> = parameters
                    .iter()
                    .map(|(name, sentence)| format!("{name}: {sentence}"))
                    .collect();
                all.join(" ")
            }
            Problem::TooLarge => "The request body is too large.".to_owned(),
            Problem::HeadTooLarge => "The address and the headers are too large.".to_owned(),
            Problem::Throttled(seconds) => {
                format!("Request was throttled. Expected available in {seconds} seconds.")
            }
            Problem::Overloaded => "Too many requests are in progress; try again.".to_owned(),
            Problem::Timeout => "The answer took too long; try again.".to_owned(),
            Problem::Unavailable => "The credentials cannot be checked now; try again.".to_owned(),
            Problem::Internal => "Internal server error.".to_owned(),
        }
    }
}

/// The content type of `/api/v2`; the others have no charset.
pub(super) const JSON_WITH_CHARSET: &str = "application/json; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_whole_segment() {
        let of = |path| Family::of(path);
        assert_eq!(of("/api/v1"), Family::Insights);
        assert_eq!(of("/api/v1/nope"), Family::Insights);
        assert_eq!(of("/api/v12/x"), Family::Plain);
        assert_eq!(of("/api/v2/status"), Family::Webitel);
        assert_eq!(of("/v2/events"), Family::Events);
        assert_eq!(of("/v2x"), Family::Plain);
        assert_eq!(of("/"), Family::Plain);
    }

    /// The text of an answer, with its status.
    async fn shown(problem: &Problem, path: &str) -> (u16, String) {
        let answer = problem.answer(&Method::POST, path);
        let charset = if path.starts_with("/api/v2") {
            JSON_WITH_CHARSET
        } else {
            "application/json"
        };
        assert_eq!(answer.headers()[header::CONTENT_TYPE], charset, "{path}");
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_problem_has_the_shape_of_its_family() {
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
            let answer = problem.answer(&Method::GET, "/v2/events");
            let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse::<u64>();
            seconds.ok()
        };
        assert_eq!(wait(Problem::Throttled(7)), Some(7));
        assert_eq!(wait(Problem::Overloaded), Some(1));
        assert_eq!(wait(Problem::Unavailable), Some(1));
        assert_eq!(wait(Problem::NotFound), None);
    }
}
