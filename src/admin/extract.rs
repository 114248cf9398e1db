//! What handlers ask of a request: somebody who may, and parameters that there are.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::caller::{Caller, Verb};
use super::contracts::insights::paging::Query;
use super::problem::{Problem, Refusal};

/// A caller that showed credentials, whatever it may; without them the request is answered with 401.
pub(super) struct Known(pub Caller);

/// A caller that may read; without credentials the request is answered with 401, without that right with 403.
pub(super) struct Reader(pub Caller);

/// A request without parameters; one with some is answered with 400.
pub(super) struct NoParameters;

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.map(Known).ok_or(Problem::Unauthorized(Refusal::Missing))
    }
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Known(caller) = Known::from_request_parts(parts, state).await?;
        match caller.may(Verb::Read) {
            true => Ok(Reader(caller)),
            false => Err(Problem::Forbidden),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for NoParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::of(&parts.uri).refuse_all().map(|()| NoParameters)
    }
}
