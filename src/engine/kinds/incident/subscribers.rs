//! People who hear about one incident alone (reference 2.8).
//!
//! Invariant: nobody is subscribed twice by one entry, and nobody is unsubscribed who was there before it. What was done
//! for an entry is recorded under the hash of its address, so that the list is read only while there is something to do.

use serde_json::{Value, json};

use crate::api::{IncidentSpec, IncidentSubscriber};
use crate::engine::applied::AppliedName;
use crate::engine::context::Context;
use crate::engine::outcome::Outcome;
use crate::engine::plan::ReadWhat;
use crate::engine::report::Report;
use crate::engine::request::Request;
use crate::engine::seal::{Seal, hash};
use crate::engine::summary::Verb;
use crate::statuspage::{Incident, IncidentStatus, Subscriber, SubscriberWrite};

use super::super::subscriber::digits;
use super::corrections::FollowUp;

/// Recorded for somebody whom an entry subscribed.
const SUBSCRIBED: &str = "subscribed";
/// Recorded for somebody who was subscribed already, and so is not unsubscribed with the entry.
const FOUND: &str = "found";

/// The next person to subscribe or to unsubscribe, once the list was read. What needs no request is noted in `outcome`.
pub(super) fn subscription(
    context: &Context<'_>,
    spec: &IncidentSpec,
    remote: &Incident,
    outcome: &mut Outcome,
    report: &mut Report,
) -> Option<FollowUp> {
    if remote.status.as_ref().is_some_and(IncidentStatus::is_over) {
        return None;
    }
    let seal = context.seal();
    let wanted: Vec<(AppliedName, &IncidentSubscriber)> = spec
        .subscribers
        .iter()
        .map(|entry| (recorded(declared(entry), seal), entry))
        .collect();
    for (name, entry) in &wanted {
        // Recorded by an earlier version, without the salt.
        let applied = &mut outcome.status_mut().object_mut().applied;
        if let Some(how) = applied.remove(&*recorded_before(declared(entry)).text()) {
            applied.insert(name.to_string(), how);
        }
    }
    let subscribed: Vec<(AppliedName, String)> = outcome
        .status
        .object()
        .applied
        .iter()
        .map(|(name, how)| (AppliedName::from(name.as_str()), how.clone()))
        .filter(|(name, _)| matches!(name, AppliedName::IncidentSubscriber(_)))
        .collect();
    let added = wanted
        .iter()
        .find(|(wanted, _)| !subscribed.iter().any(|(name, _)| name == wanted));
    let removed = subscribed
        .iter()
        .find(|(name, _)| !wanted.iter().any(|(wanted, _)| wanted == name));
    if added.is_none() && removed.is_none() {
        return None;
    }
    let known = context.world.snapshot.incident_subscribers.get(&remote.id);
    let what = ReadWhat::IncidentSubscribers(remote.id.clone());
    let read_at = known.map(|known| known.read_at);
    report.keep_fresh(context.world, what, read_at, context.declaration.seen);
    let known = known.filter(|known| known.read_at >= context.declaration.seen)?;
    let there = |name: &AppliedName| {
        known
            .value
            .iter()
            .find(|subscriber| subscriber_is(subscriber, name, seal))
    };
    if let Some((name, entry)) = added {
        if there(name).is_some() {
            let applied = &mut outcome.status_mut().object_mut().applied;
            applied.insert(name.to_string(), FOUND.to_owned());
            return None;
        }
        let write = SubscriberWrite {
            email: entry.email.clone(),
            phone_country: entry.sms.as_ref().map(|sms| sms.country.clone()),
            phone_number: entry.sms.as_ref().map(|sms| sms.number.clone()),
            skip_confirmation_notification: entry.skip_confirmation.then_some(true),
            ..Default::default()
        };
        return Some(FollowUp {
            request: Request::CreateIncidentSubscriber(remote.id.clone(), Box::new(write)),
            summary: Verb::Subscribe.of(format!("somebody to incident {}", remote.id)),
            tells: Some(name.clone()),
            needs_fresh: false,
            change: None,
            applied: Some((name.clone(), SUBSCRIBED.to_owned())),
        });
    }
    let (name, how) = removed?;
    match there(name).filter(|_| how == SUBSCRIBED) {
        Some(subscriber) => Some(FollowUp {
            request: Request::DeleteIncidentSubscriber(remote.id.clone(), subscriber.id.clone()),
            summary: Verb::Unsubscribe.of(format!("somebody from incident {}", remote.id)),
            tells: None,
            needs_fresh: false,
            change: None,
            applied: None,
        }),
        None => {
            outcome.status_mut().object_mut().applied.remove(&*name.text());
            None
        }
    }
}

/// True when somebody is there whose subscription is recorded under a name.
pub(super) fn subscribes(there: &[Subscriber], name: &AppliedName, seal: Seal<'_>) -> bool {
    there.iter().any(|subscriber| subscriber_is(subscriber, name, seal))
}

fn declared(entry: &IncidentSubscriber) -> &str {
    match (&entry.email, &entry.sms) {
        (Some(email), _) => email,
        (None, sms) => sms.as_ref().map_or("", |sms| &sms.number),
    }
}

fn subscriber_is(subscriber: &Subscriber, name: &AppliedName, seal: Seal<'_>) -> bool {
    let address = subscriber.email.as_deref().or(subscriber.phone_number.as_deref());
    address.is_some_and(|address| recorded(address, seal) == *name || recorded_before(address) == *name)
}

/// The name under which an address is recorded: its hash, because an address is personal data.
fn recorded(address: &str, seal: Seal<'_>) -> AppliedName {
    AppliedName::IncidentSubscriber(seal.of(&plain(address)))
}

/// The same as earlier versions recorded it.
fn recorded_before(address: &str) -> AppliedName {
    AppliedName::IncidentSubscriber(hash(&plain(address)))
}

/// An address without what makes no difference.
fn plain(address: &str) -> Value {
    match address.contains('@') {
        true => json!(address.to_lowercase()),
        false => json!(digits(address)),
    }
}
