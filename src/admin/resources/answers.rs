//! The answers of `/api/v1/pages/` and `/api/v1/resources/`.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};

use super::Resource;
use crate::admin::family::Problem;
use crate::admin::gate::Reader;
use crate::admin::openapi::Parameter;
use crate::admin::paging::{Part, Query, unless_wrong};
use crate::admin::routes::{Shared, list_parameters};
use crate::api::Kind;

/// `GET /api/v1/resources/`.
pub(in crate::admin) async fn resources(State(shared): State<Shared>, Reader(caller): Reader, uri: Uri) -> Response {
    let query = Query::of(&uri);
    let answer = Filter::read(&query).map(|(filter, part)| {
        let mut resources = shared.inventory().seen_by(&caller).resources;
        resources.retain(|resource| filter.admits(resource));
        part.of(resources, uri.path(), &query)
    });
    answer_with(answer.map(Json), uri.path())
}

/// `GET /api/v1/pages/`.
pub(in crate::admin) async fn pages(State(shared): State<Shared>, Reader(caller): Reader, uri: Uri) -> Response {
    let query = Query::of(&uri);
    let inventory = shared.inventory().seen_by(&caller);
    let all = inventory.pages();
    let answer = Filter::read(&query).map(|(filter, part)| {
        let shown = all.into_iter().filter(|page| filter.admits(&page.resource)).collect();
        part.of(shown, uri.path(), &query)
    });
    answer_with(answer.map(Json), uri.path())
}

/// `GET /api/v1/resources/{namespace}/{kind}/{name}/`.
pub(in crate::admin) async fn one(
    State(shared): State<Shared>,
    Reader(caller): Reader,
    path: Result<Path<(String, String, String)>, PathRejection>,
    uri: Uri,
) -> Response {
    if let Err(problem) = Query::of(&uri).refuse_all() {
        return problem.answer(&Method::GET, uri.path());
    }
    // Bytes that are no text name nothing.
    let Ok(Path((namespace, kind, name))) = path else {
        return Problem::NotFound.answer(&Method::GET, uri.path());
    };
    let found = shared
        .inventory()
        .seen_by(&caller)
        .resources
        .into_iter()
        .find(|resource| resource.namespace == namespace && resource.kind == kind && resource.name == name);
    answer_with(found.map(Json).ok_or(Problem::NotFound), uri.path())
}

fn answer_with(answer: Result<impl IntoResponse, Problem>, path: &str) -> Response {
    match answer {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.answer(&Method::GET, path),
    }
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
        let known: Vec<&str> = list_parameters().iter().map(Parameter::name).collect();
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
