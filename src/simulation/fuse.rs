//! What ends a process in the middle of its work.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::stage::Stage;
use super::trace::{Fact, Life};

/// What ends a process before or after one of its effects.
#[derive(Debug)]
pub(super) struct Fuse {
    process: usize,
    stage: Arc<Stage>,
    /// So many effects are left; none: it never ends.
    left: Mutex<Option<u64>>,
    blown: Notify,
}

impl Fuse {
    pub(super) fn new(process: usize, stage: &Arc<Stage>, left: Option<u64>) -> Arc<Self> {
        Arc::new(Fuse {
            process,
            stage: Arc::clone(stage),
            left: Mutex::new(left),
            blown: Notify::new(),
        })
    }

    /// One that never burns down.
    pub(super) fn lasting(stage: &Arc<Stage>) -> Arc<Self> {
        Self::new(0, stage, None)
    }

    /// An effect is about to happen, or has just happened. If it was the last one, this never returns.
    pub(super) async fn burn(&self, place: &'static str) {
        let blown = {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            match *left {
                None => false,
                Some(0) => true,
                Some(more) => {
                    *left = Some(more - 1);
                    more == 1
                }
            }
        };
        if blown {
            let what = Life::Crashed { place };
            self.stage.note(Fact::Process {
                process: self.process,
                what,
            });
            self.blown.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// So many effects are left from here on; none: it never ends.
    pub(super) fn set(&self, left: Option<u64>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }

    /// Returns once the last effect has happened.
    pub(super) async fn blown(&self) {
        self.blown.notified().await;
    }
}
