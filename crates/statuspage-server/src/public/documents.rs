//! The documents, field for field as they are known from real pages. Instants are in the zone of the page.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::errors::ApiError;
use crate::incident_updates;
use crate::instants::milliseconds_in;
use crate::layout::{Layout, Row};
use crate::records::{Component, Incident, IncidentUpdate};
use crate::reply::reply;
use crate::state::PageState;
use crate::vocabulary::{ComponentStatus, IncidentStatus};

/// A list shows the newest so many; there is no second page.
const NEWEST: usize = 50;

/// A page as it is shown.
#[derive(Debug)]
pub(super) struct View<'a> {
    page: &'a PageState,
    layout: Layout<'a>,
    zone: TimeZone,
}

impl<'a> View<'a> {
    pub(super) fn of(page: &'a PageState) -> Result<Self, ApiError> {
        Ok(Self {
            page,
            layout: Layout::of(page),
            zone: page.document()?.zone(),
        })
    }

    fn instant(&self, at: Timestamp) -> String {
        milliseconds_in(at, &self.zone)
    }

    fn optional(&self, at: Option<Timestamp>) -> Option<String> {
        at.map(|at| self.instant(at))
    }

    /// All components, groups among them.
    pub(super) fn components(&self) -> Value {
        self.layout.rows.iter().map(|row| self.component(*row)).collect()
    }

    fn component(&self, row: Row<'_>) -> Value {
        match row {
            Row::Component(component) => reply! { component;
                id, name, status, created_at = self.instant(component.created_at),
                updated_at = self.instant(component.updated_at), position = self.layout.position(&component.id),
                description, showcase, start_date, group_id, page_id = self.page.id, group = false,
                only_show_if_degraded,
            },
            Row::Group(group) => reply! { group;
                id, name, status = self.layout.worst(&group.id), created_at = self.instant(group.created_at),
                updated_at = self.instant(group.updated_at), position = self.layout.position(&group.id), description,
                showcase = false, start_date = Value::Null, group_id = Value::Null, page_id = self.page.id, group = true,
                only_show_if_degraded = false,
                components = self.layout.members(&group.id).iter().map(|member| &member.id).collect::<Vec<_>>(),
            },
        }
    }

    /// The newest incidents of a list.
    pub(super) fn feed(&self, feed: Feed) -> Value {
        let mut shown: Vec<(Timestamp, &Incident)> = self
            .page
            .incidents
            .values()
            .rev()
            .filter(|incident| feed.shows(incident))
            .map(|incident| (incident.started_at(), incident))
            .collect();
        shown.sort_by_key(|(started, _)| std::cmp::Reverse(*started));
        let shown = shown.into_iter().take(NEWEST);
        shown
            .map(|(started, incident)| self.incident(incident, started))
            .collect()
    }

    /// One incident, which began then.
    pub(super) fn incident(&self, incident: &Incident, started: Timestamp) -> Value {
        let concerned = incident.component_ids.iter();
        let affected: Vec<Value> = concerned
            .filter_map(|id| self.page.components.get(id))
            .map(|affected| self.component(Row::Component(affected)))
            .collect();
        let published = self.postmortem(incident);
        let status = if published.is_some() {
            "postmortem"
        } else {
            incident.status.as_str()
        };
        let updates = incident
            .updates
            .iter()
            .rev()
            .map(|update| self.update(incident, update));
        let mut shown = reply! { incident;
            id, name, status = status, created_at = self.instant(incident.created_at),
            updated_at = self.instant(incident.updated_at), monitoring_at = self.optional(incident.monitoring_at),
            resolved_at = self.optional(incident.resolved_at),
            impact = incident.impact_override.unwrap_or(incident.worst), shortlink, started_at = self.instant(started),
            page_id = self.page.id, incident_updates = published.into_iter().chain(updates).collect::<Vec<_>>(),
            components = affected, reminder_intervals,
        };
        if incident.is_maintenance() {
            shown["scheduled_for"] = self.optional(incident.scheduled_for).into();
            shown["scheduled_until"] = self.optional(incident.scheduled_until).into();
        }
        shown
    }

    fn update(&self, incident: &Incident, update: &IncidentUpdate) -> Value {
        let mut shown = incident_updates::render(&incident.id, update);
        if let Value::Object(shown) = &mut shown {
            shown.retain(|key, _| key != "wants_twitter_update" && key != "twitter_updated_at");
            for (key, at) in [
                ("display_at", update.display_at),
                ("created_at", update.created_at),
                ("updated_at", update.updated_at),
            ] {
                shown.insert(key.to_owned(), self.instant(at).into());
            }
        }
        shown
    }

    /// A published postmortem, which is shown like an update. It has no identifier of its own.
    fn postmortem(&self, incident: &Incident) -> Option<Value> {
        let postmortem = incident.postmortem.as_ref()?;
        let at = self.instant(postmortem.published_at?);
        Some(reply! { postmortem;
            id = incident.id, status = "postmortem", body, incident_id = incident.id, created_at = at,
            updated_at = self.optional(postmortem.body_updated_at).unwrap_or_else(|| at.clone()), display_at = at,
            affected_components = Value::Null, deliver_notifications = postmortem.notify_subscribers, custom_tweet,
            tweet_id = Value::Null,
        })
    }
}

/// A list of incidents or of maintenances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    Incidents,
    Unresolved,
    Maintenances,
    Active,
    Upcoming,
    /// What the summary shows: active and upcoming.
    Unfinished,
}

impl Feed {
    /// The list of a path.
    pub(super) fn of(document: &str) -> Option<Self> {
        Some(match document {
            "incidents" => Self::Incidents,
            "incidents/unresolved" => Self::Unresolved,
            "scheduled-maintenances" => Self::Maintenances,
            "scheduled-maintenances/active" => Self::Active,
            "scheduled-maintenances/upcoming" => Self::Upcoming,
            _ => return None,
        })
    }

    /// Where it stands in the document.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Incidents | Self::Unresolved => "incidents",
            Self::Maintenances | Self::Active | Self::Upcoming | Self::Unfinished => "scheduled_maintenances",
        }
    }

    fn shows(self, incident: &Incident) -> bool {
        let status = incident.status;
        match self {
            Self::Incidents => !incident.is_maintenance(),
            Self::Unresolved => !incident.is_maintenance() && !status.is_final(),
            Self::Maintenances => incident.is_maintenance(),
            Self::Active => matches!(status, IncidentStatus::InProgress | IncidentStatus::Verifying),
            Self::Upcoming => status == IncidentStatus::Scheduled,
            Self::Unfinished => incident.is_maintenance() && !status.is_final(),
        }
    }
}

/// The status of the whole page, from its components: what all of them have weighs more than what some have. Source:
/// "Top-level status and incident impact calculations" of Atlassian's support pages.
pub(super) fn roll_up(page: &PageState) -> Value {
    let of = |component: &Component| component.status;
    let worst = page.components.values().map(of).max();
    let worst = worst.unwrap_or(ComponentStatus::Operational);
    let all = page.components.values().all(|component| component.status == worst);
    let several = page.components.values().nth(1).is_some();
    let (impact, description) = match (worst, all) {
        (ComponentStatus::Operational, _) => (worst, "All Systems Operational"),
        (ComponentStatus::UnderMaintenance, _) => (worst, "Service Under Maintenance"),
        (ComponentStatus::DegradedPerformance, true) if several => (worst, "Degraded System Service"),
        (ComponentStatus::DegradedPerformance, _) => (worst, "Partially Degraded Service"),
        (ComponentStatus::PartialOutage, false) => (ComponentStatus::DegradedPerformance, "Minor Service Outage"),
        (ComponentStatus::PartialOutage, true) | (ComponentStatus::MajorOutage, false) => {
            (ComponentStatus::PartialOutage, "Partial System Outage")
        }
        (ComponentStatus::MajorOutage, true) => (worst, "Major System Outage"),
    };
    json!({"indicator": impact.impact().as_str(), "description": description})
}
