//! What every request passes before anything answers it: names, the log, headers, limits, credentials, time, panics.
//!
//! Layers of tower-http wherever they can do it. Ours are [`admit`], for what no library knows (who asks, and what that
//! one may take up), and [`say_problems`](contracts::say_problems), because the layers say what they refuse in one way for
//! all, and each contract wants it in its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Scheme;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::propagate_header::PropagateHeaderLayer;
use tower_http::set_header::response::SetMultipleResponseHeadersLayer;
use tower_http::set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::access_log;
use super::caller::{Caller, Renewal};
use super::contracts::insights::REQUEST_ID;
use super::contracts::{self, Contract};
use super::problem::{Problem, Refusal};
use super::state::AppState;

/// Longer names of requests are replaced: they would only fill logs.
const LONGEST_REQUEST_ID: usize = 128;

/// Headers of every answer that does not have its own.
const FIXED: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // What one caller sees is not for the next one.
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
];

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

/// Puts the stack around routes. A request passes it from the last layer to the first.
pub(super) fn around(router: Router, state: &Arc<AppState>) -> Router {
    let limits = state.limits;
    let tls = Arc::clone(state);
    let hsts = move |_: &Response| tls.is_tls().then(|| HeaderValue::from_static("max-age=31536000"));
    let challenge = |answer: &Response| {
        let is_unauthorized = answer.status() == StatusCode::UNAUTHORIZED;
        is_unauthorized.then(|| HeaderValue::from_static("Bearer"))
    };
    router
        .layer(TimeoutLayer::with_status_code(contracts::TIMED_OUT, limits.answer))
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a request panicked");
            Problem::Internal.into_response()
        }))
        .layer(from_fn_with_state(Arc::clone(state), admit))
        // A body without an announced length is cut there, should anything ever read one.
        .layer(RequestBodyLimitLayer::new(limits.body))
        .layer(from_fn(contracts::say_problems))
        .layer(SetResponseHeaderLayer::overriding(header::WWW_AUTHENTICATE, challenge))
        .layer(SetResponseHeaderLayer::overriding(
            header::STRICT_TRANSPORT_SECURITY,
            hsts,
        ))
        .layer(SetMultipleResponseHeadersLayer::if_not_present(
            FIXED.map(Into::into).into(),
        ))
        .layer(PropagateHeaderLayer::new(REQUEST_ID))
        .layer(
            TraceLayer::new_for_http()
                // Not the address, as usual: it may hold a secret. What is known of it is in the entry of the log.
                .make_span_with(|request: &Request| {
                    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
                    tracing::info_span!("request", request_id = id.unwrap_or_default())
                })
                .on_request(())
                .on_response(access_log::log)
                .on_eos(())
                .on_failure(()),
        )
        .layer(SetRequestHeaderLayer::overriding(REQUEST_ID, request_id))
}

/// Lets a request in, or answers it: with a problem, or in the case of OPTIONS with nothing.
async fn admit(State(state): State<Arc<AppState>>, mut request: Request, next: Next) -> Result<Response, Problem> {
    if head(&request) > state.limits.head {
        return Err(Problem::HeadTooLarge);
    }
    let scheme = if state.is_tls() { Scheme::HTTPS } else { Scheme::HTTP };
    request.extensions_mut().insert(scheme);
    let path = request.uri().path();
    let contract = Contract::of(path);
    // Probes must work while everything else is busy, and they need no credentials.
    if contract == Contract::Plain || path.trim_end_matches('/') == "/api/v1/ready" {
        return Ok(next.run(request).await);
    }
    if contract == Contract::Webitel && request.method() == Method::OPTIONS {
        return Ok(StatusCode::OK.into_response());
    }
    // Not tower's limit of concurrency, which keeps requests waiting, nor its load shedding, whose error has no answer.
    let _slot = state.slots.try_acquire().map_err(|_| Problem::Overloaded)?;
    if state.identity.is_open() && !is_local(&request) {
        return Err(Problem::Forbidden);
    }
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
    let Some(caller) = state.identity.caller(request.headers(), peer).await? else {
        if contract == Contract::Webitel {
            return Err(Problem::Unauthorized(Refusal::Missing));
        }
        return Ok(next.run(request).await);
    };
    // One credential must not take all the slots.
    let share = state.requests.take(&caller.credential);
    let mut answer = match share {
        None => Problem::Throttled(1).into_response(),
        Some(_share) => {
            let renewal = renewal(&state, request.headers(), peer, &caller);
            request.extensions_mut().insert(renewal);
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
    };
    // For the log.
    answer.extensions_mut().insert(caller);
    Ok(answer)
}

/// Asks again who a caller is. When nobody can tell, it is who it was.
fn renewal(state: &Arc<AppState>, headers: &HeaderMap, peer: IpAddr, caller: &Caller) -> Renewal {
    let (state, headers, caller) = (Arc::clone(state), headers.clone(), caller.clone());
    Renewal::new(move || {
        let (state, headers, caller) = (Arc::clone(&state), headers.clone(), caller.clone());
        Box::pin(async move {
            match state.identity.caller(&headers, peer).await {
                Ok(now) => now.as_ref() == Some(&caller),
                Err(problem) => problem == Problem::Unavailable,
            }
        })
    })
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

/// The name that a request has, or a new one.
fn request_id(request: &Request) -> Option<HeaderValue> {
    let given = request.headers().get(REQUEST_ID).filter(|id| {
        let id = id.as_bytes();
        (1..=LONGEST_REQUEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
    });
    given.cloned().or_else(|| {
        let made = uuid::Uuid::new_v4().simple().to_string();
        HeaderValue::try_from(made).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
