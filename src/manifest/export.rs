//! A remote page as manifests: what was read, written down so that applying it changes nothing.
//!
//! Pure. Names are stable: they follow from names and ids on the page alone. What only the server sets is left out, the
//! id goes into an annotation, and references go by name.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use crate::api::{GROUP, ID, Kind, VERSION};
use crate::statuspage::{Component, Incident, IncidentStatus, Metric, MetricsProvider, Page, Snapshot, Subscriber};

/// What to write down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Namespace to write; none leaves it out.
    pub namespace: Option<String>,
    /// Name of the Secret with the token.
    pub secret: String,
    /// Address of the API, where it is not Atlassian's.
    pub api_url: Option<String>,
    /// Subscribers too: their addresses are personal data.
    pub subscribers: bool,
    /// Incidents that are over too.
    pub closed_incidents: bool,
}

/// The manifests of a page by kind, each as a JSON object in the order of the page.
pub fn export(page: &Page, snapshot: &Snapshot, options: &ExportOptions) -> BTreeMap<Kind, Vec<Value>> {
    let page_name = slug(page.subdomain.as_deref().or(page.name.as_deref()).unwrap_or_default());
    let page_name = if page_name.is_empty() {
        format!("page-{}", page.id)
    } else {
        page_name
    };
    let exporter = Exporter {
        options,
        page: &page_name,
    };
    let rows: &[Component] = snapshot.components.as_ref().map_or(&[], |list| &list.items);
    let groups: Vec<&Component> = rows.iter().filter(|row| row.group).collect();
    let components: Vec<&Component> = rows.iter().filter(|row| !row.group).collect();
    let providers: Vec<&MetricsProvider> = snapshot.metrics_providers.iter().flat_map(|list| &list.items).collect();
    let metrics: Vec<&Metric> = snapshot.metrics.iter().flat_map(|list| &list.items).collect();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let group_names = names(
        "group",
        groups.iter().map(|group| (group.id.as_str(), text(&group.name))),
    );
    let component_names = names(
        "component",
        components
            .iter()
            .map(|component| (component.id.as_str(), text(&component.name))),
    );
    let provider_names = names(
        "provider",
        providers
            .iter()
            .map(|provider| (provider.id.as_str(), provider_title(provider))),
    );
    let metric_names = names(
        "metric",
        metrics.iter().map(|metric| (metric.id.as_str(), text(&metric.name))),
    );
    let mut exported = BTreeMap::new();
    exported.insert(Kind::StatusPage, vec![exporter.page(page)]);
    let mut put = |kind: Kind, objects: Vec<Value>| {
        if !objects.is_empty() {
            exported.insert(kind, objects);
        }
    };
    put(
        Kind::ComponentGroup,
        groups
            .iter()
            .filter_map(|group| Some(exporter.group(group, group_names.get(group.id.as_str())?)))
            .collect(),
    );
    put(
        Kind::Component,
        components
            .iter()
            .filter_map(|component| {
                let group = component.group_id.as_deref().and_then(|id| group_names.get(id));
                Some(exporter.component(component, component_names.get(component.id.as_str())?, group))
            })
            .collect(),
    );
    put(
        Kind::MetricsProvider,
        providers
            .iter()
            .filter_map(|provider| Some(exporter.provider(provider, provider_names.get(provider.id.as_str())?)))
            .collect(),
    );
    put(
        Kind::Metric,
        metrics
            .iter()
            .filter_map(|metric| {
                let provider = metric
                    .metrics_provider_id
                    .as_deref()
                    .and_then(|id| provider_names.get(id));
                Some(exporter.metric(metric, metric_names.get(metric.id.as_str())?, provider))
            })
            .collect(),
    );
    let over = |incident: &Incident| incident.status.as_ref().is_some_and(IncidentStatus::is_over);
    let incidents: Vec<&Incident> = snapshot
        .incidents
        .iter()
        .flat_map(|list| &list.items)
        .filter(|incident| options.closed_incidents || !over(incident))
        .filter(|incident| !incident.incident_updates.is_empty())
        .collect();
    let incident_names = names(
        "incident",
        incidents
            .iter()
            .map(|incident| (incident.id.as_str(), text(&incident.name))),
    );
    put(
        Kind::Incident,
        incidents
            .iter()
            .filter_map(|incident| {
                let name = incident_names.get(incident.id.as_str())?;
                Some(exporter.incident(incident, name, &component_names, over(incident)))
            })
            .collect(),
    );
    if options.subscribers {
        let subscribers = snapshot.subscribers.iter().flat_map(|list| &list.items);
        put(
            Kind::Subscriber,
            subscribers
                .filter_map(|subscriber| exporter.subscriber(subscriber, &component_names))
                .collect(),
        );
    }
    exported
}

type Names = BTreeMap<String, String>;

struct Exporter<'a> {
    options: &'a ExportOptions,
    page: &'a str,
}

impl Exporter<'_> {
    fn object(&self, kind: Kind, name: &str, id: Option<&str>, mut spec: Value) -> Value {
        if kind != Kind::StatusPage
            && let Some(fields) = spec.as_object_mut()
        {
            fields.shift_insert(0, "pageRef".to_owned(), json!({"name": self.page}));
        }
        without_nulls(&mut spec);
        let mut metadata = json!({"name": name});
        if let Some(namespace) = &self.options.namespace {
            metadata["namespace"] = json!(namespace);
        }
        if let Some(id) = id {
            metadata["annotations"] = json!({ID: id});
        }
        json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": kind.as_str(),
            "metadata": metadata,
            "spec": spec,
        })
    }

    fn page(&self, page: &Page) -> Value {
        let api = json!({"url": self.options.api_url, "tokenSecretRef": {"name": self.options.secret}});
        self.object(
            Kind::StatusPage,
            self.page,
            None,
            json!({
                "pageId": page.id,
                "api": api,
                "settings": {
                    "name": page.name,
                    "domain": said(&page.domain),
                    "url": said(&page.url),
                    "timeZone": said(&page.time_zone),
                    "hiddenFromSearch": page.hidden_from_search,
                    "viewersMustBeTeamMembers": page.viewers_must_be_team_members,
                    "allowPageSubscribers": page.allow_page_subscribers,
                    "allowIncidentSubscribers": page.allow_incident_subscribers,
                    "allowEmailSubscribers": page.allow_email_subscribers,
                    "allowSmsSubscribers": page.allow_sms_subscribers,
                    "allowRssAtomFeeds": page.allow_rss_atom_feeds,
                    "allowWebhookSubscribers": page.allow_webhook_subscribers,
                    "notificationsFromEmail": said(&page.notifications_from_email),
                    "notificationsEmailFooter": said(&page.notifications_email_footer),
                },
            }),
        )
    }

    fn group(&self, group: &Component, name: &str) -> Value {
        let spec = json!({"name": title(&group.name, name), "description": said(&group.description)});
        self.object(Kind::ComponentGroup, name, Some(&group.id), spec)
    }

    /// The status is left out: incidents and people set it.
    fn component(&self, component: &Component, name: &str, group: Option<&String>) -> Value {
        let spec = json!({
            "name": title(&component.name, name),
            "description": said(&component.description),
            "groupRef": group.map(|group| json!({"name": group})),
            "showcase": component.showcase,
            "onlyShowIfDegraded": component.only_show_if_degraded.filter(|only| *only),
            "startDate": said(&component.start_date),
        });
        self.object(Kind::Component, name, Some(&component.id), spec)
    }

    /// Credentials are never returned: the references name where they are to be put.
    fn provider(&self, provider: &MetricsProvider, name: &str) -> Value {
        let secret = |key: &str| json!({"name": format!("{name}-credentials"), "key": key});
        let mut spec = json!({"type": provider_type(provider), "metricBaseUri": said(&provider.metric_base_uri)});
        let credentials: &[(&str, Value)] = match provider_type(provider).as_str() {
            "Datadog" => &[
                ("apiKeySecretRef", secret("api-key")),
                ("applicationKeySecretRef", secret("application-key")),
            ],
            "NewRelic" => &[("apiKeySecretRef", secret("api-key"))],
            "Pingdom" => &[("apiTokenSecretRef", secret("api-token"))],
            "Librato" => &[
                ("email", json!("account@example.com")),
                ("apiTokenSecretRef", secret("api-token")),
            ],
            _ => &[],
        };
        for (field, value) in credentials {
            spec[*field] = value.clone();
        }
        self.object(Kind::MetricsProvider, name, Some(&provider.id), spec)
    }

    fn metric(&self, metric: &Metric, name: &str, provider: Option<&String>) -> Value {
        let spec = json!({
            "providerRef": provider.map(|provider| json!({"name": provider})),
            "name": title(&metric.name, name),
            "metricIdentifier": said(&metric.metric_identifier),
            "suffix": said(&metric.suffix),
            "yAxisMin": metric.y_axis_min,
            "yAxisMax": metric.y_axis_max,
            "yAxisHidden": metric.y_axis_hidden,
            "display": metric.display,
            "decimalPlaces": metric.decimal_places,
            "tooltipDescription": said(&metric.tooltip_description),
        });
        self.object(Kind::Metric, name, Some(&metric.id), spec)
    }

    fn incident(&self, incident: &Incident, name: &str, components: &Names, over: bool) -> Value {
        let updates: Vec<Value> = incident
            .incident_updates
            .iter()
            .rev()
            .filter(|update| update.body.as_deref().is_some_and(|body| !body.is_empty()))
            .map(|update| {
                json!({
                    "status": update.status.as_ref().map(|status| status.as_str()),
                    "body": update.body,
                    "at": update.display_at.map(|at| json!(Time(at))),
                })
            })
            .collect();
        // What a closed incident did to components is history: declaring it would set their statuses again.
        let affected: serde_json::Map<String, Value> = incident
            .components
            .iter()
            .filter(|_| !over)
            .filter_map(|component| {
                Some((
                    components.get(&component.id)?.clone(),
                    json!(component.status.as_ref()?.as_str()),
                ))
            })
            .collect();
        let flag = |flag: Option<bool>| flag.unwrap_or_default();
        let schedule = incident
            .scheduled_for
            .zip(incident.scheduled_until)
            .map(|(start, end)| {
                json!({
                    "start": Time(start),
                    "end": Time(end),
                    "remindPrior": flag(incident.scheduled_remind_prior),
                    "autoStart": flag(incident.scheduled_auto_in_progress),
                    "autoComplete": flag(incident.scheduled_auto_completed),
                    "transitionComponents": flag(incident.auto_transition_to_maintenance_state),
                    "notifyAtStart": flag(incident.auto_transition_deliver_notifications_at_start),
                    "notifyAtEnd": flag(incident.auto_transition_deliver_notifications_at_end),
                })
            });
        let spec = json!({
            "name": title(&incident.name, name),
            "updates": updates,
            "components": (!affected.is_empty()).then_some(Value::Object(affected)),
            "impactOverride": incident.impact_override.as_ref().map(|impact| impact.as_str()),
            "schedule": schedule,
        });
        self.object(Kind::Incident, name, Some(&incident.id), spec)
    }

    fn subscriber(&self, subscriber: &Subscriber, components: &Names) -> Option<Value> {
        // People in Slack and Teams cannot be declared: the API cannot create them.
        let mut spec = if let Some(endpoint) = &subscriber.endpoint {
            json!({"webhook": {"endpoint": endpoint, "email": said(&subscriber.email)}})
        } else if let (Some(country), Some(number)) = (&subscriber.phone_country, &subscriber.phone_number) {
            json!({"sms": {"country": country, "number": number}})
        } else {
            json!({"email": subscriber.email.as_ref()?})
        };
        let followed: Vec<&String> = subscriber
            .components
            .iter()
            .filter_map(|id| components.get(id))
            .collect();
        if !followed.is_empty() {
            spec["components"] = json!(followed);
        }
        // The address stays out of the name: names are shown everywhere.
        let name = format!("subscriber-{}", subscriber.id.to_ascii_lowercase());
        Some(self.object(Kind::Subscriber, &name, Some(&subscriber.id), spec))
    }
}

fn provider_type(provider: &MetricsProvider) -> String {
    provider.r#type.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn provider_title(provider: &MetricsProvider) -> String {
    match provider_type(provider).as_str() {
        "Self" => "self".to_owned(),
        kind => kind.to_owned(),
    }
}

/// A text, unless there is none.
fn said(text: &Option<String>) -> Option<&String> {
    text.as_ref().filter(|text| !text.is_empty())
}

/// The title, unless the name of the declaration says it already.
fn title<'a>(title: &'a Option<String>, name: &str) -> Option<&'a String> {
    said(title).filter(|title| *title != name)
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Names of declarations by id: the title in the alphabet of Kubernetes, with the id where titles are equal or empty.
fn names<'a>(kind: &str, titles: impl Iterator<Item = (&'a str, String)> + Clone) -> Names {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for (_, title) in titles.clone() {
        *uses.entry(slug(&title)).or_default() += 1;
    }
    titles
        .map(|(id, title)| {
            let plain = slug(&title);
            let tail = slug(id);
            let name = match uses.get(&plain) {
                _ if plain.is_empty() => format!("{kind}-{tail}"),
                Some(1) => plain,
                _ => format!("{plain}-{tail}"),
            };
            (id.to_owned(), name)
        })
        .collect()
}

/// Lower-case letters, digits and single dashes, at most 48 characters.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= 48 {
            break;
        }
    }
    slug.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_unique() {
        let titles = [
            ("a1", "API v2!"),
            ("b2", "Database"),
            ("c3", "database"),
            ("d4", "状态"),
            ("e5", ""),
        ];
        let names = names("component", titles.iter().map(|(id, title)| (*id, (*title).to_owned())));
        let of = |id: &str| names.get(id).map(String::as_str);
        assert_eq!(of("a1"), Some("api-v2"));
        assert_eq!((of("b2"), of("c3")), (Some("database-b2"), Some("database-c3")));
        assert_eq!((of("d4"), of("e5")), (Some("component-d4"), Some("component-e5")));
    }

    #[test]
    fn a_long_title_becomes_a_short_name() {
        assert_eq!(slug(&"x".repeat(255)).len(), 48);
        assert_eq!(slug(" - Ünïted -- API - "), "n-ted-api");
    }
}
