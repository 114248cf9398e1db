//! Kubernetes Events, sent by a task of their own so that nothing waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event as KubernetesEvent, EventType, Recorder, Reporter};
use tokio::sync::{mpsc, oneshot};

use super::object::api_version;
use crate::driver::{Event, EventKind};
use crate::engine::ObjectKey;

/// How many Events may wait.
const QUEUE: usize = 1024;
/// The API server refuses longer notes.
const LONGEST_NOTE: usize = 1000;
const LIMIT: Duration = Duration::from_secs(10);
/// The cause that an API server gives when it refuses to create something in a namespace that is being deleted.
const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";
const CONTROLLER: &str = "statuspage-operator";

enum Message {
    Event(Box<(ObjectReference, Event)>),
    Flush(oneshot::Sender<()>),
}

/// The queue of Events.
#[derive(Clone)]
pub(super) struct Events {
    queue: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Events {
    pub fn start(client: Client, instance: String) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(send(client, instance, waiting));
        Events {
            queue,
            dropped: Arc::default(),
        }
    }

    pub fn emit(&self, key: &ObjectKey, uid: &str, event: Event) {
        let reference = ObjectReference {
            api_version: Some(api_version()),
            kind: Some(key.kind.as_str().to_owned()),
            namespace: Some(key.namespace.clone()),
            name: Some(key.name.clone()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        tracing::info!(object = %key, reason = event.reason, "{}", event.note);
        if self
            .queue
            .try_send(Message::Event(Box::new((reference, event))))
            .is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub async fn flush(&self, limit: Duration) {
        let (done, wait) = oneshot::channel();
        let flush = async {
            if self.queue.send(Message::Flush(done)).await.is_ok() {
                let _ = wait.await;
            }
        };
        let _ = tokio::time::timeout(limit, flush).await;
    }
}

async fn send(client: Client, instance: String, mut waiting: mpsc::Receiver<Message>) {
    while let Some(message) = waiting.recv().await {
        let (reference, event) = match message {
            Message::Event(event) => *event,
            Message::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        let published = KubernetesEvent {
            type_: match event.kind {
                EventKind::Normal => EventType::Normal,
                EventKind::Warning => EventType::Warning,
            },
            reason: event.reason,
            note: Some(shortened(event.note)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        // A recorder remembers Events by their reason and would repeat the note of the first one; ours are told on
        // transitions only, so that there is nothing to gather.
        let reporter = Reporter {
            controller: CONTROLLER.to_owned(),
            instance: Some(instance.clone()),
        };
        let recorder = Recorder::new(client.clone(), reporter);
        let mut result = tokio::time::timeout(LIMIT, recorder.publish(&published, &reference)).await;
        if matches!(&result, Ok(Err(error)) if is_for_an_ending_namespace(error)) {
            // Nothing can be created in it any more, and what is left there goes with it. What somebody has to know is told
            // about the namespace itself.
            if published.type_ == EventType::Normal {
                continue;
            }
            let (published, namespace) = about_namespace(published, &reference);
            result = tokio::time::timeout(LIMIT, recorder.publish(&published, &namespace)).await;
        }
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let name = reference.name.unwrap_or_default();
                tracing::warn!(name, error = super::watch::reason(&error), "cannot write an Event");
            }
            Err(_) => tracing::warn!("an Event was not accepted in time"),
        }
    }
}

/// True when an Event was refused because its namespace is being deleted.
fn is_for_an_ending_namespace(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 403 && causes.into_iter().any(|cause| cause.reason == NAMESPACE_TERMINATING)
}

/// The same Event about the namespace of what it is about: it is kept in the namespace `default`.
fn about_namespace(event: KubernetesEvent, about: &ObjectReference) -> (KubernetesEvent, ObjectReference) {
    let (kind, name) = (about.kind.as_deref(), about.name.as_deref());
    let note = format!(
        "{} {}: {}",
        kind.unwrap_or_default(),
        name.unwrap_or_default(),
        event.note.unwrap_or_default()
    );
    let namespace = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Namespace".to_owned()),
        name: about.namespace.clone(),
        ..ObjectReference::default()
    };
    let event = KubernetesEvent {
        note: Some(shortened(note)),
        ..event
    };
    (event, namespace)
}

fn shortened(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let mut end = LONGEST_NOTE;
        while !note.is_char_boundary(end) {
            end -= 1;
        }
        note.truncate(end);
        note.push('…');
    }
    note
}
