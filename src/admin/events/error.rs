//! Errors of the events family: one shape for all of them.

use axum::body::Body;
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::format::Format;
use crate::audit::AuditError;

/// The methods of every resource, for 405 and OPTIONS.
pub(super) const METHODS: &str = "GET, HEAD";

/// A refused request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventsError {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl EventsError {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        EventsError {
            status,
            text: text.into(),
        }
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// A parameter whose value cannot be used, in the original's words.
    pub(super) fn invalid(field: &str, value: &str, why: &str) -> Self {
        let value = quoted(value);
        Self::bad(format!(
            "Invalid input for field/attribute {field}. Value: {value}. {why}"
        ))
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The resource could not be found.")
    }

    pub(super) fn no_credentials() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "This request needs credentials: send a token in X-Auth-Token.",
        )
    }

    pub(super) fn forbidden(text: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub(super) fn not_acceptable() -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "Nothing of what is accepted can be given: there are application/json and application/xml, and \
             text/event-stream with follow.",
        )
    }

    /// A credential that has used up its share.
    pub(super) fn too_many(text: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, text)
    }

    pub(super) fn too_many_streams() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many streams of events are open; try again later.",
        )
    }

    pub(super) fn response(&self, format: Format) -> Response<Body> {
        let faultcode = if self.status.is_server_error() {
            "Server"
        } else {
            "Client"
        };
        let body = json!({"error_message": {
            "faultcode": faultcode,
            "faultstring": self.text,
            "debuginfo": null,
        }});
        let mut response = format.response(&body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static(METHODS));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<AuditError> for EventsError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::UnknownMarker(_) | AuditError::TooMany(_) => Self::bad(error.to_string()),
            // The database's own words stay in our log.
            error => {
                tracing::error!(?error, "the event log cannot be read");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The event log cannot be read at the moment; try again.",
                )
            }
        }
    }
}

/// A text as Python shows it, for messages.
pub(super) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut shown = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter if letter == quote => {
                shown.push('\\');
                shown.push(letter);
            }
            letter => shown.push(letter),
        }
    }
    shown.push(quote);
    shown
}
