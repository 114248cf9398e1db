//! What may happen to the page, and how often it is asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{Oracle, text};
use crate::driver::StoreChange;
use crate::simulation::trace::{Entry, Fact, Life};

/// Promise 1: one remote object per declaration.
#[derive(Debug, Default)]
pub(super) struct OneObject {
    ours: BTreeSet<String>,
}

impl Oracle for OneObject {
    fn name(&self) -> &'static str {
        "one object per declaration"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        let Fact::CarriedOut {
            request,
            status: 200..=299,
            answer,
            before,
            number,
        } = &entry.fact
        else {
            return None;
        };
        let segments = request.segments();
        let ([list], Some(id)) = (segments.as_slice(), text(answer, "id")) else {
            return None;
        };
        if request.method != "POST" {
            return None;
        }
        let twins: Vec<&str> = before.iter().filter_map(|row| text(row, "id")).collect();
        let ours = twins.iter().find(|twin| self.ours.contains(**twin)).copied();
        self.ours.insert(id.to_owned());
        let name = text(answer, "name").or(text(answer, "email")).unwrap_or_default();
        ours.map(|twin| {
            format!("request {number} makes another of {list} for {name:?}: {twin} was there, now {id} too")
        })
    }
}

/// Promise 2: nothing foreign is changed.
#[derive(Debug, Default)]
pub(super) struct ForeignUntouched {
    ours: BTreeSet<String>,
}

impl Oracle for ForeignUntouched {
    fn name(&self) -> &'static str {
        "nothing foreign is touched"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        let Fact::CarriedOut {
            request,
            status: 200..=299,
            answer,
            before,
            number,
        } = &entry.fact
        else {
            return None;
        };
        match (request.method.as_str(), request.segments().as_slice()) {
            ("POST", [_]) => {
                self.ours.extend(text(answer, "id").map(str::to_owned));
                None
            }
            ("PATCH" | "PUT" | "DELETE", [list, id, ..]) if !self.ours.contains(*id) => Some(format!(
                "request {number} changes {id} of {list}, which is not ours: {request}"
            )),
            ("PATCH" | "PUT", ["component-groups", id]) => {
                let members = |row: &serde_json::Value| -> BTreeSet<String> {
                    let members = row.get("components").and_then(serde_json::Value::as_array);
                    let ids = members
                        .into_iter()
                        .flatten()
                        .filter_map(|id| id.as_str().map(str::to_owned));
                    ids.collect()
                };
                let had = before.first().map(members).unwrap_or_default();
                let has = members(answer);
                let lost = had.difference(&has).find(|member| !self.ours.contains(*member))?;
                Some(format!(
                    "request {number} throws {lost}, which is not ours, out of group {id}"
                ))
            }
            _ => None,
        }
    }
}

/// Promise 5: never more than the token's window, whatever process sends. What another process sent, or this one before it
/// was started anew, is known from a record with times by the sender's clock: to a reader whose clock is ahead of that it
/// is older than it is, and is forgotten so much earlier (docs/evidence.md).
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    processes: Vec<Sender>,
    sent: VecDeque<(usize, Sender, Duration)>,
}

/// A process at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sender {
    /// How far its clock is ahead, in seconds.
    ahead: i64,
    /// How often it was started.
    life: u32,
}

impl Window {
    /// With how far the clocks of the processes are ahead at the beginning, in seconds.
    pub(super) fn of(limit: u32, skews: &[i64]) -> Self {
        let sender = |ahead: &i64| Sender { ahead: *ahead, life: 0 };
        Window {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            processes: skews.iter().map(sender).collect(),
            sent: VecDeque::new(),
        }
    }
}

impl Oracle for Window {
    fn name(&self) -> &'static str {
        "the request window is kept"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        let process = match &entry.fact {
            Fact::Sent { process, .. } => *process,
            Fact::Process { process, what } => {
                let known = self.processes.get_mut(*process)?;
                match what {
                    Life::ClockJumped(seconds) => known.ahead += seconds,
                    Life::Started => known.life += 1,
                    _ => {}
                }
                return None;
            }
            _ => return None,
        };
        let now = *self.processes.get(process)?;
        if self.limit == 0 {
            return None;
        }
        self.sent.push_back((process, now, entry.at));
        let span = Duration::from_secs(60);
        while self.sent.front().is_some_and(|(_, _, first)| entry.at - *first >= span) {
            self.sent.pop_front();
        }
        let counted = |(sender, then, at): &&(usize, Sender, Duration)| {
            let remembers = *sender == process && then.life == now.life;
            let older = u64::try_from(now.ahead - then.ahead).unwrap_or(0);
            remembers || entry.at - *at + Duration::from_secs(older) < span
        };
        let sent = self.sent.iter().filter(counted).count();
        (sent > self.limit).then(|| format!("{sent} requests in 60 s, allowed are {}", self.limit))
    }
}

/// Promise 5: what fails is not tried again and again.
#[derive(Debug, Default)]
pub(super) struct BoundedRequests {
    /// By process: of two operators that know nothing of each other neither can spare the other's requests.
    sent: BTreeMap<(usize, String), VecDeque<Duration>>,
    /// When there was a reason to begin again with short pauses: an edit, an attempt whose trace is looked for, a restart.
    news: VecDeque<Duration>,
}

/// So often a process sends the same in [`SPAN`] at most, whatever fails.
const SAME: usize = 30;
/// And so often for each reason to begin again with short pauses.
const AGAIN: usize = 9;
const SPAN: Duration = Duration::from_secs(600);
/// So often in [`BURST_SPAN`] at most, whatever the reason: a loop without a pause.
const BURST: usize = 20;
const BURST_SPAN: Duration = Duration::from_secs(10);

impl Oracle for BoundedRequests {
    fn name(&self) -> &'static str {
        "requests stay bounded while a fault lasts"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        fn within_span(times: &mut VecDeque<Duration>, now: Duration) -> usize {
            while times.front().is_some_and(|first| now - *first >= SPAN) {
                times.pop_front();
            }
            times.len()
        }
        let (process, request) = match &entry.fact {
            Fact::Sent { process, request, .. } => (process, request),
            Fact::Declared { .. }
            | Fact::Restored { .. }
            | Fact::Process { .. }
            | Fact::Stored {
                change: StoreChange::Journal(_),
                ..
            } => {
                self.news.push_back(entry.at);
                return None;
            }
            _ => return None,
        };
        let allowed = SAME + AGAIN * within_span(&mut self.news, entry.at);
        let what = format!("{} {}", request.method, request.path);
        let times = self.sent.entry((*process, what.clone())).or_default();
        times.push_back(entry.at);
        let sent = within_span(times, entry.at);
        let burst = times.iter().rev().take_while(|at| entry.at - **at < BURST_SPAN).count();
        [(sent, allowed, SPAN), (burst, BURST, BURST_SPAN)]
            .into_iter()
            .find(|(sent, allowed, _)| *sent == allowed + 1)
            .map(|(sent, allowed, span)| {
                let seconds = span.as_secs();
                format!("{what} was sent {sent} times in {seconds} s by process {process}, allowed are {allowed}")
            })
    }
}
