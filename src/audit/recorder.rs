//! From what a driver does to events.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::event::{AuditEvent, noun};
use super::journal::Telling;
use super::log::{AuditLog, Pending};
use super::personal::Masks;
use super::value::TraitValue;
use crate::driver::{Conclusion, Expectation, Happening, PendingRecord, Recorder, RemoteWrite};
use crate::engine::{Action, Declaration, ObjectKey, Status, Step};

/// The conditions whose transitions are events.
const CONDITIONS: [&str; 4] = [
    crate::engine::READY,
    crate::engine::SYNCED,
    crate::engine::RECONCILING,
    crate::engine::STALLED,
];

impl Recorder for AuditLog {
    fn begin(&self, write: RemoteWrite<'_>) -> Box<dyn PendingRecord> {
        let operation = operation(write.step);
        let event = self
            .about(operation, write.page, Some(write.page_id), write.declaration)
            .text(
                "method",
                write.step.action.request().map_or("", |request| request.method()),
            )
            // Changes carry `(secret)` in the place of secrets; the request itself does not.
            .raw(json!({"summary": write.step.summary.to_string(), "changes": write.step.changes}));
        let mut event = match is_declared_anew(write.declaration, write.step) {
            true => by_owner(event, write.declaration),
            false => event,
        };
        let masks = self.masks(write.declaration);
        masks.apply(&mut event.raw);
        Box::new(Request {
            pending: AuditLog::begin(self, event),
            masks,
        })
    }

    fn expect(
        &self,
        page: &ObjectKey,
        page_id: Option<&str>,
        declaration: &Declaration,
        happening: Happening<'_>,
    ) -> Option<Box<dyn Expectation>> {
        let event = |operation: &str| self.about(operation, page, page_id, declaration);
        let done = |operation: &str| event(operation).text("outcome", "succeeded");
        let (part, events) = match happening {
            Happening::Adopted { id, recovered: false } => {
                let event = by_owner(done("adopt"), declaration).text("remote_id", id);
                ("id", vec![event])
            }
            Happening::Adopted { id, recovered: true } => ("id", vec![done("recover").text("remote_id", id)]),
            Happening::Released => ("release", vec![done("release")]),
            Happening::Pruned => ("prune", vec![done("prune")]),
            Happening::Status(status) => ("status", transitions(declaration, status, event)),
        };
        let expected = self.all(declaration, part, events);
        (!expected.0.is_empty()).then(|| Box::new(expected) as Box<dyn Expectation>)
    }
}

/// What is about to be written to the store, as events.
struct Expected(Vec<Pending>);

impl Expectation for Expected {
    fn conclude(self: Box<Self>, happened: bool) {
        let end = if happened { Pending::happened } else { Pending::forget };
        self.0.into_iter().for_each(end);
    }
}

/// A request that is on its way.
struct Request {
    pending: Pending,
    masks: Masks,
}

impl PendingRecord for Request {
    fn conclude(self: Box<Self>, conclusion: Conclusion<'_>) {
        let Request { pending, masks } = *self;
        pending.complete(conclusion.outcome, |event| {
            let mut event = event
                .text("remote_id", conclusion.created.unwrap_or_default())
                .text("request_id", conclusion.request_id.unwrap_or_default());
            if let Some(status) = conclusion.status {
                event.set("http_status", TraitValue::Integer(i64::from(status)));
            }
            if let (Some(error), Value::Object(raw)) = (conclusion.error, &mut event.raw) {
                raw.insert("error".to_owned(), Value::from(masks.text(error)));
            }
            event
        });
    }
}

impl AuditLog {
    fn about(&self, operation: &str, page: &ObjectKey, page_id: Option<&str>, declaration: &Declaration) -> AuditEvent {
        let key = &declaration.key;
        AuditEvent::new(format!("{}.{operation}", noun(key.kind)), self.now())
            .tenant(&key.namespace)
            .text("page", format!("{}/{}", page.namespace, page.name))
            .text("page_id", page_id.unwrap_or_default())
            .text("kind", key.kind.as_str())
            .text("name", &key.name)
            .text("operation", operation)
            .text("remote_id", declaration.recorded_id().unwrap_or_default())
            .with("generation", TraitValue::Integer(declaration.generation))
    }

    /// What is masked in events about a declaration.
    fn masks(&self, declaration: &Declaration) -> Masks {
        if self.shared.personal_data {
            Masks::none()
        } else {
            Masks::of(&declaration.spec)
        }
    }

    /// Puts events of one store write on the record. Each is an event of its own, however often the same is written: only
    /// when the last write of this part of the declaration was interrupted, and this one writes the same, is it the same
    /// event. So every write is told here, also one of which nothing is recorded.
    fn all(&self, declaration: &Declaration, part: &str, events: Vec<AuditEvent>) -> Expected {
        let subject = format!("{} {part}", declaration.uid);
        let interrupted = self.shared.queue().resume(&subject);
        let before = declaration.stored.to_json().unwrap_or_default().to_string();
        let masks = self.masks(declaration);
        let told = events.into_iter().map(|mut event| {
            let told = ["condition", "status", "reason", "remote_id"].map(|name| event.get(name).unwrap_or_default());
            let drift = event.raw.get("drift").map(ToString::to_string).unwrap_or_default();
            let parts = [&before, &event.event_type, &drift];
            let content = digest(parts.into_iter().chain(&told));
            if let Some(id) = interrupted.get(&content) {
                event.message_id.clone_from(id);
            }
            masks.apply(&mut event.raw);
            let subject = subject.clone();
            self.expect(event, Telling { subject, content })
        });
        Expected(told.collect())
    }
}

/// A name for texts: the same for the same ones.
fn digest<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.len().to_le_bytes());
        digest.update(text);
    }
    let bytes = digest.finalize();
    bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The event with the field manager that declared what it carries out, where the store knows that.
fn by_owner(event: AuditEvent, declaration: &Declaration) -> AuditEvent {
    event.text("who", declaration.field_manager.as_deref().unwrap_or_default())
}

/// True when a step carries out what its owner declared anew, and does not undo what somebody did on the page.
fn is_declared_anew(declaration: &Declaration, step: &Step) -> bool {
    let applied = &declaration.status.object().applied;
    let mine = step.applied.iter().filter(|applied| applied.key == declaration.key);
    match &step.action {
        Action::Publish { .. } => true,
        Action::Delete(_) => false,
        _ => mine
            .into_iter()
            .any(|one| applied.get(&*one.name.text()) != Some(&one.hash)),
    }
}

/// One event for each condition that changes, and one for drift that was not there before.
fn transitions(declaration: &Declaration, after: &Status, event: impl Fn(&str) -> AuditEvent) -> Vec<AuditEvent> {
    let mut events = Vec::new();
    let (before, after) = (declaration.stored.object(), after.object());
    for kind in CONDITIONS {
        let [old, new] = [before, after].map(|status| crate::engine::find_condition(status, kind));
        let told = |condition: Option<&Condition>| {
            condition.map(|condition| (condition.status.clone(), condition.reason.clone()))
        };
        if told(old) == told(new) {
            continue;
        }
        // A condition that is only there while true has ended when it is gone.
        let status = new.map_or("False", |condition| condition.status.as_str());
        let reason = new.or(old).map_or("", |condition| condition.reason.as_str());
        let event = event("condition")
            .text("condition", kind)
            .text("status", status)
            .text("reason", reason)
            .raw(json!({
                "from": old.map(|condition| json!({"status": condition.status, "reason": condition.reason})),
                "message": new.map(|condition| &condition.message),
            }));
        // Told for the first time of what is declared now.
        let anew = before.observed_generation != after.observed_generation;
        events.push(if anew { by_owner(event, declaration) } else { event });
    }
    if !after.drift.is_empty() && after.drift != before.drift {
        let fields: Vec<&str> = after.drift.iter().map(|drift| drift.field.as_str()).collect();
        let event = event("drift")
            .text("field", fields.join(","))
            .raw(json!({"drift": after.drift}));
        events.push(event);
    }
    events
}

fn operation(step: &Step) -> &'static str {
    match &step.action {
        Action::Create(_) => "create",
        Action::Provide(_) => "provide",
        Action::AddFinalizer => "hold",
        Action::Publish { .. } => "publish",
        Action::Update(_) | Action::Tell { .. } => "update",
        Action::Delete(_) | Action::Replace(_) => "delete",
        Action::RecordId(_) => "adopt",
        Action::RemoveFinalizer | Action::Leave => "release",
        Action::Prune => "prune",
    }
}
