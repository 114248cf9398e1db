//! Time that goes by only when nothing else can happen: twenty minutes of a backlog in seconds.
//!
//! Tokio's clock is paused, and moved together with those of the drivers and of the server. The loop never lets the
//! runtime become idle, so that Tokio does not move its clock by itself.

use std::time::Duration;

use jiff::SignedDuration;

use super::Stage;

/// What a request takes.
const REQUEST: Duration = Duration::from_millis(50);
/// What goes by at once while everybody waits.
const STEP: Duration = Duration::from_secs(1);

impl Stage {
    /// Does `work` while time goes by: a little with each request, and in steps of a second while no request is under
    /// way but those of which `hanging` says that nobody answers them. After each step `look` is called.
    pub(super) async fn while_time_goes_by<T>(
        &self,
        work: impl Future<Output = T>,
        hanging: impl Fn() -> usize,
        mut look: impl FnMut(),
    ) -> T {
        tokio::time::pause();
        let log = self.server.log();
        let mut seen = log.count("", "");
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                () = tokio::task::yield_now() => {}
            }
            let arrived = log.count("", "");
            if arrived > seen {
                let many = u32::try_from(arrived - seen).unwrap();
                seen = arrived;
                self.let_go_by(REQUEST * many).await;
                continue;
            }
            let under_way: usize = self
                .budgets
                .all()
                .iter()
                .map(|(.., budget)| budget.stats().in_flight)
                .sum();
            if under_way <= hanging() {
                self.let_go_by(STEP).await;
                look();
            }
        };
        tokio::time::resume();
        result
    }

    async fn let_go_by(&self, time: Duration) {
        self.advance(SignedDuration::try_from(time).unwrap());
        tokio::time::advance(time).await;
    }
}
