//! What creating, reading, changing and deleting the objects of one list have in common.

use std::marker::PhantomData;

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{Identified, Page};
use super::super::{Client, Error};

/// What an object is called by the API, where it is and how it is sent. `P` is what it belongs to.
///
/// Each file beside this one implements it for one kind of object. What the API can do with it is told by
/// [`Creatable`], [`Readable`], [`Updatable`] and [`Deletable`].
pub trait Resource<P = Page>: Identified + DeserializeOwned + Send + 'static {
    /// What is sent to create or change one.
    type Write: Serialize;
    /// What errors and logs call what is done with it.
    const OPERATIONS: Operations;
    /// The segment of the address that all of them share, behind that of what they belong to.
    const PATH: &'static str;
    /// The key under which it is sent.
    const ENVELOPE: &'static str;
    /// How its list is read.
    const PAGING: Paging = Paging::USUAL;
    /// What else has to be said to get the whole list.
    const EVERYTHING: &'static [(&'static str, &'static str)] = &[];

    /// Whether sending a change twice has effects twice.
    fn is_effectful(_change: &Self::Write) -> bool {
        false
    }
}

/// The API creates these.
pub trait Creatable<P = Page>: Resource<P> {}
/// The API shows one of these by its id.
pub trait Readable<P = Page>: Resource<P> {}
/// The API changes these.
pub trait Updatable<P = Page>: Resource<P> {}
/// The API deletes these.
pub trait Deletable<P = Page>: Resource<P> {}

/// What the operations on one kind of object are called.
#[derive(Clone, Copy, Debug)]
pub struct Operations {
    pub(super) list: &'static str,
    pub(super) get: &'static str,
    pub(super) create: &'static str,
    pub(super) update: &'static str,
    pub(super) delete: &'static str,
}

/// The usual names for what is done with an object.
macro_rules! operations {
    ($noun:literal) => {
        $crate::operations::Operations {
            list: concat!("list ", $noun, "s"),
            get: concat!("read ", $noun),
            create: concat!("create ", $noun),
            update: concat!("update ", $noun),
            delete: concat!("delete ", $noun),
        }
    };
}
pub(super) use operations;

/// The objects of one kind that belong to a page, or to another object `P`.
///
/// ```no_run
/// # use statuspage_client::{Error, MetricWrite, PageHandle};
/// # async fn example(page: PageHandle) -> Result<(), Error> {
/// let metrics = page.metrics_providers().metrics("provider-id");
/// let metric = metrics.create(&MetricWrite::default()).await?;
/// page.metrics().delete(&metric.id).await?;
/// # Ok(())
/// # }
/// ```
///
/// What the API cannot do with a kind does not compile:
///
/// ```compile_fail,E0599
/// # use statuspage_client::PageHandle;
/// # async fn example(page: PageHandle) {
/// let deleted = page.incident_templates().delete("template-id").await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Resources<R, P = Page> {
    pub(super) client: Client,
    /// The address of what they belong to.
    parent: Vec<String>,
    objects: PhantomData<fn() -> (R, P)>,
}

impl<R: Resource<P>, P> Resources<R, P> {
    pub(super) fn new(client: &Client, parent: &[&str]) -> Self {
        Self {
            client: client.clone(),
            parent: parent.iter().map(|segment| (*segment).to_owned()).collect(),
            objects: PhantomData,
        }
    }

    /// The address of one of them, or of something below it.
    pub(super) fn path<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        let parent = self.parent.iter().map(String::as_str);
        parent.chain([R::PATH]).chain(below.iter().copied()).collect()
    }

    pub(super) fn call(&self, operation: &'static str, method: Method, below: &[&str]) -> Call {
        Call::new(operation, method, &self.path(below))
    }

    /// All of them.
    pub fn list(&self) -> ListReader<R> {
        let call = self.call(R::OPERATIONS.list, Method::GET, &[]);
        let call = R::EVERYTHING
            .iter()
            .fold(call, |call, (name, value)| call.query(*name, value));
        self.client.list(R::PAGING, call)
    }
}

impl<R: Creatable<P>, P> Resources<R, P> {
    /// Creates one.
    pub async fn create(&self, object: &R::Write) -> Result<R, Error> {
        let call = self.call(R::OPERATIONS.create, Method::POST, &[]);
        self.client.fetch_one(call.enveloped(R::ENVELOPE, object)).await
    }
}

impl<R: Readable<P>, P> Resources<R, P> {
    /// One of them.
    pub async fn get(&self, id: &str) -> Result<R, Error> {
        let call = self.call(R::OPERATIONS.get, Method::GET, &[id]);
        self.client.fetch_one(call.about(id)).await
    }
}

impl<R: Updatable<P>, P> Resources<R, P> {
    /// Changes one; what is absent stays.
    pub async fn update(&self, id: &str, change: &R::Write) -> Result<R, Error> {
        let call = self.call(R::OPERATIONS.update, Method::PATCH, &[id]);
        let call = call.about(id).enveloped(R::ENVELOPE, change);
        self.client.fetch_one(call.effectful(R::is_effectful(change))).await
    }
}

impl<R: Deletable<P>, P> Resources<R, P> {
    /// Deletes one; the reply may or may not show what it was.
    pub async fn delete(&self, id: &str) -> Result<Option<R>, Error> {
        let call = self.call(R::OPERATIONS.delete, Method::DELETE, &[id]);
        self.client.remove(call.about(id)).await
    }
}
