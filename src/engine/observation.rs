//! What is read of a page beyond its lists: how its status is embedded, how many subscribers it has, what the members
//! of its organization and single viewers may do, uptimes. Only where a declaration asks for it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::context::Blocked;
use super::declaration::{Declaration, Status};
use super::evidence::{after, failing};
use super::fields::{self, Comparisons};
use super::kinds::{self, Unlisted};
use super::plan::{ReadWhat, State};
use super::planner::Planner;
use crate::api::{DriftPolicy, Reason, StatusEmbed, StatusPageSpec, SubscriberCounts};
use crate::statuspage::{CollectionKind, Priority, SubscriberHistogram, SubscriberStates};

impl Planner<'_> {
    /// Asks for a read unless what was read is fresh, and comes back when it no longer is.
    pub(super) fn keep_fresh(
        &mut self,
        declaration: &Declaration,
        what: ReadWhat,
        read_at: Option<Timestamp>,
        seen: Timestamp,
    ) {
        self.keep_fresh_for(declaration, Duration::ZERO, what, read_at, seen);
    }

    fn keep_fresh_for(
        &mut self,
        declaration: &Declaration,
        pause: Duration,
        what: ReadWhat,
        read_at: Option<Timestamp>,
        seen: Timestamp,
    ) {
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
        let due = |read_at| self.world.due(read_at).max(after(read_at, pause));
        match read_at.filter(|read_at| *read_at >= seen).map(due) {
            Some(due) if self.world.now < due => self.plan.wake_at(due),
            _ => self.pursue(declaration, what, Priority::Read),
        }
    }

    /// True while a part could not be read and is not to be tried again yet.
    pub(super) fn unreadable(&mut self, kind: CollectionKind) -> Option<Blocked> {
        let failure = self.world.unreadable(&ReadWhat::Collection(kind))?;
        self.plan.wake_at(failure.retry_at());
        Some(failing(failure))
    }

    /// The declared status embed beside the remote one.
    pub(super) fn status_embed(
        &mut self,
        declared: &StatusEmbed,
        page: &Declaration,
        policy: DriftPolicy,
    ) -> Result<Comparisons, Blocked> {
        if let Some(blocked) = self.unreadable(CollectionKind::StatusEmbed) {
            return Err(blocked);
        }
        let known = self.world.snapshot.status_embed.as_ref();
        let what = ReadWhat::Collection(CollectionKind::StatusEmbed);
        self.keep_fresh(page, what, known.map(|known| known.read_at), page.seen);
        let Some(known) = known else {
            return Err(Blocked {
                state: State::Unknown,
                reason: Reason::Progressing,
                message: "the status embed is not read yet".to_owned(),
            });
        };
        let fields = kinds::embed_fields(declared, &known.value);
        Ok(fields::compare(
            &fields,
            &page.status.object().applied,
            policy,
            self.context(page).seal(),
        ))
    }

    /// Puts the numbers of subscribers into the status of the page, if they are asked for.
    pub(super) fn subscriber_counts(&mut self, spec: &StatusPageSpec, page: &Declaration, status: &mut Status) {
        let Status::StatusPage(status) = status else { return };
        if !spec.observe.as_ref().is_some_and(|observe| observe.subscribers) {
            status.subscribers = None;
            return;
        }
        let known = self.world.snapshot.subscriber_counts.as_ref();
        // Numbers that cannot be read stop nothing.
        if self.unreadable(CollectionKind::SubscriberCounts).is_none() {
            let what = ReadWhat::Collection(CollectionKind::SubscriberCounts);
            self.keep_fresh(page, what, known.map(|known| known.read_at), page.seen);
        }
        if let Some(known) = known {
            status.subscribers = Some(totals(&known.value));
        }
    }

    /// Asks for what no list has of an object that is on the page.
    pub(super) fn unlisted(&mut self, declaration: &Declaration, parts: Vec<Unlisted>) {
        // After a failure it is the failure that says when to try again.
        if parts.is_empty() || self.failure(declaration).is_some() {
            return;
        }
        for Unlisted { what, read_at, pause } in parts {
            self.keep_fresh_for(declaration, pause, what, read_at, declaration.seen);
        }
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
