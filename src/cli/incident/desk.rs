//! A directory opened for work on its incidents.

use std::path::{Path, PathBuf};

use super::declared::{Declared, usage};
use super::place::Place;
use crate::api::Reason;
use crate::cli::Failure;
use crate::cli::progress::left_out;
use crate::cli::screen::{lines, note};
use crate::cli::session::Session;
use crate::driver::{Store, View};
use crate::engine::{ObjectKey, Spec};
use crate::statuspage::{PageHandle, Priority};
use crate::store::directory::{DirectoryError, DirectoryStore, LockError};

/// A directory with what it declares.
pub(super) struct Desk {
    pub(super) directory: PathBuf,
    pub(super) session: Session,
    pub(super) declared: Declared,
    /// True while another process works on the directory.
    pub(super) busy: bool,
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
            .build()?
            .with_priority(Priority::Incident);
        let Spec::StatusPage(spec) = &*view.page.spec else {
            return Err(Failure::NoPage(self.directory.clone()));
        };
        let recorded = view.page.status.object().id.clone();
        if let Some(id) = spec.page_id.clone().or(recorded) {
            return Ok(client.page(&id));
        }
        let pages = client.pages().list().await?.items;
        let subdomain = spec.subdomain.as_deref().unwrap_or_default();
        let is_it = |page: &&crate::statuspage::Page| page.subdomain.as_deref() == Some(subdomain);
        match pages.iter().find(is_it) {
            Some(page) => Ok(client.page(&page.id)),
            None => Err(usage(format!("the token sees no page with subdomain {subdomain}"))),
        }
    }

    /// The file that declares an incident, and its text.
    pub(super) fn file_of(&self, key: &ObjectKey) -> Result<(PathBuf, String), Failure> {
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
