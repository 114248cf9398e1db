//! From method and path to the operation: every path that there is, and what is done there is in the file of the resource.

use serde_json::Value;

use super::access_grants::{self, Granted};
use super::errors::ApiError;
use super::records::{
    Component, ComponentGroup, Incident, IncidentTemplate, Metric, MetricsProvider, PageAccessGroup, PageAccessUser,
};
use super::request::{Answer, Call, Reply, Verb};
use super::resource::route;
use super::state::{PageState, State};
use super::{
    components, incident_subscribers, incident_updates, incident_write, incidents, metric_data, metrics,
    metrics_providers, organization, pages, postmortems, status_embed, subscribers, subscribers_bulk, uptime,
};

/// The lists that are limited to one read a minute when read without paging.
pub(super) fn penalised_list(verb: Verb, path: &[&str]) -> Option<String> {
    match (verb, path) {
        (Verb::Get, ["pages", page, list @ ("components" | "page_access_users")]) => Some(format!("{page}/{list}")),
        _ => None,
    }
}

/// Whether an answer is a list, which may come from the past, and not a single object.
fn is_list(answer: &Answer) -> bool {
    matches!(
        answer,
        Ok(Reply {
            body: Some(Value::Array(_)),
            ..
        })
    )
}

/// Finds the operation and runs it: on the state as it is, or as it was for a list that lags behind.
pub(super) fn answer(state: &mut State, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    if call.behaviour.list_lag.is_zero() || verb != Verb::Get {
        return dispatch(state, verb, path, call);
    }
    let then = call.behaviour.before(call.now);
    let past = match state.as_of(then) {
        Some(mut past) => dispatch(&mut past, verb, path, &Call { now: then, ..*call }),
        None => dispatch(state, verb, path, &Call { now: then, ..*call }),
    };
    if is_list(&past) {
        return past;
    }
    let present = dispatch(state, verb, path, call);
    match past {
        // What the list belongs to is younger than that: it is there, and nothing below it yet.
        Err(error) if error.status == 404 && is_list(&present) => Ok(Reply::ok(Value::Array(Vec::new()))),
        _ => present,
    }
}

/// Finds the operation and runs it.
pub(super) fn dispatch(state: &mut State, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        (["pages"], Verb::Get) => pages::list(state),
        (["metrics_providers"], Verb::Get) => Ok(metrics_providers::catalogue()),
        (["pages"] | ["metrics_providers"], _) => Err(ApiError::method_not_allowed()),
        (["organizations", id, rest @ ..], _) => organization::route(state, verb, id, rest, call),
        (["pages", page, rest @ ..], _) => {
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
    match (path, verb) {
        ([], _) => pages::route(page, verb, call),
        (["components"], Verb::Get) => components::list(page, call),
        (["components", id], Verb::Get) => components::read(page, id, call).map(Reply::ok),
        (["components", id, "uptime"], Verb::Get) => uptime::of_component(page, id, call),
        (["components", id, "page_access_users"], _) => {
            access_grants::of_component::<PageAccessUser>(page, id, verb, call)
        }
        (["components", id, "page_access_groups"], _) => {
            access_grants::of_component::<PageAccessGroup>(page, id, verb, call)
        }
        (["component-groups", id, "uptime"], Verb::Get) => uptime::of_group(page, id, call),
        (["components" | "component-groups", _, "uptime"], _) => Err(ApiError::method_not_allowed()),
        (["components", rest @ ..], _) => route::<Component>(page, verb, rest, call),
        (["component-groups", rest @ ..], _) => route::<ComponentGroup>(page, verb, rest, call),
        (
            [
                "incidents",
                "unresolved" | "scheduled" | "upcoming" | "active_maintenance",
            ],
            _,
        ) => incidents::route_view(page, verb, path.last().copied().unwrap_or_default(), call),
        (["incidents"], Verb::Post) => incident_write::create(page, call),
        (["incidents", id], Verb::Patch | Verb::Put) => incident_write::update(page, id, call),
        (["incidents", id, _, ..], _) if !page.incidents.contains(id) => Err(ApiError::not_found()),
        (["incidents", id, "incident_updates", update], _) => incident_updates::route(page, verb, id, update, call),
        (["incidents", id, "postmortem", rest @ ..], _) => postmortems::route(page, verb, id, rest, call),
        (["incidents", id, "subscribers", rest @ ..], _) => incident_subscribers::route(page, verb, id, rest, call),
        (["incidents", rest @ ..], _) => route::<Incident>(page, verb, rest, call),
        (["incident_templates", id], _) if !call.behaviour.template_items || !page.templates.contains(id) => {
            Err(ApiError::not_found())
        }
        (["incident_templates", rest @ ..], _) => route::<IncidentTemplate>(page, verb, rest, call),
        (["page_access_users", id, "components", rest @ ..], _) => {
            access_grants::route::<PageAccessUser>(page, verb, id, (Granted::Components, rest), call)
        }
        (["page_access_users", id, "metrics", rest @ ..], _) => {
            access_grants::route::<PageAccessUser>(page, verb, id, (Granted::Metrics, rest), call)
        }
        (["page_access_groups", _, "components", _], verb) if verb != Verb::Delete => {
            Err(ApiError::method_not_allowed())
        }
        (["page_access_groups", id, "components", rest @ ..], _) => {
            access_grants::route::<PageAccessGroup>(page, verb, id, (Granted::Components, rest), call)
        }
        (["page_access_users", rest @ ..], _) => route::<PageAccessUser>(page, verb, rest, call),
        (["page_access_groups", rest @ ..], _) => route::<PageAccessGroup>(page, verb, rest, call),
        (["status_embed_config"], _) => status_embed::route(page, verb, call),
        (["metrics_providers", id, "metrics"], Verb::Get) => metrics::list_of_provider(page, id, call),
        (["metrics_providers", id, "metrics"], Verb::Post) => metrics::create(page, id, call),
        (["metrics_providers", _, "metrics"], _) | (["metrics"], Verb::Post) => Err(ApiError::method_not_allowed()),
        (["metrics_providers", rest @ ..], _) => route::<MetricsProvider>(page, verb, rest, call),
        (["metrics", "data"], _) => metric_data::route_bulk(page, verb, call),
        (["metrics", id, "data"], _) => metric_data::route(page, verb, id, call),
        (["metrics", rest @ ..], _) => route::<Metric>(page, verb, rest, call),
        (["subscribers", "unsubscribed"], Verb::Get) => subscribers::unsubscribed(page, call),
        (["subscribers", "count"], Verb::Get) => subscribers_bulk::count(page, call),
        (["subscribers", "histogram_by_state"], Verb::Get) => Ok(subscribers_bulk::histogram(page)),
        (["subscribers", "resend_confirmation"], Verb::Post) => subscribers_bulk::resend_confirmation(page, call),
        (["subscribers", "unsubscribe"], Verb::Post) => subscribers_bulk::unsubscribe(page, call),
        (["subscribers", "reactivate"], Verb::Post) => subscribers_bulk::reactivate(page, call),
        (["subscribers", "unsubscribed" | "count" | "histogram_by_state"], _)
        | (["subscribers", "resend_confirmation" | "unsubscribe" | "reactivate"], _) => {
            Err(ApiError::method_not_allowed())
        }
        (["subscribers", rest @ ..], _) => subscribers::route(page, verb, rest, call),
        _ => Err(ApiError::not_found()),
    }
}
