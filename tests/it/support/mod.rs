//! What the tests need and no test is about: a real control plane, real
//! command-line tools, and waiting that has an end.

pub(crate) mod binaries;
pub(crate) mod clients;
pub(crate) mod control_plane;
pub(crate) mod in_process;
pub(crate) mod picture;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod small_disk;
pub(crate) mod terminal;
pub(crate) mod warden;

use std::time::Duration;

/// How the names of temporary files of PostgreSQL servers begin; the number of the process follows.
pub(crate) const POSTGRES_PREFIX: &str = "statuspage-operator-postgres-";

/// How long a process of the control plane may take until it serves; the whole
/// control plane usually takes two seconds.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Polls `check` until it gives a value, and fails with what it said last.
///
/// Tests wait for the thing itself, never for a time: `check` answers `Ok` as
/// soon as the awaited state is there, and `Err` with what it sees instead.
pub(crate) async fn eventually<T, F>(what: &str, limit: Duration, mut check: F) -> T
where
    F: AsyncFnMut() -> Result<T, String>,
{
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(seen) => assert!(
                tokio::time::Instant::now() < deadline,
                "{what}: not within {limit:?}; last seen: {seen}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
