//! Requests that a person sends by hand, beside any declaration.

use serde_json::{Map, Value, json};

use super::event::{AuditEvent, noun};
use super::log::{AuditLog, Pending};
use super::personal::{Masks, masked};
use super::value::TraitValue;
use crate::api::Kind;
use crate::engine::ObjectKey;
use crate::statuspage::{Error, RawReply, is_secret};

/// A request before it is sent.
#[derive(Clone, Copy)]
pub struct HandWritten<'a> {
    pub method: &'a str,
    /// The parts of its path.
    pub segments: &'a [&'a str],
    pub body: Option<&'a Value>,
    pub who: &'a str,
    /// The declaration of the page, where there is one.
    pub page: Option<&'a ObjectKey>,
}

impl std::fmt::Debug for HandWritten<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the body, which may hold secrets.
        formatter
            .debug_struct("HandWritten")
            .field("method", &self.method)
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

/// A request by hand that was noted. Dropped without a conclusion its outcome is unknown.
#[derive(Debug)]
#[must_use = "without a conclusion it is stored with the outcome unknown"]
pub struct ByHand {
    pending: Pending,
    masks: Masks,
}

/// The fields of the API whose values say who or where somebody is.
const PERSONAL: [&str; 6] = [
    "email",
    "phone_number",
    "endpoint",
    "first_name",
    "last_name",
    "external_login",
];

impl AuditLog {
    /// Takes a request that is about to be sent: when this returns, no end of the process loses it.
    pub fn begin_by_hand(&self, request: &HandWritten<'_>) -> ByHand {
        let subject = Subject::of(request.method, request.segments);
        let mut fields = Vec::new();
        flatten(request.body.unwrap_or(&Value::Null), "", &mut fields);
        let hides = !self.shared.personal_data;
        let mut personal = Vec::new();
        let changes: Vec<Value> = fields
            .into_iter()
            .map(|(field, value)| {
                let name = field
                    .rsplit('.')
                    .find(|part| !part.is_empty())
                    .unwrap_or_default()
                    .to_owned();
                let value = match value {
                    _ if is_secret(&name) => Value::from("(secret)"),
                    Value::String(text) if hides && PERSONAL.contains(&name.as_str()) => {
                        personal.push(text.clone());
                        Value::from(masked(text))
                    }
                    value => value.clone(),
                };
                json!({"field": field, "to": value})
            })
            .collect();
        let masks = if hides {
            Masks::of_texts(personal)
        } else {
            Masks::none()
        };
        let mut raw = Map::new();
        let path = request.segments.join("/");
        raw.insert("summary".to_owned(), format!("{} /{path}", request.method).into());
        if !changes.is_empty() {
            raw.insert("changes".to_owned(), changes.into());
        }
        let mut raw = Value::Object(raw);
        masks.apply(&mut raw);
        let event = AuditEvent::new(format!("{}.{}", noun(subject.kind), subject.operation), self.now())
            .text("page_id", subject.page_id.unwrap_or_default())
            .text("kind", subject.kind.as_str())
            .text("operation", subject.operation)
            .text("remote_id", subject.id.unwrap_or_default())
            .text("method", request.method)
            .text("who", request.who)
            .raw(raw);
        let event = match request.page {
            Some(page) => event
                .tenant(&page.namespace)
                .text("page", format!("{}/{}", page.namespace, page.name)),
            None => event,
        };
        ByHand {
            pending: self.begin(event),
            masks,
        }
    }
}

impl ByHand {
    /// The request ended so.
    pub fn conclude(self, answer: &Result<RawReply, Error>) {
        let outcome = match answer {
            Ok(reply) if reply.is_success() => "succeeded",
            Ok(reply) if reply.leaves_open() => super::UNKNOWN,
            Err(error) if error.may_have_happened() => super::UNKNOWN,
            Ok(_) | Err(_) => "failed",
        };
        let masks = self.masks;
        self.pending.complete(outcome, |mut event| {
            let error = match answer {
                Ok(reply) => {
                    let made = serde_json::from_slice::<Value>(&reply.body).ok();
                    let made = made.as_ref().and_then(|made| made.get("id")?.as_str());
                    if let (None, Some(id), true) = (event.get("remote_id"), made, reply.is_success()) {
                        event.set("remote_id", TraitValue::String(id.to_owned()));
                    }
                    if !reply.is_success() {
                        event.set("http_status", TraitValue::Integer(i64::from(reply.status)));
                    }
                    let id = reply.request_ids.request_id.clone().unwrap_or_default();
                    event = event.text("request_id", id);
                    reply.message.clone()
                }
                Err(error) => error.to_string(),
            };
            if let (false, Value::Object(raw)) = (error.is_empty(), &mut event.raw) {
                raw.insert("error".to_owned(), Value::from(masks.text(&error)));
            }
            event
        });
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subject<'a> {
    kind: Kind,
    operation: &'static str,
    page_id: Option<&'a str>,
    id: Option<&'a str>,
}

impl<'a> Subject<'a> {
    fn of(method: &str, segments: &'a [&'a str]) -> Self {
        let (page_id, collection, rest) = match segments {
            ["pages", page, collection, rest @ ..] => (Some(*page), *collection, rest),
            ["pages", page] => (Some(*page), "", &[][..]),
            ["organizations", _, collection, rest @ ..] => (None, *collection, rest),
            _ => (None, "", &[][..]),
        };
        let kind = match collection {
            "components" => Kind::Component,
            "component-groups" => Kind::ComponentGroup,
            "incidents" => Kind::Incident,
            "incident_templates" => Kind::IncidentTemplate,
            "metrics" => Kind::Metric,
            "metrics_providers" => Kind::MetricsProvider,
            "subscribers" => Kind::Subscriber,
            "page_access_users" => Kind::PageAccessUser,
            "page_access_groups" => Kind::PageAccessGroup,
            "users" | "permissions" => Kind::OrganizationUser,
            _ => Kind::StatusPage,
        };
        let operation = match (method, kind, rest) {
            (_, Kind::StatusPage, _) => "update",
            ("POST", _, []) => "create",
            ("DELETE", _, [_]) => "delete",
            _ => "update",
        };
        Self {
            kind,
            operation,
            page_id,
            id: rest.first().copied().filter(|_| kind != Kind::StatusPage),
        }
    }
}

/// The values of a body with the names that lead to them.
fn flatten<'a>(value: &'a Value, name: &str, found: &mut Vec<(String, &'a Value)>) {
    let below = |part: &str| match name {
        "" => part.to_owned(),
        name => format!("{name}.{part}"),
    };
    match value {
        Value::Object(object) if !object.is_empty() => {
            object
                .iter()
                .for_each(|(key, value)| flatten(value, &below(key), found));
        }
        Value::Array(list) if list.iter().any(|item| item.is_object() || item.is_array()) => {
            let items = list.iter().enumerate();
            items.for_each(|(place, item)| flatten(item, &below(&place.to_string()), found));
        }
        Value::Null if name.is_empty() => {}
        value => found.push((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::vocabulary::is_event_type;

    #[test]
    fn a_path_says_what_it_is_about() {
        for (method, path, event_type, page, id) in [
            ("POST", "pages/p/components", "component.create", Some("p"), None),
            (
                "PATCH",
                "pages/p/components/c",
                "component.update",
                Some("p"),
                Some("c"),
            ),
            ("DELETE", "pages/p/incidents/i", "incident.delete", Some("p"), Some("i")),
            (
                "DELETE",
                "pages/p/incidents/i/postmortem",
                "incident.update",
                Some("p"),
                Some("i"),
            ),
            (
                "POST",
                "pages/p/component-groups",
                "component_group.create",
                Some("p"),
                None,
            ),
            (
                "POST",
                "pages/p/metrics_providers/m/metrics",
                "metrics_provider.update",
                Some("p"),
                Some("m"),
            ),
            (
                "PUT",
                "organizations/o/permissions/u",
                "organization_user.update",
                None,
                Some("u"),
            ),
            ("PATCH", "pages/p", "page.update", Some("p"), None),
            ("PATCH", "pages/p/status_embed_config", "page.update", Some("p"), None),
            ("DELETE", "anything", "page.update", None, None),
        ] {
            let segments: Vec<&str> = path.split('/').collect();
            let subject = Subject::of(method, &segments);
            let found = format!("{}.{}", noun(subject.kind), subject.operation);
            assert!(is_event_type(&found), "{found}");
            assert_eq!(
                (found.as_str(), subject.page_id, subject.id),
                (event_type, page, id),
                "{path}"
            );
        }
    }

    #[test]
    fn bodies_become_fields() {
        let body =
            json!({"incident": {"name": "Down", "component_ids": ["a", "b"], "rows": [{"x": 1}], "metadata": {}}});
        let mut fields = Vec::new();
        flatten(&body, "", &mut fields);
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "incident.name",
                "incident.component_ids",
                "incident.rows.0.x",
                "incident.metadata"
            ]
        );
    }
}
