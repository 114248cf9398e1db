//! Operations on components.

use reqwest::Method;
use serde_json::json;

use super::super::Error;
use super::super::paging::Paging;
use super::super::types::{Component, ComponentWrite, Uptime};
use super::resources::operations;
use super::{Creatable, Deletable, Operations, Readable, Resource, Resources, Updatable, UptimeRange};

impl Resource for Component {
    type Write = ComponentWrite;
    const OPERATIONS: Operations = operations!("component");
    const PATH: &'static str = "components";
    const ENVELOPE: &'static str = "component";
    /// The documented maximum is 1,100 in one place and 100 in another; paging copes with both.
    const PAGING: Paging = Paging {
        size: 1100,
        ..Paging::USUAL
    };
}

impl Creatable for Component {}
impl Readable for Component {}
impl Updatable for Component {}
impl Deletable for Component {}

impl Resources<Component> {
    /// The uptime of a component over a range of at most six months; only for components that show it.
    pub async fn uptime(&self, id: &str, range: &UptimeRange) -> Result<Uptime, Error> {
        let call = self.call("read component uptime", Method::GET, &[id, "uptime"]);
        self.client.fetch_part(range.apply(call).about(id)).await
    }

    /// Grants a component to page access users, beside those who have it.
    pub async fn add_page_access_users(&self, id: &str, users: &[String]) -> Result<(), Error> {
        let call = self.call("grant component to users", Method::POST, &[id, "page_access_users"]);
        let call = call.about(id).body(&json!({ "page_access_user_ids": users }));
        self.client.perform(call.effectful(false)).await
    }

    /// Takes a component from every page access user.
    pub async fn remove_page_access_users(&self, id: &str) -> Result<(), Error> {
        let call = self.call("take component from users", Method::DELETE, &[id, "page_access_users"]);
        self.client.perform(call.about(id)).await
    }

    /// Grants a component to page access groups, beside those who have it.
    pub async fn add_page_access_groups(&self, id: &str, groups: &[String]) -> Result<(), Error> {
        let call = self.call("grant component to groups", Method::POST, &[id, "page_access_groups"]);
        let call = call.about(id).body(&json!({ "page_access_group_ids": groups }));
        self.client.perform(call.effectful(false)).await
    }

    /// Takes a component from every page access group.
    pub async fn remove_page_access_groups(&self, id: &str) -> Result<(), Error> {
        let call = self.call(
            "take component from groups",
            Method::DELETE,
            &[id, "page_access_groups"],
        );
        self.client.perform(call.about(id)).await
    }
}
