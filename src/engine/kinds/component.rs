//! Components. Membership in a group is owned here, never by the group (reference 3.3).

use serde_json::{Value, json};

use super::table::{Row, declared, row};
use super::{Body, Rules, Unlisted, quoted, since, write};
use crate::api::{ComponentSpec, Kind, Status};
use crate::engine::context::Context;
use crate::engine::declaration::ObjectKey;
use crate::engine::outcome::Blocked;
use crate::engine::plan::ReadWhat;
use crate::engine::request::Request;
use crate::statuspage::{CollectionKind, Component, Snapshot};

impl Rules for ComponentSpec {
    type Remote = Component;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!("name", name, |spec, context, _| declared(Some(spec.title(context)))),
        row!("description", description),
        row!("groupRef", group_id, |spec, context, remote| spec
            .desired_group(context, remote)),
        // An incident that is open and a maintenance in progress own the status of their components (design 5a).
        row!("status", status, |spec, context, remote| {
            let id = remote.map(|remote| remote.id.as_str());
            let covered = context.index.is_covered(&context.declaration.key, id);
            declared(spec.status.filter(|_| !covered))
        }),
        row!("showcase", showcase),
        row!("onlyShowIfDegraded", only_show_if_degraded),
        row!("startDate", start_date),
    ];

    fn belongs(remote: &Component) -> bool {
        !remote.group
    }

    fn handles(remote: &Component) -> Vec<String> {
        remote.name.iter().cloned().collect()
    }

    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String> {
        vec![self.title(context)]
    }

    fn also_needs(&self) -> Option<CollectionKind> {
        // Whether an incident or a maintenance covers the component.
        self.status.map(|_| CollectionKind::Incidents)
    }

    fn unlisted(&self, context: &Context<'_>, remote: &Component) -> Vec<Unlisted> {
        let shown = remote.showcase != Some(false);
        let observe = self.observe.as_ref().filter(|_| shown);
        context.uptime_to_read(observe, ReadWhat::Uptime(remote.id.clone()), &remote.id)
    }

    fn title(&self, context: &Context<'_>) -> String {
        context.title(self.name.as_deref())
    }

    fn same_identity(&self, context: &Context<'_>, remote: &Component) -> bool {
        if remote.name.as_deref() != Some(self.title(context).as_str()) {
            return false;
        }
        match &self.group_ref {
            // A component is recognised by its name inside its group; one that was created before its group, or
            // has left it, is recognised outside of any.
            Some(group) => {
                let key = ObjectKey::new(
                    Kind::ComponentGroup,
                    context.declaration.key.namespace.clone(),
                    &group.name,
                );
                remote.group_id.is_none() || remote.group_id.as_deref() == context.claims.present(&key)
            }
            None => true,
        }
    }

    fn create(&self, _context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        Ok(Request::CreateComponent(write(body)?))
    }

    fn update(&self, _context: &Context<'_>, remote: &Component, body: Body) -> Result<Request, Blocked> {
        Ok(Request::UpdateComponent(remote.id.clone(), write(body)?))
    }

    fn describe(remote: &Component, snapshot: &Snapshot) -> String {
        let groups = snapshot.components.as_ref().zip(remote.group_id.as_deref());
        let group = groups
            .and_then(|(rows, id)| rows.get(id))
            .map(|group| format!(" in group {}", quoted(&group.name)))
            .unwrap_or_default();
        format!("{}{group}{}", quoted(&remote.name), since(remote.created_at))
    }

    fn is_worth_declaring(_remote: &Component) -> bool {
        true
    }

    fn observe(&self, context: &Context<'_>, remote: &Component, status: &mut Status) {
        if let Status::Component(status) = status {
            status.status = remote.status.as_ref().map(ToString::to_string);
            status.uptime = context.uptime(self.observe.as_ref(), &remote.id, status.uptime.take());
            status.group_id = match &self.group_ref {
                Some(group) => {
                    let key = ObjectKey::new(
                        Kind::ComponentGroup,
                        context.declaration.key.namespace.clone(),
                        &group.name,
                    );
                    let ours = context.claims.present(&key);
                    remote
                        .group_id
                        .clone()
                        .filter(|id| Some(id.as_str()) == ours)
                        .or(status.group_id.take())
                }
                // Left by the manifest but not on the page yet: still to be left.
                None => status
                    .group_id
                    .take()
                    .filter(|left| remote.group_id.as_ref() == Some(left)),
            };
        }
    }
}

impl ComponentSpec {
    /// The group id to write: a group's, null to leave the group that was set here before, or none when the field is
    /// not owned. A group appears with its first member, so the first one does not wait for it.
    fn desired_group(&self, context: &Context<'_>, remote: Option<&Component>) -> Result<Option<Value>, Blocked> {
        let Some(group) = &self.group_ref else {
            let Status::Component(status) = &*context.declaration.status else {
                return Ok(None);
            };
            let still_in_ours =
                status.group_id.is_some() && remote.is_some_and(|remote| remote.group_id == status.group_id);
            return Ok(still_in_ours.then_some(Value::Null));
        };
        let blocked = match context.reference(Kind::ComponentGroup, &group.name) {
            Ok(id) => return Ok(Some(json!(id))),
            Err(blocked) => blocked,
        };
        let namespace = &context.declaration.key.namespace;
        let key = ObjectKey::new(Kind::ComponentGroup, namespace.clone(), &group.name);
        let group_can_come = context
            .index
            .get(&key)
            .is_some_and(|group| !group.deleting && !context.held(group) && context.claims.is_to_create(&key));
        let first = context.first_member(namespace, &group.name);
        let is_first = first.is_some_and(|first| first.key == context.declaration.key);
        if remote.is_none() && group_can_come && is_first {
            return Ok(None);
        }
        Err(blocked)
    }
}
