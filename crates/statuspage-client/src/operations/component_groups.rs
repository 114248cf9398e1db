//! Operations on component groups.

use reqwest::Method;

use super::super::Error;
use super::super::types::{ComponentGroup, ComponentGroupWrite, Uptime};
use super::resources::operations;
use super::{Creatable, Deletable, Operations, Readable, Resource, Resources, Updatable, UptimeRange};

impl Resource for ComponentGroup {
    type Write = ComponentGroupWrite;
    const OPERATIONS: Operations = operations!("component group");
    const PATH: &'static str = "component-groups";
    const ENVELOPE: &'static str = "component_group";
}

impl Creatable for ComponentGroup {}
impl Readable for ComponentGroup {}
impl Updatable for ComponentGroup {}
impl Deletable for ComponentGroup {}

impl Resources<ComponentGroup> {
    /// The uptime of a group over a range of at most six months.
    pub async fn uptime(&self, id: &str, range: &UptimeRange) -> Result<Uptime, Error> {
        let call = self.call("read component group uptime", Method::GET, &[id, "uptime"]);
        self.client.fetch_part(range.apply(call).about(id)).await
    }
}
