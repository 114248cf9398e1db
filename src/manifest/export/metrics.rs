//! Metrics and their providers. Values are never returned, nor are credentials.

use serde_json::{Value, json};

use super::{Exporter, said};
use crate::api::{Kind, ProviderTypeName};
use crate::statuspage::{Metric, MetricsProvider};

impl Exporter<'_> {
    /// The references to Secrets name where the credentials are to be put: a provider of most types needs them to be
    /// valid, and they are only read when it is created.
    pub(super) fn metrics_providers(&mut self) {
        let mut with_credentials = Vec::new();
        for provider in self.snapshot.metrics_providers.iter().flat_map(|list| &list.items) {
            let kind = provider_type(provider);
            if !is_known(&kind) {
                let why = format!("its type {kind:?} cannot be declared");
                self.leave_out(Kind::MetricsProvider, &provider.id, &why);
                continue;
            }
            let Some(name) = self.names.get(Kind::MetricsProvider, &provider.id).cloned() else {
                continue;
            };
            let secret = |key: &str| json!({"name": format!("{name}-credentials"), "key": key});
            let mut spec = json!({
                "type": kind,
                "metricBaseUri": said(&provider.metric_base_uri).filter(|_| kind != "Self"),
            });
            let credentials: &[(&str, Value)] = match kind.as_str() {
                "Datadog" => &[
                    ("apiKeySecretRef", secret("api-key")),
                    ("applicationKeySecretRef", secret("application-key")),
                ],
                "NewRelic" => &[("apiKeySecretRef", secret("api-key"))],
                "Pingdom" => &[("apiTokenSecretRef", secret("api-token"))],
                "Librato" => &[
                    ("email", json!("account@example.com")),
                    ("apiTokenSecretRef", secret("api-token")),
                ],
                _ => &[],
            };
            for (field, value) in credentials {
                spec[*field] = value.clone();
            }
            if !credentials.is_empty() {
                with_credentials.push(name);
            }
            self.put(Kind::MetricsProvider, &provider.id, spec);
        }
        if !with_credentials.is_empty() {
            self.note(format!(
                "the credentials of MetricsProvider {} are in Secrets that do not exist, because Statuspage never shows them: needed only to create the provider again",
                with_credentials.join(", ")
            ));
        }
    }

    pub(super) fn metrics(&mut self) {
        for metric in self.snapshot.metrics.iter().flat_map(|list| &list.items) {
            let provider = metric.metrics_provider_id.as_deref();
            let named = provider
                .and_then(|id| self.names.get(Kind::MetricsProvider, id))
                .cloned();
            if provider.is_some() && named.is_none() {
                self.leave_out(Kind::Metric, &metric.id, "so is its provider");
                continue;
            }
            let (minimum, maximum) = axis(metric);
            let spec = json!({
                "providerRef": named.map(|provider| json!({"name": provider})),
                "name": self.title(Kind::Metric, &metric.id, &metric.name),
                "metricIdentifier": said(&metric.metric_identifier),
                "suffix": said(&metric.suffix),
                "yAxisMin": minimum,
                "yAxisMax": maximum,
                "yAxisHidden": metric.y_axis_hidden,
                "display": metric.display,
                "decimalPlaces": metric.decimal_places,
                "tooltipDescription": said(&metric.tooltip_description),
            });
            self.put(Kind::Metric, &metric.id, spec);
        }
    }
}

/// The ends of the axis; none where they cannot be declared because they are the wrong way round.
fn axis(metric: &Metric) -> (Option<Value>, Option<Value>) {
    match (metric.y_axis_min, metric.y_axis_max) {
        (Some(minimum), Some(maximum)) if minimum >= maximum => (None, None),
        (minimum, maximum) => (minimum.map(number), maximum.map(number)),
    }
}

/// Whole numbers as people write them.
fn number(number: f64) -> Value {
    let is_whole = number.fract() == 0.0 && number.abs() < 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
    if is_whole { json!(number as i64) } else { json!(number) }
}

pub(super) fn provider_type(provider: &MetricsProvider) -> String {
    provider.r#type.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn is_known(provider_type: &str) -> bool {
    serde_json::from_value::<ProviderTypeName>(json!(provider_type)).is_ok()
}
