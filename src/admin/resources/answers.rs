//! The answers of `/api/v1/pages/` and `/api/v1/resources/`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;

use super::{ManagedPage, Resource};
use crate::admin::contracts::insights::paging::{GREATEST_LIMIT, Page, Part, Query, unless_wrong};
use crate::admin::extract::{NoParameters, Reader};
use crate::admin::openapi::Parameter;
use crate::admin::problem::Problem;
use crate::admin::state::AppState;
use crate::api::Kind;

/// `GET /api/v1/resources/`.
pub(in crate::admin) async fn resources(
    State(state): State<Arc<AppState>>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Page<Resource>>, Problem> {
    part(
        state.resources.inventory().seen_by(&caller).resources,
        &uri,
        |resource| resource,
    )
}

/// `GET /api/v1/pages/`.
pub(in crate::admin) async fn pages(
    State(state): State<Arc<AppState>>,
    Reader(caller): Reader,
    uri: Uri,
) -> Result<Json<Page<ManagedPage>>, Problem> {
    part(state.resources.inventory().seen_by(&caller).pages(), &uri, |page| {
        &page.resource
    })
}

/// `GET /api/v1/resources/{namespace}/{kind}/{name}/`.
pub(in crate::admin) async fn one(
    State(state): State<Arc<AppState>>,
    Reader(caller): Reader,
    _: NoParameters,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Result<Json<Resource>, Problem> {
    // Bytes that are no text name nothing.
    let Path((namespace, kind, name)) = path.map_err(|_| Problem::NotFound)?;
    let mut resources = state.resources.inventory().seen_by(&caller).resources.into_iter();
    let found =
        resources.find(|resource| resource.namespace == namespace && resource.kind == kind && resource.name == name);
    found.map(Json).ok_or(Problem::NotFound)
}

/// The part of a list that is asked for.
fn part<T>(mut all: Vec<T>, uri: &Uri, resource: fn(&T) -> &Resource) -> Result<Json<Page<T>>, Problem> {
    let query = Query::of(uri);
    let (filter, part) = Filter::read(&query)?;
    all.retain(|entry| filter.admits(resource(entry)));
    Ok(Json(part.of(all, uri.path(), &query)))
}

/// The parameters of lists: what is not among them is refused.
pub(in crate::admin) fn list_parameters() -> Vec<Parameter> {
    let greatest = i64::try_from(GREATEST_LIMIT).unwrap_or(i64::MAX);
    vec![
        Parameter::query("limit", "Entries of a part; 10 when it is not given").integer(1, Some(greatest)),
        Parameter::query("offset", "Entries to leave out, 0 when it is not given").integer(0, None),
        Parameter::query("kind", "A kind, as in manifests; capitals do not matter").choice(Kind::ALL.map(Kind::as_str)),
        Parameter::query(
            "page",
            "Name of a StatusPage, or its namespace and name with a slash between",
        ),
        Parameter::query("namespace", "A namespace"),
        Parameter::query("ready", "`true` or `false`").choice(["true", "false"]),
    ]
}

#[derive(Debug, Default)]
struct Filter {
    kind: Option<Kind>,
    page: Option<String>,
    namespace: Option<String>,
    ready: Option<bool>,
}

impl Filter {
    /// Reads the filters and the part of the list that is asked for.
    fn read(query: &Query) -> Result<(Filter, Part), Problem> {
        let mut wrong = Vec::new();
        let known: Vec<&str> = list_parameters().iter().map(|known| known.name).collect();
        query.check(&known, &mut wrong);
        let part = Part::read(query, &mut wrong);
        let mut choice = |name: &str, value: &str| {
            wrong.push((name.to_owned(), format!("\"{value}\" is not a valid choice.")));
        };
        let kind = query.get("kind").and_then(|text| {
            let kind = Kind::ALL
                .into_iter()
                .find(|kind| kind.as_str().eq_ignore_ascii_case(text));
            if kind.is_none() {
                choice("kind", text);
            }
            kind
        });
        let ready = query.get("ready").and_then(|text| match text {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                choice("ready", other);
                None
            }
        });
        let text = |name| query.get(name).map(str::to_owned);
        let filter = Filter {
            kind,
            page: text("page"),
            namespace: text("namespace"),
            ready,
        };
        unless_wrong((filter, part), wrong)
    }

    fn admits(&self, resource: &Resource) -> bool {
        let page = |page: &String| {
            // A name alone is that page in any namespace.
            resource.page == *page || resource.page.split_once('/').is_some_and(|(_, name)| name == page)
        };
        self.kind.is_none_or(|kind| resource.kind == kind.as_str())
            && self.page.as_ref().is_none_or(page)
            && self
                .namespace
                .as_ref()
                .is_none_or(|namespace| resource.namespace == *namespace)
            && self.ready.is_none_or(|ready| resource.ready == ready)
    }
}
