//! Corrections of what is published: texts, times, status, postmortem.

use jiff::Timestamp;
use serde_json::json;

use crate::api::{Drift, DriftPolicy, IncidentSpec, PostmortemSpec, PublishedUpdate};
use crate::engine::applied::AppliedName;
use crate::engine::declaration::Declaration;
use crate::engine::fields::Change;
use crate::engine::record::update_hash;
use crate::engine::request::Request;
use crate::engine::seal::hash;
use crate::engine::summary::{Summary, Verb};
use crate::statuspage::{
    Incident, IncidentStatus, IncidentUpdateWrite, IncidentWrite, PostmortemPublish, PostmortemWrite,
};

use super::updates::same_text;
use super::{place, wire_status};

/// A request that brings an incident nearer to its declaration, one at a time.
pub(super) struct FollowUp {
    pub(super) request: Request,
    pub(super) summary: Summary,
    /// The name under which it is recorded, for what tells people and so is never sent twice.
    pub(super) tells: Option<AppliedName>,
    /// True when it is decided on what the incident is at this moment.
    pub(super) needs_fresh: bool,
    /// What it changes, so that a page that does not keep it is noticed.
    pub(super) change: Option<Change>,
    /// What is recorded once it succeeded.
    pub(super) applied: Option<(AppliedName, String)>,
}

/// The first published update whose text or time is to be corrected; differences that others made are drift.
pub(super) fn corrections(
    declaration: &Declaration,
    spec: &IncidentSpec,
    remote: &Incident,
    published: &[PublishedUpdate],
    policy: DriftPolicy,
    drift: &mut Vec<Drift>,
) -> Option<FollowUp> {
    let mut correction = None;
    for (index, (update, known)) in spec.updates.iter().zip(published).enumerate() {
        let Some(current) = remote
            .incident_updates
            .iter()
            .find(|candidate| candidate.id == known.id)
        else {
            continue;
        };
        let body_differs = !same_text(update, current);
        let time_differs = update.at.as_ref().is_some_and(|at| {
            current
                .display_at
                .is_none_or(|shown| shown.as_second() != at.0.as_second())
        });
        if !body_differs && !time_differs {
            continue;
        }
        // A declared time is set right after the publication, a text is corrected when the declaration changed; what
        // differs after that was changed by somebody else.
        let declared_anew = known.applied != update_hash(update);
        let part = if body_differs { "body" } else { "at" };
        let field = format!("{}.{part}", place(declaration, index));
        if !declared_anew && policy != DriftPolicy::Ignore {
            let at = |at: Option<Timestamp>| at.map_or_else(|| "null".to_owned(), |at| format!("\"{at}\""));
            let (desired, observed) = if body_differs {
                let shown = current.body.as_deref().unwrap_or_default();
                (shortened(&update.body), shortened(shown))
            } else {
                (at(update.at.as_ref().map(|at| at.0)), at(current.display_at))
            };
            drift.push(Drift {
                field: field.clone(),
                desired,
                observed,
            });
        }
        if correction.is_none() && (declared_anew || policy == DriftPolicy::Correct) {
            let write = IncidentUpdateWrite {
                body: body_differs.then(|| update.body.clone()),
                display_at: update.at.as_ref().filter(|_| time_differs).map(|at| at.0),
                deliver_notifications: Some(false),
                wants_twitter_update: None,
            };
            let request = Request::UpdateIncidentUpdate(remote.id.clone(), known.id.clone(), write);
            correction = Some(FollowUp {
                request,
                summary: Verb::Correct.of(format!("update {} of incident {}", index + 1, remote.id)),
                tells: None,
                needs_fresh: false,
                change: Some(Change {
                    field,
                    from: Some(if body_differs {
                        json!(current.body)
                    } else {
                        json!(current.display_at)
                    }),
                    to: if body_differs {
                        json!(update.body)
                    } else {
                        json!(update.at)
                    },
                }),
                applied: None,
            });
        }
    }
    if let (Some(last), Some(current)) = (spec.updates.last(), &remote.status)
        && published.len() == spec.updates.len()
        && phase(current.as_str()) != phase(last.status.as_str())
        && !(spec.schedule.is_some() && phase(current.as_str()) > phase(last.status.as_str()))
    {
        if policy != DriftPolicy::Ignore {
            drift.push(Drift {
                field: "updates".into(),
                desired: format!("{:?}", last.status.as_str()),
                observed: format!("{:?}", current.as_str()),
            });
        }
        if correction.is_none() && policy == DriftPolicy::Correct {
            let write = IncidentWrite {
                status: Some(wire_status(last.status)),
                deliver_notifications: Some(false),
                ..Default::default()
            };
            let request = Request::UpdateIncident(remote.id.clone(), Box::new(write));
            correction = Some(FollowUp {
                request,
                summary: Verb::Set.of(format!("incident {} back to {}", remote.id, last.status.as_str())),
                tells: None,
                needs_fresh: true,
                change: Some(Change {
                    field: "updates".into(),
                    from: Some(json!(current.as_str())),
                    to: json!(last.status.as_str()),
                }),
                applied: None,
            });
        }
    }
    correction
}

/// A maintenance moves forward by itself; an incident whose postmortem is published stays resolved.
pub(super) fn phase(status: &str) -> u8 {
    match status {
        "investigating" | "scheduled" => 0,
        "identified" | "in_progress" => 1,
        "monitoring" | "verifying" => 2,
        _ => 3,
    }
}

/// True when the declared postmortem is published.
pub(super) fn is_shown(declared: &PostmortemSpec, remote: &Incident) -> bool {
    remote.postmortem_body.as_deref().map(str::trim_end) == Some(declared.body.trim_end())
        && remote.postmortem_published_at.is_some()
}

pub(super) fn postmortem(declaration: &Declaration, spec: &IncidentSpec, remote: &Incident) -> Option<FollowUp> {
    let declared = spec.postmortem.as_ref()?;
    if !remote.status.as_ref().is_some_and(IncidentStatus::is_over) {
        return None;
    }
    let recorded = |name: AppliedName| declaration.status.object().applied.get(&*name.text());
    let hash = hash(&json!(declared.body.trim_end()));
    let shown = is_shown(declared, remote);
    let title = format!("postmortem of incident {}", remote.id);
    if declared.publish && shown {
        return None;
    }
    if recorded(AppliedName::PostmortemDraft) != Some(&hash) {
        let write = PostmortemWrite {
            body_draft: Some(declared.body.clone()),
        };
        let request = Request::WritePostmortem(remote.id.clone(), write);
        return Some(FollowUp {
            request,
            summary: Verb::Write.of(format!("the {title}")),
            tells: None,
            needs_fresh: false,
            change: None,
            applied: Some((AppliedName::PostmortemDraft, hash)),
        });
    }
    if declared.publish && recorded(AppliedName::PostmortemPublished) != Some(&hash) {
        // Only the first publication is announced; a later one corrects the text.
        let first = remote.postmortem_published_at.is_none() && recorded(AppliedName::PostmortemPublished).is_none();
        let publish = PostmortemPublish {
            notify_subscribers: Some(first && declared.notify_subscribers),
            notify_twitter: Some(first && declared.notify_twitter),
            custom_tweet: None,
        };
        let request = Request::PublishPostmortem(remote.id.clone(), publish);
        return Some(FollowUp {
            request,
            summary: Verb::Publish.of(format!("the {title}")),
            tells: Some(AppliedName::PostmortemPublished),
            needs_fresh: true,
            change: None,
            applied: Some((AppliedName::PostmortemPublished, hash)),
        });
    }
    if !declared.publish
        && remote.postmortem_published_at.is_some()
        && recorded(AppliedName::PostmortemPublished).is_some()
    {
        return Some(FollowUp {
            request: Request::RevertPostmortem(remote.id.clone()),
            summary: Verb::Take.of(format!("back the {title}")),
            tells: None,
            needs_fresh: false,
            change: Some(Change {
                field: "postmortem.publish".into(),
                from: Some(json!(true)),
                to: json!(false),
            }),
            // It was announced once and is not announced again when it is published again.
            applied: Some((AppliedName::PostmortemPublished, String::new())),
        });
    }
    None
}

pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
