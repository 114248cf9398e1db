//! Own writes on what belongs to one object and is read for it alone, and on the embedded status.

use super::Snapshot;
use crate::types::{Permissions, StatusEmbedConfig, Subscriber};

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

    /// The status embed configuration was changed.
    pub fn put_status_embed(&mut self, config: StatusEmbedConfig) {
        if let Some(known) = &mut self.status_embed {
            known.value = config;
        }
    }

    /// What a member may do was changed.
    pub fn put_permissions(&mut self, user: &str, permissions: Permissions) {
        if let Some(known) = self.permissions.get_mut(user) {
            known.value = permissions;
        }
    }
}
