//! Objects on the simulated page, whatever their kind.

use crate::api::Kind;
use crate::engine::object_kind;
use crate::engine::tests::builders::{foreign_component, foreign_incident, put_foreign_group, start};
use crate::statuspage::{
    Dated, IncidentTemplate, MetricsProvider, OrganizationUser, PageAccessGroup, PageAccessUser, Permissions, Snapshot,
    Subscriber,
};

/// How many sorts of foreign objects [`put_foreign`] knows.
pub(super) const FOREIGN: u8 = 10;

/// Somebody else's object.
pub(super) fn put_foreign(remote: &mut Snapshot, sort: u8, id: &str, name: &str) {
    let email = Some(format!("{name}@example.com"));
    match sort {
        0 => remote.put(foreign_component(id, name)),
        1 => {
            remote.put(foreign_component(&format!("{id}m"), "member"));
            put_foreign_group(remote, id, name, &[&format!("{id}m")]);
        }
        2 => remote.put(foreign_incident(id, name, &[("investigating", "Looking")])),
        3 => remote.put(Subscriber {
            id: id.into(),
            email,
            ..Default::default()
        }),
        4 => {
            let mut incident = foreign_incident(id, name, &[("scheduled", "Planned")]);
            incident.scheduled_for = Some("2026-02-01T03:00:00Z".parse().unwrap());
            incident.scheduled_until = Some("2026-02-01T05:00:00Z".parse().unwrap());
            remote.put(incident);
        }
        5 => remote.put(IncidentTemplate {
            id: id.into(),
            name: Some(name.into()),
            ..Default::default()
        }),
        6 => {
            remote.put(PageAccessUser {
                id: id.into(),
                email,
                ..Default::default()
            });
            let none = Dated {
                value: Vec::new(),
                read_at: start(),
            };
            remote.user_components.insert(id.to_owned(), none);
        }
        7 => remote.put(PageAccessGroup {
            id: id.into(),
            name: Some(name.into()),
            ..Default::default()
        }),
        8 => {
            remote.put(OrganizationUser {
                id: id.into(),
                email,
                ..Default::default()
            });
            let value = Permissions::default();
            remote.permissions.insert(
                id.to_owned(),
                Dated {
                    value,
                    read_at: start(),
                },
            );
        }
        _ => remote.put(MetricsProvider {
            id: id.into(),
            r#type: Some("NewRelic".into()),
            metric_base_uri: Some(format!("https://{name}.elsewhere.example.com")),
            ..Default::default()
        }),
    }
}

macro_rules! rows {
    ($snapshot:expr, $list:ident) => {
        $snapshot.$list.iter().flat_map(|list| &list.items)
    };
}

/// Ids of all objects with this name or address.
pub(super) fn named(page: &Snapshot, name: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let name = Some(name);
    ids.extend(
        rows!(page, components)
            .filter(|row| row.name.as_deref() == name)
            .map(|row| &row.id),
    );
    ids.extend(
        rows!(page, incidents)
            .filter(|row| row.name.as_deref() == name)
            .map(|row| &row.id),
    );
    ids.extend(
        rows!(page, subscribers)
            .filter(|row| row.email.as_deref() == name)
            .map(|row| &row.id),
    );
    ids.extend(
        rows!(page, incident_templates)
            .filter(|row| row.name.as_deref() == name)
            .map(|row| &row.id),
    );
    ids.extend(
        rows!(page, page_access_users)
            .filter(|row| row.email.as_deref() == name)
            .map(|row| &row.id),
    );
    ids.extend(
        rows!(page, page_access_groups)
            .filter(|row| row.name.as_deref() == name)
            .map(|row| &row.id),
    );
    ids.extend(
        rows!(page, organization_users)
            .filter(|row| row.email.as_deref() == name)
            .map(|row| &row.id),
    );
    ids.into_iter().cloned().collect()
}

pub(super) fn exists(page: &Snapshot, kind: Kind, id: &str) -> bool {
    match kind {
        Kind::StatusPage => page.page.is_some(),
        Kind::Component => rows!(page, components).any(|row| !row.group && row.id == id),
        Kind::ComponentGroup => rows!(page, components).any(|row| row.group && row.id == id),
        Kind::Incident => rows!(page, incidents).any(|row| row.id == id),
        Kind::MetricsProvider => rows!(page, metrics_providers).any(|row| row.id == id),
        Kind::Metric => rows!(page, metrics).any(|row| row.id == id),
        Kind::Subscriber => rows!(page, subscribers).any(|row| row.id == id),
        Kind::IncidentTemplate => rows!(page, incident_templates).any(|row| row.id == id),
        Kind::PageAccessUser => rows!(page, page_access_users).any(|row| row.id == id),
        Kind::PageAccessGroup => rows!(page, page_access_groups).any(|row| row.id == id),
        Kind::OrganizationUser => rows!(page, organization_users).any(|row| row.id == id),
    }
}

/// Somebody changes something that a declaration may say.
pub(super) fn change(page: &mut Snapshot, kind: Kind, id: &str) {
    let text = Some("by hand".to_owned());
    macro_rules! set {
        ($list:ident, $field:ident) => {
            for row in page.$list.iter_mut().flat_map(|list| &mut list.items) {
                if row.id == id {
                    row.$field.clone_from(&text);
                }
            }
        };
    }
    match kind {
        Kind::Component | Kind::ComponentGroup => set!(components, description),
        Kind::Incident => set!(incidents, name),
        Kind::Metric => set!(metrics, suffix),
        Kind::IncidentTemplate => set!(incident_templates, title),
        Kind::PageAccessUser => set!(page_access_users, external_login),
        Kind::PageAccessGroup => set!(page_access_groups, external_identifier),
        Kind::OrganizationUser => set!(organization_users, first_name),
        Kind::Subscriber => {
            for row in page.subscribers.iter_mut().flat_map(|list| &mut list.items) {
                if row.id == id {
                    row.components.clear();
                }
            }
        }
        Kind::MetricsProvider => set!(metrics_providers, metric_base_uri),
        Kind::StatusPage => {}
    }
}

/// Somebody deletes an object, or unsubscribes.
pub(super) fn delete(page: &mut Snapshot, kind: Kind, id: &str) {
    if kind == Kind::Subscriber {
        let gone = page.get::<Subscriber>(id).cloned();
        page.unsubscribed.as_mut().unwrap().items.extend(gone);
    }
    match (object_kind(kind), kind) {
        (Some(object), _) => page.remove_object(object, id),
        (None, Kind::IncidentTemplate) => {
            let templates = &mut page.incident_templates.as_mut().unwrap().items;
            templates.retain(|template| template.id != id);
        }
        (None, Kind::OrganizationUser) => page.remove::<OrganizationUser>(id),
        (None, _) => {}
    }
}
