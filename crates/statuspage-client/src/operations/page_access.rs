//! Operations on those who may see parts of an audience-specific page.

use std::marker::PhantomData;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{
    Component, Identified, Metric, PageAccessGroup, PageAccessGroupWrite, PageAccessUser, PageAccessUserWrite,
};
use super::super::{Client, Error};
use super::resources::operations;
use super::{Creatable, Deletable, Operations, Readable, Resource, Resources, Updatable};

impl Resource for PageAccessUser {
    type Write = PageAccessUserWrite;
    const OPERATIONS: Operations = operations!("page access user");
    const PATH: &'static str = "page_access_users";
    const ENVELOPE: &'static str = "page_access_user";
}

impl Creatable for PageAccessUser {}
impl Readable for PageAccessUser {}
impl Updatable for PageAccessUser {}
impl Deletable for PageAccessUser {}

impl Resources<PageAccessUser> {
    /// Those with an address.
    pub fn with_email(&self, email: &str) -> ListReader<PageAccessUser> {
        let call = self.call("list page access users", Method::GET, &[]);
        self.client.list(Paging::USUAL, call.query("email", email))
    }

    /// The components that are granted to this user alone.
    #[must_use]
    pub fn components(&self, id: &str) -> AccessGrants<Component> {
        AccessGrants::new(self, id, "components", "component_ids")
    }

    /// The metrics that are granted to this user alone.
    #[must_use]
    pub fn metrics(&self, id: &str) -> AccessGrants<Metric> {
        AccessGrants::new(self, id, "metrics", "metric_ids")
    }
}

impl Resource for PageAccessGroup {
    type Write = PageAccessGroupWrite;
    const OPERATIONS: Operations = operations!("page access group");
    const PATH: &'static str = "page_access_groups";
    const ENVELOPE: &'static str = "page_access_group";
}

impl Creatable for PageAccessGroup {}
impl Readable for PageAccessGroup {}
impl Updatable for PageAccessGroup {}
impl Deletable for PageAccessGroup {}

impl Resources<PageAccessGroup> {
    /// The components that are granted to a group.
    #[must_use]
    pub fn components(&self, id: &str) -> AccessGrants<Component> {
        AccessGrants::new(self, id, "components", "component_ids")
    }
}

/// What is granted to one user or group.
#[derive(Clone, Debug)]
pub struct AccessGrants<T> {
    client: Client,
    path: Vec<String>,
    /// Id of the user or group.
    holder: String,
    /// What bodies call the ids.
    key: &'static str,
    granted: PhantomData<fn() -> T>,
}

impl<T: Identified + DeserializeOwned + Send + 'static> AccessGrants<T> {
    fn new<R: Resource>(holders: &Resources<R>, holder: &str, granted: &str, key: &'static str) -> Self {
        let path = holders.path(&[holder, granted]);
        Self {
            client: holders.client.clone(),
            path: path.into_iter().map(str::to_owned).collect(),
            holder: holder.to_owned(),
            key,
            granted: PhantomData,
        }
    }

    fn call(&self, operation: &'static str, method: Method, id: Option<&str>) -> Call {
        let path = self.path.iter().map(String::as_str);
        Call::new(operation, method, &path.chain(id).collect::<Vec<_>>())
    }

    /// A call whose reply, if it names an object, names the user or group.
    fn change(&self, operation: &'static str, method: Method, id: Option<&str>) -> Call {
        self.call(operation, method, id).about(&self.holder)
    }

    fn body(&self, ids: &[String]) -> Value {
        Value::Object(Map::from_iter([(self.key.to_owned(), json!(ids))]))
    }

    /// What is granted.
    pub fn list(&self) -> ListReader<T> {
        let call = self.call("list access grants", Method::GET, None);
        self.client.list(Paging::USUAL, call)
    }

    /// The ids of what is granted.
    pub async fn ids(&self) -> Result<Vec<String>, Error> {
        let granted = self.list().await?.items;
        Ok(granted.iter().map(|item| item.id().to_owned()).collect())
    }

    /// Grants these too.
    pub async fn add(&self, ids: &[String]) -> Result<(), Error> {
        let call = self.change("add access grants", Method::PATCH, None);
        self.client.perform(call.body(&self.body(ids))).await
    }

    /// Grants these and nothing else.
    pub async fn replace(&self, ids: &[String]) -> Result<(), Error> {
        // Sending the whole list again changes nothing.
        let call = self.change("replace access grants", Method::POST, None);
        self.client.perform(call.body(&self.body(ids)).effectful(false)).await
    }

    /// Takes these away. An empty list is refused: the service would take everything away.
    pub async fn remove(&self, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() {
            return Err(Error::InvalidRequest {
                operation: "remove access grants",
                reason: "no id is given, which would take everything away".to_owned(),
            });
        }
        let call = self.change("remove access grants", Method::DELETE, None);
        self.client.perform(call.body(&self.body(ids))).await
    }

    /// Takes everything away.
    pub async fn remove_all(&self) -> Result<(), Error> {
        let call = self.change("remove all access grants", Method::DELETE, None);
        self.client.perform(call).await
    }

    /// Takes one away.
    pub async fn remove_one(&self, id: &str) -> Result<(), Error> {
        let call = self.change("remove access grant", Method::DELETE, Some(id));
        self.client.perform(call).await
    }
}
