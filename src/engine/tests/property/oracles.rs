//! What has to be so at the end, whatever was drawn.

use std::collections::{BTreeMap, BTreeSet};

use super::scenario::Played;
use crate::api::Kind;
use crate::engine::tests::simulation::Simulation;
use crate::engine::{Action, Request, Spec, State, Status};
use crate::statuspage::{Incident, IncidentStatus, Snapshot};

pub(super) fn nothing_foreign_was_touched(simulation: &Simulation, before: &Snapshot, claimable: &BTreeSet<String>) {
    let foreign = |id: &str| !claimable.contains(id);
    for row in &before.components.as_ref().unwrap().items {
        if !foreign(&row.id) {
            continue;
        }
        let mut expected = row.clone();
        // What is done to a group that was given to us shows in its members.
        if row.group_id.as_ref().is_some_and(|group| claimable.contains(group)) {
            expected
                .group_id
                .clone_from(&simulation.remote_component(&row.id).group_id);
        }
        assert_eq!(*simulation.remote_component(&row.id), expected);
    }
    macro_rules! same {
        ($list:ident) => {
            for row in &before.$list.as_ref().unwrap().items {
                if foreign(&row.id) {
                    assert_eq!(simulation.remote.$list.as_ref().unwrap().get(&row.id), Some(row));
                }
            }
        };
    }
    same!(incidents);
    same!(subscribers);
    same!(metrics_providers);
    same!(incident_templates);
    same!(page_access_users);
    same!(page_access_groups);
    same!(organization_users);
    for (id, known) in before.permissions.iter().filter(|(id, _)| foreign(id)) {
        assert_eq!(simulation.remote.permissions.get(id), Some(known));
    }
    for (id, known) in before.user_components.iter().filter(|(id, _)| foreign(id)) {
        assert_eq!(simulation.remote.user_components.get(id), Some(known));
    }
}

pub(super) fn every_object_was_created_once(played: &Played) {
    let simulation = &played.simulation;
    let mut creates: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ended: BTreeMap<&str, usize> = BTreeMap::new();
    for sent in &simulation.sent {
        match sent.action {
            Action::Create(_) => *creates.entry(&sent.uid).or_default() += 1,
            Action::Replace(_) => *ended.entry(&sent.uid).or_default() += 1,
            _ => {}
        }
    }
    for uid in &played.deleted_by_hand {
        *ended.entry(uid).or_default() += 1;
    }
    for declaration in &simulation.declarations {
        let of = |counts: &BTreeMap<&str, usize>| counts.get(declaration.uid.as_str()).copied().unwrap_or_default();
        // A group that lost all its members comes back as another one.
        if declaration.key.kind != Kind::ComponentGroup {
            let (count, most) = (of(&creates), 1 + of(&ended));
            let events = &simulation.events;
            assert!(
                count <= most,
                "{} was created {count} times: {events:#?}",
                declaration.key
            );
        }
    }
    // Of each kind at most as many as are declared.
    let mut ours: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut count = |kind: Kind, id: &str| *ours.entry(kind).or_default() += usize::from(id.starts_with("id"));
    let remote = &simulation.remote;
    for row in &remote.components.as_ref().unwrap().items {
        count(
            if row.group {
                Kind::ComponentGroup
            } else {
                Kind::Component
            },
            &row.id,
        );
    }
    macro_rules! count {
        ($list:ident, $kind:expr) => {
            for row in &remote.$list.as_ref().unwrap().items {
                count($kind, &row.id);
            }
        };
    }
    count!(incidents, Kind::Incident);
    count!(metrics, Kind::Metric);
    count!(subscribers, Kind::Subscriber);
    count!(incident_templates, Kind::IncidentTemplate);
    count!(page_access_users, Kind::PageAccessUser);
    count!(page_access_groups, Kind::PageAccessGroup);
    count!(organization_users, Kind::OrganizationUser);
    count!(metrics_providers, Kind::MetricsProvider);
    for (kind, count) in ours {
        let declared = simulation
            .declarations
            .iter()
            .filter(|one| one.key.kind == kind)
            .count();
        // The page's own provider is declared by nobody.
        let implied = usize::from(kind == Kind::MetricsProvider);
        assert!(
            count <= declared + implied,
            "{count} of {kind}: {:#?}",
            simulation.events
        );
    }
}

pub(super) fn nobody_was_told_twice(played: &Played) {
    let simulation = &played.simulation;
    let mut told: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for sent in &simulation.sent {
        if let Some(Request::CreateIncident(write) | Request::UpdateIncident(_, write)) = sent.action.request()
            && write.deliver_notifications == Some(true)
        {
            let update = format!("{:?} {:?}", write.status, write.body);
            *told.entry((&sent.uid, update)).or_default() += 1;
        }
    }
    for ((uid, update), count) in told {
        // An incident that somebody deleted is told of again only when its declaration asks for it to come back.
        let deleted = played.deleted_by_hand.iter().filter(|other| *other == uid).count();
        assert!(count <= 1 + deleted, "{uid} {update}: {:#?}", simulation.events);
    }
}

/// What is said to be in sync is as declared on the page, and everything that nothing stops is in sync.
pub(super) fn what_is_in_sync_is_as_declared(simulation: &Simulation) {
    for declaration in &simulation.declarations {
        let found = simulation
            .last
            .findings
            .iter()
            .find(|finding| finding.key == declaration.key);
        let Some(finding) = found else {
            // An incident that is over and no longer in the list is not looked for any more: the list reaches so far only.
            let over = matches!(&*declaration.status, Status::Incident(status) if status.resolved_at.is_some());
            assert!(over, "nothing was found about {}", declaration.key);
            continue;
        };
        assert_ne!(finding.state, State::Unknown, "{}", declaration.key);
        if finding.state != State::InSync {
            assert!(
                finding.reason != crate::api::Reason::Progressing,
                "{} is still on its way: {} {:#?}",
                declaration.key,
                finding.message,
                simulation.events
            );
            continue;
        }
        let object = declaration.status.object();
        let id = object.id.clone().unwrap();
        assert_eq!(declaration.id_annotation.as_deref(), Some(id.as_str()));
        assert!(object.journal.is_none());
        if !object.drift.is_empty() {
            continue;
        }
        match (&*declaration.spec, &*declaration.status) {
            (Spec::Component(spec), _) => {
                let remote = simulation.remote_component(&id);
                assert_eq!(remote.name, spec.name);
                if spec.description.is_some() {
                    assert_eq!(remote.description, spec.description);
                }
                // An incident that is open decides while it is.
                let covered = |incident: &Incident| {
                    let over = incident.status.as_ref().is_none_or(IncidentStatus::is_over);
                    !over && incident.components.iter().any(|component| component.id == id)
                };
                let mut incidents = simulation.remote.incidents.as_ref().unwrap().items.iter();
                let covered = incidents.any(covered);
                if let Some(status) = spec.status.filter(|_| !covered) {
                    assert_eq!(
                        remote.status.as_ref().map(|status| status.as_str()),
                        Some(status.as_str())
                    );
                }
                if let Some(group) = &spec.group_ref {
                    let group = simulation.get(Kind::ComponentGroup, &group.name);
                    assert_eq!(remote.group_id.as_deref(), group.recorded_id());
                }
            }
            (Spec::Incident(spec), Status::Incident(status)) => {
                let remote = simulation.remote_incident(&id);
                let given = usize::from(status.updates.first().is_some_and(|first| first.from_template));
                assert_eq!(status.updates.len(), spec.updates.len() + given);
                for (update, published) in spec.updates.iter().zip(&status.updates[given..]) {
                    let shown = remote
                        .incident_updates
                        .iter()
                        .find(|shown| shown.id == published.id)
                        .unwrap();
                    assert_eq!(shown.body.as_deref(), Some(update.body.as_str()));
                }
            }
            (Spec::PageAccessUser(spec), _) => {
                let users = simulation.remote.page_access_users.as_ref().unwrap();
                assert_eq!(users.get(&id).unwrap().external_login, spec.external_login);
            }
            (Spec::PageAccessGroup(spec), _) => {
                let groups = simulation.remote.page_access_groups.as_ref().unwrap();
                assert_eq!(groups.get(&id).unwrap().external_identifier, spec.external_identifier);
            }
            (Spec::OrganizationUser(spec), _) => {
                let members = simulation.remote.organization_users.as_ref().unwrap();
                assert_eq!(members.get(&id).unwrap().first_name, spec.first_name);
            }
            (Spec::IncidentTemplate(spec), _) => {
                let templates = simulation.remote.incident_templates.as_ref().unwrap();
                assert_eq!(templates.get(&id).unwrap().title.as_ref(), Some(&spec.title));
            }
            (Spec::Metric(spec), _) => {
                let metrics = simulation.remote.metrics.as_ref().unwrap();
                assert_eq!(metrics.get(&id).unwrap().suffix, spec.suffix);
            }
            _ => {}
        }
    }
}
