//! Incidents of a directory: the manifest is written first, then sent at once, alone.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::OpenArguments;
use super::declared::{Declared, DeclaredIncident, usage};
use super::desk::Desk;
use super::draft::{Draft, Standing};
use super::opening;
use super::place::Sending;
use super::prompt::{self, Filled};
use super::send::{self, Manifest};
use crate::cli::only::narrow_to;
use crate::cli::question;
use crate::cli::screen::note;
use crate::cli::signal::asked_to_end;
use crate::cli::{Failure, Outcome};
use crate::driver::PageDriver;
use crate::engine::{Declaration, Spec};
use crate::manifest::{edit, to_yaml};
use crate::store::directory::DirectoryStore;

/// New incidents go into this directory of the manifests, a file each.
const INCIDENTS: &str = "incidents";
/// The incident on the page is looked at for so long before the manifest is written without that.
const LOOK: Duration = Duration::from_secs(20);

pub(super) async fn open(arguments: &OpenArguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
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
        Filled::Ended => return super::declined(out),
        Filled::Interrupted => return Ok(Outcome::Interrupted),
    };
    let date = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let opening = opening::open(&desk.declared, arguments, &date)?;
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
pub(super) async fn change(
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
            add: to_yaml(&draft.added()),
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
        desk.session.close_record().await;
        return draft.tell(out);
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
