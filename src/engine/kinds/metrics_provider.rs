//! Metrics providers. Credentials are only read at creation and never returned (reference 2.9).

use serde_json::{Value, json};

use super::table::{Row, declared, row, sent_once};
use super::{Body, Rules, since, write};
use crate::api::{Deletion, DriftPolicy, Kind, MetricsProviderSpec, Reason, ReplacePolicy, SecretReference, Status};
use crate::engine::context::Context;
use crate::engine::declaration::Declaration;
use crate::engine::outcome::Blocked;
use crate::engine::request::Request;
use crate::statuspage::{CollectionKind, MetricsProvider, Snapshot};

impl Rules for MetricsProviderSpec {
    type Remote = MetricsProvider;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!(
            "type",
            "type",
            |spec, _, _| declared(Some(&spec.provider_type)),
            |remote| json!(remote.r#type)
        ),
        row!("metricBaseUri", metric_base_uri),
        sent_once!("email", email),
        sent_once!("passwordSecretRef", "password", |spec, context, remote| {
            credential("passwordSecretRef", &spec.password_secret_ref, context, remote)
        })
        .secret(),
        sent_once!("apiKeySecretRef", "api_key", |spec, context, remote| {
            credential("apiKeySecretRef", &spec.api_key_secret_ref, context, remote)
        })
        .secret(),
        sent_once!("apiTokenSecretRef", "api_token", |spec, context, remote| {
            credential("apiTokenSecretRef", &spec.api_token_secret_ref, context, remote)
        })
        .secret(),
        sent_once!("applicationKeySecretRef", "application_key", |spec, context, remote| {
            credential(
                "applicationKeySecretRef",
                &spec.application_key_secret_ref,
                context,
                remote,
            )
        })
        .secret(),
    ];

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

    fn create(&self, _context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        Ok(Request::CreateMetricsProvider(Box::new(write(body)?)))
    }

    fn update(&self, _context: &Context<'_>, remote: &MetricsProvider, body: Body) -> Result<Request, Blocked> {
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

    fn describe(remote: &MetricsProvider, _snapshot: &Snapshot) -> String {
        let kind = remote.r#type.as_ref().map(ToString::to_string).unwrap_or_default();
        let address = remote.metric_base_uri.as_deref().filter(|address| !address.is_empty());
        let address = address.map(|address| format!(" at {address}")).unwrap_or_default();
        format!("{kind}{address}{}", since(remote.created_at))
    }

    fn observe(&self, _context: &Context<'_>, remote: &MetricsProvider, status: &mut Status) {
        if let Status::MetricsProvider(status) = status {
            status.disabled = remote.disabled.unwrap_or_default();
        }
    }
}

/// Credentials are only read at creation: a provider that is there does not need them.
fn credential(
    name: &str,
    reference: &Option<SecretReference>,
    context: &Context<'_>,
    remote: Option<&MetricsProvider>,
) -> Result<Option<Value>, Blocked> {
    match reference {
        Some(reference) => match context.secret(name, reference) {
            Err(_) if remote.is_some() => Ok(None),
            secret => secret.map(Some),
        },
        None => Ok(None),
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
