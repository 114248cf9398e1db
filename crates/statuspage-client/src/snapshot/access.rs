//! Own writes on templates, page access, the embedded status and the organization, and operations on subscribers.

use super::super::types::{
    IncidentTemplate, OrganizationUser, PageAccessGroup, PageAccessUser, Permissions, StatusEmbedConfig, Subscriber,
    Uptime,
};
use super::{Dated, ObjectKind, Snapshot};

impl Snapshot {
    /// A subscriber was taken out of quarantine.
    pub fn reactivate_subscriber(&mut self, id: &str) {
        if let Some(subscriber) = self
            .subscribers
            .as_mut()
            .and_then(|subscribers| subscribers.get_mut(id))
        {
            subscriber.quarantined_at = None;
            subscriber.purge_at = None;
        }
    }

    /// The subscribers of an incident were read.
    pub fn store_incident_subscribers(&mut self, incident: &str, subscribers: Dated<Vec<Subscriber>>) {
        self.incident_subscribers.insert(incident.to_owned(), subscribers);
    }

    /// The uptime of a component or group was read.
    pub fn store_uptime(&mut self, id: &str, uptime: Dated<Option<Uptime>>) {
        self.uptimes.insert(id.to_owned(), uptime);
    }

    /// Somebody subscribed to an incident.
    pub fn put_incident_subscriber(&mut self, incident: &str, subscriber: Subscriber) {
        if let Some(known) = self.incident_subscribers.get_mut(incident) {
            known.value.retain(|other| other.id != subscriber.id);
            known.value.push(subscriber);
        }
    }

    /// Somebody was unsubscribed from an incident.
    pub fn remove_incident_subscriber(&mut self, incident: &str, id: &str) {
        if let Some(known) = self.incident_subscribers.get_mut(incident) {
            known.value.retain(|subscriber| subscriber.id != id);
        }
    }

    /// A template was created.
    pub fn put_incident_template(&mut self, template: IncidentTemplate) {
        let at = self.time;
        if let Some(templates) = &mut self.incident_templates {
            templates.put_last(template, at);
        }
    }

    /// A page access user was created or changed.
    pub fn put_page_access_user(&mut self, user: PageAccessUser) {
        let at = self.time;
        self.shown(ObjectKind::PageAccessUser, &user.id, at);
        if let Some(users) = &mut self.page_access_users {
            users.put_last(user, at);
        }
    }

    /// A page access user was removed, and left its groups.
    pub fn remove_page_access_user(&mut self, id: &str) {
        let at = self.time;
        self.forget_object(ObjectKind::PageAccessUser, id);
        if let Some(users) = &mut self.page_access_users {
            users.remove(id, at);
        }
        for group in self.page_access_groups.iter_mut().flat_map(|groups| &mut groups.items) {
            group.page_access_user_ids.retain(|user| user != id);
        }
        self.user_components.remove(id);
        self.user_metrics.remove(id);
    }

    /// The components of a page access user were read.
    pub fn store_user_components(&mut self, user: &str, ids: Dated<Vec<String>>) {
        self.user_components.insert(user.to_owned(), ids);
    }

    /// The metrics of a page access user were read.
    pub fn store_user_metrics(&mut self, user: &str, ids: Dated<Vec<String>>) {
        self.user_metrics.insert(user.to_owned(), ids);
    }

    /// Other components were granted to a page access user.
    pub fn put_user_components(&mut self, user: &str, ids: &[String]) {
        if let Some(known) = self.user_components.get_mut(user) {
            known.value = ids.to_vec();
        }
    }

    /// Other metrics were granted to a page access user.
    pub fn put_user_metrics(&mut self, user: &str, ids: &[String]) {
        if let Some(known) = self.user_metrics.get_mut(user) {
            known.value = ids.to_vec();
        }
    }

    /// A page access group was created or changed.
    pub fn put_page_access_group(&mut self, group: PageAccessGroup) {
        let at = self.time;
        self.shown(ObjectKind::PageAccessGroup, &group.id, at);
        if let Some(groups) = &mut self.page_access_groups {
            groups.put_last(group, at);
        }
    }

    /// A page access group was removed.
    pub fn remove_page_access_group(&mut self, id: &str) {
        let at = self.time;
        self.forget_object(ObjectKind::PageAccessGroup, id);
        if let Some(groups) = &mut self.page_access_groups {
            groups.remove(id, at);
        }
    }

    /// The status embed configuration was changed.
    pub fn put_status_embed(&mut self, config: StatusEmbedConfig) {
        if let Some(known) = &mut self.status_embed {
            known.value = config;
        }
    }

    /// A member of the organization was created.
    pub fn put_organization_user(&mut self, user: OrganizationUser) {
        let at = self.time;
        if let Some(users) = &mut self.organization_users {
            users.put_last(user, at);
        }
    }

    /// A member of the organization was removed.
    pub fn remove_organization_user(&mut self, id: &str) {
        let at = self.time;
        if let Some(users) = &mut self.organization_users {
            users.remove(id, at);
        }
        self.permissions.remove(id);
    }

    /// What a member may do was read.
    pub fn store_permissions(&mut self, user: &str, permissions: Dated<Permissions>) {
        self.permissions.insert(user.to_owned(), permissions);
    }

    /// What a member may do was changed.
    pub fn put_permissions(&mut self, user: &str, permissions: Permissions) {
        if let Some(known) = self.permissions.get_mut(user) {
            known.value = permissions;
        }
    }
}
