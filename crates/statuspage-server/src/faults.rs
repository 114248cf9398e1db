//! What a test can make the server do wrong, and which of the undocumented habits it shows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::errors::ErrorShape;
use super::table::Keep;

/// What happens to a request that a fault hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is answered with this instead of being worked on.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body, sent as JSON; without one the usual refusal of that status.
        body: Option<String>,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u64>,
    },
    /// It is worked on and committed, and then the connection is closed without an answer.
    LoseReply,
    /// The connection is closed before anything is done.
    LoseRequest,
    /// It is worked on and committed, and never answered: the connection stays open.
    WithholdReply,
    /// Nothing is done about it, and it is never answered: the connection stays open.
    Ignore,
    /// It waits this long before it is worked on.
    Delay(Duration),
    /// It is worked on and committed, and half of the body is sent before the connection closes.
    TruncateBody,
}

/// A fault for the next matching requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The method in capitals; any when absent.
    pub method: Option<String>,
    /// A part of the path (without `.json`); the empty text matches every path.
    pub path_contains: String,
    /// How many requests it hits.
    pub times: u32,
    /// What it does.
    pub effect: Effect,
}

/// Which fields of a metric can be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricPatch {
    /// All that it was made with, as most clients expect.
    #[default]
    All,
    /// Its name and identifier, as the API is documented; others are taken and ignored.
    Documented,
}

/// Habits of the service that are unknown or differ between accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// The status of a request beyond the budget: 420 or 429.
    pub throttle_status: u16,
    /// The shape of a refusal.
    pub error_shape: ErrorShape,
    /// The largest page of the component list: 1100 by the schema, 100 by the prose.
    pub components_ceiling: usize,
    /// Whether a token without the `OAuth` prefix is taken.
    pub bare_token: bool,
    /// Which fields a change of a metric honours.
    pub metric_patch: MetricPatch,
    /// Whether addresses of subscribers are stored in lower case.
    pub lower_case_addresses: bool,
    /// Whether a component may show itself only while degraded, which needs a feature of the account.
    pub only_show_if_degraded: bool,
    /// Whether components have an address for mail automation.
    pub automation_email: bool,
    /// Whether a single incident template can be read, changed and removed, which no document says.
    pub template_items: bool,
    /// Every list shows what was so long ago: without what is newer, with what was removed since, and with the old
    /// values of what was changed. Single objects are always fresh. What happened before a lag is set shows at once.
    pub list_lag: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            throttle_status: 420,
            error_shape: ErrorShape::Error,
            components_ceiling: 1100,
            bare_token: true,
            metric_patch: MetricPatch::All,
            lower_case_addresses: true,
            only_show_if_degraded: true,
            automation_email: true,
            template_items: false,
            list_lag: Duration::ZERO,
        }
    }
}

impl Behaviour {
    /// The instant that lists show.
    pub(super) fn before(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.list_lag).unwrap_or(Timestamp::MIN)
    }

    /// What a commit has to leave behind for the lists.
    pub(super) fn keeps(&self, at: Timestamp) -> Option<Keep> {
        (!self.list_lag.is_zero()).then(|| Keep {
            at,
            since: self.before(at),
        })
    }
}

/// The faults and habits of a server, to be changed while it runs.
#[derive(Debug, Default)]
pub struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    faults: Vec<Fault>,
    behaviour: Behaviour,
}

impl Faults {
    /// No faults, and these habits.
    pub(super) fn new(behaviour: Behaviour) -> Self {
        let faults = Vec::new();
        Self {
            inner: Mutex::new(Inner { faults, behaviour }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault; of several that match, the oldest is used up first.
    pub fn inject(&self, fault: Fault) {
        self.inner().faults.push(fault);
    }

    /// Adds a fault in one line: the next `times` requests of `method` (any for `""`) whose path contains the text.
    pub fn next(&self, times: u32, method: &str, path_contains: &str, effect: Effect) {
        self.inject(Fault {
            method: (!method.is_empty()).then(|| method.to_owned()),
            path_contains: path_contains.to_owned(),
            times,
            effect,
        });
    }

    /// Forgets all faults that were not used up.
    pub fn clear(&self) {
        self.inner().faults.clear();
    }

    /// How many requests the present faults can still hit.
    pub fn pending(&self) -> u32 {
        self.inner()
            .faults
            .iter()
            .fold(0, |sum, fault| sum.saturating_add(fault.times))
    }

    /// The present habits.
    pub fn behaviour(&self) -> Behaviour {
        self.inner().behaviour.clone()
    }

    /// Changes habits.
    pub fn set_behaviour(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.inner().behaviour);
    }

    /// The fault that hits a request, used up by it.
    pub(super) fn take(&self, method: &str, path: &str) -> Option<Effect> {
        let mut inner = self.inner();
        let position = inner.faults.iter().position(|fault| {
            fault.times > 0
                && fault
                    .method
                    .as_deref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && path.contains(&fault.path_contains)
        })?;
        let fault = inner.faults.get_mut(position)?;
        fault.times -= 1;
        let effect = fault.effect.clone();
        if fault.times == 0 {
            inner.faults.remove(position);
        }
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_what_it_names_and_is_used_up() {
        let faults = Faults::default();
        faults.next(2, "POST", "/components", Effect::LoseReply);
        assert_eq!(faults.take("GET", "/v1/pages/p/components"), None);
        assert_eq!(faults.take("POST", "/v1/pages/p/incidents"), None);
        assert_eq!(faults.take("POST", "/v1/pages/p/components"), Some(Effect::LoseReply));
        assert_eq!(faults.pending(), 1);
        assert_eq!(faults.take("post", "/v1/pages/p/components"), Some(Effect::LoseReply));
        assert_eq!(faults.take("POST", "/v1/pages/p/components"), None);
        faults.next(1, "", "", Effect::TruncateBody);
        faults.clear();
        assert_eq!(faults.take("GET", "/"), None);
    }
}
