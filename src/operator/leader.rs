//! Leader election by a Lease.
//!
//! Invariant: every write of the Lease names the version that was read, so that of two candidates one wins. The leader
//! stops to write at its renew deadline, which ends before anybody else may take over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::PostParams;

use super::OperatorError;
use super::connection::Clients;

/// How replicas choose the one that acts.
#[derive(Clone, Debug)]
pub struct LeaderOptions {
    /// Where the Lease is; absent is the namespace of the service account.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its times.
    pub times: LeaseTimes,
}

/// The times of a Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Nobody takes a Lease over that was renewed within this time.
    pub duration: Duration,
    /// A leader that did not renew within this time stops.
    pub renew_deadline: Duration,
    /// Pause between attempts.
    pub retry: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        LeaseTimes {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

impl LeaseTimes {
    /// # Errors
    /// The times contradict each other.
    pub fn check(self) -> Result<Self, OperatorError> {
        if self.duration > self.renew_deadline && self.renew_deadline > self.retry && !self.retry.is_zero() {
            Ok(self)
        } else {
            Err(OperatorError::LeaseTimes)
        }
    }
}

/// Whether this process may write, by a clock that nobody sets back.
#[derive(Debug, Default)]
pub(super) struct Leadership(Mutex<Until>);

#[derive(Clone, Copy, Debug, Default)]
enum Until {
    #[default]
    Candidate,
    Time(Instant),
    Always,
}

impl Leadership {
    fn until(&self) -> Until {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Until) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// There is no other replica.
    pub fn always(&self) {
        self.set(Until::Always);
    }

    /// True while this process may write.
    pub fn leads(&self) -> bool {
        match self.until() {
            Until::Candidate => false,
            Until::Time(until) => Instant::now() < until,
            Until::Always => true,
        }
    }

    /// True when this process led, and should have renewed the Lease or ended.
    pub fn is_overdue(&self) -> bool {
        matches!(self.until(), Until::Time(until) if Instant::now() >= until)
    }
}

/// Takes part in the election.
pub(super) struct Elector {
    leases: Api<Lease>,
    name: String,
    times: LeaseTimes,
    identity: String,
    leadership: Arc<Leadership>,
}

/// What another replica wrote, and since when it has not changed, by our clock.
struct Seen {
    version: Option<String>,
    since: Instant,
}

impl Elector {
    pub fn new(clients: &Clients, options: &LeaderOptions, identity: &str, leadership: Arc<Leadership>) -> Self {
        let namespace = options.namespace.as_deref().unwrap_or(&clients.namespace);
        Elector {
            leases: Api::namespaced(clients.lease.clone(), namespace),
            name: options.name.clone(),
            times: options.times,
            identity: identity.to_owned(),
            leadership,
        }
    }

    /// Returns once this process leads.
    pub async fn acquire(&self) {
        let mut seen = Seen {
            version: None,
            since: Instant::now(),
        };
        let mut told = String::new();
        loop {
            let said = match self.attempt(&mut seen).await {
                Ok(None) => {
                    tracing::info!(lease = self.name, "leads");
                    return;
                }
                Ok(Some(holder)) => format!("{holder} leads"),
                Err(error) => format!("cannot take the Lease: {error}"),
            };
            if said != told {
                tracing::info!(lease = self.name, "{said}");
                told = said;
            }
            tokio::time::sleep(self.times.retry).await;
        }
    }

    /// Renews the Lease, and returns when that did not succeed in time.
    pub async fn keep(&self) -> OperatorError {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(self.times.retry).await;
            let begun = Instant::now();
            match self.renew().await {
                Ok(true) => renewed = begun,
                Ok(false) => {
                    tracing::error!(lease = self.name, "another replica took the Lease");
                    return self.lost();
                }
                Err(error) => tracing::warn!(lease = self.name, error, "cannot renew the Lease"),
            }
            if renewed.elapsed() >= self.times.renew_deadline {
                return self.lost();
            }
        }
    }

    /// Lets the Lease go, so that another replica need not wait for its end.
    pub async fn release(&self) {
        self.leadership.set(Until::Candidate);
        let release = async {
            let mut lease = self.leases.get(&self.name).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
                spec.holder_identity = Some(String::new());
                spec.lease_duration_seconds = Some(1);
                spec.renew_time = Some(MicroTime(Timestamp::now()));
                self.leases.replace(&self.name, &PostParams::default(), &lease).await?;
            }
            Ok::<(), kube::Error>(())
        };
        match tokio::time::timeout(self.times.renew_deadline, release).await {
            Ok(Ok(())) => tracing::info!(lease = self.name, "released the Lease"),
            Ok(Err(error)) => tracing::warn!(lease = self.name, %error, "cannot release the Lease: it will run out"),
            Err(_) => tracing::warn!(lease = self.name, "cannot release the Lease in time: it will run out"),
        }
    }

    fn lost(&self) -> OperatorError {
        // Overdue, and so neither writing nor alive until the process has ended.
        self.leadership.set(Until::Time(Instant::now()));
        OperatorError::LeaseLost
    }

    /// Tries to take the Lease. The holder's name when somebody else has it.
    async fn attempt(&self, seen: &mut Seen) -> Result<Option<String>, String> {
        let begun = Instant::now();
        let limit = self.times.renew_deadline;
        let attempt = async {
            let Some(mut lease) = self.leases.get_opt(&self.name).await? else {
                let mut lease = Lease::default();
                lease.metadata.name = Some(self.name.clone());
                lease.spec = Some(self.claim(None));
                self.leases.create(&PostParams::default(), &lease).await?;
                return Ok(None);
            };
            let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone());
            let holder = holder.filter(|holder| !holder.is_empty() && *holder != self.identity);
            if let Some(holder) = holder {
                // Their clock is not ours: what counts is how long we have seen no change.
                if seen.version != lease.metadata.resource_version {
                    seen.version.clone_from(&lease.metadata.resource_version);
                    seen.since = begun;
                }
                let theirs = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
                let theirs = Duration::from_secs(theirs.and_then(|seconds| seconds.try_into().ok()).unwrap_or(0));
                if seen.since.elapsed() < theirs.max(self.times.duration) {
                    return Ok(Some(holder));
                }
            }
            lease.spec = Some(self.claim(lease.spec.as_ref()));
            self.leases.replace(&self.name, &PostParams::default(), &lease).await?;
            Ok(None)
        };
        match tokio::time::timeout(limit, attempt).await {
            Ok(Ok(None)) => {
                self.leadership.set(Until::Time(begun + limit));
                Ok(None)
            }
            Ok(Ok(holder)) => Ok(holder),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(Some("another replica".to_owned())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Renews once; false when somebody else holds the Lease.
    async fn renew(&self) -> Result<bool, String> {
        let begun = Instant::now();
        let renew = async {
            let mut lease = self.leases.get(&self.name).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(self.identity.as_str()) {
                return Ok(false);
            }
            spec.renew_time = Some(MicroTime(Timestamp::now()));
            self.leases.replace(&self.name, &PostParams::default(), &lease).await?;
            Ok(true)
        };
        // Short enough for another attempt before the deadline.
        let limit = (self.times.renew_deadline / 3).max(Duration::from_millis(100));
        match tokio::time::timeout(limit, renew).await {
            Ok(Ok(true)) => {
                self.leadership.set(Until::Time(begun + self.times.renew_deadline));
                Ok(true)
            }
            Ok(Ok(false)) => Ok(false),
            Ok(Err::<_, kube::Error>(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let transitions = before.map_or(0, |spec| spec.lease_transitions.unwrap_or(0).saturating_add(1));
        // Rounded up: whoever reads it must not be earlier than we mean.
        let seconds = self.times.duration.as_millis().div_ceil(1000);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_must_leave_room_for_a_second_attempt() {
        assert!(LeaseTimes::default().check().is_ok());
        let short = LeaseTimes {
            duration: Duration::from_secs(10),
            ..LeaseTimes::default()
        };
        assert!(short.check().is_err());
    }

    #[test]
    fn who_did_not_renew_in_time_may_not_write() {
        let leadership = Leadership::default();
        assert!(!leadership.leads() && !leadership.is_overdue());
        leadership.set(Until::Time(Instant::now() + Duration::from_secs(60)));
        assert!(leadership.leads() && !leadership.is_overdue());
        leadership.set(Until::Time(Instant::now()));
        assert!(!leadership.leads() && leadership.is_overdue());
        leadership.always();
        assert!(leadership.leads() && !leadership.is_overdue());
    }
}
