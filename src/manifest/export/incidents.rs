//! Incidents, maintenances, and templates for them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};

use super::{Exporter, said};
use crate::api::{IncidentStatusName, Kind};
use crate::statuspage::{Incident, IncidentStatus, IncidentTemplate, IncidentUpdate, Subscriber};

/// A manifest may have so many updates.
const MOST_UPDATES: usize = 200;
/// And so many people who hear about the incident alone.
const MOST_SUBSCRIBERS: usize = 100;

impl Exporter<'_> {
    pub(super) fn incidents(&mut self) {
        for incident in self.snapshot.incidents.iter().flat_map(|list| &list.items) {
            if self.options.closed_incidents || !is_over(incident) {
                match self.incident(incident) {
                    Ok(spec) => self.put(Kind::Incident, &incident.id, spec),
                    Err(why) => self.leave_out(Kind::Incident, &incident.id, &why),
                }
            }
        }
    }

    fn incident(&mut self, incident: &Incident) -> Result<Value, String> {
        let window = incident.scheduled_for.zip(incident.scheduled_until);
        let maintenance = incident.status.as_ref().is_some_and(is_of_maintenance) || incident.scheduled_for.is_some();
        if maintenance && window.is_none() {
            return Err("it is a maintenance without a start and an end".to_owned());
        }
        let timeline: Vec<&IncidentUpdate> = incident
            .incident_updates
            .iter()
            .rev()
            // A published postmortem may have an update of its own.
            .filter(|update| {
                update
                    .status
                    .as_ref()
                    .is_some_and(|status| is_declarable(status, maintenance))
            })
            .collect();
        match timeline.len() {
            0 => return Err("nothing was published of it".to_owned()),
            1..=MOST_UPDATES => {}
            more => return Err(format!("it has {more} updates, a manifest has at most {MOST_UPDATES}")),
        }
        let updates: Vec<Value> = timeline.iter().map(|update| declared_update(update)).collect();
        let components = self.affected(incident);
        let schedule = window.map(|(start, end)| {
            let mut schedule = json!({"start": Time(start), "end": Time(end)});
            let at_start = flag(incident.auto_transition_to_maintenance_state);
            let at_end = flag(incident.auto_transition_to_operational_state);
            // Beside each its default, which need not be said.
            let flags = [
                ("remindPrior", flag(incident.scheduled_remind_prior), false),
                ("autoStart", flag(incident.scheduled_auto_in_progress), true),
                ("autoComplete", flag(incident.scheduled_auto_completed), true),
                ("transitionComponents", at_start, true),
                ("restoreComponents", at_end, at_start),
                (
                    "notifyAtStart",
                    flag(incident.auto_transition_deliver_notifications_at_start),
                    true,
                ),
                (
                    "notifyAtEnd",
                    flag(incident.auto_transition_deliver_notifications_at_end),
                    true,
                ),
            ];
            for (name, value, default) in flags {
                if value != default {
                    schedule[name] = json!(value);
                }
            }
            schedule
        });
        let backfilled = incident.backfilled == Some(true) && timeline.len() == 1 && is_over(incident);
        let backfill_date = timeline
            .first()
            .filter(|_| backfilled)
            .and_then(|update| update.display_at);
        Ok(json!({
            "name": self.title(Kind::Incident, &incident.id, &incident.name),
            "updates": updates,
            "components": components,
            "impactOverride": incident.impact_override.as_ref().map(|impact| impact.as_str()),
            "schedule": schedule,
            "backfillDate": backfill_date.map(Time),
            "postmortem": postmortem(incident),
            "subscribers": self.followers(incident),
        }))
    }

    /// Who hears about this incident alone, where that was read: people, so only on request.
    fn followers(&mut self, incident: &Incident) -> Option<Vec<Value>> {
        let known = self.snapshot.incident_subscribers.get(&incident.id)?;
        let followers: Vec<Value> = known.value.iter().filter_map(address).collect();
        if followers.len() > MOST_SUBSCRIBERS {
            self.note(format!(
                "incident {}: its {} subscribers are left out, a manifest has at most {MOST_SUBSCRIBERS}",
                incident.id,
                followers.len()
            ));
            return None;
        }
        (!followers.is_empty()).then_some(followers)
    }

    /// The components and their statuses. What a closed incident did to components is history: declaring it would set
    /// their statuses again.
    fn affected(&mut self, incident: &Incident) -> Option<Value> {
        if is_over(incident) || incident.components.is_empty() {
            return None;
        }
        let ids = incident.components.iter().map(|component| component.id.as_str());
        let of = format!("incident {}", incident.id);
        let names = self.references(Kind::Component, ids, "components", &of)?;
        let announced = incident.status == Some(IncidentStatus::Scheduled);
        let will_move = announced && flag(incident.auto_transition_to_maintenance_state);
        let mut statuses = Map::new();
        for (name, component) in names.into_iter().zip(&incident.components) {
            // Until the start they keep the status that they have; what is declared is the one to come.
            let status = match &component.status {
                _ if will_move => "under_maintenance",
                Some(status) => status.as_str(),
                None => "operational",
            };
            statuses.insert(name, json!(status));
        }
        Some(Value::Object(statuses))
    }

    pub(super) fn incident_templates(&mut self) {
        for template in self.snapshot.incident_templates.iter().flat_map(|list| &list.items) {
            let (Some(title), Some(body)) = (said(&template.title), said(&template.body)) else {
                self.leave_out(Kind::IncidentTemplate, &template.id, "it has no title or no body");
                continue;
            };
            let components = self.proposed(template);
            let status = template.update_status.as_ref().map(|status| status.as_str());
            let spec = json!({
                "name": self.title(Kind::IncidentTemplate, &template.id, &template.name),
                "title": title,
                "body": body,
                "updateStatus": status.filter(|status| is_known(status)),
                "shouldTweet": template.should_tweet,
                "shouldSendNotifications": template.should_send_notifications,
                "groupId": said(&template.group_id),
                "components": components,
            });
            self.put(Kind::IncidentTemplate, &template.id, spec);
        }
    }

    fn proposed(&mut self, template: &IncidentTemplate) -> Option<Vec<String>> {
        let ids = template.components.iter().map(|component| component.id.as_str());
        let of = format!("incident template {}", template.id);
        let names = self.references(Kind::Component, ids, "components", &of);
        names.filter(|names| !names.is_empty())
    }
}

fn declared_update(update: &IncidentUpdate) -> Value {
    json!({
        "status": update.status.as_ref().map(|status| status.as_str()),
        // The status alone moved when there is no text.
        "body": update.body.as_deref().unwrap_or_default(),
        "at": update.display_at.map(Time),
    })
}

fn address(subscriber: &Subscriber) -> Option<Value> {
    match (
        said(&subscriber.email),
        &subscriber.phone_country,
        &subscriber.phone_number,
    ) {
        (Some(email), ..) => Some(json!({"email": email})),
        (None, Some(country), Some(number)) => Some(json!({"sms": {"country": country, "number": number}})),
        _ => None,
    }
}

/// A published postmortem; drafts are not in the list of incidents.
fn postmortem(incident: &Incident) -> Option<Value> {
    let body = said(&incident.postmortem_body).filter(|body| !body.trim_end().is_empty())?;
    let shown = incident.postmortem_published_at.is_some() && is_over(incident);
    shown.then(|| json!({"body": body}))
}

fn flag(flag: Option<bool>) -> bool {
    flag.unwrap_or_default()
}

fn is_over(incident: &Incident) -> bool {
    incident.status.as_ref().is_some_and(IncidentStatus::is_over)
}

fn is_of_maintenance(status: &IncidentStatus) -> bool {
    matches!(status.as_str(), "scheduled" | "in_progress" | "verifying" | "completed")
}

fn is_declarable(status: &IncidentStatus, maintenance: bool) -> bool {
    is_known(status.as_str()) && is_of_maintenance(status) == maintenance
}

fn is_known(status: &str) -> bool {
    serde_json::from_value::<IncidentStatusName>(json!(status)).is_ok()
}
