//! Own writes: each is folded in by the entity that its reply brought, together with what the service does on the side,
//! so that nothing has to be read again after a write.
//!
//! All of them are dated by [`Snapshot::time`]: a list that began earlier, or that may lag behind it, does not undo them.

use jiff::Timestamp;

use super::super::types::{
    Component, ComponentGroup, Identified, Incident, IncidentUpdate, Metric, MetricsProvider, Page, Postmortem,
    Subscriber,
};
use super::{Collection, Dated, ObjectKind, Snapshot};

impl Snapshot {
    /// The settings were changed.
    pub fn put_page(&mut self, page: Page) {
        if self.page.is_some() {
            self.page = Some(page);
        }
    }

    /// A component was created or changed. The group that it left is gone if it was the last member.
    pub fn put_component(&mut self, component: Component) {
        let at = self.time;
        self.shown(ObjectKind::Component, &component.id, at);
        let Some(components) = &mut self.components else {
            return;
        };
        let known = components.get(&component.id);
        let before = known.and_then(|known| known.group_id.clone());
        let joined = component.group_id.clone().filter(|_| before != component.group_id);
        let left = before.filter(|left| component.group_id.as_ref() != Some(left));
        components.put_last(component, at);
        for group in left.iter().chain(&joined) {
            self.outdated(ObjectKind::ComponentGroup, group);
        }
        let Some(components) = &mut self.components else {
            return;
        };
        if let Some(left) = left {
            drop_if_empty(components, &left, at);
        }
    }

    /// A component was removed. Its group is gone if it was the last member.
    pub fn remove_component(&mut self, id: &str) {
        let at = self.time;
        self.forget_object(ObjectKind::Component, id);
        for group in self.page_access_groups.iter_mut().flat_map(|groups| &mut groups.items) {
            group.component_ids.retain(|component| component != id);
        }
        for granted in self.user_components.values_mut() {
            granted.value.retain(|component| component != id);
        }
        let Some(components) = &mut self.components else {
            return;
        };
        let left = components.get(id).and_then(|component| component.group_id.clone());
        components.remove(id, at);
        if let Some(left) = left {
            drop_if_empty(components, &left, at);
            self.outdated(ObjectKind::ComponentGroup, &left);
        }
    }

    /// A component group was created, changed or read: its members are exactly the given ones.
    pub fn put_component_group(&mut self, group: ComponentGroup) {
        let at = self.time;
        self.shown(ObjectKind::ComponentGroup, &group.id, at);
        let members = Dated {
            value: group.components.clone(),
            read_at: at,
        };
        self.group_members.insert(group.id.clone(), members);
        let Some(components) = &mut self.components else {
            return;
        };
        let inside = |row: &Component| !row.group && row.group_id.as_deref() == Some(group.id.as_str());
        let expelled = components.items.iter().filter(|row| inside(row));
        let expelled = expelled.filter(|row| !group.components.contains(&row.id));
        let expelled: Vec<String> = expelled.map(|row| row.id.clone()).collect();
        let mut left = Vec::new();
        for (id, joins) in group
            .components
            .iter()
            .map(|id| (id, true))
            .chain(expelled.iter().map(|id| (id, false)))
        {
            let row = components.get_mut(id).filter(|row| !row.group && inside(row) != joins);
            let Some(row) = row else { continue };
            match joins {
                true => left.extend(row.group_id.replace(group.id.clone())),
                false => row.group_id = None,
            }
            components.touch(id, at);
        }
        let known = components.get(&group.id).cloned().unwrap_or_default();
        let row = Component {
            id: group.id,
            group: true,
            group_id: None,
            name: group.name,
            description: group.description,
            page_id: group.page_id.or(known.page_id),
            position: group.position.or(known.position),
            created_at: group.created_at.or(known.created_at),
            updated_at: group.updated_at.or(known.updated_at),
            ..known
        };
        components.put_last(row, at);
        for group in left {
            drop_if_empty(components, &group, at);
        }
    }

    /// A component group was removed: its members are without a group.
    pub fn remove_component_group(&mut self, id: &str) {
        let at = self.time;
        self.forget_object(ObjectKind::ComponentGroup, id);
        self.group_members.remove(id);
        let Some(components) = &mut self.components else {
            return;
        };
        components.remove(id, at);
        let mut freed = Vec::new();
        for component in &mut components.items {
            if component.group_id.as_deref() == Some(id) {
                component.group_id = None;
                freed.push(component.id.clone());
            }
        }
        for member in freed {
            components.touch(&member, at);
        }
    }

    /// An incident was created or changed. Its components carry the states that it gave them.
    pub fn put_incident(&mut self, incident: Incident) {
        let at = self.time;
        self.shown(ObjectKind::Incident, &incident.id, at);
        self.move_components(&incident);
        self.incidents_known().put_first(incident, at);
    }

    /// Adds incidents that were read in another way than by the list of the newest ones.
    pub fn merge_incidents(&mut self, read: Vec<Incident>, began: Timestamp) {
        let incidents = self.incidents_known();
        for incident in read {
            incidents.put_last(incident, began);
        }
    }

    /// An incident was read by its id.
    pub(super) fn put_read_incident(&mut self, incident: Incident) {
        let at = self.time;
        self.move_components(&incident);
        self.incidents_known().put_last(incident, at);
    }

    /// What is known of incidents, also where their list cannot be read.
    fn incidents_known(&mut self) -> &mut Collection<Incident> {
        self.incidents
            .get_or_insert_with(|| Collection::read(Vec::new(), Timestamp::MIN, false))
    }

    fn move_components(&mut self, incident: &Incident) {
        let at = self.time;
        let Some(components) = &mut self.components else { return };
        for affected in &incident.components {
            let moved = match (components.get_mut(&affected.id), &affected.status) {
                (Some(component), Some(status)) if component.status.as_ref() != Some(status) => {
                    component.status = Some(status.clone());
                    component.updated_at = affected.updated_at.or(component.updated_at);
                    true
                }
                _ => false,
            };
            if moved {
                components.touch(&affected.id, at);
            }
        }
    }

    /// An incident was removed.
    pub fn remove_incident(&mut self, id: &str) {
        let at = self.time;
        self.forget_object(ObjectKind::Incident, id);
        self.incidents_known().remove(id, at);
    }

    /// A published update was corrected.
    pub fn put_incident_update(&mut self, incident: &str, update: IncidentUpdate) {
        let Some(incident) = self.changed_incident(incident) else {
            return;
        };
        let updates = &mut incident.incident_updates;
        match updates.iter_mut().find(|known| known.id == update.id) {
            Some(known) => *known = update,
            None => updates.insert(0, update),
        }
    }

    /// The postmortem of an incident was changed, published or taken back.
    pub fn put_postmortem(&mut self, incident: &str, postmortem: &Postmortem) {
        if let Some(incident) = self.changed_incident(incident) {
            incident.postmortem_published_at = postmortem.published_at;
            incident.postmortem_body.clone_from(&postmortem.body);
            incident.postmortem_body_last_updated_at = postmortem.body_updated_at;
        }
    }

    /// The postmortem of an incident was removed.
    pub fn remove_postmortem(&mut self, incident: &str) {
        self.put_postmortem(incident, &Postmortem::default());
    }

    /// An incident of which a part was changed.
    fn changed_incident(&mut self, id: &str) -> Option<&mut Incident> {
        let at = self.time;
        self.outdated(ObjectKind::Incident, id);
        let incidents = self.incidents.as_mut()?;
        if incidents.get(id).is_some() {
            incidents.touch(id, at);
        }
        incidents.get_mut(id)
    }

    /// A metrics provider was created or changed.
    pub fn put_metrics_provider(&mut self, provider: MetricsProvider) {
        let at = self.time;
        self.shown(ObjectKind::MetricsProvider, provider.id(), at);
        if let Some(providers) = &mut self.metrics_providers {
            providers.put_last(provider, at);
        }
    }

    /// A metrics provider was removed, and its metrics with it.
    pub fn remove_metrics_provider(&mut self, id: &str) {
        let at = self.time;
        self.forget_object(ObjectKind::MetricsProvider, id);
        if let Some(providers) = &mut self.metrics_providers {
            providers.remove(id, at);
        }
        let of_provider = |metric: &&Metric| metric.metrics_provider_id.as_deref() == Some(id);
        let metrics = self.metrics.iter().flat_map(|metrics| &metrics.items);
        let gone: Vec<String> = metrics.filter(of_provider).map(|metric| metric.id.clone()).collect();
        for metric in gone {
            self.remove_metric(&metric);
        }
    }

    /// A metric was created or changed.
    pub fn put_metric(&mut self, metric: Metric) {
        let at = self.time;
        self.shown(ObjectKind::Metric, metric.id(), at);
        if let Some(metrics) = &mut self.metrics {
            metrics.put_last(metric, at);
        }
    }

    /// A metric was removed.
    pub fn remove_metric(&mut self, id: &str) {
        let at = self.time;
        self.forget_object(ObjectKind::Metric, id);
        for group in self.page_access_groups.iter_mut().flat_map(|groups| &mut groups.items) {
            group.metric_ids.retain(|metric| metric != id);
        }
        for granted in self.user_metrics.values_mut() {
            granted.value.retain(|metric| metric != id);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.remove(id, at);
        }
    }

    /// A subscriber was created or changed.
    pub fn put_subscriber(&mut self, subscriber: Subscriber) {
        let at = self.time;
        self.shown(ObjectKind::Subscriber, subscriber.id(), at);
        if let Some(subscribers) = &mut self.subscribers {
            subscribers.put_last(subscriber, at);
        }
    }

    /// Adds subscribers that a search has found.
    pub fn merge_subscribers(&mut self, read: Vec<Subscriber>, began: Timestamp) {
        if let Some(subscribers) = &mut self.subscribers {
            for subscriber in read {
                subscribers.put_last(subscriber, began);
            }
        }
    }

    /// A subscriber was removed.
    pub fn remove_subscriber(&mut self, id: &str) {
        let at = self.time;
        self.forget_object(ObjectKind::Subscriber, id);
        if let Some(subscribers) = &mut self.subscribers {
            subscribers.remove(id, at);
        }
    }
}

/// The service keeps no group without members. Who does not see the group does not see its members either: a list that lacked
/// rows, or a member that was read by its id alone, says nothing about whoever else is in it.
fn drop_if_empty(components: &mut Collection<Component>, group: &str, at: Timestamp) {
    let is_shown = components.get(group).is_some_and(|row| row.group);
    let has_members = components
        .items
        .iter()
        .any(|component| component.group_id.as_deref() == Some(group));
    if is_shown && !has_members {
        components.remove(group, at);
    }
}
