//! What every request passes before anything answers it: limits, credentials, time, panics, the log.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Scheme;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use super::caller::{Caller, Renewal, Scope, Verb};
use super::events::Format;
use super::family::{Family, Problem};
use super::identity::Refusal;
use super::routes::Shared;
use super::shares::Share;
use crate::audit::vocabulary;

/// The header that names a request in logs; given back as it came.
pub(super) const REQUEST_ID: &str = "x-rh-insights-request-id";
/// The same for clients of the event log: `req-` before it.
const EVENTS_REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");
/// Longer names of requests are replaced: they would only fill logs.
const LONGEST_REQUEST_ID: usize = 128;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

/// A caller that may read; without credentials the request is answered with 401, without that right with 403.
pub(super) struct Reader(pub Caller);

/// A caller that showed credentials, whatever it may; without them the request is answered with 401.
pub(super) struct Known(pub Caller);

/// A caller, if it showed credentials.
pub(super) struct Maybe(pub Option<Caller>);

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match parts.extensions.get::<Caller>() {
            Some(caller) => Ok(Known(caller.clone())),
            None => Err(Problem::Unauthorized(Refusal::Missing).answer(&parts.method, parts.uri.path())),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Known(caller) = Known::from_request_parts(parts, state).await?;
        match caller.may(Verb::Read) {
            true => Ok(Reader(caller)),
            false => Err(Problem::Forbidden.answer(&parts.method, parts.uri.path())),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Maybe {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Maybe(parts.extensions.get::<Caller>().cloned()))
    }
}

/// The gate itself.
pub(super) async fn pass(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let uri = request.uri().clone();
    let id = request_id(request.headers());
    let format = Format::of(request.headers());
    let scheme = if shared.is_tls() { Scheme::HTTPS } else { Scheme::HTTP };
    request.extensions_mut().insert(scheme);
    let mut caller = None;
    let answer = match enter(&shared, &mut request, &mut caller).await {
        Ok(slot) => {
            let answer = run(&shared, request, next).await;
            drop(slot);
            answer
        }
        Err(answer) => answer,
    };
    let mut response = match answer {
        Ok(response) => response,
        Err(problem) => {
            let response = problem.answer(&method, uri.path());
            match (Family::of(uri.path()), format) {
                // The only family that has another form.
                (Family::Events, Some(format)) => format.convert(response).await,
                _ => response,
            }
        }
    };
    dress(&mut response, Family::of(uri.path()), &method, &id, shared.is_tls());
    log(&method, &uri, &response, &id, caller.as_ref(), began);
    response
}

/// What a request holds while it is at work.
type Slot<'a> = (Option<tokio::sync::SemaphorePermit<'a>>, Option<Share<String>>);

/// Lets a request in, or answers it: with a problem, or in the case of OPTIONS with nothing.
async fn enter<'a>(
    shared: &'a Shared,
    request: &mut Request,
    caller: &mut Option<Caller>,
) -> Result<Slot<'a>, Result<Response, Problem>> {
    let path = request.uri().path();
    let family = Family::of(path);
    if head(request) > shared.limits().head {
        return Err(Err(Problem::HeadTooLarge));
    }
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > shared.limits().body) {
        return Err(Err(Problem::TooLarge));
    }
    // Probes must work while everything else is busy, and they need no credentials.
    if family == Family::Plain || path.trim_end_matches('/') == "/api/v1/ready" {
        return Ok((None, None));
    }
    if family == Family::Webitel && request.method() == Method::OPTIONS {
        return Err(Ok(StatusCode::OK.into_response()));
    }
    let slot = shared.slots().try_acquire().map_err(|_| Err(Problem::Overloaded))?;
    if shared.identity().is_open() && !is_local(request) {
        return Err(Err(Problem::Forbidden));
    }
    let peer = request
        .extensions()
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    *caller = shared.identity().caller(request.headers(), peer).await.map_err(Err)?;
    let share = match caller {
        Some(caller) => {
            // One credential must not take all the slots.
            let share = shared.requests().take(&caller.credential);
            let share = share.ok_or(Err(Problem::Throttled(1)))?;
            let renewal = renewal(shared, request.headers(), peer, caller);
            request.extensions_mut().insert(renewal);
            request.extensions_mut().insert(caller.clone());
            Some(share)
        }
        // This family tells strangers not even what there is.
        None if family == Family::Webitel => return Err(Err(Problem::Unauthorized(Refusal::Missing))),
        None => None,
    };
    Ok((Some(slot), share))
}

/// Asks again who a caller is. When nobody can tell, it is who it was.
fn renewal(shared: &Shared, headers: &HeaderMap, peer: IpAddr, caller: &Caller) -> Renewal {
    let (shared, headers, caller) = (shared.clone(), headers.clone(), caller.clone());
    Renewal::new(move || {
        let (shared, headers, caller) = (shared.clone(), headers.clone(), caller.clone());
        Box::pin(async move {
            match shared.identity().caller(&headers, peer).await {
                Ok(now) => now.as_ref() == Some(&caller),
                Err(problem) => problem == Problem::Unavailable,
            }
        })
    })
}

async fn run(shared: &Shared, request: Request, next: Next) -> Result<Response, Problem> {
    let path = request.uri().path().to_owned();
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(shared.limits().answer, answer).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_)) => {
            tracing::error!(path, "a request panicked");
            Err(Problem::Internal)
        }
        Err(_) => Err(Problem::Timeout),
    }
}

/// Bytes of the address and the headers.
fn head(request: &Request) -> usize {
    let uri = request.uri();
    let fields: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    uri.path_and_query().map_or(0, |target| target.as_str().len()) + fields
}

/// True when the request names this machine. A server that lets everybody in must not be reached by way of a name
/// that somebody else made point to it (DNS rebinding).
fn is_local(request: &Request) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.or_else(|| request.uri().host()) else {
        return true;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= LONGEST_REQUEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned)
}

/// Headers that every answer has.
fn dress(response: &mut Response, family: Family, method: &Method, id: &str, tls: bool) {
    let is_unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        // What one caller sees is not for the next one.
        ("cache-control", "private, no-cache"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
    if tls {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if is_unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if family == Family::Events
        && method != Method::OPTIONS
        && let Ok(id) = HeaderValue::try_from(format!("req-{id}"))
    {
        headers.insert(EVENTS_REQUEST_ID, id);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static(REQUEST_ID), id);
    }
}

fn log(method: &Method, uri: &Uri, response: &Response, id: &str, caller: Option<&Caller>, began: Instant) {
    let tenant = caller.map(|caller| match caller.namespaces() {
        Scope::All => "*".to_owned(),
        Scope::Only(namespaces) => namespaces.into_iter().collect::<Vec<_>>().join(","),
    });
    tracing::info!(
        target: "statuspage::access",
        method = %method,
        path = logged_path(uri, response.status()),
        status = response.status().as_u16(),
        request_id = id,
        account = tenant.unwrap_or_default(),
        username = caller.map(|caller| caller.user.as_str()).unwrap_or_default(),
        is_admin = caller.is_some_and(|caller| caller.admin),
        milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
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

    #[test]
    fn only_names_of_this_machine_are_local() {
        let local = |host: &str| {
            is_local(
                &Request::builder()
                    .header("host", host)
                    .body(Default::default())
                    .unwrap(),
            )
        };
        for host in ["localhost", "localhost:80", "127.0.0.1:9090", "[::1]:9090", "10.0.0.1"] {
            assert!(local(host), "{host}");
        }
        for host in ["rebound.example", "localhost.rebound.example:80", ""] {
            assert!(!local(host), "{host}");
        }
    }
}
