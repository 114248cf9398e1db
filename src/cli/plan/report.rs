//! What a plan shows of a page, as data.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::api::{Kind, Reason};
use crate::cli::progress::{finding_lines, unrecorded};
use crate::cli::session::Session;
use crate::clock::Clock;
use crate::driver::View;
use crate::driver::preview::Preview;
use crate::engine::{
    Action, Change, Declaration, Deletion, Finding, ObjectKey, Request, Spec, State, Step, description,
    subscriber_totals,
};
use crate::statuspage::Snapshot;

/// All pages.
#[derive(Serialize)]
pub(in crate::cli) struct Report {
    pub(in crate::cli) version: u32,
    pub(in crate::cli) manifest_errors: usize,
    pub(in crate::cli) undeclared_pages: BTreeMap<String, usize>,
    pub(in crate::cli) nothing_recorded: bool,
    pub(in crate::cli) pages: Vec<PageReport>,
    /// What that means, in words.
    #[serde(skip)]
    pub(in crate::cli) unrecorded: Option<String>,
}

impl Report {
    pub(in crate::cli) fn new(session: &Session, pages: Vec<PageReport>) -> Self {
        let problems = pages.iter().flat_map(|page| &page.problems);
        let already_there = problems.filter(|problem| problem.reason == Reason::AlreadyExists.as_str());
        let unrecorded = unrecorded(&session.store, already_there.count());
        Report {
            version: 1,
            manifest_errors: session.manifest_errors(),
            undeclared_pages: session.store.stranded(),
            nothing_recorded: unrecorded.is_some(),
            pages,
            unrecorded,
        }
    }

    /// True when something has to be mended that an apply cannot mend.
    pub(in crate::cli) fn has_problems(&self) -> bool {
        self.manifest_errors > 0
            || !self.undeclared_pages.is_empty()
            || self.pages.iter().any(|page| !page.problems.is_empty())
    }
}

/// What a plan took, and what it will take to carry it out.
pub(super) struct Costs {
    pub(super) seconds: u64,
    pub(super) requests_to_plan: u64,
}

/// One page.
#[derive(Serialize)]
pub(in crate::cli) struct PageReport {
    pub(in crate::cli) page: String,
    pub(in crate::cli) page_id: Option<String>,
    pub(in crate::cli) create: usize,
    pub(in crate::cli) update: usize,
    pub(in crate::cli) delete: usize,
    pub(in crate::cli) requests: usize,
    pub(in crate::cli) seconds: u64,
    pub(in crate::cli) requests_to_plan: u64,
    pub(in crate::cli) steps: Vec<StepReport>,
    pub(in crate::cli) moves: Vec<MoveReport>,
    pub(in crate::cli) left: Vec<ObjectReport>,
    pub(in crate::cli) adopts: Vec<ObjectReport>,
    pub(in crate::cli) undeclared: BTreeMap<&'static str, usize>,
    pub(in crate::cli) problems: Vec<ProblemReport>,
    #[serde(skip)]
    pub(in crate::cli) warnings: Vec<String>,
}

/// One request.
#[derive(Serialize)]
pub(in crate::cli) struct StepReport {
    pub(in crate::cli) action: &'static str,
    pub(in crate::cli) kind: &'static str,
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) summary: String,
    pub(in crate::cli) changes: Vec<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) publishes: Option<PublicationReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) lost: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) remark: Option<String>,
}

impl PageReport {
    /// What nobody should do by mistake: what visitors and subscribers will read, deletions, and what is adopted.
    pub(in crate::cli) fn needs_consent(&self) -> bool {
        let grave = |step: &StepReport| step.publishes.is_some() || step.action == "delete";
        !self.adopts.is_empty() || self.steps.iter().any(grave)
    }
}

/// What visitors will read.
#[derive(Serialize)]
pub(in crate::cli) struct PublicationReport {
    pub(in crate::cli) status: Option<String>,
    pub(in crate::cli) body: Option<String>,
    pub(in crate::cli) notifies: bool,
    pub(in crate::cli) subscribers: Option<i64>,
}

/// A declaration under another name whose object could stay.
#[derive(Serialize)]
pub(in crate::cli) struct MoveReport {
    pub(in crate::cli) kind: &'static str,
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) from: String,
    pub(in crate::cli) to: String,
    pub(in crate::cli) id: String,
    pub(in crate::cli) annotation: String,
}

/// An object of the page, and the declaration that it belongs to or belonged to.
#[derive(Serialize)]
pub(in crate::cli) struct ObjectReport {
    pub(in crate::cli) kind: &'static str,
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) id: String,
    pub(in crate::cli) object: String,
}

/// What an apply would not mend.
#[derive(Serialize)]
pub(in crate::cli) struct ProblemReport {
    pub(in crate::cli) kind: &'static str,
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) reason: &'static str,
    pub(in crate::cli) message: String,
}

pub(in crate::cli) fn page_report(
    page: &ObjectKey,
    snapshot: &Snapshot,
    view: &View,
    shown: &Preview,
    costs: Costs,
) -> PageReport {
    let count = |wanted: fn(&Action) -> bool| shown.steps.iter().filter(|step| wanted(&step.action)).count();
    let problems: Vec<&Finding> = shown.findings.iter().filter(|finding| is_problem(finding)).collect();
    PageReport {
        page: format!("{}/{}", page.namespace, page.name),
        page_id: snapshot.page.as_ref().map(|page| page.id.clone()),
        create: count(|action| matches!(action, Action::Create(_))),
        update: count(|action| !matches!(action, Action::Create(_)) && !action.is_deletion()),
        delete: count(Action::is_deletion),
        requests: shown.steps.len(),
        seconds: costs.seconds,
        requests_to_plan: costs.requests_to_plan,
        warnings: finding_lines(page, problems.iter().copied()),
        problems: problems.iter().copied().map(problem_report).collect(),
        moves: moves(&shown.steps, view, snapshot),
        left: left(view, snapshot),
        adopts: adopts(shown, snapshot),
        undeclared: shown
            .undeclared
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .collect(),
        steps: shown
            .steps
            .iter()
            .map(|step| {
                let recorded = view.declarations.iter().find(|declaration| declaration.key == step.key);
                let id = recorded.and_then(Declaration::recorded_id).map(str::to_owned);
                StepReport {
                    remark: recorded.and_then(|declaration| remark(step, declaration, Clock::System.now())),
                    ..step_report(step, id.as_deref(), snapshot)
                }
            })
            .collect(),
    }
}

/// Declarations whose manifests are gone, with the ids of their objects.
fn removed(view: &View) -> impl Iterator<Item = (&Declaration, &str)> {
    let declarations = view.declarations.iter().filter(|declaration| declaration.deleting);
    declarations.filter_map(|declaration| Some((declaration, declaration.recorded_id()?)))
}

/// What is deleted under one name and created under another: its owner may have meant to rename it.
fn moves(steps: &[Step], view: &View, snapshot: &Snapshot) -> Vec<MoveReport> {
    let is_deleted = |key: &ObjectKey| {
        let mut deletions = steps.iter().filter(|step| step.action.is_deletion());
        deletions.any(|step| step.key == *key)
    };
    let mut found: Vec<MoveReport> = Vec::new();
    for step in steps {
        let (Action::Create(_), Some(title)) = (&step.action, step.action.request().and_then(Request::title)) else {
            continue;
        };
        let called_so = |id: &str| match step.key.kind {
            Kind::Component | Kind::ComponentGroup => {
                let row = snapshot.components.as_ref().and_then(|rows| rows.get(id));
                row.is_some_and(|row| row.name.as_deref() == Some(title))
            }
            Kind::Metric => {
                let metric = snapshot.metrics.as_ref().and_then(|metrics| metrics.get(id));
                metric.is_some_and(|metric| metric.name.as_deref() == Some(title))
            }
            _ => false,
        };
        let former = removed(view).find(|(former, id)| {
            former.key.kind == step.key.kind
                && former.key.namespace == step.key.namespace
                && is_deleted(&former.key)
                && called_so(id)
                && !found.iter().any(|one| one.id == *id)
        });
        if let Some((former, id)) = former {
            found.push(MoveReport {
                kind: step.key.kind.as_str(),
                namespace: step.key.namespace.clone(),
                from: former.key.name.clone(),
                to: step.key.name.clone(),
                id: id.to_owned(),
                annotation: format!("{}: {id}", crate::api::ID),
            });
        }
    }
    found
}

/// What stays on the page though its manifest is gone.
fn left(view: &View, snapshot: &Snapshot) -> Vec<ObjectReport> {
    let kept = removed(view).filter(|(declaration, id)| {
        let moved = view
            .declarations
            .iter()
            .any(|other| !other.deleting && other.key.kind == declaration.key.kind && other.recorded_id() == Some(*id));
        matches!(&*declaration.spec, Spec::Removed(Deletion::Orphan)) && !moved
    });
    kept.filter_map(|(declaration, id)| {
        let object = description(snapshot, declaration.key.kind, id);
        // Without a description it is not on the page either.
        (!object.is_empty()).then(|| ObjectReport {
            kind: declaration.key.kind.as_str(),
            namespace: declaration.key.namespace.clone(),
            name: declaration.key.name.clone(),
            id: id.to_owned(),
            object,
        })
    })
    .collect()
}

/// What is adopted.
fn adopts(shown: &Preview, snapshot: &Snapshot) -> Vec<ObjectReport> {
    let adopted = shown.adopted.iter().map(|(key, id)| ObjectReport {
        kind: key.kind.as_str(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        id: id.clone(),
        object: description(snapshot, key.kind, id),
    });
    adopted.collect()
}

/// What an apply would not mend by itself.
fn is_problem(finding: &Finding) -> bool {
    use crate::api::Reason;
    finding.state == State::Stalled
        || matches!(
            finding.reason,
            Reason::Unreachable
                | Reason::Unauthorized
                | Reason::PageNotReady
                | Reason::SecretNotFound
                // Only an edit of what is declared ends this waiting.
                | Reason::NoMembers
                | Reason::WaitingForReference
        )
}

fn problem_report(finding: &Finding) -> ProblemReport {
    ProblemReport {
        kind: finding.key.kind.as_str(),
        namespace: finding.key.namespace.clone(),
        name: finding.key.name.clone(),
        reason: finding.reason.as_str(),
        message: finding.message.clone(),
    }
}

/// An incident that begins so long ago is news to nobody.
const NO_NEWS: SignedDuration = SignedDuration::from_hours(24);

/// What is odd about an incident that is to be created: subscribers are told of what is over.
fn remark(step: &Step, declaration: &Declaration, now: Timestamp) -> Option<String> {
    let (Action::Create(_), Spec::Incident(spec)) = (&step.action, &*declaration.spec) else {
        return None;
    };
    if let Some(schedule) = &spec.schedule {
        let end = schedule.end.0;
        return (end < now).then(|| format!("this maintenance is over: it ended at {end}"));
    }
    if let Some(date) = &spec.backfill_date {
        return (date.0 > now).then(|| format!("its backfillDate, {}, is still to come", date.0));
    }
    let began = spec.updates.first()?.at.as_ref()?.0;
    let is_old = now.duration_since(began) > NO_NEWS;
    is_old.then(|| format!("it began at {began}; an incident of the past has a backfillDate, and tells nobody"))
}

fn step_report(step: &Step, id: Option<&str>, snapshot: &Snapshot) -> StepReport {
    let deletes = step.action.is_deletion();
    let publication = step.action.request().and_then(Request::publication);
    let subscribers = snapshot.subscriber_counts.as_ref();
    let publishes = publication.map(|publication| PublicationReport {
        status: publication.status.map(str::to_owned),
        body: publication.body.map(str::to_owned),
        notifies: publication.notifies,
        subscribers: subscribers.map(|counts| subscriber_totals(&counts.value).active),
    });
    let object = id
        .filter(|_| deletes)
        .map(|id| description(snapshot, step.key.kind, id));
    StepReport {
        action: match step.action {
            Action::Create(_) => "create",
            Action::Delete(_) | Action::Replace(_) => "delete",
            _ => "update",
        },
        kind: step.key.kind.as_str(),
        lost: step.key.kind.lost_with_it().filter(|_| deletes),
        object: object.filter(|object| !object.is_empty()),
        publishes,
        remark: None,
        namespace: step.key.namespace.clone(),
        name: step.key.name.clone(),
        summary: step.summary.to_string(),
        changes: step.changes.clone(),
    }
}
