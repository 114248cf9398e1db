//! The simulation: the real engine and the real driver in a world that lags, lies and forgets. One seed decides
//! everything.
//!
//! A run has the local server as its page (`remote`, behind the `weather`), the rules of an API server as its store
//! (`cluster`, `store`), and processes that crash, stand still and are told to stop (`process`, `lease`). What is declared
//! and what goes wrong is drawn from the seed (`scenario`). Everything that happens is a fact on the trace, and the
//! `oracles`, one for each promise, judge it.
//!
//! Invariant: a run depends on nothing but its seed. Time is Tokio's, paused; there is one thread, and no socket.

pub(crate) mod bugs;
mod chance;
mod cluster;
pub mod fidelity;
mod fuse;
mod lease;
mod log;
mod oracles;
mod process;
mod remote;
mod scenario;
mod stage;
mod store;
mod trace;
mod weather;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

pub use oracles::Violation;

use crate::api::{Kind, REQUESTED_AT};
use crate::engine::{Declaration, ObjectKey};
use crate::statuspage::MemoryLedger;
use chance::Chance;
use cluster::{Cluster, Metadata, read_spec};
use lease::Lease;
use oracles::{Court, Ending};
use process::{Handle, House};
use remote::{Remote, RemoteOptions};
use scenario::{Act, STORMY, Scenario, key};
use stage::Stage;
use store::StoreOptions;
use trace::{Entry, Fact};

/// What a run has left.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The promises that it broke.
    pub violations: Vec<Violation>,
    /// Requests that were sent.
    pub requests: usize,
    /// Writes to the store and to the page.
    pub effects: usize,
    /// How long it took by its own clock.
    pub lasted: Duration,
    trace: Vec<Entry>,
}

impl Report {
    /// What happened, a line each.
    pub fn trace(&self) -> impl Iterator<Item = String> {
        self.trace.iter().map(ToString::to_string)
    }
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The runtime cannot be made.
    #[error("the simulation cannot start")]
    Runtime(#[from] std::io::Error),
    /// The local server cannot be made.
    #[error("the simulated page cannot be made")]
    Server(#[from] crate::server::ServerError),
    /// The scenario declares something that is no declaration.
    #[error("the simulation declares something that cannot be read")]
    Spec(#[from] serde_json::Error),
}

/// Makes the run of a seed. Not to be called from asynchronous code: it has a runtime of its own.
///
/// # Errors
/// The run could not be made. What it finds is in the report.
pub fn run(seed: u64) -> Result<Report, SimulationError> {
    let runtime = runtime()?;
    let (report, token_shows) = log::shows_token(seed, || runtime.block_on(play(seed)));
    let mut report = report?;
    if token_shows {
        report.violations.push(Violation {
            oracle: oracles::NO_SECRET,
            at: report.lasted,
            detail: "the token shows in the log".to_owned(),
        });
    }
    Ok(report)
}

/// A runtime of one thread, whose time goes by only while everybody waits for it.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build()
}

async fn play(seed: u64) -> Result<Report, SimulationError> {
    let mut chance = Chance::new(seed);
    let scenario = Scenario::draw(&mut chance.fork());
    let stage = Stage::new(Court::new(
        scenario.limit,
        &scenario.skews,
        scenario.leases_of_their_own,
    ));
    let options = RemoteOptions {
        seed,
        limit: scenario.limit,
        lag: scenario.lag,
        ahead: scenario.remote_ahead,
        spells: scenario.spells.clone(),
        chance: chance.fork(),
    };
    let remote = Remote::open(&stage, options).await?;
    let cluster = Cluster::new();
    let world = World {
        stage: Arc::clone(&stage),
        cluster: Arc::clone(&cluster),
        remote: Arc::clone(&remote),
    };
    world.declare(&key(Kind::StatusPage, "page"), scenario.page.clone())?;
    for (list, row) in &scenario.foreign {
        remote.console("POST", list, row.clone()).await;
    }
    for (key, spec) in &scenario.declared {
        world.declare(key, spec.clone())?;
    }
    let house = Arc::new(House {
        stage: Arc::clone(&stage),
        store: Arc::new(StoreOptions {
            cluster: Arc::clone(&cluster),
            stage: Arc::clone(&stage),
            troubles: scenario.troubles.clone(),
        }),
        remote: Arc::clone(&remote),
        ledger: MemoryLedger::default(),
        lease: (scenario.skews.len() > 1 && !scenario.leases_of_their_own).then(|| Arc::new(Lease::default())),
        page: key(Kind::StatusPage, "page"),
        limit: usize::try_from(scenario.limit).unwrap_or(usize::MAX),
    });
    let mut handles = Vec::new();
    for (process, skew) in scenario.skews.iter().enumerate() {
        let (handle, life) = process::begin(&house, process, *skew, chance.fork());
        tokio::spawn(life);
        handles.push(handle);
    }
    world.follow(&scenario, &handles).await?;
    let ending = world.ending(&scenario).await;
    let lasted = stage.elapsed();
    let (trace, violations) = stage.close(&ending);
    let count = |what: fn(&Fact) -> bool| trace.iter().filter(|entry| what(&entry.fact)).count();
    Ok(Report {
        seed,
        violations,
        requests: count(|fact| matches!(fact, Fact::Sent { .. })),
        effects: count(|fact| match fact {
            Fact::Stored { done, .. } => *done,
            Fact::CarriedOut { request, .. } => request.writes(),
            _ => false,
        }),
        lasted,
        trace,
    })
}

/// What owners and people have their hands on.
struct World {
    stage: Arc<Stage>,
    cluster: Arc<Cluster>,
    remote: Arc<Remote>,
}

impl World {
    /// Does what the scenario calls for, each at its time, until the end of the run or the first broken promise.
    async fn follow(&self, scenario: &Scenario, handles: &[Arc<Handle>]) -> Result<(), SimulationError> {
        let mut turns: Vec<(Duration, Turn<'_>)> = Vec::new();
        turns.extend(scenario.acts.iter().map(|(at, act)| (*at, Turn::Act(act))));
        for spell in &scenario.spells {
            turns.push((spell.from, Turn::Weather(spell.to_string(), true)));
            turns.push((spell.to, Turn::Weather(spell.to_string(), false)));
        }
        for trouble in &scenario.troubles {
            turns.push((trouble.from, Turn::Weather(format!("store: {:?}", trouble.kind), true)));
            turns.push((trouble.to, Turn::Weather(format!("store: {:?}", trouble.kind), false)));
        }
        turns.push((STORMY, Turn::Fair));
        turns.push((STORMY + scenario.settling, Turn::Still));
        turns.push((STORMY + scenario.settling + scenario.still, Turn::End));
        turns.sort_by_key(|(at, _)| *at);
        let mut backup = Vec::new();
        for (at, turn) in turns {
            sleep(at.saturating_sub(self.stage.elapsed())).await;
            if self.stage.is_decided() {
                return Ok(());
            }
            match turn {
                Turn::Act(act) => self.act(act, handles, &mut backup).await?,
                Turn::Weather(what, begins) => self.stage.note(Fact::Weather { what, begins }),
                Turn::Fair => {
                    handles.iter().for_each(|handle| handle.spare());
                    self.stage.note(Fact::Fair);
                }
                Turn::Still => self.stage.note(Fact::Still),
                Turn::End => {}
            }
        }
        Ok(())
    }

    async fn act(
        &self,
        act: &Act,
        handles: &[Arc<Handle>],
        backup: &mut Vec<Declaration>,
    ) -> Result<(), SimulationError> {
        match act {
            Act::Declare(key, spec) => self.declare(key, spec.clone())?,
            Act::Append(key, update) => {
                let known = self.cluster.get(key).filter(|known| !known.deleting);
                if let Some(crate::engine::Spec::Incident(spec)) = known.as_ref().map(|known| &*known.spec) {
                    let mut spec = serde_json::to_value(spec)?;
                    if let Some(updates) = spec.get_mut("updates").and_then(Value::as_array_mut) {
                        updates.push(update.clone());
                    }
                    self.declare(key, spec)?;
                }
            }
            Act::Delete(key) => {
                if let (Some(known), Ok(())) = (self.cluster.get(key), self.cluster.delete(key, None)) {
                    self.stage.note(Fact::Declared {
                        key: key.clone(),
                        generation: known.generation,
                        spec: None,
                    });
                }
            }
            Act::Request(key) => {
                let value = format!("{}", self.stage.elapsed().as_millis());
                let change = Metadata::Annotation(REQUESTED_AT, Some(value));
                let _ = self.cluster.patch_metadata(key, None, None, change);
            }
            Act::Create(list, row) => {
                self.remote.console("POST", list, row.clone()).await;
            }
            Act::Change(list, name, change) => {
                if let Some(id) = self.id_of(list, name).await {
                    self.remote
                        .console("PATCH", &format!("{list}/{id}"), change.clone())
                        .await;
                }
            }
            Act::Remove(list, name) => {
                if let Some(id) = self.id_of(list, name).await {
                    self.remote
                        .console("DELETE", &format!("{list}/{id}"), Value::Null)
                        .await;
                }
            }
            Act::Blow(process, blow) => {
                if let Some(handle) = handles.get(*process) {
                    handle.deal(*blow);
                }
            }
            Act::Backup => *backup = self.cluster.list().1,
            Act::Restore => {
                self.cluster.restore(backup);
                let what = format!("{} objects are restored from a backup", backup.len());
                self.stage.note(Fact::Restored { what });
            }
        }
        Ok(())
    }

    /// An owner applies a manifest.
    fn declare(&self, key: &ObjectKey, spec: Value) -> Result<(), SimulationError> {
        let read = read_spec(key.kind, spec.clone())?;
        let applied = match self.cluster.get(key) {
            Some(known) if known.deleting => return Ok(()),
            Some(_) => self.cluster.respecify(key, read),
            None => self.cluster.create(key, read, self.stage.now()),
        };
        if let Ok(declaration) = applied {
            self.stage.note(Fact::Declared {
                key: key.clone(),
                generation: declaration.generation,
                spec: Some(Arc::new(spec)),
            });
        }
        Ok(())
    }

    async fn id_of(&self, list: &str, name: &str) -> Option<String> {
        let rows = self.remote.rows(list).await;
        let row = rows
            .iter()
            .find(|row| row.get("name").and_then(Value::as_str) == Some(name))?;
        row.get("id").and_then(Value::as_str).map(str::to_owned)
    }

    async fn ending(&self, scenario: &Scenario) -> Ending {
        let (_, declarations) = self.cluster.list();
        let finished = self.stage.elapsed() >= STORMY + scenario.settling;
        Ending {
            // A run that was cut short has not come to an end that could be judged.
            declarations: if finished { declarations } else { Vec::new() },
            components: self.remote.rows("components").await,
            incidents: self.remote.rows("incidents").await,
            subscribers: self.remote.rows("subscribers").await,
        }
    }
}

/// What comes next.
enum Turn<'a> {
    Act(&'a Act),
    Weather(String, bool),
    Fair,
    Still,
    End,
}
