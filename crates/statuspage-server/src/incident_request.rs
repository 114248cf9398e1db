//! Reading what a request says about an incident; what it means is decided in `incident_write`.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fields::{Fields, Given, read};
use super::records::Incident;
use super::state::PageState;
use super::vocabulary::{ComponentStatus, IncidentStatus};

/// The longest text of an update, in characters.
pub(super) const BODY_LIMIT: usize = 25_000;

/// What a request wants to write; shared by making and changing.
pub(super) struct Write {
    pub(super) status: Option<IncidentStatus>,
    pub(super) body: Option<String>,
    pub(super) component_ids: Option<Vec<String>>,
    pub(super) statuses: Vec<(String, ComponentStatus)>,
    pub(super) deliver: bool,
    pub(super) twitter: bool,
    pub(super) backfilled: bool,
    pub(super) backfill_date: Option<Timestamp>,
    pub(super) scheduled_for: Given<Timestamp>,
    pub(super) scheduled_until: Given<Timestamp>,
}

/// Trailing line ends do not survive the real service.
pub(super) fn without_trailing_newlines(text: &str) -> String {
    text.trim_end_matches(['\n', '\r']).to_owned()
}

/// Whether the text is a list of hours that grows strictly from 1 to at most 24, one number of hours, or an empty list.
fn is_reminder_schedule(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Number(hours)) => hours.as_u64().is_some_and(|hours| (1..=24).contains(&hours)),
        Ok(Value::Array(hours)) => {
            let hours: Option<Vec<u64>> = hours.iter().map(Value::as_u64).collect();
            hours.is_some_and(|hours| {
                hours.iter().all(|hour| (1..=24).contains(hour)) && hours.is_sorted_by(|one, next| one < next)
            })
        }
        _ => false,
    }
}

fn read_metadata(fields: &mut Fields<'_>, incident: &mut Incident) {
    match fields.raw("metadata") {
        None => {}
        Some(Value::Null) => incident.metadata = Map::new(),
        Some(Value::Object(map)) if map.values().all(Value::is_object) => incident.metadata = map.clone(),
        Some(_) => fields.problem("Metadata must be an object of objects"),
    }
}

/// The components of a request: a map to their new statuses, or a mere list of those that are concerned.
fn read_components(page: &PageState, fields: &mut Fields<'_>) -> (Option<Vec<String>>, Vec<(String, ComponentStatus)>) {
    let mut listed = fields.list("component_ids").value();
    let mut statuses = Vec::new();
    if let Some(Value::Object(map)) = fields.raw("components") {
        statuses = read_statuses(page, fields, map);
    } else if let Some(also) = fields.list("components").value().filter(|also| !also.is_empty()) {
        // An empty list is how some languages write the empty map: it says nothing.
        let listed = listed.get_or_insert_default();
        also.into_iter().for_each(|id| {
            if !listed.contains(&id) {
                listed.push(id);
            }
        });
    }
    if let Some(ids) = &listed {
        fields.check_known("Components", &page.components, ids);
    }
    (listed, statuses)
}

fn read_statuses(
    page: &PageState,
    fields: &mut Fields<'_>,
    map: &Map<String, Value>,
) -> Vec<(String, ComponentStatus)> {
    let mut statuses = Vec::new();
    for (id, value) in map {
        match value.as_str().and_then(ComponentStatus::parse) {
            Some(_) if !page.components.contains(id) => {
                fields.problem(format!("Components do not exist on this page: {id}"));
            }
            Some(status) => statuses.push((id.clone(), status)),
            None => fields.problem("Components have an invalid status"),
        }
    }
    statuses
}

/// Reads the request; settings that need no further decision go straight into `incident`.
pub(super) fn read(page: &PageState, fields: &mut Fields<'_>, incident: &mut Incident) -> Write {
    fields.named("name", &mut incident.name);
    let status = fields.word::<IncidentStatus>("status").value();
    // The field was called "message" in the first years; old clients still send that.
    let key = if fields.has("body") { "body" } else { "message" };
    let body = fields.filled(key).value().map(|body| without_trailing_newlines(&body));
    if body.as_ref().is_some_and(|body| body.chars().count() > BODY_LIMIT) {
        fields.problem(format!("Body is too long (maximum is {BODY_LIMIT} characters)"));
    }
    let (component_ids, statuses) = read_components(page, fields);
    // What it was called once.
    let auto_transition = fields.flag("scheduled_auto_transition");
    auto_transition.keep(&mut incident.scheduled_auto_in_progress);
    read! { fields => incident;
        store word: impact_override;
        store flag: scheduled_remind_prior;
        keep flag: scheduled_auto_in_progress, scheduled_auto_completed;
        store flag: auto_transition_to_maintenance_state, auto_transition_to_operational_state,
            auto_transition_deliver_notifications_at_start, auto_transition_deliver_notifications_at_end;
    }
    let intervals = fields.filled("reminder_intervals");
    if matches!(&intervals, Given::Value(text) if !is_reminder_schedule(text)) {
        fields.problem("Reminder intervals must be hours from 1 to 24 in growing order");
    }
    intervals.store(&mut incident.reminder_intervals);
    read_metadata(fields, incident);
    Write {
        status,
        body,
        component_ids,
        statuses,
        deliver: fields.flag("deliver_notifications").value().unwrap_or(true),
        twitter: fields.flag("wants_twitter_update").value().unwrap_or(false),
        backfilled: fields.flag("backfilled").value().unwrap_or(false),
        backfill_date: fields.instant("backfill_date").value(),
        scheduled_for: fields.instant("scheduled_for"),
        scheduled_until: fields.instant("scheduled_until"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reminder_schedules() {
        for good in ["[1,5,7]", "4", "[]", "[24]"] {
            assert!(is_reminder_schedule(good), "{good}");
        }
        for bad in ["[5,1]", "[1,1]", "[0]", "[25]", "25", "", "x", "{}", "[\"1\"]"] {
            assert!(!is_reminder_schedule(bad), "{bad}");
        }
    }

    #[test]
    fn only_trailing_line_ends_are_cut() {
        assert_eq!(without_trailing_newlines(" a\n\nb \r\n\n"), " a\n\nb ");
    }
}
