//! Who may see an audience-specific page, and who may work on it.

use serde_json::{Value, json};

use super::{Exporter, said};
use crate::api::Kind;
use crate::statuspage::Dated;

impl Exporter<'_> {
    /// Without the personal data nobody is named: then the users of a group are not declared, and stay who they are.
    pub(super) fn page_access_groups(&mut self) {
        for group in self.snapshot.page_access_groups.iter().flat_map(|list| &list.items) {
            let of = format!("page access group {}", group.id);
            let users_are_known = self.snapshot.page_access_users.is_some();
            let mut listed = |kind: Kind, ids: &[String], field: &str| {
                let names = self.references(kind, ids.iter().map(String::as_str), field, &of);
                names.filter(|names| !names.is_empty()).map(|names| json!(names))
            };
            let users = if users_are_known {
                listed(Kind::PageAccessUser, &group.page_access_user_ids, "users")
            } else {
                None
            };
            let components = listed(Kind::Component, &group.component_ids, "components");
            let metrics = listed(Kind::Metric, &group.metric_ids, "metrics");
            let spec = json!({
                "name": self.title(Kind::PageAccessGroup, &group.id, &group.name),
                "externalIdentifier": said(&group.external_identifier),
                "users": users,
                "components": components,
                "metrics": metrics,
            });
            self.put(Kind::PageAccessGroup, &group.id, spec);
        }
    }

    pub(super) fn page_access_users(&mut self) {
        let snapshot = self.snapshot;
        for user in self.snapshot.page_access_users.iter().flat_map(|list| &list.items) {
            let (email, login) = (said(&user.email), said(&user.external_login));
            if email.is_none() && login.is_none() {
                self.leave_out(Kind::PageAccessUser, &user.id, "it has neither email nor externalLogin");
                continue;
            }
            // Read only on request: nobody else's lists are owned.
            let of = format!("page access user {}", user.id);
            let mut granted = |kind: Kind, granted: Option<&Dated<Vec<String>>>, field: &str| {
                let ids = granted?.value.iter().map(String::as_str);
                self.references(kind, ids, field, &of).filter(|names| !names.is_empty())
            };
            let components = granted(Kind::Component, snapshot.user_components.get(&user.id), "components");
            let metrics = granted(Kind::Metric, snapshot.user_metrics.get(&user.id), "metrics");
            let spec = json!({
                "email": email,
                "externalLogin": login,
                "components": components,
                "metrics": metrics,
            });
            self.put(Kind::PageAccessUser, &user.id, spec);
        }
    }

    /// Of the roles those on this page: what a member may do elsewhere belongs to the export of that page.
    pub(super) fn organization_users(&mut self) {
        for member in self.snapshot.organization_users.iter().flat_map(|list| &list.items) {
            let Some(email) = said(&member.email) else {
                self.leave_out(Kind::OrganizationUser, &member.id, "it has no email");
                continue;
            };
            let known = self.snapshot.permissions.get(&member.id);
            let here = known.and_then(|known| known.value.pages.get(self.page_id));
            let permissions: Option<Value> = here.map(|roles| {
                json!([{
                    "page": self.page_name,
                    "pageConfiguration": roles.page_configuration,
                    "incidentManager": roles.incident_manager,
                    "maintenanceManager": roles.maintenance_manager,
                }])
            });
            let spec = json!({
                "email": email,
                "firstName": said(&member.first_name),
                "lastName": said(&member.last_name),
                "permissions": permissions,
            });
            self.put(Kind::OrganizationUser, &member.id, spec);
        }
    }
}
