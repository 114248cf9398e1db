//! Subscribers (reference 2.12). Their address is their identity and cannot change.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Rules, write};
use crate::api::{Kind, Reason, SubscriberSpec};
use crate::engine::context::{Blocked, Context};
use crate::engine::declaration::Status;
use crate::engine::fields::{Access, Comparison, Field};
use crate::engine::request::Request;
use crate::statuspage::{Collection, CollectionKind, ObjectKind, Priority, Snapshot, Subscriber, SubscriberMode};

impl Rules for SubscriberSpec {
    type Remote = Subscriber;
    const COLLECTION: CollectionKind = CollectionKind::Subscribers;
    const PRIORITY: Priority = Priority::Subscriber;
    const OBJECT: Option<ObjectKind> = Some(ObjectKind::Subscriber);

    fn collection(snapshot: &Snapshot) -> Option<&Collection<Subscriber>> {
        snapshot.subscribers.as_ref()
    }

    fn id(remote: &Subscriber) -> &str {
        &remote.id
    }

    fn created_at(remote: &Subscriber) -> Option<Timestamp> {
        remote.created_at
    }

    fn handles(remote: &Subscriber) -> Vec<String> {
        let email = remote.email.as_deref().map(str::to_lowercase);
        let phone = remote.phone_number.as_deref().map(digits);
        [email, phone, remote.endpoint.clone()].into_iter().flatten().collect()
    }

    fn wanted_handles(&self, _context: &Context<'_>) -> Vec<String> {
        match (&self.webhook, &self.sms, &self.email) {
            (Some(webhook), ..) => vec![webhook.endpoint.clone()],
            (None, Some(sms), _) => vec![digits(&sms.number)],
            (None, None, email) => email.iter().map(|email| email.to_lowercase()).collect(),
        }
    }

    fn title(&self, context: &Context<'_>) -> String {
        // The address is personal data: Events and logs name the declaration.
        context.declaration.key.name.clone()
    }

    fn same_identity(&self, _context: &Context<'_>, remote: &Subscriber) -> bool {
        if let Some(webhook) = &self.webhook {
            return remote.endpoint.as_deref() == Some(webhook.endpoint.as_str());
        }
        if let Some(sms) = &self.sms {
            return remote.phone_number.as_deref().map(digits) == Some(digits(&sms.number))
                && remote
                    .phone_country
                    .as_deref()
                    .is_none_or(|country| country.eq_ignore_ascii_case(&sms.country));
        }
        let email = self.email.as_deref().unwrap_or_default();
        remote.mode.as_ref().is_none_or(|mode| *mode == SubscriberMode::Email)
            && remote.endpoint.is_none()
            && remote
                .email
                .as_deref()
                .is_some_and(|other| other.to_lowercase() == email.to_lowercase())
    }

    fn fields(&self, context: &Context<'_>, remote: Option<&Subscriber>) -> Result<Vec<Field>, Blocked> {
        let mut fields = Vec::new();
        let mut once = |name, wire, desired: Value| {
            fields.push(Field::new(name, wire, desired, None).access(Access::CreateOnly));
        };
        if let Some(email) = &self.email {
            once("email", "email", json!(email));
        }
        if let Some(sms) = &self.sms {
            once("sms.country", "phone_country", json!(sms.country));
            once("sms.number", "phone_number", json!(sms.number));
        }
        if let Some(webhook) = &self.webhook {
            once("webhook.endpoint", "endpoint", json!(webhook.endpoint));
            if let Some(email) = &webhook.email {
                once("webhook.email", "email", json!(email));
            }
        }
        if remote.is_none() && self.skip_confirmation {
            once("skipConfirmation", "skip_confirmation_notification", json!(true));
        }
        let mut ids = Vec::new();
        for name in &self.components {
            ids.push(json!(context.reference(Kind::Component, name)?));
        }
        let observed = remote.map(|remote| json!(remote.components));
        if !ids.is_empty() {
            fields
                .push(Field::new("components", "component_ids", Value::Array(ids), observed).compared(Comparison::Set));
        } else if remote.is_some_and(|remote| !remote.components.is_empty())
            && context.declaration.status.object().applied.contains_key("components")
        {
            // The list was declared before and is gone: back to everything, which the API expresses by leaving the
            // list out of the request.
            fields.push(
                Field::new("components", "component_ids", Value::Array(vec![]), observed).compared(Comparison::Set),
            );
        }
        Ok(fields)
    }

    fn create(&self, _context: &Context<'_>, body: Map<String, Value>) -> Result<Request, Blocked> {
        Ok(Request::CreateSubscriber(Box::new(write(body)?)))
    }

    fn update(
        &self,
        _context: &Context<'_>,
        remote: &Subscriber,
        mut body: Map<String, Value>,
    ) -> Result<Request, Blocked> {
        let ids: Vec<String> = match body.remove("component_ids") {
            Some(ids) => serde_json::from_value(ids).unwrap_or_default(),
            None => {
                return Err(Blocked::stalled(
                    Reason::Invalid,
                    "only the components of a subscriber can be changed",
                ));
            }
        };
        Ok(Request::UpdateSubscriber(
            remote.id.clone(),
            (!ids.is_empty()).then_some(ids),
        ))
    }

    fn observe(&self, _context: &Context<'_>, remote: &Subscriber, status: &mut Status) {
        if let Status::Subscriber(status) = status {
            status.state = remote.quarantined_at.map(|_| "quarantined".to_owned());
        }
    }
}

/// A phone number as people do not write it: without spaces, signs and brackets.
pub(super) fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}
