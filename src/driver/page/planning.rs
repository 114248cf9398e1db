//! Asks the engine what to do, and sees whether it goes in circles.

use std::collections::BTreeMap;

use super::PageDriver;
use crate::api::{Reason, Spec};
use crate::driver::{Store, View};
use crate::engine::{self, Declaration, ObjectKey, Plan, Step, World};
use crate::statuspage::Budget;

impl<S: Store> PageDriver<S> {
    /// The world as it is known now.
    pub fn world<'a>(&'a self, view: &'a View) -> World<'a> {
        let now = self.options.clock.steady();
        World {
            now,
            wall: self.options.clock.now(),
            remote_now: self.remote_clock.at(now),
            fresh_for: self.fresh_for,
            page: &view.page,
            around: &view.around,
            page_id: self.page_id.as_deref(),
            declarations: &view.declarations,
            snapshot: &self.snapshot,
            page_read_at: self.page_read_at,
            read_failures: &self.read_failures,
            failures: &self.failures,
            circuit_breaker: self.circuit_breaker.as_ref(),
            budget: self.budget().map(Budget::stats),
            seal_key: self.seal_key.as_ref(),
            single_points: self.single_points,
        }
    }

    pub(super) fn plan(&mut self, view: &View) -> Plan {
        self.count(|totals| totals.plans += 1);
        self.written.clear();
        self.contested_until = None;
        let mut plan = self.planned(view);
        let previous = std::mem::take(&mut self.last_updates);
        if self.refuse_repetition(view, &plan, &previous) {
            plan = self.planned(view);
        }
        self.forget_what_is_stored(&plan);
        self.left_to_time = plan.proof_at.is_some() || has_open_attempt(view);
        engine::forget_settled(&mut self.failures, &plan.findings, self.options.clock.steady());
        plan
    }

    fn planned(&self, view: &View) -> Plan {
        #[cfg(test)]
        return crate::simulation::bugs::plan_distorted(self.world(view));
        #[cfg(not(test))]
        engine::plan(&self.world(view))
    }

    /// A field that would be written again right after it was written is one that the page does not keep. True when there
    /// is one.
    fn refuse_repetition(&mut self, view: &View, plan: &Plan, previous: &BTreeMap<ObjectKey, Step>) -> bool {
        let mut refused = false;
        for step in &plan.steps {
            let Some(previous) = previous.get(&step.key) else {
                continue;
            };
            let fields = step.repeats(previous);
            if fields.is_empty() {
                continue;
            }
            let message = format!(
                "Statuspage accepted the change but did not keep {}: the page's plan may not have this feature, or the API cannot change it; remove the field or change it in the console",
                fields.join(", ")
            );
            self.fail(view, &step.key, true, Reason::NotHonoured, message);
            refused = true;
        }
        refused
    }
}

/// True while it is not known of some attempt whether it succeeded: that shows in a while.
fn has_open_attempt(view: &View) -> bool {
    let page = match &*view.page.spec {
        Spec::StatusPage(spec) => Some(&**spec),
        _ => None,
    };
    let open = |declaration: &&Declaration| declaration.status.object().journal.is_some();
    let mut open = view.declarations.iter().filter(open);
    open.any(|declaration| !declaration.policies(page).suspend)
}
