//! Operations on the members of an organization.

use super::super::call::Call;
use super::super::types::{OrganizationUser, OrganizationUserWrite, Permissions};
use super::super::{Client, Error};
use super::resources::operations;
use super::{Creatable, Deletable, Operations, Resource, Resources};

impl Resource<Organization> for OrganizationUser {
    type Write = OrganizationUserWrite;
    const OPERATIONS: Operations = operations!("organization user");
    const PATH: &'static str = "users";
    const ENVELOPE: &'static str = "user";
}

impl Creatable<Organization> for OrganizationUser {}
impl Deletable<Organization> for OrganizationUser {}

/// One organization.
#[derive(Clone, Debug)]
pub struct Organization {
    client: Client,
    id: String,
}

impl Organization {
    pub(super) fn new(client: Client, id: &str) -> Self {
        Self {
            client,
            id: id.to_owned(),
        }
    }

    /// Its members. Organizations on Atlassian accounts show none.
    #[must_use]
    pub fn users(&self) -> Resources<OrganizationUser, Organization> {
        Resources::new(&self.client, &["organizations", &self.id])
    }

    /// What a member may do.
    pub async fn permissions(&self, user: &str) -> Result<Permissions, Error> {
        let call = Call::get("read permissions", &["organizations", &self.id, "permissions", user]);
        self.client.fetch_part(call.about_the("user_id", user)).await
    }

    /// Sets what a member may do. A page that is left out is taken away: read and change what is there.
    pub async fn set_permissions(&self, user: &str, permissions: &Permissions) -> Result<Permissions, Error> {
        let call = Call::put("set permissions", &["organizations", &self.id, "permissions", user]).body(permissions);
        self.client.fetch_part(call.about_the("user_id", user)).await
    }
}
