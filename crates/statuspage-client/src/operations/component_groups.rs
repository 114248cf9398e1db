//! Operations on component groups.

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{ComponentGroup, ComponentGroupWrite, Uptime};
use super::super::{Client, Error};
use super::UptimeRange;

/// The component groups of a page. The service removes a group that loses its last member.
#[derive(Clone, Debug)]
pub struct ComponentGroups {
    client: Client,
    page: String,
}

impl ComponentGroups {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// All component groups of the page.
    pub fn list(&self) -> ListReader<ComponentGroup> {
        let call = Call::get("list component groups", &["pages", &self.page, "component-groups"]);
        self.client.list(Paging::USUAL, call)
    }

    /// One component group.
    pub async fn get(&self, id: &str) -> Result<ComponentGroup, Error> {
        let call = Call::get("read component group", &["pages", &self.page, "component-groups", id]).about(id);
        self.client.fetch_one(call).await
    }

    /// Creates a component group.
    pub async fn create(&self, component_group: &ComponentGroupWrite) -> Result<ComponentGroup, Error> {
        let call = Call::post("create component group", &["pages", &self.page, "component-groups"])
            .enveloped("component_group", component_group);
        self.client.fetch_one(call).await
    }

    /// Changes a component group. Name and members have to be given; who is left out becomes ungrouped.
    pub async fn update(&self, id: &str, component_group: &ComponentGroupWrite) -> Result<ComponentGroup, Error> {
        let call = Call::patch("update component group", &["pages", &self.page, "component-groups", id])
            .about(id)
            .enveloped("component_group", component_group);
        self.client.fetch_one(call).await
    }

    /// Removes a component group and keeps its members; the reply may or may not show what it was.
    pub async fn delete(&self, id: &str) -> Result<Option<ComponentGroup>, Error> {
        let call = Call::delete("delete component group", &["pages", &self.page, "component-groups", id]).about(id);
        self.client.remove(call).await
    }

    /// The uptime of a group over a range of at most six months.
    pub async fn uptime(&self, id: &str, range: &UptimeRange) -> Result<Uptime, Error> {
        let segments = ["pages", &self.page, "component-groups", id, "uptime"];
        let call = range.apply(Call::get("read component group uptime", &segments));
        self.client.fetch_part(call.about(id)).await
    }
}
