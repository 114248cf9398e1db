//! Metrics providers. Credentials are only read at creation and never returned (reference 2.9).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Rules, text, write};
use crate::api::{DriftPolicy, Kind, MetricsProviderSpec, Reason, ReplacePolicy};
use crate::engine::context::{Blocked, Context};
use crate::engine::declaration::{Declaration, Deletion, Status};
use crate::engine::fields::{Access, Field};
use crate::engine::request::Request;
use crate::statuspage::{Collection, CollectionKind, MetricsProvider, ObjectKind, Priority, Snapshot};

impl Rules for MetricsProviderSpec {
    type Remote = MetricsProvider;
    const COLLECTION: CollectionKind = CollectionKind::MetricsProviders;
    const PRIORITY: Priority = Priority::Write;
    const OBJECT: Option<ObjectKind> = Some(ObjectKind::MetricsProvider);

    fn collection(snapshot: &Snapshot) -> Option<&Collection<MetricsProvider>> {
        snapshot.metrics_providers.as_ref()
    }

    fn id(remote: &MetricsProvider) -> &str {
        &remote.id
    }

    fn created_at(remote: &MetricsProvider) -> Option<Timestamp> {
        remote.created_at
    }

    fn handles(remote: &MetricsProvider) -> Vec<String> {
        remote.r#type.iter().map(|kind| kind.as_str().to_owned()).collect()
    }

    fn wanted_handles(&self, _context: &Context<'_>) -> Vec<String> {
        vec![self.provider_type.as_str().to_owned()]
    }

    fn also_needs(&self) -> Option<CollectionKind> {
        // Which metrics a replacement would take with it.
        let replaced = self.replace_policy == Some(ReplacePolicy::WhenNeeded);
        replaced.then_some(CollectionKind::Metrics)
    }

    fn title(&self, _context: &Context<'_>) -> String {
        self.provider_type.as_str().to_owned()
    }

    fn same_identity(&self, _context: &Context<'_>, remote: &MetricsProvider) -> bool {
        let address = |text: Option<&str>| text.unwrap_or_default().trim_end_matches('/').to_owned();
        remote.r#type.as_ref().map(|kind| kind.as_str()) == Some(self.provider_type.as_str())
            && address(remote.metric_base_uri.as_deref()) == address(self.metric_base_uri.as_deref())
    }

    fn fields(&self, context: &Context<'_>, remote: Option<&MetricsProvider>) -> Result<Vec<Field>, Blocked> {
        let mut fields = vec![Field::new(
            "type",
            "type",
            json!(self.provider_type.as_str()),
            remote.and_then(|remote| text(remote.r#type.as_ref().map(|kind| kind.as_str()))),
        )];
        if let Some(address) = &self.metric_base_uri {
            let observed = remote.and_then(|remote| text(remote.metric_base_uri.as_deref()));
            fields.push(Field::new("metricBaseUri", "metric_base_uri", json!(address), observed));
        }
        if let Some(email) = &self.email {
            fields.push(Field::new("email", "email", json!(email), None).access(Access::CreateOnly));
        }
        for (name, wire, reference) in [
            ("passwordSecretRef", "password", &self.password_secret_ref),
            ("apiKeySecretRef", "api_key", &self.api_key_secret_ref),
            ("apiTokenSecretRef", "api_token", &self.api_token_secret_ref),
            (
                "applicationKeySecretRef",
                "application_key",
                &self.application_key_secret_ref,
            ),
        ] {
            let Some(reference) = reference else { continue };
            let value = match context.declaration.secrets.get(name) {
                Some(Ok(secret)) => json!(secret),
                // Credentials are only read at creation: a provider that is there does not need them.
                _ if remote.is_some() => continue,
                Some(Err(problem)) => {
                    return Err(Blocked::waiting(Reason::SecretNotFound, problem.clone()));
                }
                None => {
                    let message = format!("waiting for Secret {}", reference.name);
                    return Err(Blocked::waiting(Reason::SecretNotFound, message));
                }
            };
            let mut field = Field::new(name, wire, value, None).access(Access::CreateOnly);
            field.secret = true;
            fields.push(field);
        }
        Ok(fields)
    }

    fn create(&self, _context: &Context<'_>, body: Map<String, Value>) -> Result<Request, Blocked> {
        Ok(Request::CreateMetricsProvider(Box::new(write(body)?)))
    }

    fn update(
        &self,
        _context: &Context<'_>,
        remote: &MetricsProvider,
        body: Map<String, Value>,
    ) -> Result<Request, Blocked> {
        Ok(Request::UpdateMetricsProvider(
            remote.id.clone(),
            Box::new(write(body)?),
        ))
    }

    fn replaceable(&self, context: &Context<'_>, remote: &MetricsProvider) -> Result<(), Blocked> {
        let Some(metrics) = &context.world.snapshot.metrics else {
            return Err(Blocked::unread("the metrics"));
        };
        for metric in &metrics.items {
            if metric.metrics_provider_id.as_deref() != Some(&remote.id) {
                continue;
            }
            let owner = context.claims.owner(Kind::Metric, &metric.id);
            match owner.and_then(|owner| context.index.get(owner)) {
                Some(owner) if comes_back(owner, context) => {}
                Some(owner) => {
                    let message = format!(
                        "its metrics go with it: set replacePolicy: WhenNeeded and driftPolicy: Correct on {}",
                        owner.key
                    );
                    return Err(Blocked::stalled(Reason::NotHonoured, message));
                }
                None => {
                    let name = metric.name.as_deref().unwrap_or_default();
                    let message = format!(
                        "its metrics go with it, and nobody declares metric {name:?} with id {}: declare it or delete it",
                        metric.id
                    );
                    return Err(Blocked::stalled(Reason::NotHonoured, message));
                }
            }
        }
        Ok(())
    }

    fn observe(&self, _context: &Context<'_>, remote: &MetricsProvider, status: &mut Status) {
        if let Status::MetricsProvider(status) = status {
            status.disabled = remote.disabled.unwrap_or_default();
        }
    }
}

/// True for a metric that may be deleted with its provider and is created again after it.
fn comes_back(metric: &Declaration, context: &Context<'_>) -> bool {
    let policies = metric.policies(context.world.page_spec());
    context.may_write(metric)
        && !metric.deleting
        && policies.replace == ReplacePolicy::WhenNeeded
        && policies.drift == DriftPolicy::Correct
        && policies.deletion == Deletion::Delete
}
