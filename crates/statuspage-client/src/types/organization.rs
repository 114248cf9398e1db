//! The members of an organization, and what each may do on which page.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Secret, lenient};

/// A member of the organization. Organizations on Atlassian accounts have none here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganizationUser {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// Organization it belongs to.
    #[serde(deserialize_with = "lenient::text")]
    pub organization_id: Option<String>,
    /// Address.
    #[serde(deserialize_with = "lenient::text")]
    pub email: Option<String>,
    /// First name.
    #[serde(deserialize_with = "lenient::text")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(deserialize_with = "lenient::text")]
    pub last_name: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// A member to create; nothing of it can be changed later. The password is never printed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationUserWrite {
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// First password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// First name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
}

/// What a member may do on one page. Without role-based access control there are no roles: who has the page may do
/// everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageRoles {
    /// May change the page.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient::flag")]
    pub page_configuration: Option<bool>,
    /// May manage incidents.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient::flag")]
    pub incident_manager: Option<bool>,
    /// May manage maintenances.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient::flag")]
    pub maintenance_manager: Option<bool>,
}

/// The pages that a member may enter. Writing replaces all of them: read, change, write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// Roles by id of the page.
    pub pages: BTreeMap<String, PageRoles>,
}

impl<'de> Deserialize<'de> for Permissions {
    /// Reads the documented form (`{"data": {"pages": …}}`) and the form of the documented example
    /// (`{"pages": [{"page_id": …}]}`). Something with neither is not a reply of the service: taken for "no pages" it
    /// would lead to a write that revokes all of them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut reply = Value::deserialize(deserializer)?;
        if let Some(data) = reply.get_mut("data") {
            reply = data.take();
        }
        let roles = |value: Value| serde_json::from_value::<PageRoles>(value).map_err(D::Error::custom);
        let mut pages = BTreeMap::new();
        let mut listed = |item: Value| -> Result<(), D::Error> {
            let id = item.get("page_id").and_then(Value::as_str).map(str::to_owned);
            let id = id.ok_or_else(|| D::Error::custom("a page of the permissions has no page_id"))?;
            pages.insert(id, roles(item)?);
            Ok(())
        };
        match reply.get_mut("pages").map(Value::take) {
            Some(Value::Array(items)) => items.into_iter().try_for_each(&mut listed)?,
            Some(item @ Value::Object(_)) if item.get("page_id").is_some() => listed(item)?,
            Some(Value::Object(map)) => {
                for (id, value) in map {
                    pages.insert(id, roles(value)?);
                }
            }
            Some(Value::Null) => {}
            _ => return Err(D::Error::custom("it has no pages")),
        }
        Ok(Self { pages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn permissions_come_in_two_forms() {
        let example = json!({"user_id": "u", "pages": [{"page_id": "p", "incident_manager": true}]});
        let described = json!({"data": {"user_id": "u", "pages": {"page_id": "p", "incident_manager": true}}});
        let mapped = json!({"pages": {"p": {"incident_manager": true}}});
        for reply in [example, described, mapped] {
            let read: Permissions = serde_json::from_value(reply).unwrap();
            assert_eq!(read.pages["p"].incident_manager, Some(true));
            assert_eq!(
                serde_json::to_value(&read).unwrap(),
                json!({"pages": {"p": {"incident_manager": true}}})
            );
        }
        assert!(serde_json::from_value::<Permissions>(json!({"message": "a proxy speaks"})).is_err());
    }

    #[test]
    fn a_password_is_never_printed() {
        let write = OrganizationUserWrite {
            password: Some("correct-horse".into()),
            ..Default::default()
        };
        assert!(!format!("{write:?}").contains("horse"));
    }
}
