//! From what a driver does to events.

use serde_json::{Value, json};

use super::event::AuditEvent;
use super::log::{AuditLog, Pending};
use super::value::TraitValue;
use crate::api::Kind;
use crate::driver::{Conclusion, Effect, Happening, Recorder, Ticket};
use crate::engine::{Action, Declaration, ObjectKey, Status, Step};

/// The conditions whose transitions are events.
const CONDITIONS: [&str; 4] = [
    crate::engine::READY,
    crate::engine::SYNCED,
    crate::engine::RECONCILING,
    crate::engine::STALLED,
];

impl Recorder for AuditLog {
    fn begin(&self, effect: Effect<'_>) -> Box<dyn Ticket> {
        let operation = operation(effect.step);
        let event = self
            .about(operation, effect.page, Some(effect.page_id), effect.declaration)
            .text(
                "method",
                effect.step.action.request().map_or("", |request| request.method()),
            )
            // Changes carry `(secret)` in the place of secrets; the request itself does not.
            .raw(json!({"summary": effect.step.summary, "changes": effect.step.changes}));
        Box::new(AuditLog::begin(self, event))
    }

    fn note(&self, page: &ObjectKey, page_id: Option<&str>, declaration: &Declaration, happening: Happening<'_>) {
        let event = |operation| self.about(operation, page, page_id, declaration);
        match happening {
            Happening::Adopted { id, recovered } => {
                let operation = if recovered { "recover" } else { "adopt" };
                self.record(event(operation).text("remote_id", id).text("outcome", "succeeded"));
            }
            Happening::Released => self.record(event("release").text("outcome", "succeeded")),
            Happening::Pruned => self.record(event("prune").text("outcome", "succeeded")),
            Happening::Status(status) => self.transitions(page, page_id, declaration, status),
        }
    }
}

impl Ticket for Pending {
    fn conclude(self: Box<Self>, conclusion: Conclusion<'_>) {
        self.complete(conclusion.outcome, |event| {
            let mut event = event
                .text("remote_id", conclusion.created.unwrap_or_default())
                .text("request_id", conclusion.request_id.unwrap_or_default());
            if let Some(status) = conclusion.status {
                event.set("http_status", TraitValue::Integer(i64::from(status)));
            }
            if let (Some(error), Value::Object(raw)) = (conclusion.error, &mut event.raw) {
                raw.insert("error".to_owned(), Value::from(error));
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
            .text(
                "remote_id",
                declaration.status.object().id.as_deref().unwrap_or_default(),
            )
            .with("generation", TraitValue::Integer(declaration.generation))
    }

    /// One event for each condition that changed, and one for drift that was not there before.
    fn transitions(&self, page: &ObjectKey, page_id: Option<&str>, declaration: &Declaration, after: &Status) {
        let (before, after) = (declaration.stored.object(), after.object());
        for kind in CONDITIONS {
            let [old, new] = [before, after].map(|status| crate::engine::find_condition(status, kind));
            let told = |condition: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>| {
                condition.map(|condition| (condition.status.clone(), condition.reason.clone()))
            };
            if told(old) == told(new) {
                continue;
            }
            // A condition that is only there while true has ended when it is gone.
            let status = new.map_or("False", |condition| condition.status.as_str());
            let reason = new.or(old).map_or("", |condition| condition.reason.as_str());
            let event = self
                .about("condition", page, page_id, declaration)
                .text("condition", kind)
                .text("status", status)
                .text("reason", reason)
                .raw(json!({
                    "from": old.map(|condition| json!({"status": condition.status, "reason": condition.reason})),
                    "message": new.map(|condition| &condition.message),
                }));
            self.record(event);
        }
        if !after.drift.is_empty() && after.drift != before.drift {
            let fields: Vec<&str> = after.drift.iter().map(|drift| drift.field.as_str()).collect();
            let event = self
                .about("drift", page, page_id, declaration)
                .text("field", fields.join(","))
                .raw(json!({"drift": after.drift}));
            self.record(event);
        }
    }
}

fn operation(step: &Step) -> &'static str {
    match &step.action {
        Action::Create(_) | Action::Provide(_) => "create",
        Action::Hold => "hold",
        Action::Publish { .. } => "publish",
        Action::Update(_) => "update",
        Action::Delete(_) | Action::Replace(_) => "delete",
        Action::RecordId(_) => "adopt",
        Action::Release => "release",
        Action::Prune => "prune",
    }
}

/// The kind in event types.
fn noun(kind: Kind) -> String {
    kind.noun().replace(' ', "_")
}
