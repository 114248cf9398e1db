//! What time does to scheduled maintenance: the reminder, the automatic beginning and the automatic end. It is worked
//! out whenever a page is asked for, as if each step had happened at its own instant.

use jiff::{SignedDuration, Timestamp};

use super::incident_updates::{self, Post};
use super::notifications::{Notification, NotificationKind};
use super::records::Incident;
use super::state::PageState;
use super::vocabulary::IncidentStatus;

/// How long before its beginning a maintenance is called to mind.
const REMINDER: SignedDuration = SignedDuration::from_mins(60);

/// A step that time takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Remind,
    Begin,
    Complete,
}

/// The next step of an incident and when it is due.
fn next_step(incident: &Incident) -> Option<(Timestamp, Step)> {
    match incident.status {
        IncidentStatus::Scheduled => {
            let begin = incident.scheduled_for?;
            let reminder = begin.checked_sub(REMINDER).unwrap_or(begin);
            // One that was announced later than that has nothing to be reminded of.
            if incident.scheduled_remind_prior == Some(true)
                && incident.scheduled_reminded_at.is_none()
                && incident.created_at <= reminder
            {
                return Some((reminder, Step::Remind));
            }
            incident.scheduled_auto_in_progress.then_some((begin, Step::Begin))
        }
        IncidentStatus::InProgress | IncidentStatus::Verifying if incident.scheduled_auto_completed => {
            incident.scheduled_until.map(|end| (end, Step::Complete))
        }
        _ => None,
    }
}

/// Takes every step that is due, the earliest first.
pub(super) fn advance(page: &mut PageState, now: Timestamp) {
    while take_next(page, now).is_some() {}
}

/// Takes the earliest step that is due, and tells when it happened.
pub(super) fn take_next(page: &mut PageState, now: Timestamp) -> Option<Timestamp> {
    let (at, step, id) = page
        .incidents
        .values()
        .filter_map(|incident| next_step(incident).map(|(at, step)| (at, step, incident.id.clone())))
        .filter(|(at, ..)| *at <= now)
        .min()?;
    let mut incident = page.incidents.get(&id).cloned()?;
    // A window that was set when it had already begun is acted on now, not in the past.
    let at = incident.updates.last().map_or(at, |last| at.max(last.created_at));
    take(page, &mut incident, step, at);
    page.incidents.put(&id, incident);
    Some(at)
}

fn take(page: &mut PageState, incident: &mut Incident, step: Step, at: Timestamp) {
    let (status, body, deliver) = match step {
        Step::Remind => {
            incident.scheduled_reminded_at = Some(at);
            let recipients = incident_updates::recipients(page, incident);
            let notification = Notification::new(at, NotificationKind::MaintenanceReminder, recipients);
            page.notify(notification.about(&incident.id, incident.status.as_str()));
            return;
        }
        Step::Begin => (
            IncidentStatus::InProgress,
            "The maintenance has begun.",
            incident.auto_transition_deliver_notifications_at_start,
        ),
        Step::Complete => (
            IncidentStatus::Completed,
            "The maintenance is complete.",
            incident.auto_transition_deliver_notifications_at_end,
        ),
    };
    let before = incident_updates::statuses_of(page, incident, &[]);
    let post = Post {
        status,
        body: Some(body.to_owned()),
        at,
        deliver: deliver.unwrap_or(false),
        twitter: false,
    };
    incident_updates::post_update(page, incident, post, &[], &before);
}
