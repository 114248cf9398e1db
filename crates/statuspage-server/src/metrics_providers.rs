//! Metrics providers: where the values of metrics come from. Their credentials are checked and never kept.

use serde_json::{Value, json};

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::instants::{optional_seconds, seconds};
use super::records::MetricsProvider;
use super::references;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::vocabulary::ProviderType;

fn render(page: &PageState, provider: &MetricsProvider) -> Value {
    json!({
        "id": provider.id,
        "type": provider.kind.as_str(),
        "disabled": provider.disabled,
        "metric_base_uri": provider.metric_base_uri,
        "last_revalidated_at": optional_seconds(provider.last_revalidated_at),
        "created_at": seconds(provider.created_at),
        "updated_at": seconds(provider.updated_at),
        "page_id": page.id,
    })
}

/// The fields that the console of a type asks for.
fn asked(kind: ProviderType) -> &'static [&'static str] {
    match kind {
        ProviderType::Pingdom => &["email", "password", "application_key"],
        ProviderType::NewRelic => &["api_key"],
        ProviderType::Librato => &["email", "api_token"],
        ProviderType::Datadog => &["api_key", "application_key"],
        ProviderType::Own => &[],
    }
}

/// The old list of types that exist, which needs no page.
pub(super) fn catalogue() -> Reply {
    Reply::ok(Value::Array(
        ProviderType::ALL
            .iter()
            .map(|kind| json!({ "type": kind.as_str(), "required_fields": asked(*kind) }))
            .collect(),
    ))
}

/// The operations of providers and of the metrics below them.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => Ok(Reply::ok(Value::Array(
            page.providers.values().map(|provider| render(page, provider)).collect(),
        ))),
        ([], Verb::Post) => create(page, call),
        ([id], Verb::Get) => shown(page, id).map(Reply::ok),
        ([id], Verb::Patch | Verb::Put) => update(page, id, call),
        ([id], Verb::Delete) => delete(page, id),
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn shown(page: &PageState, id: &str) -> Result<Value, ApiError> {
    let provider = page.providers.get(id).ok_or_else(ApiError::not_found)?;
    Ok(render(page, provider))
}

/// Complains about the credentials that a type cannot do without.
fn check_credentials(kind: ProviderType, fields: &mut Fields<'_>) {
    let mut given = |key: &str| matches!(fields.filled(key), Given::Value(_));
    let missing: Vec<&str> = match kind {
        // Pingdom went from an account with a key to a single token; both are served.
        ProviderType::Pingdom if given("api_token") || given("application_key") => Vec::new(),
        ProviderType::Pingdom => vec!["api_token"],
        _ => asked(kind).iter().copied().filter(|key| !given(key)).collect(),
    };
    for key in missing {
        fields.blank(key);
    }
}

fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "metrics_provider")?;
    let kind = fields.word::<ProviderType>("type");
    match &kind {
        Given::Value(kind) => check_credentials(*kind, &mut fields),
        Given::Null => fields.blank("type"),
        Given::Absent if fields.has("type") => {}
        Given::Absent => fields.blank("type"),
    }
    let metric_base_uri = fields.filled("metric_base_uri").value();
    fields.finish()?;
    let provider = MetricsProvider {
        id: page.ids.identifier(),
        kind: kind.value().unwrap_or(ProviderType::Own),
        metric_base_uri,
        disabled: false,
        last_revalidated_at: None,
        created_at: call.now,
        updated_at: call.now,
    };
    let rendered = render(page, &provider);
    let id = provider.id.clone();
    page.providers.put(&id, provider);
    Ok(Reply::created(rendered))
}

fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut provider = page.providers.get(id).ok_or_else(ApiError::not_found)?.clone();
    let mut fields = Fields::envelope(call.body, "metrics_provider")?;
    fields.word::<ProviderType>("type").keep(&mut provider.kind);
    fields.filled("metric_base_uri").store(&mut provider.metric_base_uri);
    fields.finish()?;
    provider.updated_at = call.now;
    page.providers.put(id, provider);
    shown(page, id).map(Reply::ok)
}

fn delete(page: &mut PageState, id: &str) -> Answer {
    let last = shown(page, id)?;
    page.providers.remove(id);
    let orphans: Vec<String> = page
        .metrics
        .values()
        .filter(|metric| metric.provider_id == id)
        .map(|metric| metric.id.clone())
        .collect();
    for metric in orphans {
        references::remove_metric(page, &metric);
    }
    Ok(Reply::ok(last))
}
