//! Subscribers (reference 2.12). Their address is their identity and cannot change.

use serde_json::{Value, json};

use super::table::{Row, declared, row, sent_once};
use super::{Body, Recreation, Rules, since, write};
use crate::api::{Kind, Reason, Status, SubscriberSpec};
use crate::engine::context::Context;
use crate::engine::fields::Comparison;
use crate::engine::outcome::Blocked;
use crate::engine::request::Request;
use crate::statuspage::{Priority, Snapshot, Subscriber, SubscriberMode};

impl Rules for SubscriberSpec {
    type Remote = Subscriber;
    // People unsubscribe by themselves.
    const RECREATION: Recreation = Recreation::WhenAsked;
    const PRIORITY: Priority = Priority::Subscriber;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        sent_once!("email", email),
        sent_once!("sms.country", "phone_country", |spec, _, _| {
            declared(spec.sms.as_ref().map(|sms| &sms.country))
        }),
        sent_once!("sms.number", "phone_number", |spec, _, _| {
            declared(spec.sms.as_ref().map(|sms| &sms.number))
        }),
        sent_once!("webhook.endpoint", "endpoint", |spec, _, _| {
            declared(spec.webhook.as_ref().map(|webhook| &webhook.endpoint))
        }),
        sent_once!("webhook.email", "email", |spec, _, _| {
            declared(spec.webhook.as_ref().and_then(|webhook| webhook.email.as_ref()))
        }),
        sent_once!(
            "skipConfirmation",
            "skip_confirmation_notification",
            |spec, _, remote| { declared((remote.is_none() && spec.skip_confirmation).then_some(true)) }
        ),
        row!(
            "components",
            "component_ids",
            |spec, context, remote| spec.heard_of(context, remote),
            |remote| json!(remote.components)
        )
        .compared(Comparison::Set),
    ];

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

    fn delete(declared: Option<&Self>, id: String) -> Option<Request> {
        match declared {
            Some(spec) if spec.skip_unsubscription_notification => Some(Request::DeleteSubscriberQuietly(id)),
            _ => Self::OBJECT.map(|object| Request::Delete(object, id)),
        }
    }

    fn create(&self, _context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        Ok(Request::CreateSubscriber(Box::new(write(body)?)))
    }

    fn update(&self, _context: &Context<'_>, remote: &Subscriber, mut body: Body) -> Result<Request, Blocked> {
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

    fn describe(remote: &Subscriber, _snapshot: &Snapshot) -> String {
        let mode = remote.mode.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{mode} subscriber{}", since(remote.created_at))
    }

    fn observe(&self, _context: &Context<'_>, remote: &Subscriber, status: &mut Status) {
        if let Status::Subscriber(status) = status {
            status.state = remote.quarantined_at.map(|_| "quarantined".to_owned());
        }
    }
}

impl SubscriberSpec {
    /// The ids of the components that the subscriber hears of.
    fn heard_of(&self, context: &Context<'_>, remote: Option<&Subscriber>) -> Result<Option<Value>, Blocked> {
        if !self.components.is_empty() {
            return context.references(Kind::Component, &self.components).map(Some);
        }
        // A list that was declared before and is gone: back to everything, which the API expresses by leaving the list
        // out of the request.
        let chosen = remote.is_some_and(|remote| !remote.components.is_empty());
        let was_declared = context.declaration.status.object().applied.contains_key("components");
        Ok((chosen && was_declared).then(|| json!([])))
    }
}

/// A phone number as people do not write it: without spaces, signs and brackets.
pub(super) fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}
