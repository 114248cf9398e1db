//! What is shown of a page: the summary in the order in which visitors see it, and nothing that they don't.

use jiff::Timestamp;
use serde::Serialize;

use crate::statuspage::{Component, ComponentStatus, Incident, IncidentImpact, IncidentStatus, Summary};

/// A page as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct PageStatus {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) url: Option<String>,
    pub(super) indicator: IncidentImpact,
    pub(super) description: String,
    pub(super) components: Vec<Row>,
    /// Components that are shown only while they are degraded, and are not.
    pub(super) hidden: usize,
    pub(super) incidents: Vec<Notice>,
    pub(super) maintenances: Vec<Notice>,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: ComponentStatus,
    /// The name of its group; rows of a group follow each other.
    pub(super) group: Option<String>,
    pub(super) group_id: Option<String>,
}

/// An incident or a maintenance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Notice {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: IncidentStatus,
    pub(super) impact: IncidentImpact,
    pub(super) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheduled_for: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheduled_until: Option<Timestamp>,
    /// Names of the components that it affects.
    pub(super) components: Vec<String>,
    pub(super) latest_update: Option<Latest>,
}

/// The newest thing that was said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Latest {
    pub(super) status: Option<IncidentStatus>,
    pub(super) at: Option<Timestamp>,
    pub(super) body: String,
}

impl PageStatus {
    pub(super) fn of(summary: &Summary) -> Self {
        let (components, hidden) = rows(&summary.components);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut maintenances: Vec<Notice> = summary.scheduled_maintenances.iter().map(Notice::of).collect();
        maintenances.sort_by_key(|notice| (!notice.is_running(), notice.scheduled_for));
        let indicator = &summary.status.indicator;
        PageStatus {
            id: summary.page.id.clone(),
            name: text(&summary.page.name),
            url: summary.page.url.clone().filter(|url| !url.is_empty()),
            indicator: indicator.clone().unwrap_or(IncidentImpact::None),
            description: text(&summary.status.description),
            components,
            hidden,
            incidents: summary.incidents.iter().map(Notice::of).collect(),
            maintenances,
        }
    }

    /// Whether nobody has to look.
    pub(super) fn is_fine(&self) -> bool {
        self.indicator == IncidentImpact::None
            && self.incidents.is_empty()
            && !self.maintenances.iter().any(Notice::is_running)
    }
}

impl Notice {
    fn of(incident: &Incident) -> Self {
        let at = |update: &crate::statuspage::IncidentUpdate| update.display_at.or(update.created_at);
        // The newest is the first, unless the times say otherwise.
        let latest = incident.incident_updates.iter().rev().max_by_key(|update| at(update));
        Notice {
            id: incident.id.clone(),
            name: incident.name.clone().unwrap_or_default(),
            status: incident
                .status
                .clone()
                .unwrap_or(IncidentStatus::Unknown(String::new())),
            impact: incident.impact.clone().unwrap_or(IncidentImpact::None),
            url: incident.shortlink.clone().filter(|link| !link.is_empty()),
            scheduled_for: incident.scheduled_for,
            scheduled_until: incident.scheduled_until,
            components: incident
                .components
                .iter()
                .filter_map(|component| component.name.clone())
                .collect(),
            latest_update: latest.map(|update| Latest {
                status: update.status.clone(),
                at: at(update),
                body: update.body.clone().unwrap_or_default(),
            }),
        }
    }

    /// Whether a maintenance has begun.
    pub(super) fn is_running(&self) -> bool {
        self.status != IncidentStatus::Scheduled
    }
}

/// Rows in their order among each other.
fn in_order<'a>(rows: impl Iterator<Item = &'a Component>) -> Vec<&'a Component> {
    let mut rows: Vec<&Component> = rows.collect();
    rows.sort_by_key(|component| component.position.unwrap_or(i64::MAX));
    rows
}

/// The components in the order of the page, each group in one piece, and how many visitors do not see.
fn rows(components: &[Component]) -> (Vec<Row>, usize) {
    let in_group = |component: &Component| {
        let id = component.group_id.as_deref();
        components
            .iter()
            .any(|group| group.group && Some(group.id.as_str()) == id)
    };
    let top = components
        .iter()
        .filter(|component| component.group || !in_group(component));
    let mut shown = Vec::new();
    let mut hidden = 0;
    for one in in_order(top) {
        let is_member = |member: &&Component| !member.group && member.group_id.as_ref() == Some(&one.id);
        let members = match one.group {
            true => in_order(components.iter().filter(is_member)),
            false => vec![one],
        };
        for member in members {
            let status = member.status.clone().unwrap_or(ComponentStatus::Unknown(String::new()));
            if member.only_show_if_degraded == Some(true) && status == ComponentStatus::Operational {
                hidden += 1;
                continue;
            }
            let group = one.group.then_some(one);
            shown.push(Row {
                id: member.id.clone(),
                name: member.name.clone().unwrap_or_default(),
                status,
                group: group.map(|group| group.name.clone().unwrap_or_default()),
                group_id: group.map(|group| group.id.clone()),
            });
        }
    }
    (shown, hidden)
}
