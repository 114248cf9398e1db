//! `/api/v1`: the contract of insights-rbac (RedHatInsights/insights-rbac) as it was in September 2020, when clients of it
//! were written, and Django REST framework, which it is made with.
//!
//! Where its oddities come from:
//! - `source` of an error is the name of a parameter, and `detail` where it is about none: the key under which the
//!   framework keeps such errors. `status` is a text.
//! - `OPTIONS` answers with what the framework knows of a view, and needs no credentials.
//! - Links are relative. `previous` leaves the offset out where it would be 0, `last` is a full part and overlaps the one
//!   before: recorded from its pagination.
//! - `python_version` is one of the keys that its clients read. Since December 2021 callers without an account see
//!   `api_version` and `commit` alone.
//! - The log begins with lines of the logger `api.status.model`, and a request is named by [`REQUEST_ID`].

pub(in crate::admin) mod paging;
pub(in crate::admin) mod status;

use axum::Json;
use axum::http::{HeaderName, Method};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::problem::Problem;

/// The header that names a request in logs; given back as it came.
pub(in crate::admin) const REQUEST_ID: HeaderName = HeaderName::from_static("x-rh-insights-request-id");

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

pub(super) fn failure(problem: &Problem, method: &Method) -> impl IntoResponse {
    let status = problem.status();
    let error = |detail: String, source: &str| InsightsError {
        detail,
        source: Some(source.to_owned()),
        status: status.as_str().to_owned(),
    };
    let errors = match problem {
        Problem::Parameters(wrong) => wrong.iter().map(|(name, text)| error(text.clone(), name)).collect(),
        other => vec![error(other.sentence(method), "detail")],
    };
    (status, Json(InsightsErrors { errors }))
}
