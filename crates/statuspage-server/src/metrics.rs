//! Metrics: the graphs of a page.

use serde_json::{Value, json};

use super::errors::ApiError;
use super::faults::MetricPatch;
use super::fields::Fields;
use super::instants::{optional_seconds, seconds};
use super::pagination::ORDINARY;
use super::records::Metric;
use super::references;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::vocabulary::ProviderType;

pub(super) fn render(metric: &Metric) -> Value {
    json!({
        "id": metric.id,
        "metrics_provider_id": metric.provider_id,
        "metrics_display_id": metric.display_id,
        "metric_identifier": metric.metric_identifier,
        "name": metric.name,
        "display": metric.display,
        "tooltip_description": metric.tooltip_description,
        "backfilled": false,
        "backfill_percentage": 0.0,
        "y_axis_min": metric.y_axis_min,
        "y_axis_max": metric.y_axis_max,
        "y_axis_hidden": metric.y_axis_hidden,
        "suffix": metric.suffix,
        "decimal_places": metric.decimal_places,
        "most_recent_data_at": optional_seconds(metric.most_recent_data_at),
        "last_fetched_at": null,
        "reference_name": null,
        "created_at": seconds(metric.created_at),
        "updated_at": seconds(metric.updated_at),
    })
}

/// The operations of metrics that do not need their provider.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => call.list(page.metrics.values().collect(), ORDINARY, |metric| render(metric)),
        ([id], Verb::Get) => shown(page, id).map(Reply::ok),
        ([id], Verb::Patch | Verb::Put) => update(page, id, call),
        ([id], Verb::Delete) => delete(page, id),
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn shown(page: &PageState, id: &str) -> Result<Value, ApiError> {
    page.metrics.get(id).map(render).ok_or_else(ApiError::not_found)
}

/// The metrics of one provider.
pub(super) fn list_of_provider(page: &PageState, provider: &str, call: &Call<'_>) -> Answer {
    if !page.providers.contains(provider) {
        return Err(ApiError::not_found());
    }
    call.list(
        page.metrics
            .values()
            .filter(|metric| metric.provider_id == provider)
            .collect(),
        ORDINARY,
        |metric| render(metric),
    )
}

/// The aggregations that a type of provider offers.
fn transforms(kind: ProviderType) -> &'static [&'static str] {
    match kind {
        ProviderType::Pingdom => &["response_time", "uptime"],
        _ => &["average", "count", "max", "min", "sum"],
    }
}

/// Makes a metric below a provider.
pub(super) fn create(page: &mut PageState, provider: &str, call: &Call<'_>) -> Answer {
    let kind = page.providers.get(provider).ok_or_else(ApiError::not_found)?.kind;
    let mut fields = Fields::envelope(call.body, "metric")?;
    let mut metric = Metric {
        id: page.ids.identifier(),
        provider_id: provider.to_owned(),
        display_id: page.ids.identifier(),
        name: fields.name("name", true).unwrap_or_default(),
        metric_identifier: None,
        suffix: None,
        y_axis_min: None,
        y_axis_max: None,
        y_axis_hidden: false,
        display: true,
        decimal_places: Some(0),
        tooltip_description: None,
        most_recent_data_at: None,
        created_at: call.now,
        updated_at: call.now,
    };
    fields.text("metric_identifier").store(&mut metric.metric_identifier);
    let transform = fields.filled("transform").value();
    let fits = match &transform {
        Some(transform) => transforms(kind).contains(&transform.as_str()),
        None => kind != ProviderType::Pingdom,
    };
    if !fits {
        fields.problem(format!("Transform must be one of {}", transforms(kind).join("|")));
    }
    read_appearance(&mut fields, &mut metric);
    fields.finish()?;
    let rendered = render(&metric);
    let id = metric.id.clone();
    page.metrics.put(&id, metric);
    Ok(Reply::created(rendered))
}

fn read_appearance(fields: &mut Fields<'_>, metric: &mut Metric) {
    fields.text("suffix").store(&mut metric.suffix);
    fields.number("y_axis_min").store(&mut metric.y_axis_min);
    fields.number("y_axis_max").store(&mut metric.y_axis_max);
    fields.flag("y_axis_hidden").keep(&mut metric.y_axis_hidden);
    fields.flag("display").keep(&mut metric.display);
    fields.integer("decimal_places").store(&mut metric.decimal_places);
    fields
        .text("tooltip_description")
        .store(&mut metric.tooltip_description);
}

fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut metric = page.metrics.get(id).ok_or_else(ApiError::not_found)?.clone();
    let mut fields = Fields::envelope(call.body, "metric")?;
    if let Some(name) = fields.name("name", false) {
        metric.name = name;
    }
    fields.text("metric_identifier").store(&mut metric.metric_identifier);
    if call.behaviour.metric_patch == MetricPatch::All {
        read_appearance(&mut fields, &mut metric);
    }
    fields.finish()?;
    metric.updated_at = call.now;
    page.metrics.put(id, metric);
    shown(page, id).map(Reply::ok)
}

fn delete(page: &mut PageState, id: &str) -> Answer {
    let last = shown(page, id)?;
    references::remove_metric(page, id);
    Ok(Reply::ok(last))
}
