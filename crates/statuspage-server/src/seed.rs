//! Filling a server from a YAML file.
//!
//! A page is filled only while it is blank, so the same file may be given at every start. Objects are written with the
//! field names of the API and pass the same checks; names stand where the API wants identifiers.
//!
//! ```yaml
//! pages:
//!   - id: acme0000page            # made when absent; without an id one is made
//!     name: Acme
//!     settings: { time_zone: UTC, css_greens: "2fcc66" }
//!     components:
//!       - { name: API, group: Core, description: Public API, status: operational }
//!       - { name: Website }
//!     groups:                     # only needed for descriptions
//!       - { name: Core, description: What everything needs }
//!     incidents:
//!       - name: API is slow
//!         affects: [API]          # names of components
//!         updates:                # the first one opens the incident
//!           - { status: investigating, body: We are looking., at: 2026-01-02T10:00:00Z, components: { API: partial_outage } }
//!           - { status: resolved, body: Fixed., at: 2026-01-02T11:00:00Z, components: { API: operational } }
//!       - { name: Upgrade, affects: [API], scheduled_for: 2027-01-01T00:00:00Z, scheduled_until: 2027-01-01T01:00:00Z }
//!     metrics_providers:
//!       - type: Self
//!         metrics:
//!           - { name: Latency, suffix: ms, data: [ { timestamp: 1767348000, value: 12.5 } ] }
//!     subscribers:
//!       - { email: team@example.com, state: active, components: [API] }
//! ```

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::faults::Behaviour;
use super::fields::instant_of;
use super::ids;
use super::records::Page;
use super::request::{Call, Verb};
use super::routes;
use super::state::State;
use super::vocabulary::SubscriberState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    #[serde(default)]
    pages: Vec<PageEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageEntry {
    id: Option<String>,
    name: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    components: Vec<Map<String, Value>>,
    #[serde(default)]
    groups: Vec<Map<String, Value>>,
    #[serde(default)]
    incidents: Vec<Map<String, Value>>,
    #[serde(default)]
    metrics_providers: Vec<Map<String, Value>>,
    #[serde(default)]
    subscribers: Vec<Map<String, Value>>,
}

/// Fills the blank pages that the text describes; the text of an error says which object is wrong.
pub(super) fn apply(state: &mut State, text: &str, now: Timestamp) -> Result<(), String> {
    let seed: Seed = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let behaviour = Behaviour::default();
    for entry in seed.pages {
        let known = match &entry.id {
            Some(id) => state.pages.contains_key(id).then(|| id.clone()),
            None => state
                .in_order()
                .find(|page| page.document().is_ok_and(|document| document.name == entry.name))
                .map(|page| page.id.clone()),
        };
        let id = match known {
            Some(id) if !state.pages.get(&id).is_some_and(|page| page.is_blank()) => continue,
            Some(id) => id,
            None => {
                let id = entry.id.clone().unwrap_or_else(|| state.ids.identifier());
                if !ids::is_identifier(&id) {
                    return Err(format!("{id:?} cannot be the id of a page"));
                }
                state.create(Page::new(id.clone(), entry.name.clone(), now));
                id
            }
        };
        Filling {
            state,
            page: id,
            behaviour: &behaviour,
            now,
        }
        .fill(entry)?;
    }
    Ok(())
}

/// A page that is being filled.
struct Filling<'a> {
    state: &'a mut State,
    page: String,
    behaviour: &'a Behaviour,
    now: Timestamp,
}

impl Filling<'_> {
    fn fill(&mut self, entry: PageEntry) -> Result<(), String> {
        if !entry.settings.is_empty() {
            self.send(Verb::Patch, &[], json!({ "page": entry.settings }), self.now)?;
        }
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for mut component in entry.components {
            let group = take_text(&mut component, "group");
            let made = self.send(Verb::Post, &["components"], json!({ "component": component }), self.now)?;
            if let Some(group) = group {
                let id = id_of(&made);
                match groups.iter_mut().find(|(name, _)| *name == group) {
                    Some((_, members)) => members.push(id),
                    None => groups.push((group, vec![id])),
                }
            }
        }
        for (name, members) in groups {
            let mut group = entry
                .groups
                .iter()
                .find(|group| group.get("name").and_then(Value::as_str) == Some(name.as_str()))
                .cloned()
                .unwrap_or_default();
            group.insert("name".to_owned(), name.into());
            group.insert("components".to_owned(), members.into());
            self.send(
                Verb::Post,
                &["component-groups"],
                json!({ "component_group": group }),
                self.now,
            )?;
        }
        for incident in entry.incidents {
            self.incident(incident)?;
        }
        for mut provider in entry.metrics_providers {
            let metrics = take_list(&mut provider, "metrics");
            let made = self.send(
                Verb::Post,
                &["metrics_providers"],
                json!({ "metrics_provider": provider }),
                self.now,
            )?;
            let provider = id_of(&made);
            for metric in metrics {
                self.metric(&provider, metric)?;
            }
        }
        for subscriber in entry.subscribers {
            self.subscriber(subscriber)?;
        }
        Ok(())
    }

    fn send(&mut self, verb: Verb, path: &[&str], body: Value, now: Timestamp) -> Result<Value, String> {
        let Value::Object(map) = &body else {
            return Err("a body must be an object".to_owned());
        };
        let page = self.page.clone();
        let mut whole = vec!["pages", page.as_str()];
        whole.extend(path);
        let call = Call {
            now,
            query: &[],
            body: map,
            behaviour: self.behaviour,
        };
        routes::dispatch(self.state, verb, &whole, &call)
            .map(|reply| reply.body.unwrap_or(Value::Null))
            .map_err(|error| format!("page {page}: {body}: {}", error.texts.join(", ")))
    }

    fn component(&self, name: &str) -> Result<String, String> {
        let page = self.state.pages.get(&self.page);
        let mut found = page
            .into_iter()
            .flat_map(|page| page.components.values())
            .filter(|component| component.name == name);
        match (found.next(), found.next()) {
            (Some(component), None) => Ok(component.id.clone()),
            (None, _) => Err(format!("page {}: no component is named {name:?}", self.page)),
            (Some(_), Some(_)) => Err(format!("page {}: several components are named {name:?}", self.page)),
        }
    }

    fn components(&self, names: Vec<Value>) -> Result<Vec<String>, String> {
        names
            .iter()
            .map(|name| self.component(name.as_str().unwrap_or_default()))
            .collect()
    }

    /// Puts identifiers in the place of the names of components.
    fn resolve(&self, object: &mut Map<String, Value>) -> Result<(), String> {
        if let Some(Value::Object(names)) = object.remove("components") {
            let mut statuses = Map::new();
            for (name, status) in names {
                statuses.insert(self.component(&name)?, status);
            }
            object.insert("components".to_owned(), Value::Object(statuses));
        }
        let affected = take_list(object, "affects");
        if !affected.is_empty() {
            object.insert("component_ids".to_owned(), self.components(affected)?.into());
        }
        Ok(())
    }

    fn incident(&mut self, mut incident: Map<String, Value>) -> Result<(), String> {
        let mut updates = take_list(&mut incident, "updates").into_iter();
        if let Some(Value::Object(first)) = updates.next() {
            incident.extend(first);
        }
        let at = self.instant(&mut incident)?;
        self.resolve(&mut incident)?;
        let made = self.send(Verb::Post, &["incidents"], json!({ "incident": incident }), at)?;
        let id = id_of(&made);
        for update in updates {
            let Value::Object(mut update) = update else {
                return Err(format!("page {}: an update must be an object", self.page));
            };
            let at = self.instant(&mut update)?;
            self.resolve(&mut update)?;
            self.send(Verb::Patch, &["incidents", &id], json!({ "incident": update }), at)?;
        }
        Ok(())
    }

    fn instant(&self, object: &mut Map<String, Value>) -> Result<Timestamp, String> {
        match take_text(object, "at") {
            None => Ok(self.now),
            Some(text) => instant_of(&text).ok_or_else(|| format!("page {}: {text:?} is not a time", self.page)),
        }
    }

    fn metric(&mut self, provider: &str, metric: Value) -> Result<(), String> {
        let Value::Object(mut metric) = metric else {
            return Err(format!("page {}: a metric must be an object", self.page));
        };
        let data = take_list(&mut metric, "data");
        let path = ["metrics_providers", provider, "metrics"];
        let made = self.send(Verb::Post, &path, json!({ "metric": metric }), self.now)?;
        if !data.is_empty() {
            let mut points = Map::new();
            points.insert(id_of(&made), Value::Array(data));
            self.send(Verb::Post, &["metrics", "data"], json!({ "data": points }), self.now)?;
        }
        Ok(())
    }

    fn subscriber(&mut self, mut subscriber: Map<String, Value>) -> Result<(), String> {
        let state = take_text(&mut subscriber, "state");
        let names = take_list(&mut subscriber, "components");
        if !names.is_empty() {
            subscriber.insert("component_ids".to_owned(), self.components(names)?.into());
        }
        let made = self.send(
            Verb::Post,
            &["subscribers"],
            json!({ "subscriber": subscriber }),
            self.now,
        )?;
        let now = self.now;
        let made = self
            .state
            .pages
            .get_mut(&self.page)
            .and_then(|page| page.subscribers.edit(&id_of(&made)));
        match (state.as_deref().map(SubscriberState::parse), made) {
            (None, _) | (_, None) => Ok(()),
            (Some(Some(SubscriberState::Active)), Some(subscriber)) => {
                subscriber.activate();
                Ok(())
            }
            (Some(Some(SubscriberState::Quarantined)), Some(subscriber)) => {
                subscriber.quarantine(now);
                Ok(())
            }
            (Some(Some(SubscriberState::Unconfirmed)), Some(subscriber)) => {
                subscriber.state = SubscriberState::Unconfirmed;
                Ok(())
            }
            (Some(None), _) => Err(format!("page {}: the state of a subscriber is not known", self.page)),
        }
    }
}

fn id_of(made: &Value) -> String {
    made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn take_text(map: &mut Map<String, Value>, key: &str) -> Option<String> {
    match map.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn take_list(map: &mut Map<String, Value>, key: &str) -> Vec<Value> {
    match map.remove(key) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_the_documentation_is_valid() {
        let text: String = include_str!("seed.rs")
            .lines()
            .skip_while(|line| *line != "//! ```yaml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| line.trim_start_matches("//!").strip_prefix(' ').unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n");
        let now: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        let mut state = State::default();
        apply(&mut state, &text, now).unwrap();
        let page = state.page_mut("acme0000page").unwrap();
        assert_eq!(page.components.values().count(), 2);
        assert_eq!(
            page.groups.values().next().unwrap().description.as_deref(),
            Some("What everything needs")
        );
        assert_eq!(page.incidents.values().count(), 2);
        let slow = page.incidents.values().next().unwrap();
        assert_eq!(slow.updates.len(), 2);
        assert_eq!(slow.resolved_at.unwrap().to_string(), "2026-01-02T11:00:00Z");
        assert!(page.metrics.values().next().unwrap().most_recent_data_at.is_some());
        assert_eq!(page.subscribers.values().next().unwrap().state, SubscriberState::Active);
        state.commit(None);
        apply(&mut state, &text, now).unwrap();
        assert!(!state.page_mut("acme0000page").unwrap().is_changed());
    }

    #[test]
    fn mistakes_are_named() {
        let mut state = State::default();
        let now = Timestamp::UNIX_EPOCH;
        let error = apply(&mut state, "pages: [{ name: A, colour: red }]", now).unwrap_err();
        assert!(error.contains("colour"), "{error}");
        let error = apply(
            &mut state,
            "pages: [{ name: A, incidents: [{ name: B, affects: [C] }] }]",
            now,
        )
        .unwrap_err();
        assert!(error.contains("no component is named \"C\""), "{error}");
        assert!(apply(&mut state, "pages: [", now).is_err());
    }
}
