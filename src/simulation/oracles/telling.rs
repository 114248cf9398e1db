//! What people read: told once, not reopened, and in time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::Value;

use super::{Oracle, text};
use crate::api::Kind;
use crate::driver::StoreChange;
use crate::engine::ObjectKey;
use crate::simulation::trace::{Entry, Fact, Life};

/// An incident that a person touched within this time before a request may be sent as it was known: the API has no way to
/// make a request depend on what is there.
const UNAVOIDABLE: Duration = Duration::from_secs(12);

/// The text that a request publishes.
fn published(request: &crate::simulation::trace::Request) -> Option<&str> {
    let body = text(request.body.get("incident")?, "body").filter(|body| !body.is_empty())?;
    match (request.method.as_str(), request.segments().as_slice()) {
        ("POST", ["incidents"]) | ("PATCH" | "PUT", ["incidents", _]) => Some(body),
        _ => None,
    }
}

fn is_over(incident: &Value) -> bool {
    matches!(text(incident, "status"), Some("resolved" | "completed"))
}

/// Promise 1: each update is told once.
#[derive(Debug, Default)]
pub(super) struct ToldOnce {
    /// By text: the request, and the incident.
    told: BTreeMap<String, (u64, String)>,
}

impl Oracle for ToldOnce {
    fn name(&self) -> &'static str {
        "each update is told once"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        if let Fact::Person { request, .. } = &entry.fact
            && let ("DELETE", ["incidents", id]) = (request.method.as_str(), request.segments().as_slice())
        {
            // Whoever deletes what nobody else has seen yet leaves no trace of it.
            self.told.retain(|_, (_, incident)| incident != id);
        }
        let Fact::CarriedOut {
            request,
            status: 200..=299,
            number,
            answer,
            ..
        } = &entry.fact
        else {
            return None;
        };
        let body = published(request)?;
        let incident = text(answer, "id").unwrap_or_default().to_owned();
        let (earlier, _) = self.told.insert(body.to_owned(), (*number, incident))?;
        Some(format!("requests {earlier} and {number} both publish {body:?}"))
    }
}

/// What a person ended stays ended.
#[derive(Debug, Default)]
pub(super) struct EndedStaysEnded {
    ended: BTreeMap<String, Duration>,
    sent: BTreeMap<u64, Duration>,
}

impl Oracle for EndedStaysEnded {
    fn name(&self) -> &'static str {
        "what a person ended stays ended"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        match &entry.fact {
            Fact::Sent { number, .. } => {
                self.sent.insert(*number, entry.at);
                None
            }
            Fact::Person { request, answer, .. } => {
                if let ["incidents", id] = request.segments().as_slice() {
                    match is_over(answer) {
                        true => self.ended.insert((*id).to_owned(), entry.at),
                        false => self.ended.remove(*id),
                    };
                }
                None
            }
            Fact::CarriedOut {
                request,
                number,
                status: 200..=299,
                answer,
                before,
            } => {
                let segments = request.segments();
                let ["incidents", id] = segments.as_slice() else {
                    return None;
                };
                let ended = *self.ended.get(*id)?;
                let sent = self.sent.get(number).copied().unwrap_or(entry.at);
                let reopened = before.first().is_some_and(is_over) && !is_over(answer);
                (reopened && request.writes() && sent > ended + UNAVOIDABLE).then(|| {
                    format!(
                        "request {number} reopens incident {id}, which a person ended at {} s",
                        ended.as_secs()
                    )
                })
            }
            _ => None,
        }
    }
}

/// An incident is sent so soon after its declaration.
const BOUND: Duration = Duration::from_secs(2);
/// A process needs so long after its start, or after trouble, until it has read what it needs.
const WARM: Duration = Duration::from_secs(60);

/// Promise 5: a new incident is sent at once while the page takes it. Judged are incidents that are declared in fair
/// weather, of a process that runs and has looked; what hinders them is noted with the fact.
#[derive(Debug, Default)]
pub(super) struct InTime {
    /// The last moment at which something stood in the way.
    hindered: Option<Duration>,
    raging: usize,
    /// Incidents that wait, by their first text.
    waiting: BTreeMap<String, (Duration, String)>,
    published: BTreeSet<String>,
    /// Incidents of which it is not known yet what has become of an attempt: what is declared next waits for that.
    open: BTreeSet<ObjectKey>,
    /// A person or the page has changed incidents, so that what is declared may not be what is to be sent.
    disputed: bool,
    limit: usize,
    sent: VecDeque<Duration>,
}

impl InTime {
    pub(super) fn of(limit: u32) -> Self {
        InTime {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            ..InTime::default()
        }
    }

    /// True while the window has a permit for an incident and for what it has to read.
    fn has_permits(&self, at: Duration) -> bool {
        let used = self
            .sent
            .iter()
            .filter(|sent| at - **sent < Duration::from_secs(62))
            .count();
        self.limit == 0 || used + 4 < self.limit
    }
}

impl Oracle for InTime {
    fn name(&self) -> &'static str {
        "an incident goes out in time"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        let late = self
            .waiting
            .iter()
            .find(|(_, (declared, _))| entry.at > *declared + BOUND)
            .map(|(body, (declared, name))| (body.clone(), *declared, name.clone()));
        match &entry.fact {
            Fact::Weather { begins, .. } => {
                self.raging = if *begins {
                    self.raging + 1
                } else {
                    self.raging.saturating_sub(1)
                };
                self.hindered = Some(entry.at);
            }
            Fact::Process { what, .. } if *what != Life::Leads => self.hindered = Some(entry.at),
            Fact::Restored { .. } => self.hindered = Some(entry.at),
            Fact::Person { request, .. } => {
                self.hindered = Some(entry.at);
                self.disputed |= request.method != "POST";
            }
            Fact::Sent { request, .. } => {
                self.sent.push_back(entry.at);
                if let Some(body) = published(request) {
                    self.waiting.remove(body);
                    self.published.insert(body.to_owned());
                }
            }
            Fact::CarriedOut { status, .. } if *status >= 400 => self.hindered = Some(entry.at),
            Fact::Stored {
                key,
                change,
                done: true,
                ..
            } => match change {
                StoreChange::Journal(_) => {
                    self.open.insert(key.clone());
                }
                StoreChange::Status(status) if status.object().journal.is_none() => {
                    self.open.remove(key);
                }
                _ => {}
            },
            Fact::Declared {
                key, spec: Some(spec), ..
            } if key.kind == Kind::Incident => {
                let calm = self.raging == 0
                    && !self.open.contains(key)
                    && self.hindered.is_some_and(|last| entry.at > last + WARM)
                    && !self.disputed
                    && self.has_permits(entry.at);
                let updates = spec.get("updates").and_then(Value::as_array);
                let mut bodies = updates.into_iter().flatten().filter_map(|update| text(update, "body"));
                let first = bodies.find(|body| !self.published.contains(*body));
                let alone = spec.get("components").is_none();
                if let (true, true, Some(first)) = (calm, alone, first) {
                    self.waiting.insert(first.to_owned(), (entry.at, key.to_string()));
                }
            }
            _ => {}
        }
        if self.hindered == Some(entry.at) {
            self.waiting.clear();
        }
        let (body, declared, name) = late?;
        self.waiting.remove(&body)?;
        Some(format!(
            "{name} was declared at {:.3} s and is not sent yet",
            declared.as_secs_f64()
        ))
    }
}
