//! A model of the remote page: what a request would do to a snapshot. `plan` counts requests with it, and the property
//! tests of the engine run against it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::record::Reply;
use super::request::Request;
use crate::statuspage::{
    Component, ComponentGroup, Dated, Incident, IncidentImpact, IncidentStatus, IncidentTemplate, IncidentUpdate,
    Metric, MetricsProvider, OrganizationUser, Page, PageAccessGroup, PageAccessUser, Permissions, Snapshot,
    Subscriber,
};

/// Performs a request on a snapshot and answers as the page would. `new_id` names what is created.
pub fn perform(snapshot: &mut Snapshot, request: &Request, new_id: &str, now: Timestamp) -> Reply {
    let created = || Reply::Created(new_id.to_owned(), None);
    match request {
        Request::UpdatePage(write) => {
            if let Some(page) = snapshot.page.clone() {
                snapshot.put_page(merged::<Page, _>(&page, &**write));
            }
            Reply::Done
        }
        Request::CreateComponent(write) => {
            let new = Component {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            snapshot.put_component(merged(&new, write));
            created()
        }
        Request::UpdateComponent(id, write) => {
            let known = snapshot.components.as_ref().and_then(|list| list.get(id)).cloned();
            if let Some(known) = known {
                snapshot.put_component(merged(&known, write));
            }
            Reply::Done
        }
        Request::DeleteComponent(id) => {
            snapshot.remove_component(id);
            Reply::Done
        }
        Request::CreateComponentGroup(write) => {
            let new = ComponentGroup {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            snapshot.put_component_group(merged(&new, write));
            created()
        }
        Request::UpdateComponentGroup(id, write) => {
            let row = snapshot.components.as_ref().and_then(|list| list.get(id)).cloned();
            if let Some(row) = row {
                let known = ComponentGroup {
                    id: id.clone(),
                    description: row.description,
                    ..Default::default()
                };
                snapshot.put_component_group(merged(&known, write));
            }
            Reply::Done
        }
        Request::DeleteComponentGroup(id) => {
            snapshot.remove_component_group(id);
            Reply::Done
        }
        Request::CreateIncident(write) => {
            let new = Incident {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            let incident = incident_after(snapshot, new, write, &format!("{new_id}-u0"), now);
            snapshot.put_incident(incident.clone());
            let nobody = Dated {
                value: Vec::new(),
                read_at: now,
            };
            snapshot.store_incident_subscribers(new_id, nobody);
            Reply::Created(new_id.to_owned(), Some(Box::new(incident)))
        }
        Request::UpdateIncident(id, write) => {
            let known = snapshot.incidents.as_ref().and_then(|list| list.get(id)).cloned();
            let known = known.unwrap_or_else(|| Incident {
                id: id.clone(),
                ..Default::default()
            });
            let update = format!("{id}-u{}", known.incident_updates.len());
            let incident = incident_after(snapshot, known, write, &update, now);
            snapshot.put_incident(incident.clone());
            Reply::Incident(Box::new(incident))
        }
        Request::DeleteIncident(id) => {
            snapshot.remove_incident(id);
            Reply::Done
        }
        Request::UpdateIncidentUpdate(incident, id, write) => {
            let known = snapshot
                .incidents
                .as_ref()
                .and_then(|list| list.get(incident))
                .and_then(|incident| incident.incident_updates.iter().find(|update| update.id == *id))
                .cloned();
            if let Some(known) = known {
                snapshot.put_incident_update(incident, merged(&known, write));
            }
            Reply::Done
        }
        Request::WritePostmortem(..) => Reply::Done,
        Request::PublishPostmortem(id, _) | Request::RevertPostmortem(id) => {
            let known = snapshot.incidents.as_ref().and_then(|list| list.get(id)).cloned();
            if let Some(mut incident) = known {
                incident.postmortem_published_at = matches!(request, Request::PublishPostmortem(..)).then_some(now);
                snapshot.put_incident(incident);
            }
            Reply::Done
        }
        Request::CreateMetricsProvider(write) => {
            let new = MetricsProvider {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            snapshot.put_metrics_provider(merged(&new, &**write));
            created()
        }
        Request::UpdateMetricsProvider(id, write) => {
            let known = snapshot
                .metrics_providers
                .as_ref()
                .and_then(|list| list.get(id))
                .cloned();
            if let Some(known) = known {
                snapshot.put_metrics_provider(merged(&known, &**write));
            }
            Reply::Done
        }
        Request::DeleteMetricsProvider(id) => {
            snapshot.remove_metrics_provider(id);
            Reply::Done
        }
        Request::CreateMetric(provider, write) => {
            let new = Metric {
                id: new_id.into(),
                metrics_provider_id: Some(provider.clone()),
                created_at: Some(now),
                ..Default::default()
            };
            snapshot.put_metric(merged(&new, &**write));
            created()
        }
        Request::UpdateMetric(id, write) => {
            let known = snapshot.metrics.as_ref().and_then(|list| list.get(id)).cloned();
            if let Some(known) = known {
                snapshot.put_metric(merged(&known, &**write));
            }
            Reply::Done
        }
        Request::DeleteMetric(id) => {
            snapshot.remove_metric(id);
            Reply::Done
        }
        Request::SubmitMetricData(_) | Request::ResetMetricData(_) => Reply::Done,
        Request::CreateIncidentSubscriber(incident, write) => {
            let new = Subscriber {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            snapshot.put_incident_subscriber(incident, merged(&new, &**write));
            Reply::Done
        }
        Request::DeleteIncidentSubscriber(incident, id) => {
            snapshot.remove_incident_subscriber(incident, id);
            Reply::Done
        }
        Request::CreateSubscriber(write) => {
            let new = Subscriber {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            let mut subscriber = merged(&new, &**write);
            subscriber.components = write.component_ids.clone().unwrap_or_default();
            snapshot.put_subscriber(subscriber);
            created()
        }
        Request::UpdateSubscriber(id, components) => {
            let known = snapshot.subscribers.as_ref().and_then(|list| list.get(id)).cloned();
            if let Some(mut known) = known {
                known.components = components.clone().unwrap_or_default();
                snapshot.put_subscriber(known);
            }
            Reply::Done
        }
        Request::DeleteSubscriber(id, _) => {
            snapshot.remove_subscriber(id);
            Reply::Done
        }
        Request::ResendConfirmation(_) => Reply::Done,
        Request::ReactivateSubscriber(id) => {
            snapshot.reactivate_subscriber(id);
            Reply::Done
        }
        Request::UpdateStatusEmbed(write) => {
            let known = snapshot.status_embed.as_ref().map(|known| known.value.clone());
            if let Some(known) = known {
                snapshot.put_status_embed(merged(&known, &**write));
            }
            Reply::Done
        }
        Request::CreateIncidentTemplate(write) => {
            let new = IncidentTemplate {
                id: new_id.into(),
                ..Default::default()
            };
            let mut template = merged(&new, &**write);
            let ids = write.component_ids.iter().flatten();
            let known = |id: &String| snapshot.components.as_ref().and_then(|list| list.get(id));
            template.components = ids.filter_map(known).cloned().collect();
            snapshot.put_incident_template(template);
            created()
        }
        Request::CreatePageAccessUser(write) => {
            let new = PageAccessUser {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            snapshot.put_page_access_user(merged(&new, &**write));
            // Nobody can read them from a user that does not exist yet.
            let none = Dated {
                value: Vec::new(),
                read_at: now,
            };
            snapshot.store_user_components(new_id, none.clone());
            snapshot.store_user_metrics(new_id, none);
            created()
        }
        Request::UpdatePageAccessUser(id, write) => {
            let known = snapshot
                .page_access_users
                .as_ref()
                .and_then(|list| list.get(id))
                .cloned();
            if let Some(known) = known {
                snapshot.put_page_access_user(merged(&known, &**write));
            }
            Reply::Done
        }
        Request::GrantComponents(user, ids) => {
            snapshot.put_user_components(user, ids);
            Reply::Done
        }
        Request::GrantMetrics(user, ids) => {
            snapshot.put_user_metrics(user, ids);
            Reply::Done
        }
        Request::DeletePageAccessUser(id) => {
            snapshot.remove_page_access_user(id);
            Reply::Done
        }
        Request::CreatePageAccessGroup(write) => {
            let new = PageAccessGroup {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            snapshot.put_page_access_group(merged(&new, &**write));
            created()
        }
        Request::UpdatePageAccessGroup(id, write) => {
            let known = snapshot
                .page_access_groups
                .as_ref()
                .and_then(|list| list.get(id))
                .cloned();
            if let Some(known) = known {
                snapshot.put_page_access_group(merged(&known, &**write));
            }
            Reply::Done
        }
        Request::DeletePageAccessGroup(id) => {
            snapshot.remove_page_access_group(id);
            Reply::Done
        }
        Request::CreateOrganizationUser(write) => {
            let new = OrganizationUser {
                id: new_id.into(),
                created_at: Some(now),
                ..Default::default()
            };
            snapshot.put_organization_user(merged(&new, &**write));
            // Nobody can read them from a member that does not exist yet.
            let none = Dated {
                value: Permissions::default(),
                read_at: now,
            };
            snapshot.store_permissions(new_id, none);
            created()
        }
        Request::DeleteOrganizationUser(id) => {
            snapshot.remove_organization_user(id);
            Reply::Done
        }
        Request::SetPermissions(id, permissions) => {
            snapshot.put_permissions(id, permissions.clone());
            Reply::Done
        }
    }
}

/// A remote object with the sent fields in place of its own.
fn merged<T, W>(known: &T, write: &W) -> T
where
    T: serde::Serialize + serde::de::DeserializeOwned + Clone,
    W: serde::Serialize,
{
    let object = |value: Result<Value, serde_json::Error>| match value {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let mut fields = object(serde_json::to_value(known));
    fields.extend(object(serde_json::to_value(write)));
    serde_json::from_value(Value::Object(fields)).unwrap_or_else(|_| known.clone())
}

fn incident_after(
    snapshot: &Snapshot,
    known: Incident,
    write: &crate::statuspage::IncidentWrite,
    update_id: &str,
    now: Timestamp,
) -> Incident {
    let plain = crate::statuspage::IncidentWrite {
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
