//! From method and path to the operation. Every resource has its own table of paths in its own file.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::errors::ApiError;
use super::faults::Behaviour;
use super::pagination::{self, Paging};
use super::state::{PageState, State};
use super::{
    component_groups, components, incident_templates, incidents, metric_data, metrics, metrics_providers, organization,
    page_access_groups, page_access_users, pages, status_embed, subscribers,
};

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Patch,
    Put,
    Delete,
    Other,
}

impl Verb {
    pub(super) fn of(method: &str) -> Self {
        match method {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// A request as the operations see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) now: Timestamp,
    pub(super) query: &'a [(String, String)],
    pub(super) body: &'a Map<String, Value>,
    pub(super) behaviour: &'a Behaviour,
}

impl Call<'_> {
    /// A query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        pagination::parameter(self.query, name).filter(|value| !value.is_empty())
    }

    /// A boolean query parameter.
    pub(super) fn switch(&self, name: &str) -> bool {
        self.parameter(name)
            .and_then(|text| super::fields::flag_of(&Value::from(text)))
            .unwrap_or(false)
    }

    /// The part of a list that this request sees, rendered.
    pub(super) fn list<T>(&self, items: Vec<T>, paging: Paging, render: impl Fn(&T) -> Value) -> Answer {
        let part = pagination::part(self.query, paging, items.len())?;
        let shown = items.get(part).unwrap_or_default();
        Ok(Reply::ok(Value::Array(shown.iter().map(render).collect())))
    }
}

/// What a request is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body: Some(body),
        }
    }

    pub(super) fn created(body: Value) -> Self {
        Self {
            status: 201,
            body: Some(body),
        }
    }

    pub(super) fn created_empty() -> Self {
        Self {
            status: 201,
            body: None,
        }
    }

    pub(super) fn accepted(body: Value) -> Self {
        Self {
            status: 202,
            body: Some(body),
        }
    }

    pub(super) fn no_content() -> Self {
        Self {
            status: 204,
            body: None,
        }
    }
}

/// The outcome of an operation.
pub(super) type Answer = Result<Reply, ApiError>;

/// The lists that are limited to one read a minute when read without paging.
pub(super) fn penalised_list(verb: Verb, path: &[&str]) -> Option<String> {
    match (verb, path) {
        (Verb::Get, ["pages", page, list @ ("components" | "page_access_users")]) => Some(format!("{page}/{list}")),
        _ => None,
    }
}

/// Whether a request reads a list, which may come from the past, and not a single object.
fn is_list(verb: Verb, path: &[&str]) -> bool {
    let (Verb::Get, ["pages", _, below @ ..] | ["organizations", _, below @ ..]) = (verb, path) else {
        return verb == Verb::Get && path == ["pages"];
    };
    matches!(
        below,
        ["components" | "component-groups" | "incidents" | "incident_templates" | "metrics" | "metrics_providers"]
            | ["page_access_users" | "page_access_groups" | "subscribers" | "users"]
            | [
                "incidents",
                "unresolved" | "scheduled" | "upcoming" | "active_maintenance"
            ]
            | ["incidents", _, "subscribers"]
            | ["subscribers", "unsubscribed"]
            | ["metrics_providers", _, "metrics"]
            | ["page_access_users", _, "components" | "metrics"]
            | ["page_access_groups", _, "components"]
    )
}

/// Finds the operation and runs it: on the state as it is, or as it was for a list that lags behind.
pub(super) fn answer(state: &mut State, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    if call.behaviour.list_lag.is_zero() || !is_list(verb, path) {
        return dispatch(state, verb, path, call);
    }
    let then = call.behaviour.before(call.now);
    let Some(mut past) = state.as_of(then) else {
        return dispatch(state, verb, path, &Call { now: then, ..*call });
    };
    match dispatch(&mut past, verb, path, &Call { now: then, ..*call }) {
        // What the list belongs to is younger than that: it is there, and nothing below it yet.
        Err(error) if error.status == 404 => {
            dispatch(state, verb, path, call).map(|_| Reply::ok(Value::Array(Vec::new())))
        }
        answer => answer,
    }
}

/// Finds the operation and runs it.
pub(super) fn dispatch(state: &mut State, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match path {
        ["pages"] => match verb {
            Verb::Get => pages::list(state),
            _ => Err(ApiError::method_not_allowed()),
        },
        ["metrics_providers"] => match verb {
            Verb::Get => Ok(metrics_providers::catalogue()),
            _ => Err(ApiError::method_not_allowed()),
        },
        ["organizations", id, rest @ ..] => organization::route(state, verb, id, rest, call),
        ["pages", page, rest @ ..] => {
            let answer = on_page(state.page_mut(page)?, verb, rest, call)?;
            if rest.is_empty() {
                pages::check_subdomain(state, page, call)?;
            }
            Ok(answer)
        }
        _ => Err(ApiError::not_found()),
    }
}

fn on_page(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match path {
        [] => pages::route(page, verb, call),
        ["components", rest @ ..] => components::route(page, verb, rest, call),
        ["component-groups", rest @ ..] => component_groups::route(page, verb, rest, call),
        ["incidents", rest @ ..] => incidents::route(page, verb, rest, call),
        ["incident_templates", rest @ ..] => incident_templates::route(page, verb, rest, call),
        ["page_access_users", rest @ ..] => page_access_users::route(page, verb, rest, call),
        ["page_access_groups", rest @ ..] => page_access_groups::route(page, verb, rest, call),
        ["status_embed_config"] => status_embed::route(page, verb, call),
        ["metrics_providers", rest @ ..] => metrics_providers::route(page, verb, rest, call),
        ["metrics", "data"] => metric_data::route_bulk(page, verb, call),
        ["metrics", id, "data"] => metric_data::route(page, verb, id, call),
        ["metrics", rest @ ..] => metrics::route(page, verb, rest, call),
        ["subscribers", rest @ ..] => subscribers::route(page, verb, rest, call),
        _ => Err(ApiError::not_found()),
    }
}
