//! Sends one request of a plan and folds the reply into the snapshot.

use crate::engine::{Reply, Request};
use crate::statuspage::{Error, PageHandle, Snapshot, SubscriberSelection};

/// Sends a request. The snapshot shows its effect afterwards.
pub(super) async fn perform(page: &PageHandle, snapshot: &mut Snapshot, request: &Request) -> Result<Reply, Error> {
    Ok(match request {
        Request::UpdatePage(write) => {
            snapshot.put_page(page.update(write).await?);
            Reply::Done
        }
        Request::CreateComponent(write) => {
            let component = page.components().create(write).await?;
            let id = component.id.clone();
            snapshot.put_component(component);
            Reply::Created(id, None)
        }
        Request::UpdateComponent(id, write) => {
            snapshot.put_component(page.components().update(id, write).await?);
            Reply::Done
        }
        Request::DeleteComponent(id) => {
            gone_is_done(page.components().delete(id).await)?;
            snapshot.remove_component(id);
            Reply::Done
        }
        Request::CreateComponentGroup(write) => {
            let group = page.component_groups().create(write).await?;
            let id = group.id.clone();
            snapshot.put_component_group(group);
            Reply::Created(id, None)
        }
        Request::UpdateComponentGroup(id, write) => {
            snapshot.put_component_group(page.component_groups().update(id, write).await?);
            Reply::Done
        }
        Request::DeleteComponentGroup(id) => {
            gone_is_done(page.component_groups().delete(id).await.map(drop))?;
            snapshot.remove_component_group(id);
            Reply::Done
        }
        Request::CreateIncident(write) => {
            let incident = page.incidents().create(write).await?;
            let id = incident.id.clone();
            snapshot.put_incident(incident.clone());
            Reply::Created(id, Some(Box::new(incident)))
        }
        Request::UpdateIncident(id, write) => {
            let incident = page.incidents().update(id, write).await?;
            snapshot.put_incident(incident.clone());
            Reply::Incident(Box::new(incident))
        }
        Request::DeleteIncident(id) => {
            gone_is_done(page.incidents().delete(id).await.map(drop))?;
            snapshot.remove_incident(id);
            Reply::Done
        }
        Request::UpdateIncidentUpdate(incident, id, write) => {
            let update = page.incidents().correct_update(incident, id, write).await?;
            snapshot.put_incident_update(incident, update);
            Reply::Done
        }
        Request::WritePostmortem(incident, write) => {
            page.incidents().postmortem(incident).put(write).await?;
            Reply::Done
        }
        Request::PublishPostmortem(incident, publish) => {
            let postmortem = page.incidents().postmortem(incident).publish(publish).await?;
            snapshot.put_postmortem(incident, &postmortem);
            Reply::Done
        }
        Request::RevertPostmortem(incident) => {
            let postmortem = page.incidents().postmortem(incident).revert().await?;
            snapshot.put_postmortem(incident, &postmortem);
            Reply::Done
        }
        Request::CreateMetricsProvider(write) => {
            let provider = page.metrics_providers().create(write).await?;
            let id = provider.id.clone();
            snapshot.put_metrics_provider(provider);
            Reply::Created(id, None)
        }
        Request::UpdateMetricsProvider(id, write) => {
            snapshot.put_metrics_provider(page.metrics_providers().update(id, write).await?);
            Reply::Done
        }
        Request::DeleteMetricsProvider(id) => {
            gone_is_done(page.metrics_providers().delete(id).await.map(drop))?;
            snapshot.remove_metrics_provider(id);
            Reply::Done
        }
        Request::CreateMetric(provider, write) => {
            let metric = page.metrics_providers().create_metric(provider, write).await?;
            let id = metric.id.clone();
            snapshot.put_metric(metric);
            Reply::Created(id, None)
        }
        Request::UpdateMetric(id, write) => {
            snapshot.put_metric(page.metrics().update(id, write).await?);
            Reply::Done
        }
        Request::DeleteMetric(id) => {
            gone_is_done(page.metrics().delete(id).await.map(drop))?;
            snapshot.remove_metric(id);
            Reply::Done
        }
        Request::SubmitMetricData(points) => {
            page.metrics().send_points(points).await?;
            Reply::Done
        }
        Request::ResetMetricData(id) => {
            page.metrics().delete_points(id).await?;
            Reply::Done
        }
        Request::CreateIncidentSubscriber(incident, write) => {
            let subscriber = page.incidents().subscribers(incident).create(write).await?;
            snapshot.put_incident_subscriber(incident, subscriber);
            Reply::Done
        }
        Request::DeleteIncidentSubscriber(incident, id) => {
            gone_is_done(page.incidents().subscribers(incident).delete(id).await.map(drop))?;
            snapshot.remove_incident_subscriber(incident, id);
            Reply::Done
        }
        Request::CreateSubscriber(write) => {
            let subscriber = page.subscribers().create(write).await?;
            let id = subscriber.id.clone();
            snapshot.put_subscriber(subscriber);
            Reply::Created(id, None)
        }
        Request::UpdateSubscriber(id, components) => {
            let subscriber = page.subscribers().update_components(id, components.as_deref()).await?;
            snapshot.put_subscriber(subscriber);
            Reply::Done
        }
        Request::DeleteSubscriber(id, quietly) => {
            gone_is_done(page.subscribers().delete(id, !quietly).await.map(drop))?;
            snapshot.remove_subscriber(id);
            Reply::Done
        }
        Request::ResendConfirmation(id) => {
            page.subscribers().resend_confirmation(id).await?;
            Reply::Done
        }
        Request::ReactivateSubscriber(id) => {
            let selection = SubscriberSelection::Ids(vec![id.clone()]);
            page.subscribers().reactivate(&selection, None).await?;
            snapshot.reactivate_subscriber(id);
            Reply::Done
        }
        Request::UpdateStatusEmbed(write) => {
            snapshot.put_status_embed(page.update_status_embed_config(write).await?);
            Reply::Done
        }
        Request::CreateIncidentTemplate(write) => {
            let template = page.incident_templates().create(write).await?;
            let id = template.id.clone();
            snapshot.put_incident_template(template);
            Reply::Created(id, None)
        }
        Request::CreatePageAccessUser(write) => {
            let user = page.page_access_users().create(write).await?;
            let id = user.id.clone();
            snapshot.put_page_access_user(user);
            Reply::Created(id, None)
        }
        Request::UpdatePageAccessUser(id, write) => {
            snapshot.put_page_access_user(page.page_access_users().update(id, write).await?);
            Reply::Done
        }
        Request::GrantComponents(user, ids) => {
            page.page_access_users().components(user).replace(ids).await?;
            snapshot.put_user_components(user, ids);
            Reply::Done
        }
        Request::GrantMetrics(user, ids) => {
            page.page_access_users().metrics(user).replace(ids).await?;
            snapshot.put_user_metrics(user, ids);
            Reply::Done
        }
        Request::DeletePageAccessUser(id) => {
            gone_is_done(page.page_access_users().delete(id).await)?;
            snapshot.remove_page_access_user(id);
            Reply::Done
        }
        Request::CreatePageAccessGroup(write) => {
            let group = page.page_access_groups().create(write).await?;
            let id = group.id.clone();
            snapshot.put_page_access_group(group);
            Reply::Created(id, None)
        }
        Request::UpdatePageAccessGroup(id, write) => {
            snapshot.put_page_access_group(page.page_access_groups().update(id, write).await?);
            Reply::Done
        }
        Request::DeletePageAccessGroup(id) => {
            gone_is_done(page.page_access_groups().delete(id).await.map(drop))?;
            snapshot.remove_page_access_group(id);
            Reply::Done
        }
        Request::CreateOrganizationUser(write) => {
            let user = page.own_organization()?.create_user(write).await?;
            let id = user.id.clone();
            snapshot.put_organization_user(user);
            Reply::Created(id, None)
        }
        Request::DeleteOrganizationUser(id) => {
            gone_is_done(page.own_organization()?.delete_user(id).await.map(drop))?;
            snapshot.remove_organization_user(id);
            Reply::Done
        }
        Request::SetPermissions(id, permissions) => {
            let after = page.own_organization()?.set_permissions(id, permissions).await?;
            snapshot.put_permissions(id, after);
            Reply::Done
        }
    })
}

/// An object that is not there any more is deleted.
fn gone_is_done(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}
