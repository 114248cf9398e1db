//! A page at a glance, as its visitors see it.

use serde::{Deserialize, Serialize};

use super::{Component, ComponentStatus, Incident, IncidentImpact, lenient};

/// What a page shows to its visitors: the document `/api/v2/summary.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The page itself.
    #[serde(deserialize_with = "lenient::or_default")]
    pub page: SummaryPage,
    /// How all of it stands.
    #[serde(deserialize_with = "lenient::or_default")]
    pub status: Indicator,
    /// Components, and a row for each group.
    #[serde(deserialize_with = "lenient::list")]
    pub components: Vec<Component>,
    /// Incidents that are open.
    #[serde(deserialize_with = "lenient::list")]
    pub incidents: Vec<Incident>,
    /// Maintenances that lie ahead or are under way.
    #[serde(deserialize_with = "lenient::list")]
    pub scheduled_maintenances: Vec<Incident>,
}

/// The page of a [`Summary`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SummaryPage {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Name shown to visitors.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Where visitors find it.
    #[serde(deserialize_with = "lenient::text")]
    pub url: Option<String>,
}

/// How a whole page stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Indicator {
    /// How bad it is.
    #[serde(deserialize_with = "lenient::word")]
    pub indicator: Option<IncidentImpact>,
    /// The same in words.
    #[serde(deserialize_with = "lenient::text")]
    pub description: Option<String>,
}

impl Indicator {
    /// How a page with these components stands: what all of them have weighs more than what some have. By "Top-level
    /// status and incident impact calculations" of Atlassian's support pages.
    #[must_use]
    pub fn of(components: &[Component]) -> Self {
        use ComponentStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};
        let known = |component: &&Component| !component.group;
        let statuses: Vec<&ComponentStatus> = components
            .iter()
            .filter(known)
            .filter_map(|component| component.status.as_ref())
            .filter(|status| !matches!(status, ComponentStatus::Unknown(_)))
            .collect();
        let worst = statuses.iter().max().copied().unwrap_or(&Operational);
        let all = statuses.iter().all(|status| *status == worst);
        let (indicator, description) = match (worst, all) {
            (DegradedPerformance, true) if statuses.len() > 1 => (IncidentImpact::Minor, "Degraded System Service"),
            (DegradedPerformance, _) => (IncidentImpact::Minor, "Partially Degraded Service"),
            (PartialOutage, false) => (IncidentImpact::Minor, "Minor Service Outage"),
            (PartialOutage, true) | (MajorOutage, false) => (IncidentImpact::Major, "Partial System Outage"),
            (MajorOutage, true) => (IncidentImpact::Critical, "Major System Outage"),
            (UnderMaintenance, _) => (IncidentImpact::Maintenance, "Service Under Maintenance"),
            (Operational | ComponentStatus::Unknown(_), _) => (IncidentImpact::None, "All Systems Operational"),
        };
        Self {
            indicator: Some(indicator),
            description: Some(description.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(statuses: &[&str]) -> (String, String) {
        let component = |status: &&str| Component {
            status: Some((*status).into()),
            ..Component::default()
        };
        let found = Indicator::of(&statuses.iter().map(component).collect::<Vec<_>>());
        (found.indicator.unwrap().to_string(), found.description.unwrap())
    }

    #[test]
    fn what_all_have_weighs_more_than_what_some_have() {
        for (statuses, indicator, description) in [
            (&[][..], "none", "All Systems Operational"),
            (&["operational", "operational"], "none", "All Systems Operational"),
            (&["operational", "on_fire"], "none", "All Systems Operational"),
            (
                &["under_maintenance", "operational"],
                "maintenance",
                "Service Under Maintenance",
            ),
            (&["degraded_performance"], "minor", "Partially Degraded Service"),
            (
                &["degraded_performance", "operational"],
                "minor",
                "Partially Degraded Service",
            ),
            (
                &["degraded_performance", "degraded_performance"],
                "minor",
                "Degraded System Service",
            ),
            (
                &["partial_outage", "under_maintenance"],
                "minor",
                "Minor Service Outage",
            ),
            (&["partial_outage", "partial_outage"], "major", "Partial System Outage"),
            (&["major_outage", "operational"], "major", "Partial System Outage"),
            (&["major_outage"], "critical", "Major System Outage"),
        ] {
            let expected = (indicator.to_owned(), description.to_owned());
            assert_eq!(described(statuses), expected, "{statuses:?}");
        }
    }

    #[test]
    fn the_row_of_a_group_counts_for_nothing() {
        let group = Component {
            group: true,
            status: Some(ComponentStatus::MajorOutage),
            ..Component::default()
        };
        assert_eq!(Indicator::of(&[group]).indicator, Some(IncidentImpact::None));
    }
}
