//! A model of the remote page: what a request would do to a snapshot. `plan` counts requests with it, and the property
//! tests of the engine run against it.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::record::Reply;
use super::request::Request;
use crate::statuspage::{
    Component, ComponentGroup, Dated, Incident, IncidentImpact, IncidentStatus, IncidentTemplate, IncidentUpdate,
    IncidentWrite, Listed, Metric, MetricsProvider, OrganizationUser, PageAccessGroup, PageAccessUser, Snapshot,
    Subscriber, Written,
};

/// Performs a request on a snapshot and answers as the page would. `new_id` names what is created.
pub fn perform(snapshot: &mut Snapshot, request: &Request, new_id: &str, now: Timestamp) -> Reply {
    let new = New { id: new_id, now };
    match request {
        Request::UpdatePage(write) => {
            if let Some(page) = snapshot.page.clone() {
                snapshot.put_page(merged(&page, write));
            }
        }
        Request::CreateComponent(write) => return new.create::<Component>(snapshot, write),
        Request::UpdateComponent(id, write) => update::<Component>(snapshot, id, write),
        Request::CreateComponentGroup(write) => return new.create::<ComponentGroup>(snapshot, write),
        Request::UpdateComponentGroup(id, write) => {
            if let Some(row) = snapshot.get::<Component>(id) {
                let known = ComponentGroup {
                    id: id.clone(),
                    description: row.description.clone(),
                    ..Default::default()
                };
                snapshot.put(merged(&known, write));
            }
        }
        Request::CreateIncident(write) => {
            let incident = incident_after(snapshot, new.object(&()), write, &format!("{new_id}-u0"), now);
            snapshot.put(incident.clone());
            let nobody = new.empty();
            snapshot.incident_subscribers.insert(new_id.to_owned(), nobody);
            return Reply::Created(new_id.to_owned(), Some(Box::new(incident)));
        }
        Request::UpdateIncident(id, write) => {
            let known = snapshot.get::<Incident>(id).cloned();
            let known = known.unwrap_or_else(|| Incident {
                id: id.clone(),
                ..Default::default()
            });
            let update = format!("{id}-u{}", known.incident_updates.len());
            let incident = incident_after(snapshot, known, write, &update, now);
            snapshot.put(incident.clone());
            return Reply::Incident(Box::new(incident));
        }
        Request::UpdateIncidentUpdate(incident, id, write) => {
            let known = snapshot.get::<Incident>(incident);
            let known = known.and_then(|incident| incident.incident_updates.iter().find(|update| update.id == *id));
            if let Some(update) = known.map(|known| merged(known, write)) {
                snapshot.put_incident_update(incident, update);
            }
        }
        Request::PublishPostmortem(id, _) | Request::RevertPostmortem(id) => {
            if let Some(mut incident) = snapshot.get::<Incident>(id).cloned() {
                incident.postmortem_published_at = matches!(request, Request::PublishPostmortem(..)).then_some(now);
                snapshot.put(incident);
            }
        }
        Request::CreateIncidentSubscriber(incident, write) => {
            snapshot.put_incident_subscriber(incident, new.object(write));
        }
        Request::DeleteIncidentSubscriber(incident, id) => snapshot.remove_incident_subscriber(incident, id),
        Request::CreateMetricsProvider(write) => return new.create::<MetricsProvider>(snapshot, write),
        Request::UpdateMetricsProvider(id, write) => update::<MetricsProvider>(snapshot, id, write),
        Request::CreateMetric(provider, write) => {
            snapshot.put(Metric {
                metrics_provider_id: Some(provider.clone()),
                ..new.object(write)
            });
            return new.created();
        }
        Request::UpdateMetric(id, write) => update::<Metric>(snapshot, id, write),
        Request::CreateSubscriber(write) => {
            snapshot.put(Subscriber {
                components: write.component_ids.clone().unwrap_or_default(),
                ..new.object(write)
            });
            return new.created();
        }
        Request::UpdateSubscriber(id, components) => {
            if let Some(known) = snapshot.get::<Subscriber>(id).cloned() {
                snapshot.put(Subscriber {
                    components: components.clone().unwrap_or_default(),
                    ..known
                });
            }
        }
        Request::ReactivateSubscriber(id) => snapshot.reactivate_subscriber(id),
        Request::UpdateStatusEmbed(write) => {
            if let Some(known) = snapshot.status_embed.as_ref().map(|known| merged(&known.value, write)) {
                snapshot.put_status_embed(known);
            }
        }
        Request::CreateIncidentTemplate(write) => {
            let ids = write.component_ids.iter().flatten();
            let components = ids.filter_map(|id| snapshot.get::<Component>(id)).cloned().collect();
            snapshot.put(IncidentTemplate {
                components,
                ..new.object(write)
            });
            return new.created();
        }
        Request::CreatePageAccessUser(write) => {
            // Nobody can read them from a user that does not exist yet.
            snapshot.user_components.insert(new_id.to_owned(), new.empty());
            snapshot.user_metrics.insert(new_id.to_owned(), new.empty());
            return new.create::<PageAccessUser>(snapshot, write);
        }
        Request::UpdatePageAccessUser(id, write) => update::<PageAccessUser>(snapshot, id, write),
        Request::GrantComponents(user, ids) => snapshot.put_user_components(user, ids),
        Request::GrantMetrics(user, ids) => snapshot.put_user_metrics(user, ids),
        Request::CreatePageAccessGroup(write) => return new.create::<PageAccessGroup>(snapshot, write),
        Request::UpdatePageAccessGroup(id, write) => update::<PageAccessGroup>(snapshot, id, write),
        Request::CreateOrganizationUser(write) => {
            // Nobody can read them from a member that does not exist yet.
            snapshot.permissions.insert(new_id.to_owned(), new.empty());
            return new.create::<OrganizationUser>(snapshot, write);
        }
        Request::SetPermissions(id, permissions) => snapshot.put_permissions(id, permissions.clone()),
        Request::Delete(kind, id) => snapshot.remove_object(*kind, id),
        Request::DeleteSubscriberQuietly(id) => snapshot.remove::<Subscriber>(id),
        Request::DeleteOrganizationUser(id) => snapshot.remove::<OrganizationUser>(id),
        // Nothing of these is seen in a snapshot.
        Request::WritePostmortem(..)
        | Request::SubmitMetricData(_)
        | Request::ResetMetricData(_)
        | Request::ResendConfirmation(_) => {}
    }
    Reply::Done
}

/// What a model needs of an object to create and change it.
trait Model: Written + Serialize + DeserializeOwned + Clone {}
impl<T: Written + Serialize + DeserializeOwned + Clone> Model for T {}

/// What is created: its id, and when.
struct New<'a> {
    id: &'a str,
    now: Timestamp,
}

impl New<'_> {
    fn create<T: Model + Default>(&self, snapshot: &mut Snapshot, write: &impl Serialize) -> Reply {
        snapshot.put(self.object::<T>(write));
        self.created()
    }

    fn created(&self) -> Reply {
        Reply::Created(self.id.to_owned(), None)
    }

    /// A new object with the sent fields.
    fn object<T: Model + Default>(&self, write: &impl Serialize) -> T {
        let mut sent = fields(write);
        sent.insert("id".to_owned(), json!(self.id));
        sent.insert("created_at".to_owned(), json!(self.now));
        merged(&T::default(), &sent)
    }

    /// What is known to be empty, because it belongs to something new.
    fn empty<T: Default>(&self) -> Dated<T> {
        Dated {
            value: T::default(),
            read_at: self.now,
        }
    }
}

fn update<T: Model + Listed>(snapshot: &mut Snapshot, id: &str, write: &impl Serialize) {
    if let Some(changed) = snapshot.get::<T>(id).map(|known| merged(known, write)) {
        snapshot.put(changed);
    }
}

/// A remote object with the sent fields in place of its own.
fn merged<T: Serialize + DeserializeOwned + Clone>(known: &T, write: &impl Serialize) -> T {
    let mut all = fields(known);
    all.extend(fields(write));
    serde_json::from_value(Value::Object(all)).unwrap_or_else(|_| known.clone())
}

fn fields(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn incident_after(
    snapshot: &Snapshot,
    known: Incident,
    write: &IncidentWrite,
    update_id: &str,
    now: Timestamp,
) -> Incident {
    let plain = IncidentWrite {
        components: None,
        component_ids: None,
        body: None,
        ..write.clone()
    };
    let mut incident: Incident = merged(&known, &plain);
    if incident.status.is_none() {
        let status = if incident.scheduled_for.is_some() {
            IncidentStatus::Scheduled
        } else {
            IncidentStatus::Investigating
        };
        incident.status = Some(status);
    }
    let ids = write
        .component_ids
        .clone()
        .or_else(|| write.components.as_ref().map(|map| map.keys().cloned().collect()));
    if let (Some(ids), Some(components)) = (ids, &snapshot.components) {
        incident.components = ids.iter().filter_map(|id| components.get(id)).cloned().collect();
    }
    for component in &mut incident.components {
        if let Some(status) = write.components.as_ref().and_then(|map| map.get(&component.id)) {
            component.status = Some(status.clone());
        }
    }
    if incident.impact.is_none() {
        incident.impact = Some(IncidentImpact::None);
    }
    if incident.status.as_ref().is_some_and(IncidentStatus::is_over) {
        incident.resolved_at = incident.resolved_at.or(Some(now));
    }
    if let Some(body) = &write.body {
        incident.incident_updates.insert(
            0,
            IncidentUpdate {
                id: update_id.to_owned(),
                status: incident.status.clone(),
                body: Some(body.clone()),
                display_at: Some(now),
                created_at: Some(now),
                ..Default::default()
            },
        );
    }
    incident
}
