//! Operations on the members of an organization.

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{OrganizationUser, OrganizationUserWrite, Permissions};
use super::super::{Client, Error};

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
    pub fn users(&self) -> ListReader<OrganizationUser> {
        let call = Call::get("list organization users", &["organizations", &self.id, "users"]);
        self.client.list(Paging::USUAL, call)
    }

    /// Creates a member.
    pub async fn create_user(&self, user: &OrganizationUserWrite) -> Result<OrganizationUser, Error> {
        let call =
            Call::post("create organization user", &["organizations", &self.id, "users"]).enveloped("user", user);
        self.client.fetch_one(call).await
    }

    /// Removes a member; the reply may or may not show who it was.
    pub async fn delete_user(&self, id: &str) -> Result<Option<OrganizationUser>, Error> {
        let call = Call::delete("delete organization user", &["organizations", &self.id, "users", id]);
        self.client.remove(call.about(id)).await
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
