//! The watch of one Secret, by its name.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};

use super::secrets::{Known, SecretName};
use super::shared::Shared;
use super::watch::{Watch, is_forbidden, reason};
use crate::statuspage::Secret;

/// Follows one Secret until its task is aborted.
pub(super) async fn watch_secret(shared: Arc<Shared>, client: Client, name: SecretName) {
    let api: Api<core::Secret> = Api::namespaced(client, &name.0);
    let config = watcher::Config::default().fields(&format!("metadata.name={}", name.1));
    let mut watch = Watch::new(&shared, api, config);
    let mut listed = None;
    while let Some(event) = watch.next().await {
        let known = match event {
            Ok(Event::Init) => {
                listed = None;
                continue;
            }
            Ok(Event::InitApply(secret)) => {
                listed = Some(secret);
                continue;
            }
            Ok(Event::InitDone) => listed.take().map_or(Known::Missing, values),
            Ok(Event::Apply(secret)) => values(secret),
            Ok(Event::Delete(_)) => Known::Missing,
            Err(error) => {
                let reason = reason(&error);
                if watch.backoff.is_fresh() {
                    tracing::warn!(
                        namespace = name.0,
                        secret = name.1,
                        error = reason,
                        "cannot watch a Secret"
                    );
                }
                // What was read stays; an answer that says no is an answer.
                if is_forbidden(&error) && shared.secrets.learn(&name, Known::Refused(reason)) {
                    shared.secret_changed(&name);
                }
                tokio::time::sleep(watch.backoff.pause()).await;
                continue;
            }
        };
        watch.backoff.reset();
        if shared.secrets.learn(&name, known) {
            shared.secret_changed(&name);
        }
    }
}

fn values(secret: core::Secret) -> Known {
    let data = secret.data.unwrap_or_default();
    Known::Present(
        data.into_iter()
            .filter_map(|(key, value)| {
                let text = String::from_utf8(value.0).ok()?;
                Some((key, Secret::from(text.trim())))
            })
            .collect(),
    )
}
