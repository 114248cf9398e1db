//! The events of a namespace go with it, where that is wished: a tenant that is gone leaves nothing behind.
//!
//! Invariant: gone is what two complete lists do not have, some time apart, and what is not found by its name either.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client};

use super::leader::Leadership;
use crate::audit::AuditLog;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Deletes the events of namespaces that are gone, for as long as the process runs. Only the leader does.
pub(super) async fn with_namespaces(client: Client, log: AuditLog, leadership: Arc<Leadership>) {
    let namespaces: Api<Namespace> = Api::all(client);
    let mut missed = BTreeSet::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !leadership.leads() {
            missed.clear();
            continue;
        }
        let there = match namespaces.list_metadata(&ListParams::default()).await {
            Ok(list) => list
                .items
                .into_iter()
                .filter_map(|one| one.metadata.name)
                .collect::<BTreeSet<_>>(),
            Err(error) => {
                tracing::warn!(%error, "namespaces cannot be listed: no events are deleted");
                missed.clear();
                continue;
            }
        };
        let recorded = match log.store().tenants().await {
            Ok(recorded) => recorded,
            Err(error) => {
                tracing::warn!(?error, "cannot list the namespaces of the event log");
                continue;
            }
        };
        let gone: BTreeSet<String> = recorded.into_iter().filter(|name| !there.contains(name)).collect();
        for name in gone.intersection(&missed) {
            // No list has it, and there is none of this name.
            if matches!(namespaces.get_metadata_opt(name).await, Ok(None)) {
                match log.purge(name).await {
                    Ok(events) => tracing::info!(
                        namespace = name,
                        events,
                        "the events of a deleted namespace are deleted"
                    ),
                    Err(error) => tracing::warn!(namespace = name, ?error, "the events of a deleted namespace stay"),
                }
            }
        }
        missed = gone;
    }
}
