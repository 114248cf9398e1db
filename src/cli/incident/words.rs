//! Statuses as people write them in a hurry: the whole word, or as much of it as can only mean one; and times as they read them.

use jiff::Timestamp;

use crate::api::{ComponentStatusName, ImpactName, IncidentStatusName};

/// A time as people read it.
pub(super) fn minute(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

/// The statuses of a component.
pub(super) const COMPONENT_STATUSES: [ComponentStatusName; 5] = [
    ComponentStatusName::Operational,
    ComponentStatusName::UnderMaintenance,
    ComponentStatusName::DegradedPerformance,
    ComponentStatusName::PartialOutage,
    ComponentStatusName::MajorOutage,
];

const PHASES: [IncidentStatusName; 8] = [
    IncidentStatusName::Investigating,
    IncidentStatusName::Identified,
    IncidentStatusName::Monitoring,
    IncidentStatusName::Resolved,
    IncidentStatusName::Scheduled,
    IncidentStatusName::InProgress,
    IncidentStatusName::Verifying,
    IncidentStatusName::Completed,
];

const IMPACTS: [ImpactName; 5] = [
    ImpactName::None,
    ImpactName::Maintenance,
    ImpactName::Minor,
    ImpactName::Major,
    ImpactName::Critical,
];

/// The status of a component: `major` is major_outage, `maintenance` is under_maintenance.
pub(super) fn component_status(word: &str) -> Result<ComponentStatusName, String> {
    one_of(word, &COMPONENT_STATUSES, ComponentStatusName::as_str)
}

/// The status of an incident.
pub(super) fn phase(word: &str) -> Result<IncidentStatusName, String> {
    one_of(word, &PHASES, IncidentStatusName::as_str)
}

/// The impact of an incident.
pub(super) fn impact(word: &str) -> Result<ImpactName, String> {
    one_of(word, &IMPACTS, ImpactName::as_str)
}

/// The only name that is meant: itself, or one of which a part begins so.
fn one_of<T: Copy>(word: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let plain = word.trim().to_lowercase().replace(['-', ' '], "_");
    if let Some(exact) = all.iter().find(|one| name(**one) == plain) {
        return Ok(*exact);
    }
    let begins = |name: &str| {
        let parts = name.match_indices('_').map(|(at, _)| at + 1).chain([0]);
        !plain.is_empty() && parts.into_iter().any(|at| name[at..].starts_with(&plain))
    };
    let found: Vec<T> = all.iter().copied().filter(|one| begins(name(*one))).collect();
    let listed = |these: &[T]| these.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", ");
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let near = crate::manifest::nearest(&plain, all.iter().map(|one| name(*one)));
            let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
            Err(format!("{word:?} is no status here: {near}known are {}", listed(all)))
        }
        several => Err(format!("{word:?} may be {}: write one of them", listed(several))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_word_is_enough_when_it_can_only_mean_one() {
        let read = |word: &str| component_status(word).map(ComponentStatusName::as_str);
        assert_eq!(read("major"), Ok("major_outage"));
        assert_eq!(read("Partial Outage"), Ok("partial_outage"));
        assert_eq!(read("maintenance"), Ok("under_maintenance"));
        assert_eq!(read("degraded"), Ok("degraded_performance"));
        assert_eq!(read("op"), Ok("operational"));
        assert!(read("outage").unwrap_err().contains("partial_outage, major_outage"));
        assert!(read("majr_outage").unwrap_err().contains("did you mean major_outage?"));
        assert!(read("").is_err());
        assert_eq!(phase("mon").map(IncidentStatusName::as_str), Ok("monitoring"));
        assert!(phase("i").unwrap_err().contains("investigating, identified"));
        assert_eq!(impact("crit").map(ImpactName::as_str), Ok("critical"));
    }
}
