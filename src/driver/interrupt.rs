//! What brings a waiting driver back: a change of its page, or the end of the process.

use tokio::sync::watch;

/// The sending side: says that something changed, or that it is time to stop.
#[derive(Debug)]
pub struct Trigger {
    changes: watch::Sender<u64>,
    stop: watch::Sender<bool>,
}

/// The receiving side, held by one driver.
#[derive(Clone, Debug)]
pub struct Interrupt {
    changes: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
}

impl Default for Trigger {
    fn default() -> Self {
        Trigger {
            changes: watch::Sender::new(0),
            stop: watch::Sender::new(false),
        }
    }
}

impl Trigger {
    /// The receiving side.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt {
            changes: self.changes.subscribe(),
            stop: self.stop.subscribe(),
        }
    }

    /// Something of the page changed: plan again.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Stop after the effect that is under way.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Interrupt {
    /// True once it is time to stop.
    pub fn stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// True when something has changed, or it is time to stop.
    pub fn is_due(&self) -> bool {
        self.stopped() || self.changes.has_changed().unwrap_or(true)
    }

    /// Returns at the next change, or when it is time to stop. Cancel safe.
    pub async fn wait(&mut self) {
        if self.stopped() {
            return;
        }
        tokio::select! {
            biased;
            _ = self.changes.changed() => {}
            _ = self.stop.changed() => {}
        }
    }

    /// Forgets changes that happened before now, because what they changed is about to be read.
    pub fn acknowledge(&mut self) {
        self.changes.borrow_and_update();
    }
}
