//! The lists of components and metrics that page access users and groups may see, and the verbs that all of these lists
//! share: PATCH adds, POST replaces, DELETE removes what is listed or everything.

use super::errors::ApiError;
use super::fields::Fields;
use super::layout::Layout;
use super::pagination::ORDINARY;
use super::request::{Answer, Call, Verb};
use super::state::PageState;
use super::{components, metrics};

/// What a list grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Granted {
    Components,
    Metrics,
}

impl Granted {
    /// The kind that a segment of a path names.
    pub(super) fn of(segment: &str) -> Option<Self> {
        match segment {
            "components" => Some(Self::Components),
            "metrics" => Some(Self::Metrics),
            _ => None,
        }
    }

    /// The field that lists the identifiers.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Components => "component_ids",
            Self::Metrics => "metric_ids",
        }
    }

    fn exists(self, page: &PageState, id: &str) -> bool {
        match self {
            Self::Components => page.components.contains(id),
            Self::Metrics => page.metrics.contains(id),
        }
    }
}

/// Complains about identifiers that are not of this page.
pub(super) fn check(page: &PageState, granted: Granted, ids: &[String], fields: &mut Fields<'_>) {
    let unknown: Vec<&str> = ids
        .iter()
        .filter(|id| !granted.exists(page, id))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        let what = super::fields::human(granted.key());
        fields.problem(format!("{what} do not exist on this page: {}", unknown.join(", ")));
    }
}

/// The granted objects themselves.
pub(super) fn list(page: &PageState, granted: Granted, ids: &[String], call: &Call<'_>) -> Answer {
    match granted {
        Granted::Components => {
            let layout = Layout::of(page);
            call.list(
                ids.iter().filter_map(|id| page.components.get(id)).collect(),
                ORDINARY,
                |component| components::render(page, &layout, component, call.behaviour),
            )
        }
        Granted::Metrics => call.list(
            ids.iter().filter_map(|id| page.metrics.get(id)).collect(),
            ORDINARY,
            |metric| metrics::render(metric),
        ),
    }
}

/// The list after a write, and whether the write counts as making something.
pub(super) fn changed(
    page: &PageState,
    granted: Granted,
    mut present: Vec<String>,
    verb: Verb,
    call: &Call<'_>,
) -> Result<(Vec<String>, bool), ApiError> {
    let mut fields = Fields::of(call.body);
    let named = fields.list(granted.key()).value();
    match (verb, named) {
        (Verb::Delete, None) => {
            fields.finish()?;
            Ok((Vec::new(), false))
        }
        (Verb::Delete, Some(named)) => {
            fields.finish()?;
            present.retain(|id| !named.contains(id));
            Ok((present, false))
        }
        (Verb::Patch | Verb::Put | Verb::Post, None) => {
            fields.finish()?;
            Err(ApiError::bad_request(format!("{} is missing", granted.key())))
        }
        (Verb::Patch | Verb::Put, Some(named)) => {
            check(page, granted, &named, &mut fields);
            fields.finish()?;
            let new: Vec<String> = named.into_iter().filter(|id| !present.contains(id)).collect();
            present.extend(new);
            Ok((present, false))
        }
        (Verb::Post, Some(named)) => {
            check(page, granted, &named, &mut fields);
            fields.finish()?;
            Ok((named, true))
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The list without one member, which has to be in it.
pub(super) fn without(mut present: Vec<String>, id: &str) -> Result<Vec<String>, ApiError> {
    let before = present.len();
    present.retain(|known| known != id);
    if present.len() == before {
        Err(ApiError::not_found())
    } else {
        Ok(present)
    }
}
