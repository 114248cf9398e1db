//! The kinds: what is declared of each, and what somebody else does to its objects on the page.
//!
//! One field of each kind is looked at. Its value is `ours` as declared, `new` after an edit of the manifest, and
//! `theirs` where somebody else wrote it.

use serde_json::{Value, json};

use crate::api::Kind;
use crate::engine::Declaration;
use crate::engine::tests::builders::{declare, foreign_component, foreign_incident, put_foreign_group, start};
use crate::statuspage::{
    Component, ComponentGroup, Dated, Incident, IncidentTemplate, Metric, MetricsProvider, MetricsProviderType,
    OrganizationUser, PageAccessGroup, PageAccessUser, PageRoles, Permissions, Secret, Snapshot, Subscriber,
};

/// One kind, which is one column of the tables.
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) kind: Kind,
    /// The declared fields, with this value in the one that is looked at.
    pub(super) spec: fn(&str) -> Value,
    /// A field that is only read when the object is created, and two values of it; where the kind has one that an edit of
    /// the manifest may change.
    pub(super) at_creation: Option<(&'static str, [&'static str; 2])>,
    /// Declarations that have to be there as well, given the name of the object.
    pub(super) surroundings: fn(&str) -> Vec<Declaration>,
    /// Somebody else makes an object of the declared identity with this id.
    pub(super) put: fn(&mut Snapshot, &str),
    /// Somebody else changes the value of the object with this id.
    pub(super) set: fn(&mut Snapshot, &str, &str),
    /// Somebody else deletes the object with this id.
    pub(super) remove: fn(&mut Snapshot, &str),
    /// The values of all objects of the declared identity.
    pub(super) values: fn(&Snapshot) -> Vec<String>,
}

fn alone(_: &str) -> Vec<Declaration> {
    Vec::new()
}

/// A declaration with every Secret that its kind may name.
pub(in crate::engine::tests) fn declared(kind: Kind, name: &str, spec: Value) -> Declaration {
    let mut declaration = declare(kind, name, spec);
    for field in ["apiKeySecretRef", "passwordSecretRef"] {
        declaration.secrets.insert(field, Ok(Secret::from("s3cret")));
    }
    declaration
}

fn areas(_: &str) -> Vec<Declaration> {
    ["area", "zone"]
        .map(|name| declare(Kind::Component, name, json!({})))
        .into()
}

/// The value as the names of components: the list of kinds whose field is one.
fn area_names(value: &str) -> &'static [&'static str] {
    match value {
        "ours" => &["area"],
        "new" => &["area", "zone"],
        _ => &[],
    }
}

fn area_ids(remote: &Snapshot, value: &str) -> Vec<String> {
    let rows = remote.components.iter().flat_map(|list| &list.items);
    rows.filter(|row| area_names(value).contains(&row.name.as_deref().unwrap_or_default()))
        .map(|row| row.id.clone())
        .collect()
}

/// The value that a list of component ids stands for.
fn area_value(remote: &Snapshot, ids: &[String]) -> String {
    let mut ids = ids.to_vec();
    ids.sort();
    let is = |value: &&&str| {
        let mut wanted = area_ids(remote, value);
        wanted.sort();
        wanted == ids
    };
    let value = ["ours", "new", "theirs"].iter().find(is);
    value.map_or_else(|| format!("{ids:?}"), |value| (*value).to_owned())
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

const STATUS_PAGE: Column = Column {
    heading: "StatusPage",
    kind: Kind::StatusPage,
    spec: |value| {
        json!({
            "pageId": "page", "organizationId": "org",
            "api": {"tokenSecretRef": {"name": "token"}}, "settings": {"name": value},
        })
    },
    at_creation: None,
    surroundings: alone,
    put: |remote, id| {
        remote.page = Some(crate::statuspage::Page {
            id: id.into(),
            name: Some("theirs".into()),
            ..Default::default()
        });
    },
    set: |remote, _, value| remote.page.as_mut().unwrap().name = Some(value.into()),
    remove: |remote, _| remote.page = None,
    values: |remote| remote.page.iter().map(|page| text(page.name.as_ref())).collect(),
};

const COMPONENT_GROUP: Column = Column {
    heading: "ComponentGroup",
    kind: Kind::ComponentGroup,
    spec: |value| json!({"name": "Group", "description": value}),
    at_creation: None,
    surroundings: |name| vec![declare(Kind::Component, "member", json!({"groupRef": {"name": name}}))],
    put: |remote, id| {
        let member = format!("{id}m");
        remote.put(foreign_component(&member, "Foreign member"));
        put_foreign_group(remote, id, "Group", &[&member]);
        set_description(remote, id, "theirs");
    },
    set: set_description,
    remove: Snapshot::remove::<ComponentGroup>,
    values: |remote| descriptions(remote, true),
};

const COMPONENT: Column = Column {
    heading: "Component",
    kind: Kind::Component,
    spec: |value| json!({"name": "API", "description": value}),
    at_creation: None,
    surroundings: alone,
    put: |remote, id| {
        remote.put(foreign_component(id, "API"));
        set_description(remote, id, "theirs");
    },
    set: set_description,
    remove: Snapshot::remove::<Component>,
    values: |remote| descriptions(remote, false),
};

fn set_description(remote: &mut Snapshot, id: &str, value: &str) {
    let rows = &mut remote.components.as_mut().unwrap().items;
    rows.iter_mut().find(|row| row.id == id).unwrap().description = Some(value.into());
}

fn descriptions(remote: &Snapshot, group: bool) -> Vec<String> {
    let rows = remote.components.iter().flat_map(|list| &list.items);
    rows.filter(|row| row.group == group && matches!(row.name.as_deref(), Some("API" | "Group")))
        .map(|row| text(row.description.as_ref()))
        .collect()
}

const INCIDENT: Column = Column {
    heading: "Incident",
    kind: Kind::Incident,
    spec: |value| json!({"name": "Down", "updates": [{"status": "investigating", "body": value}]}),
    at_creation: None,
    surroundings: alone,
    put: |remote, id| remote.put(foreign_incident(id, "Down", &[("investigating", "theirs")])),
    set: |remote, id, value| {
        let incidents = &mut remote.incidents.as_mut().unwrap().items;
        let incident = incidents.iter_mut().find(|incident| incident.id == id).unwrap();
        incident.incident_updates[0].body = Some(value.into());
    },
    remove: Snapshot::remove::<Incident>,
    values: |remote| {
        let incidents = remote.incidents.iter().flat_map(|list| &list.items);
        incidents
            .map(|incident| text(incident.incident_updates[0].body.as_ref()))
            .collect()
    },
};

const ENDS: [(&str, &str); 3] = [
    ("ours", "2026-02-01T04:00:00Z"),
    ("theirs", "2026-02-01T05:00:00Z"),
    ("new", "2026-02-01T06:00:00Z"),
];

fn end(value: &str) -> &'static str {
    ENDS.iter().find(|(name, _)| *name == value).unwrap().1
}

const MAINTENANCE: Column = Column {
    heading: "Incident with schedule",
    kind: Kind::Incident,
    spec: |value| {
        json!({
            "name": "Upgrade", "updates": [{"status": "scheduled", "body": "Planned"}],
            "schedule": {"start": "2026-02-01T03:00:00Z", "end": end(value)},
        })
    },
    at_creation: None,
    surroundings: alone,
    put: |remote, id| {
        let mut incident = foreign_incident(id, "Upgrade", &[("scheduled", "Planned")]);
        incident.scheduled_for = Some("2026-02-01T03:00:00Z".parse().unwrap());
        incident.scheduled_until = Some(end("theirs").parse().unwrap());
        remote.put(incident);
    },
    set: |remote, id, value| {
        let incidents = &mut remote.incidents.as_mut().unwrap().items;
        let incident = incidents.iter_mut().find(|incident| incident.id == id).unwrap();
        incident.scheduled_until = Some(end(value).parse().unwrap());
    },
    remove: Snapshot::remove::<Incident>,
    values: |remote| {
        let incidents = remote.incidents.iter().flat_map(|list| &list.items);
        let ends = incidents.map(|incident| incident.scheduled_until.unwrap().to_string());
        let name = |end: String| ENDS.iter().find(|(_, at)| *at == end).unwrap().0.to_owned();
        ends.map(name).collect()
    },
};

const PROVIDER_HOST: &str = ".example.com";

const METRICS_PROVIDER: Column = Column {
    heading: "MetricsProvider",
    kind: Kind::MetricsProvider,
    spec: |value| {
        json!({
            "type": "NewRelic", "metricBaseUri": format!("https://{value}{PROVIDER_HOST}"),
            "apiKeySecretRef": {"name": "keys"},
        })
    },
    at_creation: Some(("email", ["a@example.com", "b@example.com"])),
    surroundings: alone,
    // The address is part of the identity.
    put: |remote, id| {
        remote.put(MetricsProvider {
            id: id.into(),
            r#type: Some("NewRelic".into()),
            metric_base_uri: Some(format!("https://ours{PROVIDER_HOST}")),
            ..Default::default()
        });
    },
    set: |remote, id, value| {
        let providers = &mut remote.metrics_providers.as_mut().unwrap().items;
        let provider = providers.iter_mut().find(|provider| provider.id == id).unwrap();
        provider.metric_base_uri = Some(format!("https://{value}{PROVIDER_HOST}"));
    },
    remove: Snapshot::remove::<MetricsProvider>,
    values: |remote| {
        let providers = remote.metrics_providers.iter().flat_map(|list| &list.items);
        let address = |provider: &MetricsProvider| text(provider.metric_base_uri.as_ref());
        let value = |address: String| address.replace("https://", "").replace(PROVIDER_HOST, "");
        providers.map(address).map(value).collect()
    },
};

const METRIC: Column = Column {
    heading: "Metric",
    kind: Kind::Metric,
    spec: |value| json!({"name": "Latency", "providerRef": {"name": "own"}, "suffix": value}),
    at_creation: Some(("transform", ["min", "max"])),
    surroundings: |_| vec![declare(Kind::MetricsProvider, "own", json!({"type": "Self"}))],
    put: |remote, id| {
        let providers = remote.metrics_providers.iter().flat_map(|list| &list.items);
        let own = |provider: &&MetricsProvider| provider.r#type == Some(MetricsProviderType::SelfManaged);
        let provider = providers.into_iter().find(own).unwrap().id.clone();
        remote.put(Metric {
            id: id.into(),
            metrics_provider_id: Some(provider),
            name: Some("Latency".into()),
            suffix: Some("theirs".into()),
            ..Default::default()
        });
    },
    set: |remote, id, value| {
        let metrics = &mut remote.metrics.as_mut().unwrap().items;
        metrics.iter_mut().find(|metric| metric.id == id).unwrap().suffix = Some(value.into());
    },
    remove: Snapshot::remove::<Metric>,
    values: |remote| {
        let metrics = remote.metrics.iter().flat_map(|list| &list.items);
        metrics.map(|metric| text(metric.suffix.as_ref())).collect()
    },
};

const SUBSCRIBER: Column = Column {
    heading: "Subscriber",
    kind: Kind::Subscriber,
    spec: |value| json!({"email": "team@example.com", "components": area_names(value)}),
    at_creation: None,
    surroundings: areas,
    put: |remote, id| {
        remote.put(Subscriber {
            id: id.into(),
            email: Some("team@example.com".into()),
            ..Default::default()
        });
    },
    set: |remote, id, value| {
        let ids = area_ids(remote, value);
        let subscribers = &mut remote.subscribers.as_mut().unwrap().items;
        subscribers
            .iter_mut()
            .find(|subscriber| subscriber.id == id)
            .unwrap()
            .components = ids;
    },
    remove: Snapshot::remove::<Subscriber>,
    values: |remote| {
        let subscribers = remote.subscribers.iter().flat_map(|list| &list.items);
        subscribers
            .map(|subscriber| area_value(remote, &subscriber.components))
            .collect()
    },
};

const INCIDENT_TEMPLATE: Column = Column {
    heading: "IncidentTemplate",
    kind: Kind::IncidentTemplate,
    spec: |value| json!({"name": "Outage", "title": value, "body": "We are looking into it."}),
    at_creation: None,
    surroundings: alone,
    put: |remote, id| {
        remote.put(IncidentTemplate {
            id: id.into(),
            name: Some("Outage".into()),
            title: Some("theirs".into()),
            body: Some("We are looking into it.".into()),
            ..Default::default()
        });
    },
    set: |remote, id, value| {
        let templates = &mut remote.incident_templates.as_mut().unwrap().items;
        templates.iter_mut().find(|template| template.id == id).unwrap().title = Some(value.into());
    },
    remove: |remote, id| {
        let templates = &mut remote.incident_templates.as_mut().unwrap().items;
        templates.retain(|template| template.id != id);
    },
    values: |remote| {
        let templates = remote.incident_templates.iter().flat_map(|list| &list.items);
        templates.map(|template| text(template.title.as_ref())).collect()
    },
};

const PAGE_ACCESS_USER: Column = Column {
    heading: "PageAccessUser",
    kind: Kind::PageAccessUser,
    spec: |value| json!({"email": "viewer@example.com", "externalLogin": value}),
    at_creation: Some(("subscribeToComponents", ["false", "true"])),
    surroundings: alone,
    put: |remote, id| {
        remote.put(PageAccessUser {
            id: id.into(),
            email: Some("viewer@example.com".into()),
            external_login: Some("theirs".into()),
            ..Default::default()
        });
    },
    set: |remote, id, value| {
        let users = &mut remote.page_access_users.as_mut().unwrap().items;
        users.iter_mut().find(|user| user.id == id).unwrap().external_login = Some(value.into());
    },
    remove: Snapshot::remove::<PageAccessUser>,
    values: |remote| {
        let users = remote.page_access_users.iter().flat_map(|list| &list.items);
        users.map(|user| text(user.external_login.as_ref())).collect()
    },
};

const PAGE_ACCESS_GROUP: Column = Column {
    heading: "PageAccessGroup",
    kind: Kind::PageAccessGroup,
    spec: |value| json!({"name": "Customers", "components": area_names(value)}),
    at_creation: None,
    surroundings: areas,
    put: |remote, id| {
        remote.put(PageAccessGroup {
            id: id.into(),
            name: Some("Customers".into()),
            ..Default::default()
        });
    },
    set: |remote, id, value| {
        let ids = area_ids(remote, value);
        let groups = &mut remote.page_access_groups.as_mut().unwrap().items;
        groups.iter_mut().find(|group| group.id == id).unwrap().component_ids = ids;
    },
    remove: Snapshot::remove::<PageAccessGroup>,
    values: |remote| {
        let groups = remote.page_access_groups.iter().flat_map(|list| &list.items);
        groups.map(|group| area_value(remote, &group.component_ids)).collect()
    },
};

/// Whether the member manages incidents, and maintenances.
fn roles(value: &str) -> (bool, bool) {
    match value {
        "ours" => (true, false),
        "new" => (true, true),
        _ => (false, false),
    }
}

const ORGANIZATION_USER: Column = Column {
    heading: "OrganizationUser",
    kind: Kind::OrganizationUser,
    spec: |value| {
        let (incidents, maintenances) = roles(value);
        json!({
            "email": "member@example.com", "passwordSecretRef": {"name": "first"},
            "permissions": [{"pageId": "page", "incidentManager": incidents, "maintenanceManager": maintenances}],
        })
    },
    at_creation: Some(("firstName", ["Ada", "Grace"])),
    surroundings: alone,
    put: |remote, id| {
        remote.put(OrganizationUser {
            id: id.into(),
            email: Some("member@example.com".into()),
            ..Default::default()
        });
        set_roles(remote, id, "theirs");
    },
    set: set_roles,
    remove: Snapshot::remove::<OrganizationUser>,
    values: |remote| {
        let members = remote.organization_users.iter().flat_map(|list| &list.items);
        let has = |member: &OrganizationUser| {
            let pages = remote.permissions.get(&member.id).map(|known| &known.value.pages);
            let roles = pages.and_then(|pages| pages.get("page")).copied().unwrap_or_default();
            (
                roles.incident_manager.unwrap_or_default(),
                roles.maintenance_manager.unwrap_or_default(),
            )
        };
        let value = |has: (bool, bool)| ["ours", "new", "theirs"].into_iter().find(|value| roles(value) == has);
        members.map(|member| value(has(member)).unwrap().to_owned()).collect()
    },
};

fn set_roles(remote: &mut Snapshot, id: &str, value: &str) {
    let (incidents, maintenances) = roles(value);
    let granted = PageRoles {
        incident_manager: Some(incidents),
        maintenance_manager: Some(maintenances),
        ..Default::default()
    };
    let value = Permissions {
        pages: [("page".to_owned(), granted)].into(),
    };
    remote.permissions.insert(
        id.to_owned(),
        Dated {
            value,
            read_at: start(),
        },
    );
}

pub(super) const COLUMNS: [&Column; 12] = [
    &STATUS_PAGE,
    &COMPONENT_GROUP,
    &COMPONENT,
    &INCIDENT,
    &MAINTENANCE,
    &METRICS_PROVIDER,
    &METRIC,
    &SUBSCRIBER,
    &INCIDENT_TEMPLATE,
    &PAGE_ACCESS_USER,
    &PAGE_ACCESS_GROUP,
    &ORGANIZATION_USER,
];
