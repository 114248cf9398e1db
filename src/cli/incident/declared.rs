//! What is declared, as far as incidents are concerned, and how it is named on the command line.

use std::collections::BTreeMap;

use super::words;
use crate::api::{ComponentStatusName, IncidentSpec, IncidentStatus, IncidentStatusName, IncidentUpdate};
use crate::cli::Failure;
use crate::engine::{Declaration, ObjectKey, READY, Spec, Status, find_condition};
use crate::manifest::nearest;
use crate::statuspage::Incident;

/// Everything that an incident may name.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) pages: Vec<ObjectKey>,
    pub(super) components: Vec<DeclaredComponent>,
    pub(super) incidents: Vec<DeclaredIncident>,
    /// Templates of incidents, and their pages.
    pub(super) templates: Vec<(ObjectKey, ObjectKey)>,
    /// The directory or the namespace, for messages.
    pub(super) place: String,
}

/// A component that is declared.
#[derive(Clone, Debug)]
pub(super) struct DeclaredComponent {
    pub(super) key: ObjectKey,
    pub(super) page: ObjectKey,
    /// What customers read.
    pub(super) title: String,
}

/// An incident that is declared.
#[derive(Clone, Debug)]
pub(super) struct DeclaredIncident {
    pub(super) key: ObjectKey,
    pub(super) page: ObjectKey,
    pub(super) spec: IncidentSpec,
    /// What is recorded of it.
    pub(super) known: IncidentStatus,
    /// Its id on the page.
    pub(super) id: Option<String>,
}

impl DeclaredIncident {
    /// The status that the declaration ends with; where its template gives that, the one on the page.
    pub(super) fn phase(&self) -> Option<IncidentStatusName> {
        let last = self.spec.updates.last().map(|update| update.status);
        last.or_else(|| words::phase(self.known.status.as_deref()?).ok())
    }

    /// False once it was declared to be over, or was seen to be.
    pub(super) fn is_open(&self) -> bool {
        let over = |word: &str| crate::statuspage::IncidentStatus::from(word).is_over();
        let declared = self.phase().is_some_and(|phase| over(phase.as_str()));
        !declared && !self.known.status.as_deref().is_some_and(over)
    }

    /// The declared updates that are not on the page, as far as is recorded or the page shows.
    pub(super) fn unsent(&self, shown: Option<&Incident>) -> impl Iterator<Item = &IncidentUpdate> {
        let told = self.known.updates.iter().filter(|update| !update.from_template).count();
        let is_shown = move |update: &IncidentUpdate| {
            shown
                .iter()
                .flat_map(|incident| &incident.incident_updates)
                .any(|post| {
                    let status = post.status.as_ref().map(crate::statuspage::IncidentStatus::as_str);
                    let body = post.body.as_deref().unwrap_or_default();
                    status == Some(update.status.as_str()) && body.trim_end() == update.body.trim_end()
                })
        };
        self.spec
            .updates
            .iter()
            .skip(told)
            .filter(move |update| !is_shown(update))
    }

    /// Why it is not as declared, if that was found out.
    pub(super) fn trouble(&self) -> Option<String> {
        let ready = find_condition(&self.known.object, READY)?;
        (ready.status != "True").then(|| format!("{}: {}", ready.reason, ready.message))
    }

    /// What customers read.
    pub(super) fn title(&self) -> &str {
        self.spec.name.as_deref().unwrap_or(&self.key.name)
    }
}

/// A component and the status that it is to have.
pub(super) type Affected = BTreeMap<String, ComponentStatusName>;

impl Declared {
    /// Adds a declaration of a page.
    pub(super) fn add(&mut self, page: &ObjectKey, declaration: &Declaration) {
        if declaration.deleting {
            return;
        }
        let key = declaration.key.clone();
        match (&*declaration.spec, &*declaration.status) {
            (Spec::Component(spec), _) => self.components.push(DeclaredComponent {
                title: spec.name.clone().unwrap_or_else(|| key.name.clone()),
                page: page.clone(),
                key,
            }),
            (Spec::Incident(spec), Status::Incident(status)) => self.incidents.push(DeclaredIncident {
                id: declaration.recorded_id().map(str::to_owned),
                spec: (**spec).clone(),
                known: status.clone(),
                page: page.clone(),
                key,
            }),
            (Spec::IncidentTemplate(_), _) => self.templates.push((key, page.clone())),
            _ => {}
        }
    }

    /// The page that is meant: by its name, else by the components, else the only one.
    pub(super) fn page(&self, name: Option<&str>, components: &[&DeclaredComponent]) -> Result<ObjectKey, Failure> {
        let names = || self.pages.iter().map(|page| page.name.as_str());
        let named = match (name, components.first()) {
            (Some(name), _) => {
                let is_it =
                    |page: &&ObjectKey| page.name == name || format!("{}/{}", page.namespace, page.name) == name;
                let found: Vec<&ObjectKey> = self.pages.iter().filter(is_it).collect();
                match found.as_slice() {
                    [page] => (*page).clone(),
                    [] => return Err(self.unknown("StatusPage", name, nearest(name, names()))),
                    _ => {
                        return Err(usage(format!(
                            "StatusPage {name} is declared in several namespaces: write NAMESPACE/NAME"
                        )));
                    }
                }
            }
            (None, Some(first)) => first.page.clone(),
            (None, None) => match self.pages.as_slice() {
                [page] => page.clone(),
                [] => {
                    return Err(usage(format!(
                        "no StatusPage is declared in {}: give --directory, or --namespace for a cluster",
                        self.place
                    )));
                }
                _ => {
                    let names: Vec<&str> = names().collect();
                    return Err(usage(format!(
                        "{} declares several pages ({}): say with --page which",
                        self.place,
                        names.join(", ")
                    )));
                }
            },
        };
        if let Some(other) = components.iter().find(|component| component.page != named) {
            return Err(usage(format!(
                "component {} is on page {}, not on {}: one incident is on one page",
                other.key.name, other.page.name, named.name
            )));
        }
        Ok(named)
    }

    /// Reads `COMPONENT=STATUS`, as often as it is given. `page` tells apart what is declared for several.
    pub(super) fn affected(
        &self,
        words: &[String],
        page: Option<&ObjectKey>,
    ) -> Result<Vec<(&DeclaredComponent, ComponentStatusName)>, Failure> {
        let mut affected: Vec<(&DeclaredComponent, ComponentStatusName)> = Vec::new();
        for word in words {
            let Some((name, status)) = word.rsplit_once('=') else {
                let component = self.component(word, page)?;
                return Err(usage(format!(
                    "{word:?} has no status: write {}=major_outage",
                    component.key.name
                )));
            };
            let component = self.component(name, page)?;
            let status = words::component_status(status).map_err(usage)?;
            if affected.iter().any(|(other, _)| other.key == component.key) {
                return Err(usage(format!("component {} is given twice", component.key.name)));
            }
            affected.push((component, status));
        }
        Ok(affected)
    }

    /// The component of this name: metadata.name, or what customers read.
    pub(super) fn component(&self, name: &str, page: Option<&ObjectKey>) -> Result<&DeclaredComponent, Failure> {
        let name = name.trim();
        let candidates = || {
            let all = self.components.iter();
            all.filter(|component| page.is_none_or(|page| component.page == *page))
        };
        let by_name: Vec<&DeclaredComponent> = candidates().filter(|one| one.key.name == name).collect();
        let found = match by_name.is_empty() {
            false => by_name,
            true => {
                let title = name.to_lowercase();
                candidates().filter(|one| one.title.to_lowercase() == title).collect()
            }
        };
        match found.as_slice() {
            [component] => Ok(component),
            [] => {
                let names = candidates().flat_map(|one| [one.key.name.as_str(), one.title.as_str()]);
                let near = nearest(name, names);
                Err(self.unknown("Component", name, near))
            }
            several => {
                let all: Vec<String> = several
                    .iter()
                    .map(|one| format!("{} (page {})", one.key.name, one.page.name))
                    .collect();
                Err(usage(format!(
                    "several components are called {name:?}: {}; use metadata.name, or --page",
                    all.join(", ")
                )))
            }
        }
    }

    /// The incident that is meant: of this name, or the only open one.
    pub(super) fn incident(&self, name: Option<&str>, page: Option<&str>) -> Result<&DeclaredIncident, Failure> {
        let on_page = |one: &&DeclaredIncident| page.is_none_or(|page| one.page.name == page);
        let Some(name) = name else {
            let open: Vec<&DeclaredIncident> = self
                .incidents
                .iter()
                .filter(on_page)
                .filter(|one| one.is_open())
                .collect();
            return match open.as_slice() {
                [incident] => Ok(incident),
                [] => Err(usage(format!("no incident is open in {}: give its name", self.place))),
                several => Err(usage(format!(
                    "several incidents are open: give the name of one: {}",
                    names(several)
                ))),
            };
        };
        let by_name: Vec<&DeclaredIncident> = self
            .incidents
            .iter()
            .filter(on_page)
            .filter(|one| one.key.name == name || one.id.as_deref() == Some(name))
            .collect();
        match by_name.as_slice() {
            [incident] => Ok(incident),
            [] => {
                let near = nearest(name, self.incidents.iter().map(|one| one.key.name.as_str()));
                let open: Vec<&DeclaredIncident> = self.incidents.iter().filter(|one| one.is_open()).collect();
                let failure = self.unknown("Incident", name, near);
                match (near, open.is_empty(), failure) {
                    (None, false, Failure::Undeclared { what, place, .. }) => Err(Failure::Undeclared {
                        what,
                        place,
                        hint: format!("; open are {}", names(&open)),
                    }),
                    (_, _, failure) => Err(failure),
                }
            }
            _ => Err(usage(format!(
                "Incident {name} is declared in several namespaces: say with --page which"
            ))),
        }
    }

    /// The template of this name, and its page.
    pub(super) fn template(&self, name: &str, page: Option<&ObjectKey>) -> Result<&(ObjectKey, ObjectKey), Failure> {
        let all = || {
            self.templates
                .iter()
                .filter(|(_, of)| page.is_none_or(|page| of == page))
        };
        let found: Vec<&(ObjectKey, ObjectKey)> = all().filter(|(key, _)| key.name == name).collect();
        match found.as_slice() {
            [template] => Ok(template),
            [] => Err(self.unknown(
                "IncidentTemplate",
                name,
                nearest(name, all().map(|(key, _)| key.name.as_str())),
            )),
            _ => Err(usage(format!(
                "IncidentTemplate {name} is declared in several namespaces: say with --page which"
            ))),
        }
    }

    /// A name that no incident of the namespace has: the date, then the title.
    pub(super) fn free_name(&self, namespace: &str, date: &str, title: &str) -> String {
        let plain = crate::manifest::slug(title);
        let plain = if plain.is_empty() { "incident".to_owned() } else { plain };
        let base = format!("{date}-{plain}");
        let taken = |name: &str| {
            let mut all = self.incidents.iter();
            all.any(|one| one.key.namespace == namespace && one.key.name == name)
        };
        if !taken(&base) {
            return base;
        }
        let numbered = (2u32..).map(|number| format!("{base}-{number}"));
        numbered.into_iter().find(|name| !taken(name)).unwrap_or(base)
    }

    fn unknown(&self, kind: &str, name: &str, near: Option<&str>) -> Failure {
        let hint = match (kind, near) {
            (_, Some(near)) => format!("; did you mean {near}?"),
            ("Component", None) => {
                let known: Vec<&str> = self
                    .components
                    .iter()
                    .map(|one| one.key.name.as_str())
                    .take(12)
                    .collect();
                match known.is_empty() {
                    true => "; `statuspage export --missing` declares what is on the page".to_owned(),
                    false => format!("; declared are {}", known.join(", ")),
                }
            }
            _ => String::new(),
        };
        Failure::Undeclared {
            what: format!("{kind} {name}"),
            place: self.place.clone(),
            hint,
        }
    }
}

fn names(incidents: &[&DeclaredIncident]) -> String {
    let names: Vec<&str> = incidents.iter().map(|one| one.key.name.as_str()).collect();
    names.join(", ")
}

pub(super) fn usage(message: String) -> Failure {
    Failure::Usage(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    fn page(name: &str) -> ObjectKey {
        ObjectKey::new(Kind::StatusPage, "default", name)
    }

    fn component(name: &str, title: &str, on: &str) -> DeclaredComponent {
        DeclaredComponent {
            key: ObjectKey::new(Kind::Component, "default", name),
            page: page(on),
            title: title.to_owned(),
        }
    }

    fn declared() -> Declared {
        Declared {
            pages: vec![page("acme"), page("internal")],
            components: vec![
                component("api", "Public API", "acme"),
                component("web", "Web", "acme"),
                component("intranet", "Web", "internal"),
            ],
            incidents: Vec::new(),
            templates: Vec::new(),
            place: "pages".to_owned(),
        }
    }

    fn said<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn components_are_named_as_people_know_them() {
        let declared = declared();
        let words = ["api=major".to_owned(), "web = degraded".to_owned()];
        let found = declared.affected(&words, None).unwrap();
        let shown: Vec<(&str, &str)> = found
            .iter()
            .map(|(one, status)| (one.key.name.as_str(), status.as_str()))
            .collect();
        assert_eq!(shown, [("api", "major_outage"), ("web", "degraded_performance")]);
        let one = |word: &str| declared.affected(&[word.to_owned()], None);
        assert_eq!(one("public api=op").unwrap()[0].0.key.name, "api");
        // The name of the manifest comes first; what two are called decides nothing.
        let two = said(declared.component("WEB", None));
        assert!(two.contains("web (page acme), intranet (page internal)"), "{two}");
        assert_eq!(
            declared.component("Web", Some(&page("internal"))).unwrap().key.name,
            "intranet"
        );
        assert!(said(one("apii=major")).contains("did you mean api?"));
        assert!(said(one("api")).contains("write api=major_outage"));
        assert!(said(one("database=major")).contains("declared are api, web, intranet"));
        let twice = ["api=major".to_owned(), "Public API=op".to_owned()];
        assert!(said(declared.affected(&twice, None)).contains("twice"));
    }

    #[test]
    fn the_components_tell_the_page() {
        let declared = declared();
        let api = declared.component("api", None).unwrap();
        let intranet = declared.component("intranet", None).unwrap();
        assert_eq!(declared.page(None, &[api]).unwrap(), page("acme"));
        assert!(said(declared.page(None, &[])).contains("(acme, internal): say with --page which"));
        assert!(said(declared.page(None, &[api, intranet])).contains("one incident is on one page"));
        assert!(said(declared.page(Some("acne"), &[])).contains("did you mean acme?"));
        assert_eq!(declared.page(Some("internal"), &[]).unwrap(), page("internal"));
    }

    #[test]
    fn a_name_is_made_of_date_and_title_and_is_free() {
        let mut declared = declared();
        let name = |declared: &Declared| declared.free_name("default", "2026-11-30", "API errors!");
        for expected in [
            "2026-11-30-api-errors",
            "2026-11-30-api-errors-2",
            "2026-11-30-api-errors-3",
        ] {
            let free = name(&declared);
            assert_eq!(free, expected);
            declared.incidents.push(DeclaredIncident {
                key: ObjectKey::new(Kind::Incident, "default", free),
                page: page("acme"),
                spec: IncidentSpec::default(),
                known: IncidentStatus::default(),
                id: None,
            });
        }
        assert_eq!(
            declared.free_name("default", "2026-11-30", "状态"),
            "2026-11-30-incident"
        );
        assert!(said(declared.incident(None, None)).contains("several incidents are open"));
        assert!(said(declared.incident(Some("2026-11-30-api-eror"), None)).contains("did you mean"));
    }
}
