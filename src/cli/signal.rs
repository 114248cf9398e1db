//! How a command is asked to end, and with which exit code it does so.
//!
//! 130 for Ctrl-C and 143 for SIGTERM: at once where a command only reads, such as `plan`, and once the request that is under
//! way is finished where it writes. A service that was told to end by SIGTERM has done what it should, and ends with 0.

use super::Outcome;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A person: Ctrl-C.
    Interrupt,
    /// The system: SIGTERM.
    Terminate,
}

impl Asked {
    /// How a command ends that was not done.
    pub(super) fn unfinished(self) -> Outcome {
        match self {
            Asked::Interrupt => Outcome::Interrupted,
            Asked::Terminate => Outcome::Terminated,
        }
    }

    /// How a service ends, which is never done.
    pub(super) fn of_service(self) -> Outcome {
        match self {
            Asked::Interrupt => Outcome::Interrupted,
            Asked::Terminate => Outcome::Success,
        }
    }
}

/// Returns when the process is asked to end.
pub(super) async fn asked_to_end() -> Asked {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = tokio::signal::ctrl_c() => Asked::Interrupt,
                _ = terminate.recv() => Asked::Terminate,
            };
        }
    }
    let _ = tokio::signal::ctrl_c().await;
    Asked::Interrupt
}
