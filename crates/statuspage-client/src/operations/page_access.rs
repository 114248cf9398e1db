//! Operations on those who may see parts of an audience-specific page.

use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{
    Component, Identified, Metric, PageAccessGroup, PageAccessGroupWrite, PageAccessUser, PageAccessUserWrite,
};
use super::super::{Client, Error};

/// The users who may see parts of a page.
#[derive(Clone, Debug)]
pub struct PageAccessUsers {
    client: Client,
    page: String,
}

impl PageAccessUsers {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// All of them, or those with an address.
    pub fn list(&self, email: Option<&str>) -> ListReader<PageAccessUser> {
        let call =
            Call::get("list page access users", &["pages", &self.page, "page_access_users"]).query_if("email", email);
        self.client.list(Paging::USUAL, call)
    }

    /// One of them.
    pub async fn get(&self, id: &str) -> Result<PageAccessUser, Error> {
        let call = Call::get("read page access user", &["pages", &self.page, "page_access_users", id]).about(id);
        self.client.fetch_one(call).await
    }

    /// Creates a user.
    pub async fn create(&self, user: &PageAccessUserWrite) -> Result<PageAccessUser, Error> {
        let call = Call::post("create page access user", &["pages", &self.page, "page_access_users"])
            .enveloped("page_access_user", user);
        self.client.fetch_one(call).await
    }

    /// Changes a user; what is absent stays.
    pub async fn update(&self, id: &str, user: &PageAccessUserWrite) -> Result<PageAccessUser, Error> {
        let call = Call::patch(
            "update page access user",
            &["pages", &self.page, "page_access_users", id],
        )
        .about(id)
        .enveloped("page_access_user", user);
        self.client.fetch_one(call).await
    }

    /// Removes a user.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let call = Call::delete(
            "delete page access user",
            &["pages", &self.page, "page_access_users", id],
        )
        .about(id);
        self.client.perform(call).await
    }

    /// The components that are granted to this user alone.
    #[must_use]
    pub fn components(&self, id: &str) -> AccessGrants<Component> {
        AccessGrants::new(&self.client, &self.page, "page_access_users", id, Granted::Components)
    }

    /// The metrics that are granted to this user alone.
    #[must_use]
    pub fn metrics(&self, id: &str) -> AccessGrants<Metric> {
        AccessGrants::new(&self.client, &self.page, "page_access_users", id, Granted::Metrics)
    }
}

/// The groups of users who may see the same parts of a page.
#[derive(Clone, Debug)]
pub struct PageAccessGroups {
    client: Client,
    page: String,
}

impl PageAccessGroups {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// All groups, with their users, components and metrics.
    pub fn list(&self) -> ListReader<PageAccessGroup> {
        let call = Call::get("list page access groups", &["pages", &self.page, "page_access_groups"]);
        self.client.list(Paging::USUAL, call)
    }

    /// One group.
    pub async fn get(&self, id: &str) -> Result<PageAccessGroup, Error> {
        let call = Call::get(
            "read page access group",
            &["pages", &self.page, "page_access_groups", id],
        )
        .about(id);
        self.client.fetch_one(call).await
    }

    /// Creates a group.
    pub async fn create(&self, group: &PageAccessGroupWrite) -> Result<PageAccessGroup, Error> {
        let call = Call::post("create page access group", &["pages", &self.page, "page_access_groups"])
            .enveloped("page_access_group", group);
        self.client.fetch_one(call).await
    }

    /// Changes a group; what is absent stays, a list that is given replaces the known one.
    pub async fn update(&self, id: &str, group: &PageAccessGroupWrite) -> Result<PageAccessGroup, Error> {
        let call = Call::patch(
            "update page access group",
            &["pages", &self.page, "page_access_groups", id],
        )
        .about(id)
        .enveloped("page_access_group", group);
        self.client.fetch_one(call).await
    }

    /// Removes a group and keeps its users; the reply may or may not show what it was.
    pub async fn delete(&self, id: &str) -> Result<Option<PageAccessGroup>, Error> {
        let call = Call::delete(
            "delete page access group",
            &["pages", &self.page, "page_access_groups", id],
        )
        .about(id);
        self.client.remove(call).await
    }

    /// The components that are granted to a group.
    #[must_use]
    pub fn components(&self, id: &str) -> AccessGrants<Component> {
        AccessGrants::new(&self.client, &self.page, "page_access_groups", id, Granted::Components)
    }
}

#[derive(Clone, Copy, Debug)]
enum Granted {
    Components,
    Metrics,
}

impl Granted {
    fn segment(self) -> &'static str {
        match self {
            Self::Components => "components",
            Self::Metrics => "metrics",
        }
    }

    fn body(self, ids: &[String]) -> Value {
        let key = match self {
            Self::Components => "component_ids",
            Self::Metrics => "metric_ids",
        };
        Value::Object(Map::from_iter([(key.to_owned(), json!(ids))]))
    }
}

/// What is granted to one user or group.
#[derive(Clone, Debug)]
pub struct AccessGrants<T> {
    client: Client,
    page: String,
    holders: &'static str,
    holder: String,
    granted: Granted,
    item: std::marker::PhantomData<fn() -> T>,
}

impl<T: Identified + serde::de::DeserializeOwned + Send + 'static> AccessGrants<T> {
    fn new(client: &Client, page: &str, holders: &'static str, holder: &str, granted: Granted) -> Self {
        Self {
            client: client.clone(),
            page: page.to_owned(),
            holders,
            holder: holder.to_owned(),
            granted,
            item: std::marker::PhantomData,
        }
    }

    fn segments(&self) -> [&str; 5] {
        ["pages", &self.page, self.holders, &self.holder, self.granted.segment()]
    }

    /// What is granted.
    pub fn list(&self) -> ListReader<T> {
        let segments = self.segments();
        let call = Call::get("list access grants", &segments);
        self.client.list(Paging::USUAL, call)
    }

    /// The ids of what is granted.
    pub async fn ids(&self) -> Result<Vec<String>, Error> {
        let granted = self.list().await?.items;
        Ok(granted.iter().map(|item| item.id().to_owned()).collect())
    }

    /// Grants these too.
    pub async fn add(&self, ids: &[String]) -> Result<(), Error> {
        let call = Call::patch("add access grants", &self.segments())
            .about(&self.holder)
            .body(&self.granted.body(ids));
        self.client.perform(call).await
    }

    /// Grants these and nothing else.
    pub async fn replace(&self, ids: &[String]) -> Result<(), Error> {
        // Sending the whole list again changes nothing.
        let call = Call::post("replace access grants", &self.segments())
            .about(&self.holder)
            .body(&self.granted.body(ids))
            .effectful(false);
        self.client.perform(call).await
    }

    /// Takes these away. An empty list is refused: the service would take everything away.
    pub async fn remove(&self, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() {
            return Err(Error::InvalidRequest {
                operation: "remove access grants",
                reason: "no id is given, which would take everything away".to_owned(),
            });
        }
        let call = Call::delete("remove access grants", &self.segments())
            .about(&self.holder)
            .body(&self.granted.body(ids));
        self.client.perform(call).await
    }

    /// Takes everything away.
    pub async fn remove_all(&self) -> Result<(), Error> {
        let call = Call::delete("remove all access grants", &self.segments()).about(&self.holder);
        self.client.perform(call).await
    }

    /// Takes one away.
    pub async fn remove_one(&self, id: &str) -> Result<(), Error> {
        let [pages, page, holders, holder, granted] = self.segments();
        let segments = [pages, page, holders, holder, granted, id];
        let call = Call::delete("remove access grant", &segments).about(&self.holder);
        self.client.perform(call).await
    }
}
