//! Who is told what a driver does, for the record.

use std::fmt::Debug;

use crate::engine::{Declaration, ObjectKey, Status, Step};

/// A remote write that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct RemoteWrite<'a> {
    /// The declaration of the page.
    pub page: &'a ObjectKey,
    /// The remote id of the page.
    pub page_id: &'a str,
    /// The declaration that it is for.
    pub declaration: &'a Declaration,
    /// What is done.
    pub step: &'a Step,
}

/// How a remote write ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conclusion<'a> {
    /// `succeeded`, `failed`, or `unknown` when no answer came, or one that leaves it open.
    pub outcome: &'static str,
    /// The id of the object that was created.
    pub created: Option<&'a str>,
    /// The error with all its causes.
    pub error: Option<&'a str>,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// Under which the remote service filed the request.
    pub request_id: Option<&'a str>,
}

/// Something that happens without a remote write.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// The status of a declaration is replaced by this one.
    Status(&'a Status),
    /// A remote object is adopted, or found again after an interrupted attempt.
    Adopted {
        /// Its id.
        id: &'a str,
        /// True when an attempt of ours had been interrupted.
        recovered: bool,
    },
    /// The finalizer is taken off.
    Released,
    /// The declaration is deleted, because its incident was resolved long enough ago.
    Pruned,
}

/// Records what a driver does. Nothing here may wait for anything but a local disk.
pub trait Recorder: Debug + Send + Sync {
    /// Before a remote write is sent.
    fn begin(&self, write: RemoteWrite<'_>) -> Box<dyn PendingRecord>;

    /// Before something is written to the store; none when nothing of it is recorded. The same happening told again, by
    /// a process that takes over from one that ended in between, is the same to the record.
    fn expect(
        &self,
        page: &ObjectKey,
        page_id: Option<&str>,
        declaration: &Declaration,
        happening: Happening<'_>,
    ) -> Option<Box<dyn Expectation>>;
}

/// Something that is about to be written to the store. Dropped without a word it may have happened.
pub trait Expectation: Send {
    /// It happened, or it did not.
    fn conclude(self: Box<Self>, happened: bool);
}

/// A remote write that was recorded as begun. Dropped without a conclusion its outcome is unknown.
pub trait PendingRecord: Send {
    /// The write ended so.
    fn conclude(self: Box<Self>, conclusion: Conclusion<'_>);
}
