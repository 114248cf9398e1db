//! The request windows of the tokens as commands see them: on record across commands, and said when one has to wait.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::screen::note;
use super::{Connection, Failure};
use crate::statuspage::BudgetRegistry;

/// Who waits longer than this wants to know why.
pub(super) const WORTH_A_LINE: Duration = Duration::from_secs(2);

/// So long it is tried to put requests on record.
const UNRECORDED_FOR: Duration = Duration::from_secs(30);
const RECORD_CHECK: Duration = Duration::from_secs(1);

/// The budgets of all tokens, on record in this directory if that is possible: what only looks at a page may be run where
/// nothing can be written.
pub(super) fn recorded_budgets(state: &Path, connection: &Connection) -> Arc<BudgetRegistry> {
    if connection.requests_per_minute == 0 {
        return connection.budgets();
    }
    match probe(state) {
        Ok(()) => connection.budgets_recorded_in(state),
        Err(error) => {
            let directory = state.display();
            tracing::warn!(%directory, %error, "requests of the last minute are not counted across commands");
            connection.budgets()
        }
    }
}

/// Where a command that works on no directory keeps what was sent in the last minute: the state directory of the user.
pub(super) fn user_state() -> Option<PathBuf> {
    let named = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local").join("state")));
    state.map(|state| state.join("statuspage"))
}

/// Fails when no file can be written in a directory, which is made if it is not there.
fn probe(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let file = directory.join("requests.new");
    // A full disk takes a file, and nothing into it.
    let written = std::fs::write(&file, [b' '; 4096]);
    let removed = std::fs::remove_file(&file);
    written.and(removed)
}

/// Does work that sends requests: says so when everything waits for the window, and ends when nothing can be put on record.
pub(super) async fn attended<T>(
    budgets: &BudgetRegistry,
    state: &Path,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        why = unrecorded(budgets, state) => Err(Failure::Unrecorded(why)),
        never = tell_of_used_window(budgets) => match never {},
    }
}

/// Puts what was sent on record.
pub(super) async fn settled(budgets: &BudgetRegistry) {
    if let Err(error) = budgets.settle().await {
        // What is on record counts more than was sent: the next command waits longer than it had to.
        tracing::debug!(%error, "the number of requests of the last minute is not on record");
    }
}

/// Tells, soon after the start, when everything waits because the window is used up: a command before this one has sent
/// what may be sent in a minute.
pub(super) async fn tell_of_used_window(budgets: &BudgetRegistry) -> Infallible {
    tokio::time::sleep(WORTH_A_LINE).await;
    for (_, _, budget) in budgets.all() {
        let wait = budget.estimate(1);
        if budget.stats().waiting > 0 && !wait.is_zero() {
            note(&format!(
                "the token's request budget is used up, resuming in {} s",
                wait.as_secs() + 1
            ));
        }
    }
    std::future::pending().await
}

/// Returns, with what to say, when everything waits because requests cannot be put on record in this directory: a disk that
/// became full.
pub(super) async fn unrecorded(budgets: &BudgetRegistry, state: &Path) -> String {
    let mut for_so_long = Duration::ZERO;
    while for_so_long < UNRECORDED_FOR {
        tokio::time::sleep(RECORD_CHECK).await;
        let stuck = budgets.all().iter().any(|(_, _, budget)| {
            let stats = budget.stats();
            stats.unrecorded && stats.waiting > 0
        });
        for_so_long = if stuck {
            for_so_long + RECORD_CHECK
        } else {
            Duration::ZERO
        };
    }
    let directory = state.display();
    format!("cannot record requests in {directory}: free space on its disk, then run this again")
}
