//! The log of requests: one entry each, and nothing in it that may be a secret.

use std::time::Duration;

use axum::http::{Response, StatusCode, Uri};
use tracing::Span;

use super::caller::{Caller, Scope};
use super::contracts::Asked;
use super::contracts::insights::REQUEST_ID;
use crate::audit::vocabulary;

/// Writes the entry of a request once its answer is known.
pub(super) fn log<B>(response: &Response<B>, latency: Duration, _: &Span) {
    let Some(Asked { method, uri }) = response.extensions().get() else {
        return;
    };
    let caller = response.extensions().get::<Caller>();
    let tenant = caller.map(|caller| match caller.namespaces() {
        Scope::All => "*".to_owned(),
        Scope::Only(namespaces) => namespaces.into_iter().collect::<Vec<_>>().join(","),
    });
    let id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    tracing::info!(
        target: "statuspage::access",
        // It says all that the span around it would.
        parent: None,
        method = %method,
        path = logged_path(uri, response.status()),
        status = response.status().as_u16(),
        request_id = id.unwrap_or_default(),
        account = tenant.unwrap_or_default(),
        username = caller.map(|caller| caller.user.as_str()).unwrap_or_default(),
        is_admin = caller.is_some_and(|caller| caller.admin),
        milliseconds = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
        "request"
    );
}

/// Path and query, with the values of parameters that exist, and with what is known to be no secret of the path: nobody can
/// know what the rest holds.
fn logged_path(uri: &Uri, status: StatusCode) -> String {
    let segments: Vec<&str> = uri
        .path()
        .split('/')
        .map(|segment| logged_segment(uri, segment, status))
        .collect();
    let path = segments.join("/");
    let Some(query) = uri.query() else {
        return path;
    };
    let shown: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            _ if is_known(pair) => pair.to_owned(),
            Some((name, value)) if !value.trim_matches('=').is_empty() => format!("{name}=…"),
            // Perhaps no name but a value, or base64 with its padding.
            _ => "…".to_owned(),
        })
        .collect();
    format!("{path}?{}", shown.join("&"))
}

fn logged_segment<'a>(uri: &Uri, segment: &'a str, status: StatusCode) -> &'a str {
    const WORDS: [&str; 18] = [
        "",
        "api",
        "v1",
        "v2",
        "status",
        "config",
        "ready",
        "access",
        "pages",
        "resources",
        "capabilities",
        "event_types",
        "traits",
        "events",
        "openapi.json",
        "healthz",
        "readyz",
        "metrics",
    ];
    // What a good answer was about exists, and so is no secret; of types and traits also those are answered that do not.
    let exists = status == StatusCode::OK && !uri.path().starts_with("/v2/event_types/");
    let known = exists
        || WORDS.contains(&segment)
        || vocabulary::is_event_type(segment)
        || vocabulary::trait_type(segment).is_some();
    if known { segment } else { "…" }
}

fn is_known(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    let known = [
        "limit",
        "offset",
        "kind",
        "page",
        "namespace",
        "ready",
        "marker",
        "sort",
        "follow",
    ];
    known.contains(&name) || name.starts_with("q.") || name.starts_with("q[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_queries_are_not_logged() {
        let path = |text: &str| logged_path(&text.parse().unwrap(), StatusCode::OK);
        assert_eq!(path("/v2/events"), "/v2/events");
        let known = "/v2/events?q.field=kind&q%5B0%5D.value=x&q.value=Page&limit=2&marker=m&follow";
        assert_eq!(path(known), known.replace("value=x", "value=…"));
        assert_eq!(
            path("/api/v2/status?x_key=a&access_token=b&%74oken=c&eyJhbGciOiJIUzI1NiJ9&aGVsbG8=="),
            "/api/v2/status?x_key=…&access_token=…&%74oken=…&…&…"
        );
    }

    #[test]
    fn secrets_in_paths_are_not_logged() {
        for (text, status, logged) in [
            (
                "/api/v1/resources/a/Component/web/",
                200,
                "/api/v1/resources/a/Component/web/",
            ),
            ("/api/v1/resources/a/Component/web/", 404, "/api/v1/resources/…/…/…/"),
            ("/v2/events/00000011-1f1b", 200, "/v2/events/00000011-1f1b"),
            ("/v2/events/eyJhbGciOiJIUzI1NiJ9.x.y", 404, "/v2/events/…"),
            ("/v2/eyJhbGciOiJIUzI1NiJ9", 404, "/v2/…"),
            ("/0123456789abcdef", 404, "/…"),
            // Types and traits that nobody has are answered with an empty list.
            (
                "/v2/event_types/secret/traits/secret",
                200,
                "/v2/event_types/…/traits/…",
            ),
            (
                "/v2/event_types/component.create/traits/name",
                200,
                "/v2/event_types/component.create/traits/name",
            ),
            (
                "/v2/event_types/component.secret/traits",
                200,
                "/v2/event_types/…/traits",
            ),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(logged_path(&text.parse().unwrap(), status), logged);
        }
    }
}
