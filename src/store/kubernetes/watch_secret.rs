//! The watch of one Secret, by its name.

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};

use super::secrets::{Known, SecretName};
use super::shared::Shared;
use super::watch::{backoff, is_forbidden, reason};
use crate::statuspage::Secret;

/// Follows one Secret until its task is aborted.
pub(super) async fn watch_secret(shared: Arc<Shared>, client: Client, name: SecretName) {
    let api: Api<core::Secret> = Api::namespaced(client, &name.0);
    let config = watcher::Config::default().fields(&format!("metadata.name={}", name.1));
    let mut stream = watcher::watcher(api.clone(), config.clone()).boxed();
    let mut anew = shared.anew.subscribe();
    let mut backoff = backoff();
    let mut listed = None;
    loop {
        let event = tokio::select! {
            event = stream.next() => event,
            _ = anew.changed() => {
                stream = watcher::watcher(api.clone(), config.clone()).boxed();
                continue;
            }
        };
        let Some(event) = event else { return };
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
                shared.watch_failed();
                let reason = reason(&error);
                if backoff.is_fresh() {
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
                tokio::time::sleep(backoff.pause()).await;
                continue;
            }
        };
        backoff.reset();
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
