//! Whose failure it is: that of an object, of a reading, of the page, or of the token.
//!
//! Invariant: a failure stops the smallest thing that explains it. The page stops for a refused token, when it is not
//! there, and when nothing at all answers; and none but the token stops an incident.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::PageDriver;
use crate::api::Reason;
use crate::causes::with_causes;
use crate::driver::{Store, StoreError, View};
use crate::engine::{self, CircuitBreaker, Failure, ObjectKey, ReadWhat, Spec};
use crate::statuspage::{CollectionKind, Error, ErrorClass};

/// So many requests in a row without any answer are the silence of the whole service.
const SILENCE: u32 = 3;
/// First pause after the store did not take something; doubled up to the longest.
const STORE_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_STORE_PAUSE: Duration = Duration::from_secs(30);

/// The store does not answer: nothing is sent that would have to be recorded.
#[derive(Clone, Debug)]
pub(super) struct StoreAway {
    attempts: u32,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    /// The store's words.
    pub(super) why: String,
}

impl<S: Store> PageDriver<S> {
    /// Something answered.
    pub(super) fn reached(&mut self) {
        self.silence = 0;
        self.unanswered.answered();
        self.ever_reached = true;
        self.failed_probes = 0;
        if self
            .circuit_breaker
            .as_ref()
            .is_some_and(|circuit_breaker| circuit_breaker.reason == Reason::Unreachable)
        {
            tracing::info!(page = %self.key, "Statuspage answers again");
            self.circuit_breaker = None;
        }
    }

    /// A reading failed.
    pub(super) fn read_failed(&mut self, view: &View, what: &ReadWhat, error: &Error) {
        self.count(|totals| totals.failures += 1);
        let text = with_causes(error);
        tracing::info!(page = %self.key, ?what, error = text, "a read failed");
        match error.class() {
            // The client has paused the budget of the token. After the pause others come first: this one may be refused again.
            ErrorClass::Throttled { .. } => {
                self.reached();
                self.fail_reading(what, false, Reason::Progressing, text);
            }
            ErrorClass::Unauthorized => self.close(view, Reason::Unauthorized, text, true),
            ErrorClass::NotFound => {
                self.reached();
                // Perhaps it is the page itself that is not there.
                self.page_read_at = Some(Timestamp::MIN);
                self.fail_reading(what, true, Reason::RemoteNotFound, text);
            }
            ErrorClass::Terminal => {
                self.reached();
                self.fail_reading(what, true, Reason::Rejected, text);
            }
            ErrorClass::Transient | ErrorClass::Ambiguous => {
                self.fail_reading(what, false, Reason::Unreachable, text.clone());
                self.answered_or_silent(view, error, text);
            }
        }
    }

    /// Counts requests that nobody answered.
    pub(super) fn answered_or_silent(&mut self, view: &View, error: &Error, text: String) {
        if error.status().is_some() {
            return self.reached();
        }
        self.silence += 1;
        if self.silence >= SILENCE || !self.ever_reached {
            self.close(view, Reason::Unreachable, text, false);
        }
    }

    pub(super) fn fail_reading(&mut self, what: &ReadWhat, terminal: bool, reason: Reason, message: String) {
        let attempts = self.read_failures.get(what).map_or(0, |failure| failure.attempts) + 1;
        let failure = Failure {
            reading: true,
            ..self.failure(terminal, reason, message, attempts, 0)
        };
        self.read_failures.insert(what.clone(), failure);
    }

    /// The request of an object failed, or what belongs to it cannot be read.
    pub(super) fn fail(&mut self, view: &View, key: &ObjectKey, terminal: bool, reason: Reason, message: String) {
        let generation = view.get(key).map_or(0, |declaration| declaration.generation);
        let attempts = self
            .failures
            .get(key)
            .filter(|failure| failure.generation == generation)
            .map_or(0, |failure| failure.attempts);
        let failure = self.failure(terminal, reason, message, attempts + 1, generation);
        self.failures.insert(key.clone(), failure);
    }

    fn failure(&self, terminal: bool, reason: Reason, message: String, attempts: u32, generation: i64) -> Failure {
        Failure {
            terminal,
            reason,
            message,
            at: self.options.clock.steady(),
            attempts,
            generation,
            jitter: self.jitter(),
            reading: false,
        }
    }

    /// A number from 0 to 1, another one for each attempt and page. Not by chance, so that a run of the simulation can be
    /// played again.
    fn jitter(&self) -> f64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.key, self.totals.failures, self.failed_probes).hash(&mut hasher);
        f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    /// Sends nothing to the page until a pause is over, longer each time.
    pub(super) fn close(&mut self, view: &View, reason: Reason, message: String, stalled: bool) {
        self.failed_probes += 1;
        let now = self.options.clock.steady();
        let spec = match &*view.page.spec {
            Spec::StatusPage(spec) => Some(&**spec),
            _ => None,
        };
        let interval = engine::resync_interval(spec);
        // One probe an interval for what people have to mend, backoff for what passes: a page that seems to be missing may
        // be there the next time.
        let pause = match reason {
            Reason::Unauthorized => interval,
            // That something answers says nothing about a page that is not there.
            Reason::RemotePageNotFound => doubled(self.page_missed).min(interval),
            _ => doubled(self.failed_probes).min(interval),
        };
        let until = now
            .saturating_add(pause.mul_f64(1.0 + self.jitter() / 10.0))
            .unwrap_or(Timestamp::MAX);
        if self
            .circuit_breaker
            .as_ref()
            .is_none_or(|circuit_breaker| circuit_breaker.message != message)
        {
            tracing::info!(page = %self.key, %reason, error = message, "sending to the page is paused");
        }
        self.circuit_breaker = Some(CircuitBreaker {
            reason,
            message,
            stalled,
            lets_incidents_pass: reason != Reason::Unauthorized,
            until: Some(until),
        });
    }

    /// The store did not take what has to be on record before a request: nothing was sent.
    pub(super) fn store_failed(&mut self, view: &View, key: &ObjectKey, error: &StoreError) {
        match error {
            StoreError::Unavailable { .. } => self.store_is_away(error),
            // Somebody else changed it: planned again with what they wrote.
            StoreError::Conflict(_) | StoreError::Gone(_) => {
                tracing::debug!(object = %key, %error, "nothing was sent");
                let message = format!("nothing was sent, because it could not be recorded first: {error}");
                self.fail(view, key, false, Reason::Progressing, message);
            }
        }
    }

    /// The store does not answer: tried again after a pause, and said once.
    pub(super) fn store_is_away(&mut self, error: &StoreError) {
        let attempts = self.store_away.as_ref().map_or(0, |away| away.attempts) + 1;
        let pause = STORE_PAUSE
            .saturating_mul(1 << attempts.saturating_sub(1).min(5))
            .min(LONGEST_STORE_PAUSE);
        if attempts == 1 {
            tracing::warn!(page = %self.key, %error, "nothing can be recorded, so nothing more is sent; retrying");
        }
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::from_secs(1));
        let now = self.options.clock.steady();
        self.store_away = Some(StoreAway {
            attempts,
            since: self.store_away.as_ref().map_or(now, |away| away.since),
            until: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
            why: match error {
                StoreError::Unavailable { message, .. } => message.clone(),
                other => other.to_string(),
            },
        });
    }

    /// True while the store is given time. After that it is tried again, and counts as there until it fails.
    pub(super) fn store_pauses(&self) -> Option<Timestamp> {
        let until = self.store_away.as_ref()?.until;
        (self.options.clock.steady() < until).then_some(until)
    }

    /// Why nothing can be recorded, in the store's words, if that is so; nothing is sent meanwhile.
    pub fn unrecorded(&self) -> Option<&str> {
        self.store_away.as_ref().map(|away| away.why.as_str())
    }

    /// The store took something.
    pub(super) fn store_answered(&mut self) {
        if self.store_away.take().is_some() {
            tracing::info!(page = %self.key, "recording again");
        }
    }

    /// What the store and the page were asked for may be asked for again: its owner has changed it, or wants it now.
    pub(super) fn give_another_chance(&mut self, key: &ObjectKey, id: Option<&str>, lists: &[CollectionKind]) {
        self.failures.remove(key);
        self.read_failures.retain(|what, _| match what {
            ReadWhat::Collection(kind) => !lists.contains(kind),
            ReadWhat::Search(search) => !lists.contains(&search.collection()),
            ReadWhat::Object(_, object)
            | ReadWhat::Permissions(object)
            | ReadWhat::UserComponents(object)
            | ReadWhat::UserMetrics(object)
            | ReadWhat::IncidentSubscribers(object)
            | ReadWhat::Uptime(object)
            | ReadWhat::GroupUptime(object) => Some(object.as_str()) != id,
        });
    }
}

/// One second, doubled with each attempt after the first, up to four minutes.
fn doubled(attempts: u32) -> Duration {
    Duration::from_secs(1_u64 << attempts.saturating_sub(1).min(8))
}
