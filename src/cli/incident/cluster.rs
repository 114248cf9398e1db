//! Incidents of a cluster: the Incident is written there, and the operator sends it.

use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::Value;

use super::declared::{Declared, DeclaredComponent, DeclaredIncident, usage};
use super::draft::{Draft, Standing};
use super::list::Row;
use super::place::{Place, Sending};
use super::show::Shown;
use super::{ListArguments, OpenArguments, ShowArguments, list, opening, show};
use crate::api::{Component, ID, Incident, IncidentTemplate, Kind, PageReference, StatusPage};
use crate::cli::output::print_lines;
use crate::cli::question::{self, Answer};
use crate::cli::signal::asked_to_end;
use crate::cli::{Failure, Outcome};
use crate::engine::{ObjectKey, READY, find_condition};
use crate::manifest::{Edit, to_yaml};
use crate::operator;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The operator has so long to send it before the command says that it does not know.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a change is made anew because somebody else was faster.
const ATTEMPTS: usize = 5;

/// A namespace with what it declares.
struct Desk {
    client: Client,
    namespace: String,
    declared: Declared,
    /// When each Incident was made.
    made: Vec<(String, Option<Timestamp>)>,
}

pub(super) async fn list(arguments: &ListArguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let desk = Desk::open(&arguments.place).await?;
    let wanted = arguments.place.page.as_deref();
    let incidents = desk.declared.incidents.iter();
    let incidents = incidents.filter(|one| arguments.all || one.is_open());
    let incidents = incidents.filter(|one| wanted.is_none_or(|page| one.page.name == page));
    let rows: Vec<Row> = incidents.map(|one| Row::declared(one, desk.made(one))).collect();
    list::print(&rows, arguments.all, arguments.output, out)
}

pub(super) async fn show(arguments: &ShowArguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let desk = Desk::open(&arguments.place).await?;
    let page = arguments.place.page.as_deref();
    let one = desk.declared.incident(Some(&arguments.incident), page)?;
    show::print(&Shown::declared(one, desk.made(one)), arguments.output, out)
}

impl Desk {
    async fn open(place: &Place) -> Result<Desk, Failure> {
        let mut config = operator::configuration(place.kubeconfig.as_deref(), place.context.as_deref()).await?;
        config.connect_timeout = Some(CONNECT_LIMIT);
        let usual = config.default_namespace.clone();
        let client = Client::try_from(config).map_err(|error| Failure::Cluster(error.to_string()))?;
        let namespace = place.namespace.clone().unwrap_or(usual);
        let everything = ListParams::default();
        let (pages, components, incidents) = (
            Api::<StatusPage>::namespaced(client.clone(), &namespace),
            Api::<Component>::namespaced(client.clone(), &namespace),
            Api::<Incident>::namespaced(client.clone(), &namespace),
        );
        let read = tokio::try_join!(
            pages.list(&everything),
            components.list(&everything),
            incidents.list(&everything)
        );
        let (pages, components, incidents) = read.map_err(refused)?;
        let page_of = |reference: &PageReference| {
            let there = reference.namespace.clone().unwrap_or_else(|| namespace.clone());
            ObjectKey::new(Kind::StatusPage, there, reference.name.clone())
        };
        let mut declared = Declared {
            pages: pages
                .iter()
                .map(|page| ObjectKey::new(Kind::StatusPage, namespace.clone(), page.name_any()))
                .collect(),
            place: format!("namespace {namespace}"),
            ..Declared::default()
        };
        for component in &components {
            let page = page_of(&component.spec.common.page_ref);
            // A page of another namespace that allows this one.
            if !declared.pages.contains(&page) {
                declared.pages.push(page.clone());
            }
            let name = component.name_any();
            declared.components.push(DeclaredComponent {
                title: component.spec.name.clone().unwrap_or_else(|| name.clone()),
                key: ObjectKey::new(Kind::Component, namespace.clone(), name),
                page,
            });
        }
        // Who may not read templates opens incidents without.
        let templates = Api::<IncidentTemplate>::namespaced(client.clone(), &namespace);
        for template in templates.list(&everything).await.into_iter().flatten() {
            let key = ObjectKey::new(Kind::IncidentTemplate, namespace.clone(), template.name_any());
            declared.templates.push((key, page_of(&template.spec.common.page_ref)));
        }
        let mut made = Vec::new();
        for incident in &incidents {
            let known = incident.status.clone().unwrap_or_default();
            let id = incident
                .annotations()
                .get(ID)
                .cloned()
                .or_else(|| known.object.id.clone());
            made.push((
                incident.name_any(),
                incident.meta().creation_timestamp.as_ref().map(|at| at.0),
            ));
            declared.incidents.push(DeclaredIncident {
                key: ObjectKey::new(Kind::Incident, namespace.clone(), incident.name_any()),
                page: page_of(&incident.spec.common.page_ref),
                spec: incident.spec.clone(),
                known,
                id,
            });
        }
        Ok(Desk {
            client,
            namespace,
            declared,
            made,
        })
    }

    fn made(&self, incident: &DeclaredIncident) -> Option<Timestamp> {
        self.made.iter().find(|(name, _)| *name == incident.key.name)?.1
    }

    /// The Incidents, with fields that this program does not know.
    fn incidents(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<Incident>(&());
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }
}

fn refused(error: kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 404 => {
            Failure::Cluster("it has no statuspage-operator: install its CustomResourceDefinitions first".to_owned())
        }
        kube::Error::Api(status) => Failure::Cluster(status.message.clone()),
        error => Failure::Cluster(error.to_string()),
    }
}

fn parameters(sending: &Sending) -> PostParams {
    PostParams {
        dry_run: sending.dry_run,
        field_manager: Some("statuspage-incident".to_owned()),
    }
}

pub(super) async fn open(arguments: &OpenArguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    if !arguments.is_whole() {
        return Err(usage("in a cluster, give the title and -m".to_owned()));
    }
    let desk = Desk::open(&arguments.sending.place).await?;
    let date = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let opening = opening::open(&desk.declared, arguments, &date)?;
    let mut manifest = opening.manifest;
    manifest["metadata"]["namespace"] = Value::from(desk.namespace.clone());
    let sending = &arguments.sending;
    match consent(&to_yaml(&manifest["spec"]), sending, out).await? {
        Answer::Yes => {}
        answer => return declined(answer, out),
    }
    let object: DynamicObject = serde_json::from_value(manifest).map_err(|error| Failure::Serialize {
        what: "the Incident",
        message: error.to_string(),
    })?;
    let written = desk
        .incidents()
        .create(&parameters(sending), &object)
        .await
        .map_err(refused)?;
    finish(&desk, &written, &[], sending, out).await
}

pub(super) async fn change(
    sending: &Sending,
    name: Option<&str>,
    draft: impl Fn(&Declared, &DeclaredIncident, &Standing) -> Result<Draft, Failure>,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let mut asked = false;
    for _ in 0..ATTEMPTS {
        let desk = Desk::open(&sending.place).await?;
        let incident = desk.declared.incident(name, sending.place.page.as_deref())?;
        let draft = draft(&desk.declared, incident, &Standing::default())?;
        if draft.edits.is_empty() {
            return draft.tell(out);
        }
        if !asked {
            match consent(&to_yaml(&draft.added()["spec"]), sending, out).await? {
                Answer::Yes => asked = true,
                answer => return declined(answer, out),
            }
        }
        let api = desk.incidents();
        let mut object = api.get(&incident.key.name).await.map_err(refused)?;
        // What was drafted goes with what was read: somebody else may have appended something since.
        if object.data["spec"]["updates"].as_array().map(Vec::len) != Some(incident.spec.updates.len()) {
            continue;
        }
        if !apply(&mut object, &draft.edits) {
            return Err(usage(format!(
                "Incident {} has something else where its fields should be",
                incident.key.name
            )));
        }
        match api.replace(&incident.key.name, &parameters(sending), &object).await {
            Ok(written) => return finish(&desk, &written, &draft.says, sending, out).await,
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(refused(error)),
        }
    }
    Err(Failure::Cluster(
        "somebody else changes the Incident all the time: run this again".to_owned(),
    ))
}

fn apply(object: &mut DynamicObject, edits: &[Edit]) -> bool {
    edits.iter().all(|edit| edit.apply(&mut object.data).is_some())
}

/// Shows what will be published, and asks where somebody can answer.
async fn consent(spec: &str, sending: &Sending, out: &mut dyn Write) -> Result<Answer, Failure> {
    let asks = !sending.yes && !sending.dry_run && question::is_possible();
    if asks || sending.dry_run {
        write!(out, "{spec}")
            .and_then(|()| out.flush())
            .map_err(Failure::Output)?;
    }
    Ok(if asks {
        question::ask("Publish this?").await
    } else {
        Answer::Yes
    })
}

fn declined(answer: Answer, out: &mut dyn Write) -> Result<Outcome, Failure> {
    match answer {
        Answer::Interrupted => Ok(Outcome::Interrupted),
        _ => super::declined(out),
    }
}

/// Waits until the operator says how it stands.
async fn finish(
    desk: &Desk,
    written: &DynamicObject,
    says: &[String],
    sending: &Sending,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let name = written.name_any();
    let namespace = &desk.namespace;
    print_lines(says, out)?;
    if sending.dry_run {
        say!(
            out,
            "Nothing was written or sent: --dry-run. The API server would take it as Incident {namespace}/{name}."
        )?;
        return Ok(Outcome::Success);
    }
    writeln!(out, "Wrote Incident {namespace}/{name}.")
        .and_then(|()| out.flush())
        .map_err(Failure::Output)?;
    if sending.no_wait {
        return Ok(Outcome::Success);
    }
    let generation = written.metadata.generation;
    let api = Api::<Incident>::namespaced(desk.client.clone(), namespace);
    let settled = |object: Option<&Incident>| {
        let status = object.and_then(|incident| incident.status.as_ref());
        status.is_some_and(|status| {
            let ready = find_condition(&status.object, READY);
            let of_this = status.object.observed_generation >= generation;
            of_this && ready.is_some_and(|ready| ready.reason != "Progressing")
        })
    };
    let not_sent = |why: String| Failure::NotReady {
        what: format!("Incident {namespace}/{name}"),
        why,
        asked: None,
    };
    let waited = tokio::select! {
        waited = tokio::time::timeout(PATIENCE, await_condition(api, &name, settled)) => waited,
        asked = asked_to_end() => return Err(Failure::NotReady {
            what: format!("Incident {namespace}/{name}"),
            why: "it was not waited for".to_owned(),
            asked: Some(asked),
        }),
    };
    let incident = match waited {
        Ok(Ok(Some(incident))) => incident,
        Ok(Ok(None)) => return Err(not_sent("it was deleted meanwhile".to_owned())),
        Ok(Err(error)) => return Err(not_sent(format!("the cluster does not say how it stands: {error}"))),
        Err(_) => {
            let last = Api::<Incident>::namespaced(desk.client.clone(), namespace)
                .get_opt(&name)
                .await
                .ok()
                .flatten();
            let status = last.and_then(|incident| incident.status);
            let said = status.as_ref().and_then(|status| find_condition(&status.object, READY));
            let said = said.map(|ready| format!("{}: {}", ready.reason, ready.message));
            return Err(not_sent(said.unwrap_or_else(|| {
                format!(
                    "no operator has taken it up within {} s: is one running?",
                    PATIENCE.as_secs()
                )
            })));
        }
    };
    let status = incident.status.unwrap_or_default();
    let Some(ready) = find_condition(&status.object, READY) else {
        return Err(not_sent("the operator says nothing of it".to_owned()));
    };
    if ready.status != "True" {
        return Err(not_sent(format!("{}: {}", ready.reason, ready.message)));
    }
    super::say_on_the_page(&status, &ready.message, out)?;
    Ok(Outcome::Success)
}
