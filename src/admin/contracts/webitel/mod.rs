//! `/api/v2`: the contract of Webitel's engine 3.3 (webitel/engine), a program of Node.js.
//!
//! Where its oddities come from:
//! - The keys of its status have blanks, and sizes and times are texts for people: it was shown in a console.
//! - It knows no 405, and says the path that was not found. Strangers are not even told what there is: whoever has no
//!   credentials gets 401 whatever the path, but for `OPTIONS`, which its CORS answers before it looks at them.
//! - `Sid`, `freeSWITCH` and `ApiQueue` are of the switch that it drives; docs/http-api.md says what they mean here.
//! - Its framework says a charset in the content type, and a weak ETag.

pub(in crate::admin) mod status;

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::problem::{Problem, Refusal};

pub(super) const JSON_WITH_CHARSET: &str = "application/json; charset=utf-8";

/// An error of `/api/v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebitelError {
    /// Always `error`.
    pub status: String,
    /// What is wrong.
    pub info: String,
}

pub(super) fn failure(problem: &Problem, method: &Method, path: &str) -> impl IntoResponse {
    let (status, info) = match problem {
        Problem::NotFound | Problem::MethodNotAllowed => (StatusCode::NOT_FOUND, format!("{path} not found.")),
        Problem::Unauthorized(refusal) => {
            let info = match refusal {
                Refusal::Unknown => "Invalid User",
                Refusal::Expired => "Token Expired",
                Refusal::Missing | Refusal::Malformed => "Invalid Token or Key",
            };
            (StatusCode::UNAUTHORIZED, info.to_owned())
        }
        other => (other.status(), other.sentence(method)),
    };
    let body = WebitelError {
        status: "error".to_owned(),
        info,
    };
    (status, [(header::CONTENT_TYPE, JSON_WITH_CHARSET)], Json(body))
}
