//! Metrics: the graphs of a page.

use serde_json::Value;

use super::errors::ApiError;
use super::faults::MetricPatch;
use super::fields::{Fields, read};
use super::records::Metric;
use super::references;
use super::reply::reply;
use super::request::{Answer, Call, Reply};
use super::resource::{self, PageView, Resource};
use super::state::PageState;
use super::vocabulary::ProviderType;

/// The aggregations that a type of provider offers.
fn transforms(kind: ProviderType) -> &'static [&'static str] {
    match kind {
        ProviderType::Pingdom => &["response_time", "uptime"],
        _ => &["average", "count", "max", "min", "sum"],
    }
}

fn check_transform(kind: ProviderType, fields: &mut Fields<'_>) {
    let fits = match fields.filled("transform").value() {
        Some(transform) => transforms(kind).contains(&transform.as_str()),
        None => kind != ProviderType::Pingdom,
    };
    if !fits {
        fields.problem(format!("Transform must be one of {}", transforms(kind).join("|")));
    }
}

impl Resource for Metric {
    const ENVELOPE: &'static str = "metric";
    type Rest = ();

    fn new(page: &PageState, call: &Call<'_>) -> Self {
        Self {
            id: page.ids.identifier(),
            display_id: page.ids.identifier(),
            display: true,
            decimal_places: Some(0),
            created_at: call.now,
            ..Self::default()
        }
    }

    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, call: &Call<'_>) {
        fields.named("name", &mut self.name);
        read!(fields => self; store text: metric_identifier);
        let provider = page.providers.get(&self.provider_id);
        let new = provider.filter(|_| !page.metrics.contains(&self.id));
        if let Some(provider) = new {
            check_transform(provider.kind, fields);
        }
        if new.is_some() || call.behaviour.metric_patch == MetricPatch::All {
            read! { fields => self;
                store text: suffix;
                store number: y_axis_min, y_axis_max;
                keep flag: y_axis_hidden, display;
                store integer: decimal_places;
                store text: tooltip_description;
            }
        }
        self.updated_at = call.now;
    }

    fn written(_page: &mut PageState, _id: &str, _rest: ()) {}

    fn removed(page: &mut PageState, id: &str) {
        references::forget_metric(page, id);
    }

    fn render(&self, _view: &PageView<'_>) -> Value {
        render(self)
    }
}

pub(super) fn render(metric: &Metric) -> Value {
    reply! { metric;
        id, metrics_provider_id = metric.provider_id, metrics_display_id = metric.display_id, metric_identifier, name,
        display, tooltip_description, backfilled = false, backfill_percentage = 0.0, y_axis_min, y_axis_max,
        y_axis_hidden, suffix, decimal_places, most_recent_data_at, last_fetched_at = Value::Null,
        reference_name = Value::Null, created_at, updated_at,
    }
}

/// The metrics of one provider.
pub(super) fn list_of_provider(page: &PageState, provider: &str, call: &Call<'_>) -> Answer {
    if !page.providers.contains(provider) {
        return Err(ApiError::not_found());
    }
    let metrics = page.metrics.values().filter(|metric| metric.provider_id == provider);
    resource::show_list(page, metrics.collect(), call)
}

/// Makes a metric below a provider.
pub(super) fn create(page: &mut PageState, provider: &str, call: &Call<'_>) -> Answer {
    if !page.providers.contains(provider) {
        return Err(ApiError::not_found());
    }
    let fields = Fields::envelope(call.body, Metric::ENVELOPE)?;
    let metric = Metric {
        provider_id: provider.to_owned(),
        ..Metric::new(page, call)
    };
    resource::write(page, metric, fields, call).map(Reply::created)
}
