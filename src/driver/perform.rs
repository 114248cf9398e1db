//! Sends one request of a plan and folds the reply into the snapshot.

use crate::engine::{Reply, Request};
use crate::statuspage::{
    Error, Identified, ObjectKind, OrganizationUser, PageHandle, Snapshot, SubscriberSelection, Written,
};

/// Sends a request. The snapshot shows its effect afterwards.
pub(super) async fn perform(page: &PageHandle, snapshot: &mut Snapshot, request: &Request) -> Result<Reply, Error> {
    Ok(match request {
        Request::UpdatePage(write) => {
            snapshot.put_page(page.update(write).await?);
            Reply::Done
        }
        Request::CreateComponent(write) => created(snapshot, page.components().create(write).await?),
        Request::UpdateComponent(id, write) => changed(snapshot, page.components().update(id, write).await?),
        Request::CreateComponentGroup(write) => created(snapshot, page.component_groups().create(write).await?),
        Request::UpdateComponentGroup(id, write) => changed(snapshot, page.component_groups().update(id, write).await?),
        Request::CreateIncident(write) => {
            let incident = page.incidents().create(write).await?;
            snapshot.put(incident.clone());
            Reply::Created(incident.id.clone(), Some(Box::new(incident)))
        }
        Request::UpdateIncident(id, write) => {
            let incident = page.incidents().update(id, write).await?;
            snapshot.put(incident.clone());
            Reply::Incident(Box::new(incident))
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
        Request::CreateIncidentSubscriber(incident, write) => {
            let subscriber = page.incidents().subscribers(incident).create(write).await?;
            snapshot.put_incident_subscriber(incident, subscriber);
            Reply::Done
        }
        Request::DeleteIncidentSubscriber(incident, id) => {
            gone_is_done(page.incidents().subscribers(incident).delete(id).await)?;
            snapshot.remove_incident_subscriber(incident, id);
            Reply::Done
        }
        Request::CreateMetricsProvider(write) => created(snapshot, page.metrics_providers().create(write).await?),
        Request::UpdateMetricsProvider(id, write) => {
            changed(snapshot, page.metrics_providers().update(id, write).await?)
        }
        Request::CreateMetric(provider, write) => created(
            snapshot,
            page.metrics_providers().metrics(provider).create(write).await?,
        ),
        Request::UpdateMetric(id, write) => changed(snapshot, page.metrics().update(id, write).await?),
        Request::SubmitMetricData(points) => {
            page.metrics().send_points(points).await?;
            Reply::Done
        }
        Request::ResetMetricData(id) => {
            page.metrics().delete_points(id).await?;
            Reply::Done
        }
        Request::CreateSubscriber(write) => created(snapshot, page.subscribers().create(write).await?),
        Request::UpdateSubscriber(id, components) => {
            let subscriber = page.subscribers().update_components(id, components.as_deref()).await?;
            changed(snapshot, subscriber)
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
        Request::CreateIncidentTemplate(write) => created(snapshot, page.incident_templates().create(write).await?),
        Request::CreatePageAccessUser(write) => created(snapshot, page.page_access_users().create(write).await?),
        Request::UpdatePageAccessUser(id, write) => {
            changed(snapshot, page.page_access_users().update(id, write).await?)
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
        Request::CreatePageAccessGroup(write) => created(snapshot, page.page_access_groups().create(write).await?),
        Request::UpdatePageAccessGroup(id, write) => {
            changed(snapshot, page.page_access_groups().update(id, write).await?)
        }
        Request::CreateOrganizationUser(write) => {
            created(snapshot, page.own_organization()?.users().create(write).await?)
        }
        Request::SetPermissions(id, permissions) => {
            let after = page.own_organization()?.set_permissions(id, permissions).await?;
            snapshot.put_permissions(id, after);
            Reply::Done
        }
        Request::Delete(kind, id) => {
            gone_is_done(page.delete_object(*kind, id).await)?;
            snapshot.remove_object(*kind, id);
            Reply::Done
        }
        Request::DeleteSubscriberQuietly(id) => {
            gone_is_done(page.subscribers().delete(id, false).await)?;
            snapshot.remove_object(ObjectKind::Subscriber, id);
            Reply::Done
        }
        Request::DeleteOrganizationUser(id) => {
            gone_is_done(page.own_organization()?.users().delete(id).await)?;
            snapshot.remove::<OrganizationUser>(id);
            Reply::Done
        }
    })
}

fn created<T: Written + Identified>(snapshot: &mut Snapshot, object: T) -> Reply {
    let id = object.id().to_owned();
    snapshot.put(object);
    Reply::Created(id, None)
}

fn changed(snapshot: &mut Snapshot, object: impl Written) -> Reply {
    snapshot.put(object);
    Reply::Done
}

/// An object that is not there any more is deleted.
fn gone_is_done(result: Result<impl Sized, Error>) -> Result<(), Error> {
    match result {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
