//! What is read of a page beyond its lists: how its status is embedded, how many subscribers it has, what the members
//! of its organization and single viewers may do, uptimes. Only where a declaration asks for it.

use super::context::Context;
use super::fields::{self, Comparisons};
use super::kinds;
use super::outcome::Blocked;
use super::plan::{ReadWhat, State};
use super::pursuit::{Unlisted, failing};
use super::report::Report;
use super::world::World;
use crate::api::{DriftPolicy, Reason, Status, StatusEmbed, StatusPageSpec, SubscriberCounts};
use crate::statuspage::{CollectionKind, SubscriberHistogram, SubscriberStates};

/// Why a part could not be read and is not to be tried again yet, if so.
pub(super) fn unreadable(world: &World<'_>, kind: CollectionKind, report: &mut Report) -> Option<Blocked> {
    let failure = world.unreadable(&ReadWhat::Collection(kind))?;
    report.wake_at(failure.retry_at());
    Some(failing(failure))
}

/// The declared status embed of the page beside the remote one.
pub(super) fn status_embed(
    page: &Context<'_>,
    declared: &StatusEmbed,
    policy: DriftPolicy,
    report: &mut Report,
) -> Result<Comparisons, Blocked> {
    let world = page.world;
    if let Some(blocked) = unreadable(world, CollectionKind::StatusEmbed, report) {
        return Err(blocked);
    }
    let known = world.snapshot.status_embed.as_ref();
    let what = ReadWhat::Collection(CollectionKind::StatusEmbed);
    let read_at = known.map(|known| known.read_at);
    report.keep_fresh(world, what, read_at, page.declaration.seen);
    let Some(known) = known else {
        return Err(Blocked {
            state: State::Unknown,
            reason: Reason::Progressing,
            message: "the status embed is not read yet".to_owned(),
        });
    };
    let fields = kinds::embed_fields(declared, &known.value);
    let applied = &page.declaration.status.object().applied;
    Ok(fields::compare(&fields, applied, policy, page.seal()))
}

/// Puts the numbers of subscribers into the status of the page, if they are asked for.
pub(super) fn subscriber_counts(page: &Context<'_>, spec: &StatusPageSpec, status: &mut Status, report: &mut Report) {
    let Status::StatusPage(status) = status else { return };
    if !spec.observe.as_ref().is_some_and(|observe| observe.subscribers) {
        status.subscribers = None;
        return;
    }
    let world = page.world;
    let known = world.snapshot.subscriber_counts.as_ref();
    // Numbers that cannot be read stop nothing.
    if unreadable(world, CollectionKind::SubscriberCounts, report).is_none() {
        let what = ReadWhat::Collection(CollectionKind::SubscriberCounts);
        let read_at = known.map(|known| known.read_at);
        report.keep_fresh(world, what, read_at, page.declaration.seen);
    }
    if let Some(known) = known {
        status.subscribers = Some(totals(&known.value));
    }
}

/// Asks for what no list has of an object that is on the page.
pub(super) fn unlisted(context: &Context<'_>, parts: Vec<Unlisted>, report: &mut Report) {
    // After a failure it is the failure that says when to try again.
    if parts.is_empty() || report.failure(context).is_some() {
        return;
    }
    for Unlisted { what, read_at, pause } in parts {
        report.keep_fresh_for(context.world, pause, what, read_at, context.declaration.seen);
    }
}

/// Adds up subscribers of all types.
pub fn totals(histogram: &SubscriberHistogram) -> SubscriberCounts {
    let types = [
        &histogram.email,
        &histogram.sms,
        &histogram.webhook,
        &histogram.slack,
        &histogram.teams,
        &histogram.integration_partner,
    ];
    let sum = |pick: fn(&SubscriberStates) -> u64| {
        let total: u64 = types.iter().map(|states| pick(states)).sum();
        i64::try_from(total).unwrap_or(i64::MAX)
    };
    SubscriberCounts {
        active: sum(|states| states.active),
        unconfirmed: sum(|states| states.unconfirmed),
        quarantined: sum(|states| states.quarantined),
    }
}
