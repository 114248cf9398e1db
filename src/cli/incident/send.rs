//! Sends one incident of a directory: shows it, asks, writes the manifest, sends, says what came of it.
//!
//! Invariant: the manifest is on disk before the first request, and only who holds the directory sends. So what is sent is
//! declared, and is sent once, however the command ends.

use std::convert::Infallible;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::declared::usage;
use super::desk::{Desk, is_busy, views};
use super::place::Sending;
use crate::causes::with_causes;
use crate::cli::only::narrow_to;
use crate::cli::output::print_lines;
use crate::cli::page_result::PageResult;
use crate::cli::plan::{self, review, text};
use crate::cli::question::{self, Answer};
use crate::cli::screen::lines;
use crate::cli::session::Session;
use crate::cli::signal::{Asked, asked_to_end};
use crate::cli::{Failure, Outcome, apply};
use crate::driver::{PageDriver, Store};
use crate::engine::{Declaration, ObjectKey, READY, State, Status, find_condition};
use crate::store::directory::{DirectoryStore, local_state, turn, urgent};

/// It is tried for so long.
pub(super) const LIMIT: Duration = Duration::from_secs(120);
/// How often it is looked whether another process has sent it.
const LOOK: Duration = Duration::from_millis(250);

/// How often it is looked whether another command has written its manifest.
const TURN: Duration = Duration::from_millis(20);

/// A file as it was and as it will be.
pub(super) struct Manifest {
    pub(super) path: PathBuf,
    /// None for a new one.
    pub(super) before: Option<String>,
    pub(super) after: String,
}

/// Sends what a manifest will say of one incident.
pub(super) async fn send(
    desk: Desk,
    driver: PageDriver<DirectoryStore>,
    key: &ObjectKey,
    manifest: Manifest,
    says: &[String],
    sending: &Sending,
    out: &mut dyn Write,
) -> Result<Outcome, Failure> {
    let supposed = desk.session.manifests.with_text(&manifest.path, &manifest.after);
    let mut problems = supposed
        .problems
        .iter()
        .filter(|problem| problem.is_error() && problem.file == manifest.path);
    if let Some(problem) = problems.find(|problem| !desk.session.manifests.problems.contains(problem)) {
        return Err(usage(format!("nothing was written: {problem}")));
    }
    desk.session.store.suppose(&supposed);
    narrow_to(&desk.session.store, &desk.views(), vec![key.clone()]);
    let page = driver.key().clone();
    let mut drivers = vec![driver];
    let mut busy = desk.busy;
    let asks = !sending.yes && question::is_possible();
    if sending.dry_run || asks {
        let answer = tokio::select! {
            answer = shown(&desk.session, &mut drivers, says, !sending.dry_run, out) => answer,
            _ = asked_to_end() => Ok(Answer::Interrupted),
            never = give_way(&desk.session, &mut busy), if !busy => match never {},
        };
        if sending.dry_run {
            desk.session.close_record().await;
            answer?;
            return dry(&manifest, out);
        }
        match answer {
            Ok(Answer::Yes) => {}
            other => {
                desk.session.close_record().await;
                return match other? {
                    Answer::Interrupted => Ok(Outcome::Interrupted),
                    _ => super::declined(out),
                };
            }
        }
    }
    if let Err(failure) = manifest.write(&desk.directory).await {
        desk.session.close_record().await;
        return Err(failure);
    }
    say!(out, "Wrote {}", plain(&manifest.path))?;
    if !asks {
        print_lines(says, out)?;
    }
    out.flush().map_err(Failure::Output)?;
    let told = Told {
        directory: &desk.directory,
        key,
        page: &page,
        path: &manifest.path,
    };
    match busy {
        false => {
            let worked = apply::work(LIMIT, &sending.record, &desk.session, drivers, Some(lines())).await?;
            told.result(&desk.session, worked, out)
        }
        true => {
            desk.session.close_record().await;
            hand_over(&told, sending, out).await
        }
    }
}

/// Shows what would be sent, and asks.
async fn shown(
    session: &Session,
    drivers: &mut Vec<PageDriver<DirectoryStore>>,
    says: &[String],
    asks: bool,
    out: &mut dyn Write,
) -> Result<Answer, Failure> {
    let reviewed = review(session, drivers).await?;
    let before = apply::planned(&reviewed);
    let pages = reviewed.into_iter().map(|one| one.report).collect();
    text(&plan::Report::new(session, pages), out).map_err(Failure::Output)?;
    print_lines(says, out)?;
    out.flush().map_err(Failure::Output)?;
    if !asks {
        return Ok(Answer::Yes);
    }
    apply::ask("Publish this?", &before, session, drivers).await
}

/// Another incident does not wait until somebody has answered here.
async fn give_way(session: &Session, busy: &mut bool) -> Infallible {
    session.asked_for().await;
    session.store.let_go();
    *busy = true;
    std::future::pending().await
}

fn dry(manifest: &Manifest, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let path = plain(&manifest.path);
    let said = match manifest.before {
        None => writeln!(
            out,
            "Nothing was written or sent: --dry-run. {path} would be:\n{}",
            manifest.after
        ),
        Some(_) => writeln!(out, "Nothing was written or sent: --dry-run. {path} would be changed."),
    };
    said.map_err(Failure::Output)?;
    Ok(Outcome::Success)
}

impl Manifest {
    /// Writes the file, whole or not at all, unless somebody else has changed it.
    async fn write(&self, directory: &Path) -> Result<(), Failure> {
        let begun = Instant::now();
        let _turn = loop {
            let turn = turn::take(directory).map_err(|source| Failure::Write {
                path: local_state(directory),
                source,
            })?;
            match turn {
                Some(turn) => break turn,
                None if begun.elapsed() > LIMIT => return Err(Failure::Moved(self.path.clone())),
                None => tokio::time::sleep(TURN).await,
            }
        };
        self.write_in_turn()
    }

    fn write_in_turn(&self) -> Result<(), Failure> {
        let failed = |source| Failure::Write {
            path: self.path.clone(),
            source,
        };
        let path = match &self.before {
            // What is linked to is changed, not the link.
            Some(_) => self.path.canonicalize().map_err(failed)?,
            None => {
                if let Some(directory) = self.path.parent() {
                    std::fs::create_dir_all(directory).map_err(failed)?;
                }
                self.path.clone()
            }
        };
        let there = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if there != self.before {
            return Err(Failure::Moved(self.path.clone()));
        }
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let beside = path.with_file_name(format!(".{name}.new"));
        let written = (|| {
            let mut file = std::fs::File::create(&beside)?;
            if let Ok(metadata) = std::fs::metadata(&path) {
                file.set_permissions(metadata.permissions())?;
            }
            file.write_all(self.after.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)
        })();
        written.map_err(|source| {
            // Nothing is left of what nobody can use.
            let _ = std::fs::remove_file(&beside);
            failed(source)
        })
    }
}

/// A path without the sign for the current directory.
fn plain(path: &Path) -> std::path::Display<'_> {
    without_dot(path).display()
}

fn without_dot(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

/// What the end of a command is told about.
struct Told<'a> {
    directory: &'a Path,
    key: &'a ObjectKey,
    page: &'a ObjectKey,
    path: &'a Path,
}

impl Told<'_> {
    /// How it stands after the pages were worked on, to the end or until somebody asked to stop.
    fn result(
        &self,
        session: &Session,
        (results, asked): (Vec<PageResult>, Option<Asked>),
        out: &mut dyn Write,
    ) -> Result<Outcome, Failure> {
        let unrecorded = match session.store.record() {
            Ok(()) => results.iter().find_map(|result| result.unrecorded.clone()),
            Err(error) => Some(with_causes(&error)),
        };
        let findings = || results.iter().flat_map(|result| &result.findings);
        let finding = findings().find(|finding| finding.key == *self.key);
        // What could not be recorded is known to who sent it, and to nobody else.
        let known = results.iter().find_map(|result| result.declaration(self.key));
        match (finding, known) {
            (Some(finding), Some(declaration)) if finding.state == State::InSync => match unrecorded {
                None => self.there(&declaration, &finding.message, out),
                Some(why) => {
                    self.on_the_page(&declaration, &finding.message, out)?;
                    Err(Failure::SentUnrecorded {
                        what: self.key.name.clone(),
                        why,
                        then: command(self.directory, self.key),
                    })
                }
            },
            (finding, _) => {
                // What keeps the whole page is said rather than that the incident waits for it.
                let page = findings().find(|finding| finding.key == *self.page && finding.state != State::InSync);
                let found = page
                    .or(finding)
                    .map(|finding| format!("{}: {}", finding.reason, finding.message));
                let unrecorded =
                    unrecorded.map(|why| format!("nothing can be recorded, so nothing more is sent: {why}"));
                let why = unrecorded
                    .or(found)
                    .unwrap_or_else(|| "it was stopped before the end".to_owned());
                Err(self.not_sent(why, asked))
            }
        }
    }

    fn there(&self, declaration: &Declaration, message: &str, out: &mut dyn Write) -> Result<Outcome, Failure> {
        self.on_the_page(declaration, message, out)?;
        say!(out, "Commit {} with the lock file.", plain(self.path))?;
        Ok(Outcome::Success)
    }

    fn on_the_page(&self, declaration: &Declaration, message: &str, out: &mut dyn Write) -> Result<(), Failure> {
        match &*declaration.status {
            Status::Incident(status) => super::say_on_the_page(status, message, out),
            _ => Ok(()),
        }
    }

    fn not_sent(&self, why: String, asked: Option<Asked>) -> Failure {
        Failure::NotSent {
            what: self.key.name.clone(),
            path: without_dot(self.path).to_owned(),
            why,
            then: command(self.directory, self.key),
            asked,
        }
    }
}

/// The command that sends what is declared of an incident.
pub(super) fn command(directory: &Path, key: &ObjectKey) -> String {
    format!("statuspage apply {} --only incident/{}", directory.display(), key.name)
}

/// Another process holds the directory. `sync` sees the file and sends it; of any other command the end is waited for, and
/// it is sent from here.
async fn hand_over(told: &Told<'_>, sending: &Sending, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let connection = &sending.place.connection;
    writeln!(
        out,
        "Another statuspage works on {}: it sends this, or this command does as soon as it has ended.",
        told.directory.display()
    )
    .and_then(|()| out.flush())
    .map_err(Failure::Output)?;
    // A command with much to do takes it along.
    let asked = urgent::ask(told.directory, told.key);
    if let Err(error) = asked {
        tracing::debug!(%error, "who works on the directory was not asked to take it along");
    }
    let begun = Instant::now();
    loop {
        match Session::open(told.directory, connection, Some(lines())) {
            Ok(session) => {
                // Nobody has to be asked any more.
                drop(urgent::asked(told.directory));
                narrow_to(&session.store, &views(&session.store), vec![told.key.clone()]);
                let drivers = vec![session.driver(told.page.clone())];
                let worked = apply::work(LIMIT, &sending.record, &session, drivers, Some(lines())).await?;
                return told.result(&session, worked, out);
            }
            Err(failure) if is_busy(&failure) => {}
            Err(failure) => return Err(told.not_sent(failure.to_string(), None)),
        }
        // The record of the one that works is being written: what cannot be read now can be in a moment.
        if let Ok(session) = Session::read_only(told.directory, connection)
            && let Some(declaration) = session.store.declaration(told.page, told.key)
            && let Some(ready) = settled(&declaration)
        {
            return match ready {
                Ok(message) => told.there(&declaration, &message, out),
                Err(message) => Err(told.not_sent(message, None)),
            };
        }
        if begun.elapsed() > LIMIT {
            let why = format!(
                "another statuspage has held {} for {} s",
                told.directory.display(),
                LIMIT.as_secs()
            );
            return Err(told.not_sent(why, None));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            asked = asked_to_end() => return Err(told.not_sent("it was not waited for".to_owned(), Some(asked))),
        }
    }
}

/// What is recorded of the present generation: that it is on the page, or why not; none while it is on its way.
fn settled(declaration: &Declaration) -> Option<Result<String, String>> {
    let object = declaration.status.object();
    let ready = find_condition(object, READY)?;
    let of_this = object.observed_generation == Some(declaration.generation) && object.journal.is_none();
    if !of_this || ready.reason == "Progressing" {
        return None;
    }
    match ready.status.as_str() {
        "True" => Some(Ok(ready.message.clone())),
        _ => Some(Err(format!("{}: {}", ready.reason, ready.message))),
    }
}
