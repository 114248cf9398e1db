//! Operations on components.

use serde_json::json;

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{Component, ComponentWrite, Uptime};
use super::super::{Client, Error};
use super::UptimeRange;

/// The components of a page.
#[derive(Clone, Debug)]
pub struct Components {
    client: Client,
    page: String,
}

impl Components {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// All components of the page, and a row with `group: true` for each component group.
    pub fn list(&self) -> ListReader<Component> {
        // The documented maximum is 1,100 in one place and 100 in another; paging copes with both.
        let paging = Paging {
            size: 1100,
            ..Paging::USUAL
        };
        let call = Call::get("list components", &["pages", &self.page, "components"]);
        self.client.list(paging, call)
    }

    /// One component.
    pub async fn get(&self, id: &str) -> Result<Component, Error> {
        let call = Call::get("read component", &["pages", &self.page, "components", id]).about(id);
        self.client.fetch_one(call).await
    }

    /// Creates a component.
    pub async fn create(&self, component: &ComponentWrite) -> Result<Component, Error> {
        let call =
            Call::post("create component", &["pages", &self.page, "components"]).enveloped("component", component);
        self.client.fetch_one(call).await
    }

    /// Changes a component; what is absent stays.
    pub async fn update(&self, id: &str, component: &ComponentWrite) -> Result<Component, Error> {
        let call = Call::patch("update component", &["pages", &self.page, "components", id])
            .about(id)
            .enveloped("component", component);
        self.client.fetch_one(call).await
    }

    /// Removes a component.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let call = Call::delete("delete component", &["pages", &self.page, "components", id]).about(id);
        self.client.perform(call).await
    }

    /// The uptime of a component over a range of at most six months; only for components that show it.
    pub async fn uptime(&self, id: &str, range: &UptimeRange) -> Result<Uptime, Error> {
        let segments = ["pages", &self.page, "components", id, "uptime"];
        let call = range.apply(Call::get("read component uptime", &segments));
        self.client.fetch_part(call.about(id)).await
    }

    /// Grants a component to page access users, beside those who have it.
    pub async fn add_page_access_users(&self, id: &str, users: &[String]) -> Result<(), Error> {
        let segments = ["pages", &self.page, "components", id, "page_access_users"];
        let call = Call::post("grant component to users", &segments)
            .about(id)
            .body(&json!({ "page_access_user_ids": users }))
            .effectful(false);
        self.client.perform(call).await
    }

    /// Takes a component from every page access user.
    pub async fn remove_page_access_users(&self, id: &str) -> Result<(), Error> {
        let segments = ["pages", &self.page, "components", id, "page_access_users"];
        let call = Call::delete("take component from users", &segments).about(id);
        self.client.perform(call).await
    }

    /// Grants a component to page access groups, beside those who have it.
    pub async fn add_page_access_groups(&self, id: &str, groups: &[String]) -> Result<(), Error> {
        let segments = ["pages", &self.page, "components", id, "page_access_groups"];
        let call = Call::post("grant component to groups", &segments)
            .about(id)
            .body(&json!({ "page_access_group_ids": groups }))
            .effectful(false);
        self.client.perform(call).await
    }

    /// Takes a component from every page access group.
    pub async fn remove_page_access_groups(&self, id: &str) -> Result<(), Error> {
        let segments = ["pages", &self.page, "components", id, "page_access_groups"];
        let call = Call::delete("take component from groups", &segments).about(id);
        self.client.perform(call).await
    }
}
