//! Members of the organization (reference 2.17) and what they may do on which page (2.18).
//!
//! Invariant: a write of permissions repeats every page that was read, because a page that is left out is revoked.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::table::{self, Row, declared, row, sent_once};
use super::{Body, Recreation, Rules, Unlisted, since, write};
use crate::api::{Kind, OrganizationUserSpec, PagePermission, Reason, Status};
use crate::engine::context::Context;
use crate::engine::declaration::ObjectKey;
use crate::engine::fields::{Comparison, Field};
use crate::engine::outcome::Blocked;
use crate::engine::plan::ReadWhat;
use crate::engine::request::Request;
use crate::statuspage::{OrganizationUser, PageRoles, Permissions, Snapshot};

/// Takes one role out of all.
type PickRole = fn(&PageRoles) -> Option<bool>;

impl Rules for OrganizationUserSpec {
    type Remote = OrganizationUser;
    // Who was shut out must not get in again.
    const RECREATION: Recreation = Recreation::WhenAsked;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!("email", email, |spec, _, _| declared(Some(&spec.email)))
            .frozen()
            .compared(Comparison::Caseless),
        row!("firstName", first_name).frozen(),
        row!("lastName", last_name).frozen(),
        // The password is the member's own from the first login on: another value in the Secret means nothing.
        sent_once!("passwordSecretRef", "password", |spec, context, remote| match remote {
            None => spec.password(context).map(Some),
            Some(_) => Ok(None),
        })
        .secret(),
    ];

    fn possible(&self, context: &Context<'_>) -> Result<(), Blocked> {
        let page = &context.world.page.key;
        if context.declaration.key.namespace != page.namespace {
            // A page admits others to itself. A member may have roles on every page of the organization.
            let message = "members of an organization can only be declared in the namespace of the StatusPage";
            return Err(Blocked::stalled(Reason::PageNotGranted, message));
        }
        let organization = context
            .world
            .page_spec()
            .and_then(|page| page.organization_id.as_deref());
        organization.map(|_| ()).ok_or_else(|| {
            let message = format!(
                "members belong to an organization: set spec.organizationId of StatusPage {}",
                page.name
            );
            Blocked::stalled(Reason::Invalid, message)
        })
    }

    fn handles(remote: &OrganizationUser) -> Vec<String> {
        remote.email.iter().map(|email| email.to_lowercase()).collect()
    }

    fn wanted_handles(&self, _context: &Context<'_>) -> Vec<String> {
        vec![self.email.to_lowercase()]
    }

    fn unlisted(&self, context: &Context<'_>, remote: &OrganizationUser) -> Vec<Unlisted> {
        if self.permissions.is_empty() {
            return Vec::new();
        }
        let known = context.world.snapshot.permissions.get(&remote.id);
        vec![Unlisted::new(ReadWhat::Permissions(remote.id.clone()), known)]
    }

    fn title(&self, context: &Context<'_>) -> String {
        // The address is personal data: Events and logs name the declaration.
        context.declaration.key.name.clone()
    }

    fn same_identity(&self, _context: &Context<'_>, remote: &OrganizationUser) -> bool {
        remote.email.as_deref().map(str::to_lowercase) == Some(self.email.to_lowercase())
    }

    fn fields(&self, context: &Context<'_>, remote: Option<&OrganizationUser>) -> Result<Vec<Field>, Blocked> {
        let mut fields = table::fields(Self::FIELDS, self, context, remote)?;
        if let Some(remote) = remote.filter(|_| !self.permissions.is_empty()) {
            fields.push(self.roles(context, remote)?);
        }
        Ok(fields)
    }

    fn delete(_declared: Option<&Self>, id: String) -> Option<Request> {
        Some(Request::DeleteOrganizationUser(id))
    }

    fn create(&self, _context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        Ok(Request::CreateOrganizationUser(Box::new(write(body)?)))
    }

    fn needs_fresh(
        &self,
        context: &Context<'_>,
        remote: &OrganizationUser,
        body: &Body,
    ) -> Option<(ReadWhat, Option<Timestamp>)> {
        let read_at = context
            .world
            .snapshot
            .permissions
            .get(&remote.id)
            .map(|known| known.read_at);
        (!body.is_empty()).then(|| (ReadWhat::Permissions(remote.id.clone()), read_at))
    }

    fn update(&self, context: &Context<'_>, remote: &OrganizationUser, _body: Body) -> Result<Request, Blocked> {
        let mut permissions = known(context, &remote.id)?.clone();
        for permission in &self.permissions {
            let roles = permissions.pages.entry(page_id(context, permission)?).or_default();
            roles.page_configuration = permission.page_configuration.or(roles.page_configuration);
            roles.incident_manager = permission.incident_manager.or(roles.incident_manager);
            roles.maintenance_manager = permission.maintenance_manager.or(roles.maintenance_manager);
        }
        Ok(Request::SetPermissions(remote.id.clone(), permissions))
    }

    fn describe(remote: &OrganizationUser, _snapshot: &Snapshot) -> String {
        format!("member{}", since(remote.created_at))
    }

    fn observe(&self, context: &Context<'_>, remote: &OrganizationUser, status: &mut Status) {
        if let Status::OrganizationUser(status) = status {
            let permissions = context.world.snapshot.permissions.get(&remote.id);
            status.pages = match permissions {
                _ if self.permissions.is_empty() => None,
                Some(permissions) => i64::try_from(permissions.value.pages.len()).ok(),
                None => status.pages,
            };
        }
    }
}

impl OrganizationUserSpec {
    fn password(&self, context: &Context<'_>) -> Result<Value, Blocked> {
        let Some(reference) = &self.password_secret_ref else {
            let message = "the organization has no member with this email; to create it set passwordSecretRef";
            return Err(Blocked::stalled(Reason::Invalid, message));
        };
        context.secret("passwordSecretRef", reference)
    }

    /// The declared roles beside those that the member has, both by page.
    fn roles(&self, context: &Context<'_>, remote: &OrganizationUser) -> Result<Field, Blocked> {
        let known = known(context, &remote.id)?;
        let (mut desired, mut observed) = (Map::new(), Map::new());
        for permission in &self.permissions {
            let page = page_id(context, permission)?;
            let has = known.pages.get(&page);
            let mut wanted = Map::new();
            let mut found = Map::new();
            let roles: [(&str, Option<bool>, PickRole); 3] = [
                ("page_configuration", permission.page_configuration, |roles| {
                    roles.page_configuration
                }),
                ("incident_manager", permission.incident_manager, |roles| {
                    roles.incident_manager
                }),
                ("maintenance_manager", permission.maintenance_manager, |roles| {
                    roles.maintenance_manager
                }),
            ];
            for (name, declared, pick) in roles {
                if let Some(declared) = declared {
                    wanted.insert(name.to_owned(), json!(declared));
                    found.insert(name.to_owned(), json!(has.and_then(pick).unwrap_or(false)));
                }
            }
            let found = if has.is_some() {
                Value::Object(found)
            } else {
                Value::Null
            };
            desired.insert(page.clone(), Value::Object(wanted));
            observed.insert(page, found);
        }
        let (desired, observed) = (Value::Object(desired), Value::Object(observed));
        Ok(Field::new("permissions", "permissions", desired, Some(observed)))
    }
}

fn known<'a>(context: &Context<'a>, user: &str) -> Result<&'a Permissions, Blocked> {
    let dated = context.world.snapshot.permissions.get(user);
    dated
        .map(|dated| &dated.value)
        .ok_or_else(|| Blocked::unread("the permissions"))
}

/// The id of the page that a permission is about. Other pages than the declaration's own were looked up by the store.
fn page_id(context: &Context<'_>, permission: &PagePermission) -> Result<String, Blocked> {
    if let Some(id) = &permission.page_id {
        return Ok(id.clone());
    }
    let name = permission.page.as_deref().unwrap_or_default();
    let key = ObjectKey::new(Kind::StatusPage, context.declaration.key.namespace.clone(), name);
    match context.world.page_id {
        Some(id) if key == context.world.page.key => Ok(id.to_owned()),
        _ => Err(Blocked::waiting(
            Reason::WaitingForReference,
            format!(
                "the id of StatusPage {name} is not known in namespace {}: create it, or give the pageId",
                key.namespace
            ),
        )),
    }
}
