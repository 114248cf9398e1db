//! Own writes: each is folded in by the entity that its reply brought, together with what the service does on the side,
//! so that nothing has to be read again after a write.
//!
//! All of them are dated by [`Snapshot::time`]: a list that began earlier, or that may lag behind it, does not undo them.

use jiff::Timestamp;

use super::{Collection, Dated, Listed, ObjectKind, Snapshot};
use crate::types::{
    Component, ComponentGroup, Incident, IncidentTemplate, IncidentUpdate, Metric, MetricsProvider, OrganizationUser,
    Page, PageAccessGroup, PageAccessUser, Postmortem, Subscriber,
};

/// An object that own writes create, change and delete.
pub trait Written: Sized {
    /// It was created or changed, or read by its id.
    fn put(self, snapshot: &mut Snapshot);

    /// The one with this id was deleted.
    fn remove(snapshot: &mut Snapshot, id: &str);
}

impl Snapshot {
    /// An object was created or changed, or read by its id.
    pub fn put(&mut self, object: impl Written) {
        object.put(self);
    }

    /// The object with this id was deleted.
    pub fn remove<T: Written>(&mut self, id: &str) {
        T::remove(self, id);
    }

    fn put_listed<T: Listed>(&mut self, object: T) {
        let at = self.time;
        if let Some(kind) = T::KIND {
            self.shown(kind, object.id(), at);
        }
        if let Some(list) = T::list_mut(self) {
            list.put_last(object, at);
        }
    }

    fn remove_listed<T: Listed>(&mut self, id: &str) {
        let at = self.time;
        if let Some(kind) = T::KIND {
            self.forget_object(kind, id);
        }
        if let Some(list) = T::list_mut(self) {
            list.remove(id, at);
        }
    }

    /// The settings were changed.
    pub fn put_page(&mut self, page: Page) {
        if self.page.is_some() {
            self.page = Some(page);
        }
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

    /// The metrics of a provider go with it.
    fn provider_gone(&mut self, id: &str) {
        let of_provider = |metric: &&Metric| metric.metrics_provider_id.as_deref() == Some(id);
        let metrics = self.metrics.iter().flat_map(|metrics| &metrics.items);
        let gone: Vec<String> = metrics.filter(of_provider).map(|metric| metric.id.clone()).collect();
        for metric in gone {
            self.remove::<Metric>(&metric);
        }
    }

    fn metric_gone(&mut self, id: &str) {
        for group in self.access_groups() {
            group.metric_ids.retain(|metric| metric != id);
        }
        for granted in self.user_metrics.values_mut() {
            granted.value.retain(|metric| metric != id);
        }
    }

    /// It leaves its groups.
    fn access_user_gone(&mut self, id: &str) {
        for group in self.access_groups() {
            group.page_access_user_ids.retain(|user| user != id);
        }
        self.user_components.remove(id);
        self.user_metrics.remove(id);
    }

    fn access_groups(&mut self) -> impl Iterator<Item = &mut PageAccessGroup> {
        self.page_access_groups.iter_mut().flat_map(|groups| &mut groups.items)
    }

    /// Adds subscribers that a search has found.
    pub fn merge_subscribers(&mut self, read: Vec<Subscriber>, began: Timestamp) {
        if let Some(subscribers) = &mut self.subscribers {
            for subscriber in read {
                subscribers.put_last(subscriber, began);
            }
        }
    }
}

impl Written for Component {
    /// The group that it left is gone if it was the last member.
    fn put(self, snapshot: &mut Snapshot) {
        let at = snapshot.time;
        snapshot.shown(ObjectKind::Component, &self.id, at);
        let Some(components) = &mut snapshot.components else {
            return;
        };
        let known = components.get(&self.id);
        let before = known.and_then(|known| known.group_id.clone());
        let joined = self.group_id.clone().filter(|_| before != self.group_id);
        let left = before.filter(|left| self.group_id.as_ref() != Some(left));
        components.put_last(self, at);
        for group in left.iter().chain(&joined) {
            snapshot.outdated(ObjectKind::ComponentGroup, group);
        }
        let Some(components) = &mut snapshot.components else {
            return;
        };
        if let Some(left) = left {
            drop_if_empty(components, &left, at);
        }
    }

    /// Its group is gone if it was the last member.
    fn remove(snapshot: &mut Snapshot, id: &str) {
        let at = snapshot.time;
        snapshot.forget_object(ObjectKind::Component, id);
        for group in snapshot.access_groups() {
            group.component_ids.retain(|component| component != id);
        }
        for granted in snapshot.user_components.values_mut() {
            granted.value.retain(|component| component != id);
        }
        let Some(components) = &mut snapshot.components else {
            return;
        };
        let left = components.get(id).and_then(|component| component.group_id.clone());
        components.remove(id, at);
        if let Some(left) = left {
            drop_if_empty(components, &left, at);
            snapshot.outdated(ObjectKind::ComponentGroup, &left);
        }
    }
}

impl Written for ComponentGroup {
    /// Its members are exactly the given ones.
    fn put(self, snapshot: &mut Snapshot) {
        let at = snapshot.time;
        snapshot.shown(ObjectKind::ComponentGroup, &self.id, at);
        let members = Dated {
            value: self.components.clone(),
            read_at: at,
        };
        snapshot.group_members.insert(self.id.clone(), members);
        let Some(components) = &mut snapshot.components else {
            return;
        };
        let inside = |row: &Component| !row.group && row.group_id.as_deref() == Some(self.id.as_str());
        let expelled = components.items.iter().filter(|row| inside(row));
        let expelled = expelled.filter(|row| !self.components.contains(&row.id));
        let expelled: Vec<String> = expelled.map(|row| row.id.clone()).collect();
        let mut left = Vec::new();
        for (id, joins) in self
            .components
            .iter()
            .map(|id| (id, true))
            .chain(expelled.iter().map(|id| (id, false)))
        {
            let row = components.get_mut(id).filter(|row| !row.group && inside(row) != joins);
            let Some(row) = row else { continue };
            match joins {
                true => left.extend(row.group_id.replace(self.id.clone())),
                false => row.group_id = None,
            }
            components.touch(id, at);
        }
        let known = components.get(&self.id).cloned().unwrap_or_default();
        let row = Component {
            id: self.id,
            group: true,
            group_id: None,
            name: self.name,
            description: self.description,
            page_id: self.page_id.or(known.page_id),
            position: self.position.or(known.position),
            created_at: self.created_at.or(known.created_at),
            updated_at: self.updated_at.or(known.updated_at),
            ..known
        };
        components.put_last(row, at);
        for group in left {
            drop_if_empty(components, &group, at);
        }
    }

    /// Its members are without a group.
    fn remove(snapshot: &mut Snapshot, id: &str) {
        let at = snapshot.time;
        snapshot.forget_object(ObjectKind::ComponentGroup, id);
        snapshot.group_members.remove(id);
        let Some(components) = &mut snapshot.components else {
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
}

impl Written for Incident {
    /// Its components carry the states that it gave them.
    fn put(self, snapshot: &mut Snapshot) {
        let at = snapshot.time;
        snapshot.shown(ObjectKind::Incident, &self.id, at);
        snapshot.move_components(&self);
        snapshot.incidents_known().put_first(self, at);
    }

    fn remove(snapshot: &mut Snapshot, id: &str) {
        let at = snapshot.time;
        snapshot.forget_object(ObjectKind::Incident, id);
        snapshot.incidents_known().remove(id, at);
    }
}

/// Those that are simply put into their lists; whatever goes with one of them is told by a function.
macro_rules! written {
    ($($object:ident, $gone:expr;)+) => {
        $(impl Written for $object {
            fn put(self, snapshot: &mut Snapshot) {
                snapshot.put_listed(self);
            }

            fn remove(snapshot: &mut Snapshot, id: &str) {
                snapshot.remove_listed::<Self>(id);
                let gone: fn(&mut Snapshot, &str) = $gone;
                gone(snapshot, id);
            }
        })+
    };
}

written! {
    MetricsProvider, Snapshot::provider_gone;
    Metric, Snapshot::metric_gone;
    Subscriber, |_, _| {};
    IncidentTemplate, |_, _| {};
    PageAccessUser, Snapshot::access_user_gone;
    PageAccessGroup, |_, _| {};
    OrganizationUser, |snapshot, id| drop(snapshot.permissions.remove(id));
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
