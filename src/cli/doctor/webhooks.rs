//! What is asked before each write of our kinds.

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, RuleWithOperations, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::{Api, Client};

use super::finding::Finding;
use crate::api::GROUP;

/// What is asked before each write of our kinds, and whether it can answer.
pub(super) async fn webhooks(client: &Client) -> Vec<Finding> {
    const SUBJECT: &str = "webhooks";
    let all = ListParams::default();
    let validating = Api::<ValidatingWebhookConfiguration>::all(client.clone())
        .list(&all)
        .await;
    let mutating = Api::<MutatingWebhookConfiguration>::all(client.clone())
        .list(&all)
        .await;
    let (validating, mutating) = match (validating, mutating) {
        (Ok(validating), Ok(mutating)) => (validating.items, mutating.items),
        (Err(error), _) | (_, Err(error)) => return vec![Finding::unread(SUBJECT, &error)],
    };
    let validating = validating.into_iter().flat_map(|one| one.webhooks.unwrap_or_default());
    let validating = validating.map(|one| (one.name, one.failure_policy, one.rules, one.client_config));
    let mutating = mutating.into_iter().flat_map(|one| one.webhooks.unwrap_or_default());
    let mutating = mutating.map(|one| (one.name, one.failure_policy, one.rules, one.client_config));
    let asked: Vec<(String, WebhookClientConfig)> = validating
        .chain(mutating)
        .filter(|(_, policy, rules, _)| refuses(policy.as_deref()) && concerns(rules.as_deref()))
        .map(|(name, _, _, config)| (name, config))
        .collect();
    if asked.is_empty() {
        return vec![Finding::ok(SUBJECT, "none stands before writes of these kinds")];
    }
    let mut findings = Vec::new();
    for (name, config) in asked {
        findings.push(webhook(client, &name, &config).await);
    }
    findings
}

async fn webhook(client: &Client, name: &str, config: &WebhookClientConfig) -> Finding {
    let subject = format!("webhook {name}");
    let message = "is asked before each write of these kinds, and refuses it when it does not answer";
    let Some(service) = &config.service else {
        return Finding::ok(subject, message);
    };
    let services: Api<Service> = Api::namespaced(client.clone(), &service.namespace);
    match services.get_opt(&service.name).await {
        Ok(Some(_)) => Finding::ok(subject, message),
        Ok(None) => Finding::wrong(
            subject,
            format!(
                "{message}; its Service {}/{} does not exist",
                service.namespace, service.name
            ),
        )
        .remedy("remove the webhook configuration, or install again what it belongs to"),
        Err(error) => Finding::unread(subject, &error),
    }
}

/// Absent is Fail.
fn refuses(failure_policy: Option<&str>) -> bool {
    failure_policy != Some("Ignore")
}

fn concerns(rules: Option<&[RuleWithOperations]>) -> bool {
    let mut rules = rules.unwrap_or_default().iter();
    rules.any(|rule| {
        let mut groups = rule.api_groups.iter().flatten();
        groups.any(|group| group == "*" || group == GROUP)
    })
}
