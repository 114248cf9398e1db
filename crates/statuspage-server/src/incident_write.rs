//! Making and changing incidents: which fields are allowed together, what happens to components, when an update is
//! added and who hears of it.

use super::fields::{Fields, Given};
use super::incident_timeline;
use super::incident_updates::{Post, apply, calculated, post_update, statuses_of};
use super::records::Incident;
use super::request::{Answer, Call, Reply};
use super::resource::{self, Resource};
use super::state::PageState;
use super::vocabulary::IncidentStatus;

fn check_window(fields: &mut Fields<'_>, incident: &Incident) {
    if let (Some(begin), Some(end)) = (incident.scheduled_for, incident.scheduled_until)
        && end <= begin
    {
        fields.problem("Scheduled until must be after scheduled for");
    }
}

/// Makes an incident.
pub(super) fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, Incident::ENVELOPE)?;
    let mut incident = Incident::new(page, call);
    let write = incident.read(page, &mut fields, call);
    incident.backfilled = write.backfilled;
    incident.scheduled_for = write.scheduled_for.value();
    incident.scheduled_until = write.scheduled_until.value();
    let maintenance = incident.scheduled_for.is_some();
    incident.status = match write.status {
        Some(status) if status.is_maintenance() && !maintenance => {
            fields.blank("scheduled_for");
            status
        }
        Some(status) if !status.is_maintenance() && maintenance => {
            fields.problem(format!(
                "Status {} does not belong to a scheduled maintenance",
                status.as_str()
            ));
            status
        }
        Some(status) => status,
        None if maintenance => IncidentStatus::Scheduled,
        None if incident.backfilled => IncidentStatus::Resolved,
        None => IncidentStatus::Investigating,
    };
    if incident.scheduled_until.is_some() && !maintenance {
        fields.blank("scheduled_for");
    }
    check_window(&mut fields, &incident);
    if maintenance {
        // A maintenance that was never asked about its reminder reads as without one, real-time incidents as unset.
        incident.scheduled_remind_prior.get_or_insert(false);
    }
    let mut at = call.now;
    if incident.backfilled {
        if maintenance {
            fields.problem("Backfilled incidents cannot be scheduled");
        }
        if !write.statuses.is_empty() || write.component_ids.as_ref().is_some_and(|ids| !ids.is_empty()) {
            fields.problem("Backfilled incidents cannot have components");
        }
        match write.backfill_date {
            Some(date) if date <= call.now => at = date,
            Some(_) => fields.problem("Backfill date must not be in the future"),
            None if fields.has("backfill_date") => {}
            None => fields.blank("backfill_date"),
        }
        incident.created_at = at;
    }
    fields.finish()?;
    incident.component_ids = write
        .component_ids
        .unwrap_or_else(|| write.statuses.iter().map(|(id, _)| id.clone()).collect());
    let before = statuses_of(page, &incident, &write.statuses);
    apply(page, &write.statuses, call.now);
    let post = Post {
        status: incident.status,
        body: write.body,
        at,
        deliver: write.deliver && !incident.backfilled,
        twitter: write.twitter,
    };
    post_update(page, &mut incident, post, &write.statuses, &before);
    let id = incident.id.clone();
    page.incidents.put(&id, incident);
    incident_timeline::advance(page, call.now);
    resource::shown::<Incident>(page, &id, call).map(Reply::created)
}

/// Changes an incident, and adds an update when it says something new.
pub(super) fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut incident = Incident::find(page, id)?.clone();
    let mut fields = Fields::envelope(call.body, Incident::ENVELOPE)?;
    let write = incident.read(page, &mut fields, call);
    if incident.is_maintenance() {
        if write.scheduled_for == Given::Null {
            fields.blank("scheduled_for");
        }
        write.scheduled_for.store(&mut incident.scheduled_for);
        write.scheduled_until.store(&mut incident.scheduled_until);
        check_window(&mut fields, &incident);
    } else if matches!(write.scheduled_for, Given::Value(_)) || matches!(write.scheduled_until, Given::Value(_)) {
        fields.problem("Only a scheduled maintenance has a window");
    }
    let status = write.status.unwrap_or(incident.status);
    if status.is_maintenance() != incident.is_maintenance() {
        fields.problem(format!(
            "Status {} does not belong to this kind of incident",
            status.as_str()
        ));
    }
    fields.finish()?;
    match write.component_ids {
        Some(ids) => incident.component_ids = ids,
        None => {
            for (component, _) in &write.statuses {
                if !incident.component_ids.contains(component) {
                    incident.component_ids.push(component.clone());
                }
            }
        }
    }
    let before = statuses_of(page, &incident, &write.statuses);
    apply(page, &write.statuses, call.now);
    if status != incident.status || write.body.is_some() {
        let post = Post {
            status,
            body: write.body,
            at: call.now,
            deliver: write.deliver && !incident.backfilled,
            twitter: write.twitter,
        };
        post_update(page, &mut incident, post, &write.statuses, &before);
    } else {
        incident.worst = incident.worst.max(calculated(page, &incident));
    }
    incident.updated_at = call.now;
    page.incidents.put(id, incident);
    incident_timeline::advance(page, call.now);
    resource::shown::<Incident>(page, id, call).map(Reply::ok)
}
