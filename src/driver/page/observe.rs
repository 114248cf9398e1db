//! What is read for who only looks: nothing is written anywhere.

use jiff::SignedDuration;

use super::{PATIENCE, PageDriver};
use crate::api::Reason;
use crate::driver::{Store, Trigger, View};
use crate::engine::{self, Plan, Read};
use crate::statuspage::{Client, Priority};

/// Who only looks waits for proofs for so long at most.
const LOOKED_FOR: SignedDuration = SignedDuration::from_secs(20);
/// What is only shown may be based on what was read so long ago.
const SHOWN_FOR: SignedDuration = SignedDuration::from_mins(10);

impl<S: Store> PageDriver<S> {
    /// Reads what a plan needs and returns it, writing nothing anywhere. An outage is not waited for.
    pub async fn observe(&mut self) -> Option<(View, Plan)> {
        let begun = self.options.clock.steady();
        loop {
            let (view, plan) = self.read_what_is_due().await?;
            // A proof that is a few seconds away is waited for; who only looks does not wait for more.
            let now = self.options.clock.steady();
            match plan.proof_at.filter(|at| at.duration_since(begun) <= LOOKED_FOR) {
                Some(at) if at > now => tokio::time::sleep(at.duration_since(now).unsigned_abs()).await,
                _ => return Some((view, plan)),
            }
        }
    }

    /// Reads what a plan needs now.
    pub(super) async fn read_what_is_due(&mut self) -> Option<(View, Plan)> {
        self.fresh_for = SHOWN_FOR;
        loop {
            let view = self.refresh_view()?;
            let plan = self.plan(&view);
            let Some(read) = plan.reads.first().cloned() else {
                return Some((view, plan));
            };
            let Some((client, page_id)) = self.connection() else {
                return Some((view, plan));
            };
            if !self.look_up(&view, &client, &page_id, &read).await {
                let view = self.refresh_view()?;
                let plan = self.plan(&view);
                return Some((view, plan));
            }
        }
    }

    /// Reads something for who only looks; false when nothing was answered for as long as that is waited for.
    pub(super) async fn look_up(&mut self, view: &View, client: &Client, page_id: &str, read: &Read) -> bool {
        let permit = client.budget().acquire(Priority::Read, page_id).await;
        let nobody = Trigger::default();
        let undisturbed = nobody.interrupt();
        let outage = self.outage();
        tokio::select! {
            () = self.read(view, client, page_id, read, permit, &undisturbed) => true,
            () = outage => {
                let message = format!("no answer within {} s", PATIENCE.as_secs());
                self.fail_reading(&read.what, false, Reason::Unreachable, message);
                false
            }
        }
    }

    /// How the page stands: the store's view and the plan of this moment. Performs nothing.
    pub fn current(&mut self) -> Option<(View, Plan)> {
        let view = self.refresh_view()?;
        let plan = engine::plan(&self.world(&view));
        Some((view, plan))
    }
}
