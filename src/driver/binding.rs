//! Binding one declaration to one remote object: what it would mean, before anything is recorded.
//!
//! Invariant: only reads. Who asks records the id, in the store, once the answer is good.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Access, Event, PageDriver, PageOptions, Store, StoreChange, StoreError, View};
use crate::api::Reason;
use crate::engine::{self, Declaration, Deletion, Finding, ObjectKey, State, Status, Step, description};

/// What a binding would mean.
#[derive(Debug)]
pub struct Binding {
    /// The declaration, as it stands in the store.
    pub declaration: Declaration,
    /// Id of the remote object.
    pub id: String,
    /// What the remote object is, for people.
    pub description: String,
    /// Id of the page.
    pub page_id: Option<String>,
    /// An id that was recorded before, of an object that is not on the page any more.
    pub instead_of: Option<String>,
    /// True when this very id is recorded already.
    pub known: bool,
    /// What the next pass would do for the declaration.
    pub steps: Vec<Step>,
    /// What would keep it from being as declared.
    pub obstacle: Option<Finding>,
    /// What happens to the object when the declaration goes.
    pub deletion: Deletion,
}

/// Why a declaration is not bound.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such declaration.
    #[error("{key} is not a declaration of StatusPage {page}")]
    NotDeclared {
        /// The declaration.
        key: ObjectKey,
        /// The page.
        page: ObjectKey,
    },
    /// It is on its way out.
    #[error("{0} is being deleted")]
    Deleting(ObjectKey),
    /// The page cannot be read.
    #[error("cannot read the page: {0}")]
    Unreadable(String),
    /// It has another one.
    #[error("{key} is bound to {id} already, which is on the page: {description}")]
    Bound {
        /// The declaration.
        key: ObjectKey,
        /// The recorded id.
        id: String,
        /// What it is.
        description: String,
    },
    /// There is no such object.
    #[error("page {page} has no {noun} with id {id}{hint}")]
    NotThere {
        /// Id of the page.
        page: String,
        /// Word for the kind.
        noun: &'static str,
        /// The id.
        id: String,
        /// What there is.
        hint: String,
    },
    /// Another declaration has it.
    #[error(
        "{owner} is bound to {id}: one object has one declaration; delete that one (deletionPolicy: Orphan keeps the object) or choose another id"
    )]
    Claimed {
        /// The other one.
        owner: ObjectKey,
        /// The id.
        id: String,
    },
    /// Nothing is called like that.
    #[error("nothing on page {page} matches {key}{hint}")]
    Unmatched {
        /// Id of the page.
        page: String,
        /// The declaration.
        key: ObjectKey,
        /// What there is.
        hint: String,
    },
    /// Several are called like that.
    #[error("several objects on page {page} match {key}; run again with the id of one of them:{list}")]
    Several {
        /// Id of the page.
        page: String,
        /// The declaration.
        key: ObjectKey,
        /// Their ids and descriptions, a line each.
        list: String,
    },
}

/// So many objects are listed when nothing matches.
const LISTED: usize = 20;

/// Finds out what binding a declaration to the object with this id would mean; without an id, to the only object that
/// the declaration could be. `access` stands in for the store's.
pub async fn propose<S: Store>(
    store: Arc<S>,
    page: &ObjectKey,
    key: &ObjectKey,
    id: Option<&str>,
    access: Option<Access>,
    options: PageOptions,
) -> Result<Binding, Refusal> {
    let not_declared = || Refusal::NotDeclared {
        key: key.clone(),
        page: page.clone(),
    };
    let declared = store.view(page).ok_or_else(not_declared)?;
    let declaration = find(&declared, key).ok_or_else(not_declared)?.clone();
    if declaration.deleting {
        return Err(Refusal::Deleting(key.clone()));
    }
    let supposed = Arc::new(Supposed {
        store,
        key: key.clone(),
        id: Mutex::new(id.map(str::to_owned)),
        access,
    });
    let mut driver = PageDriver::new(page.clone(), Arc::clone(&supposed), options);
    let (view, plan) = driver.observe().await.ok_or_else(not_declared)?;
    let Some(candidates) = engine::candidates(&driver.world(&view), key) else {
        let of = |key: &ObjectKey| plan.findings.iter().find(|finding| finding.key == *key);
        let about_page = of(page).filter(|finding| finding.state != State::InSync);
        let finding = about_page.or_else(|| of(key));
        let message = finding.map(|finding| finding.message.clone()).unwrap_or_default();
        return Err(Refusal::Unreadable(message));
    };
    let page_id = driver.world(&view).page_id.map(str::to_owned);
    let page_name = page_id.clone().unwrap_or_else(|| page.to_string());
    let kind = key.kind;
    let snapshot = driver.snapshot();
    let owner = |id: &str| {
        let mut others = view
            .declarations
            .iter()
            .filter(|other| other.key.kind == kind && other.key != *key);
        others.find(|other| other.recorded_id() == Some(id))
    };
    let recorded = declaration.recorded_id();
    let is_there = |id: &str| candidates.iter().any(|candidate| candidate.id == id);
    let bound = recorded.filter(|recorded| is_there(recorded));
    if let (Some(recorded), Some(_)) = (bound.filter(|recorded| id != Some(*recorded)), id) {
        return Err(Refusal::Bound {
            key: key.clone(),
            id: recorded.to_owned(),
            description: description(snapshot, kind, recorded),
        });
    }
    let unowned = |candidate: &&engine::Candidate| owner(&candidate.id).is_none();
    let line = |id: &str| format!("\n  {id}  {}", description(snapshot, kind, id));
    let free = || {
        let free: Vec<String> = candidates.iter().filter(unowned).map(|one| line(&one.id)).collect();
        match free.len() {
            0 => String::new(),
            count => format!(
                "; not declared:{}{}",
                free.iter().take(LISTED).cloned().collect::<String>(),
                if count > LISTED {
                    format!("\n  and {} more", count - LISTED)
                } else {
                    String::new()
                },
            ),
        }
    };
    let chosen = match id.or(bound) {
        Some(id) if is_there(id) => id.to_owned(),
        Some(id) => {
            let hint = match engine::kind_of(snapshot, id) {
                Some(other) => format!(": it is {}, {}", other.with_article(), description(snapshot, other, id)),
                None => free(),
            };
            return Err(Refusal::NotThere {
                page: page_name,
                noun: kind.noun(),
                id: id.to_owned(),
                hint,
            });
        }
        None => {
            let same: Vec<&engine::Candidate> = candidates.iter().filter(|one| one.same).filter(unowned).collect();
            match same.as_slice() {
                [only] => only.id.clone(),
                [] => {
                    return Err(Refusal::Unmatched {
                        page: page_name,
                        key: key.clone(),
                        hint: free(),
                    });
                }
                several => {
                    return Err(Refusal::Several {
                        page: page_name,
                        key: key.clone(),
                        list: several.iter().map(|one| line(&one.id)).collect(),
                    });
                }
            }
        }
    };
    if let Some(owner) = owner(&chosen) {
        return Err(Refusal::Claimed {
            owner: owner.key.clone(),
            id: chosen,
        });
    }
    let description = description(snapshot, kind, &chosen);
    supposed.suppose(&chosen);
    let (view, shown) = driver.foresee_effects().await.ok_or_else(not_declared)?;
    let steps: Vec<Step> = shown.steps.into_iter().filter(|step| step.key == *key).collect();
    let stops = |finding: &Finding| match finding.state {
        State::Stalled | State::Suspended => true,
        State::Progressing => steps.is_empty() && finding.reason != Reason::Progressing,
        State::InSync | State::Unknown => false,
    };
    let obstacle = shown
        .findings
        .into_iter()
        .find(|finding| finding.key == *key && stops(finding));
    let mut taken_over = declaration.clone();
    taken_over.status_mut().object_mut().adopted = true;
    Ok(Binding {
        known: recorded == Some(chosen.as_str()),
        instead_of: recorded.filter(|recorded| *recorded != chosen).map(str::to_owned),
        id: chosen,
        description,
        page_id,
        steps,
        obstacle,
        deletion: taken_over.policies(driver.world(&view).page_spec()).deletion,
        declaration,
    })
}

fn find<'v>(view: &'v View, key: &ObjectKey) -> Option<&'v Declaration> {
    view.declarations.iter().find(|declaration| declaration.key == *key)
}

/// A store in which one declaration is bound already, so that the engine says what becomes of it.
struct Supposed<S> {
    store: Arc<S>,
    key: ObjectKey,
    id: Mutex<Option<String>>,
    access: Option<Access>,
}

impl<S> Supposed<S> {
    fn suppose(&self, id: &str) {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.to_owned());
    }

    fn bind(&self, declaration: &mut Declaration) {
        if declaration.key != self.key {
            return;
        }
        // What was known of another object says nothing about this one.
        declaration.status = Arc::new(Status::empty(declaration.key.kind));
        declaration.stored = Arc::clone(&declaration.status);
        declaration.id_annotation = self.id.lock().unwrap_or_else(PoisonError::into_inner).clone();
    }
}

impl<S: Store> Store for Supposed<S> {
    fn view(&self, page: &ObjectKey) -> Option<View> {
        let mut view = self.store.view(page)?;
        if let Some(access) = &self.access {
            view.access = Ok(access.clone());
        }
        view.declarations.iter_mut().for_each(|one| self.bind(one));
        Some(view)
    }

    fn declaration(&self, page: &ObjectKey, key: &ObjectKey) -> Option<Declaration> {
        let mut declaration = self.store.declaration(page, key)?;
        self.bind(&mut declaration);
        Some(declaration)
    }

    async fn write(&self, declaration: &Declaration, _change: StoreChange) -> Result<(), StoreError> {
        Err(StoreError::Unavailable {
            object: declaration.key.to_string(),
            message: "nothing is written while looking".to_owned(),
        })
    }

    fn emit_event(&self, _declaration: &Declaration, _event: Event) {}

    fn may_write(&self) -> bool {
        false
    }
}
