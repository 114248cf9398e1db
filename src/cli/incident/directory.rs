//! Incidents of a directory: the manifest is written first, then sent at once, alone.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::declared::{Declared, DeclaredIncident, usage};
use super::draft::{self, Draft, Standing};
use super::place::{Place, Sending};
use super::prompt::{self, Filled};
use super::send::{self, Manifest};
use super::{Command, OpenArguments, list, show};
use crate::api::Reason;
use crate::cli::only::narrow_to;
use crate::cli::progress::{left_out, lines, note};
use crate::cli::question;
use crate::cli::session::Session;
use crate::cli::signal::asked_to_end;
use crate::cli::{Failure, Outcome};
use crate::driver::{PageDriver, Store, View};
use crate::engine::{Declaration, ObjectKey, Spec, Status};
use crate::manifest::{Edit, edit, to_yaml};
use crate::statuspage::{PageHandle, Priority};
use crate::store::directory::{DirectoryError, DirectoryStore, LockError};

/// New incidents go into this directory of the manifests, a file each.
const INCIDENTS: &str = "incidents";
/// The incident on the page is looked at for so long before the manifest is written without that.
const LOOK: Duration = Duration::from_secs(20);

/// A directory with what it declares.
pub(super) struct Desk {
    pub(super) directory: PathBuf,
    pub(super) session: Session,
    pub(super) declared: Declared,
    /// True while another process works on the directory.
    pub(super) busy: bool,
}

pub(super) async fn run(command: &Command, out: &mut dyn Write) -> Result<Outcome, Failure> {
    match command {
        Command::Open(arguments) => open(arguments, out).await,
        Command::Update(arguments) => {
            let draft = |declared: &Declared, incident: &DeclaredIncident, standing: &Standing| {
                draft::update(declared, incident, standing, arguments)
            };
            change(&arguments.sending, arguments.incident.as_deref(), draft, out).await
        }
        Command::Resolve(arguments) => {
            let draft = |declared: &Declared, incident: &DeclaredIncident, standing: &Standing| {
                draft::resolve(declared, incident, standing, arguments)
            };
            change(&arguments.sending, arguments.incident.as_deref(), draft, out).await
        }
        Command::Postmortem(arguments) => {
            let body = super::postmortem_text(arguments)?;
            let draft =
                |_: &Declared, incident: &DeclaredIncident, _: &Standing| draft::postmortem(incident, &body, arguments);
            change(&arguments.sending, Some(&arguments.incident), draft, out).await
        }
        Command::List(arguments) => list::directory(arguments, out).await,
        Command::Show(arguments) => show::directory(arguments, out).await,
    }
}

impl Desk {
    /// Opens the directory that is meant; for reading while another process works on it.
    pub(super) fn open(place: &Place, reads_only: bool) -> Result<Desk, Failure> {
        let directory = place.directory();
        if !directory.is_dir() {
            return Err(usage(format!(
                "{} is no directory: give --directory, or --namespace for a cluster",
                directory.display()
            )));
        }
        let opened = match reads_only {
            true => Session::read_only(directory, &place.connection).map(|session| (session, false)),
            false => match Session::open(directory, &place.connection, Some(lines())) {
                Err(failure) if is_busy(&failure) => {
                    Session::read_only(directory, &place.connection).map(|session| (session, true))
                }
                opened => opened.map(|session| (session, false)),
            },
        };
        let (session, busy) = opened?;
        if session.manifests.has_errors() {
            note(&format!(
                "{} `statuspage validate` explains them",
                left_out(session.manifest_errors())
            ));
        }
        let declared = declared(&session.store, directory);
        Ok(Desk {
            directory: directory.to_owned(),
            session,
            declared,
            busy,
        })
    }

    pub(super) fn views(&self) -> Vec<View> {
        views(&self.session.store)
    }

    /// Fails when it is known before anything is asked or written that nothing can be sent: there is no token. Another
    /// process that works on the directory has one.
    pub(super) fn can_send(&self, page: &ObjectKey) -> Result<(), Failure> {
        match self.session.store.view(page).map(|view| view.access) {
            Some(Err((reason, why))) if !self.busy => Err(no_access(reason, &why)),
            _ => Ok(()),
        }
    }

    /// What a page is reached with, for reading.
    pub(super) async fn page(&self, key: &ObjectKey) -> Result<PageHandle, Failure> {
        let view = self
            .session
            .store
            .view(key)
            .ok_or_else(|| Failure::NoPage(self.directory.clone()))?;
        let access = view.access.as_ref().map_err(|(reason, why)| no_access(*reason, why))?;
        let client = access
            .client(&self.session.options.budgets)
            .build()
            .map_err(Failure::Statuspage)?
            .with_priority(Priority::Incident);
        let Spec::StatusPage(spec) = &*view.page.spec else {
            return Err(Failure::NoPage(self.directory.clone()));
        };
        let recorded = view.page.status.object().id.clone();
        if let Some(id) = spec.page_id.clone().or(recorded) {
            return Ok(client.page(&id));
        }
        let pages = client.pages().list().await.map_err(Failure::Statuspage)?.items;
        let subdomain = spec.subdomain.as_deref().unwrap_or_default();
        let is_it = |page: &&crate::statuspage::Page| page.subdomain.as_deref() == Some(subdomain);
        match pages.iter().find(is_it) {
            Some(page) => Ok(client.page(&page.id)),
            None => Err(usage(format!("the token sees no page with subdomain {subdomain}"))),
        }
    }

    /// The file that declares an incident, and its text.
    fn file_of(&self, key: &ObjectKey) -> Result<(PathBuf, String), Failure> {
        let is_it = |one: &&crate::manifest::Manifest| {
            one.kind == key.kind && one.namespace == key.namespace && one.name == key.name
        };
        let manifest = self.session.manifests.manifests.iter().find(is_it);
        let path = manifest
            .map(|manifest| manifest.source.file.clone())
            .ok_or_else(|| Failure::Undeclared {
                what: format!("{} {}", key.kind, key.name),
                place: self.directory.display().to_string(),
                hint: String::new(),
            })?;
        let text = std::fs::read_to_string(&path).map_err(|source| crate::manifest::ReadError {
            path: path.clone(),
            source,
        })?;
        Ok((path, text))
    }
}

fn no_access(reason: Reason, why: &str) -> Failure {
    match reason {
        Reason::SecretNotFound => Failure::NoToken,
        _ => usage(why.to_owned()),
    }
}

pub(super) fn is_busy(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Directory(DirectoryError::Lock(LockError::Busy { .. }))
    )
}

pub(super) fn views(store: &DirectoryStore) -> Vec<View> {
    store.pages().iter().filter_map(|page| store.view(page)).collect()
}

fn declared(store: &DirectoryStore, directory: &Path) -> Declared {
    let mut declared = Declared {
        pages: store.pages(),
        place: directory.display().to_string(),
        ..Declared::default()
    };
    for view in views(store) {
        for declaration in &view.declarations {
            declared.add(&view.page.key, declaration);
        }
    }
    declared
}

async fn open(arguments: &OpenArguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let mut arguments = arguments.clone();
    let mut in_the_way = None;
    let begun = Instant::now();
    loop {
        match open_once(&mut arguments, in_the_way.as_deref(), out).await {
            Err(Failure::Moved(path)) if begun.elapsed() < send::LIMIT => in_the_way = Some(moved(path)),
            ended => return ended,
        }
    }
}

/// Opens an incident, unless another command has put a file of that name there meanwhile, as it may have done before.
async fn open_once(
    arguments: &mut OpenArguments,
    in_the_way: Option<&Path>,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let sending = &arguments.sending;
    let desk = Desk::open(&sending.place, sending.dry_run)?;
    if let [page] = desk.declared.pages.as_slice() {
        desk.can_send(page)?;
    }
    let filled = match arguments.is_whole() {
        true => Filled::Whole(Box::new(arguments.clone())),
        false if question::is_possible() => tokio::select! {
            biased;
            _ = asked_to_end() => Filled::Interrupted,
            filled = prompt::fill(&desk, arguments, out) => filled?,
        },
        false => return Err(usage("without a terminal, give the title and -m".to_owned())),
    };
    *arguments = match filled {
        Filled::Whole(arguments) => *arguments,
        Filled::Ended => {
            writeln!(out, "Nothing was written or sent.").map_err(Failure::Output)?;
            return Ok(Outcome::Problems);
        }
        Filled::Interrupted => return Ok(Outcome::Interrupted),
    };
    let date = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let opening = draft::open(&desk.declared, arguments, &date)?;
    desk.can_send(&opening.page)?;
    let path = desk
        .directory
        .join(INCIDENTS)
        .join(format!("{}.yaml", opening.key.name));
    if in_the_way == Some(path.as_path()) {
        // What another command had written would be declared by now.
        return Err(Failure::InTheWay(path));
    }
    let manifest = Manifest {
        path,
        before: None,
        after: to_yaml(&opening.manifest),
    };
    let driver = desk.session.driver(opening.page.clone());
    send::send(desk, driver, &opening.key, manifest, &[], &arguments.sending, out).await
}

/// Tells that another command was faster, and that its work is the new beginning.
fn moved(path: PathBuf) -> PathBuf {
    note(&format!(
        "{} was changed meanwhile, by another command or by hand: beginning again with what it says now",
        path.display()
    ));
    path
}

/// Changes an incident that is declared, with an eye on how it stands on the page.
async fn change(
    sending: &Sending,
    name: Option<&str>,
    draft: impl Fn(&Declared, &DeclaredIncident, &Standing) -> Result<Draft, Failure>,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let begun = Instant::now();
    loop {
        match change_once(sending, name, &draft, out).await {
            Err(Failure::Moved(path)) if begun.elapsed() < send::LIMIT => moved(path),
            ended => return ended,
        };
    }
}

/// Changes it, unless another command has changed its file meanwhile.
async fn change_once(
    sending: &Sending,
    name: Option<&str>,
    draft: impl Fn(&Declared, &DeclaredIncident, &Standing) -> Result<Draft, Failure>,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(&sending.place, sending.dry_run)?;
    let incident = desk.declared.incident(name, sending.place.page.as_deref())?.clone();
    desk.can_send(&incident.page)?;
    let (path, before) = desk.file_of(&incident.key)?;
    let edited = |draft: &Draft| -> Result<String, Failure> {
        let key = &incident.key;
        edit(&before, key.kind, &key.namespace, &key.name, &draft.edits).map_err(|source| Failure::Edit {
            path: path.clone(),
            source,
            add: by_hand(&draft.edits),
            then: send::command(&desk.directory, key),
        })
    };
    // As far as it is known without a look at the page: with it, what is read is what has to be read to send it.
    let guess = draft(&desk.declared, &incident, &Standing::default())?;
    let supposed = desk.session.manifests.with_text(&path, &edited(&guess)?);
    desk.session.store.suppose(&supposed);
    narrow_to(&desk.session.store, &desk.views(), vec![incident.key.clone()]);
    let mut driver = desk.session.driver(incident.page.clone());
    let standing = standing(&mut driver, &incident).await;
    let mut draft = draft(&desk.declared, &incident, &standing)?;
    for update in incident.unsent(standing.incident.as_ref()) {
        let (status, line) = (update.status.as_str(), update.body.lines().next().unwrap_or_default());
        draft
            .says
            .push(format!("declared before, and not on the page yet: {status}, {line:?}"));
    }
    if draft.edits.is_empty() {
        for line in &draft.says {
            writeln!(out, "{line}").map_err(Failure::Output)?;
        }
        desk.session.close_record().await;
        return Ok(if draft.stops {
            Outcome::Problems
        } else {
            Outcome::Success
        });
    }
    let after = edited(&draft)?;
    let manifest = Manifest {
        path,
        before: Some(before),
        after,
    };
    send::send(desk, driver, &incident.key, manifest, &draft.says, sending, out).await
}

/// How an incident stands on the page, as far as that can be read now.
async fn standing(driver: &mut PageDriver<DirectoryStore>, incident: &DeclaredIncident) -> Standing {
    let Some(id) = &incident.id else {
        return Standing::default();
    };
    let Ok(Some((view, _))) = tokio::time::timeout(LOOK, driver.observe()).await else {
        return Standing::default();
    };
    let remote = driver
        .snapshot()
        .incidents
        .as_ref()
        .and_then(|list| list.get(id))
        .cloned();
    let Some(remote) = remote else {
        return Standing::default();
    };
    // A maintenance moves its components by itself.
    let moves = incident.spec.schedule.is_some();
    let names = view
        .declarations
        .iter()
        .filter(|one| matches!(&*one.spec, Spec::Component(_)) && !moves);
    let shown = |one: &Declaration| {
        let id = one.recorded_id()?;
        let row = remote.components.iter().find(|row| row.id == id)?;
        Some((one.key.name.clone(), row.status.as_ref()?.as_str().to_owned()))
    };
    Standing {
        components: names.filter_map(shown).collect(),
        incident: Some(remote),
    }
}

/// What was to be added, for whoever adds it by hand.
fn by_hand(edits: &[Edit]) -> String {
    let mut object = serde_json::Value::Null;
    for edit in edits {
        // What begins with nothing takes every change.
        let _ = edit.apply(&mut object);
    }
    to_yaml(&object)
}

/// What is recorded of an incident.
pub(super) fn recorded(declaration: &Declaration) -> Option<&crate::api::IncidentStatus> {
    match &*declaration.status {
        Status::Incident(status) => Some(status),
        _ => None,
    }
}
