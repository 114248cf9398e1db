//! Component groups. A group cannot be empty: it is created with the first members that exist, later members join from
//! their own side, and every PATCH repeats the members it has (reference 2.3, W2).

use super::table::{Row, declared, row};
use super::{Body, Recreation, Rules, Unlisted, quoted, since, write};
use crate::api::{ComponentGroupSpec, Reason, Status};
use crate::engine::context::Context;
use crate::engine::outcome::Blocked;
use crate::engine::plan::ReadWhat;
use crate::engine::request::Request;
use crate::statuspage::{Component, ComponentGroupWrite, ObjectKind, Snapshot};
use jiff::Timestamp;

impl Rules for ComponentGroupSpec {
    type Remote = Component;
    const RECREATION: Recreation = Recreation::Always;
    const OBJECT: Option<ObjectKind> = Some(ObjectKind::ComponentGroup);
    // A group goes with its last member, which is counted.
    const EXAMINED: Option<ObjectKind> = None;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!("name", name, |spec, context, _| declared(Some(spec.title(context)))),
        row!("description", description),
    ];

    fn belongs(remote: &Component) -> bool {
        remote.group
    }

    fn handles(remote: &Component) -> Vec<String> {
        remote.name.iter().cloned().collect()
    }

    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String> {
        vec![self.title(context)]
    }

    fn unlisted(&self, context: &Context<'_>, remote: &Component) -> Vec<Unlisted> {
        context.uptime_to_read(
            self.observe.as_ref(),
            ReadWhat::GroupUptime(remote.id.clone()),
            &remote.id,
        )
    }

    fn title(&self, context: &Context<'_>) -> String {
        context.title(self.name.as_deref())
    }

    fn same_identity(&self, context: &Context<'_>, remote: &Component) -> bool {
        remote.name.as_deref() == Some(self.title(context).as_str())
    }

    fn create(&self, context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        let key = &context.declaration.key;
        let declared = context.index.members(&key.namespace, &key.name);
        let mut writable = declared.iter().filter(|member| context.may_write(member));
        // A member that is gone would have the whole group refused.
        if let Some(member) = writable.find(|member| context.claims.is_unproven(&member.key)) {
            let message = format!("waiting until it is known whether {} is still on the page", member.key);
            return Err(Blocked::waiting(Reason::WaitingForReference, message));
        }
        let members: Vec<String> = declared
            .iter()
            .filter(|member| context.may_write(member))
            .filter_map(|member| context.claims.present(&member.key))
            .map(str::to_owned)
            .collect();
        if members.is_empty() {
            return Err(Blocked::waiting(
                Reason::NoMembers,
                "appears with its first component: no component of this group is on the page yet",
            ));
        }
        let group: ComponentGroupWrite = write(body)?;
        Ok(Request::CreateComponentGroup(ComponentGroupWrite {
            components: Some(members),
            ..group
        }))
    }

    fn needs_fresh(
        &self,
        context: &Context<'_>,
        remote: &Component,
        body: &Body,
    ) -> Option<(ReadWhat, Option<Timestamp>)> {
        // A change repeats all members: one that somebody added since would be thrown out.
        let kind = ObjectKind::ComponentGroup;
        let read_at = context.world.snapshot.examined(kind, &remote.id).read_at;
        let what = ReadWhat::Object(kind, remote.id.clone());
        (!body.is_empty()).then_some((what, read_at))
    }

    fn update(&self, context: &Context<'_>, remote: &Component, body: Body) -> Result<Request, Blocked> {
        let group: ComponentGroupWrite = write(body)?;
        let Some(members) = context.world.snapshot.members(&remote.id) else {
            return Err(Blocked::unread("the members of the group"));
        };
        Ok(Request::UpdateComponentGroup(
            remote.id.clone(),
            ComponentGroupWrite {
                name: Some(self.title(context)),
                components: Some(members.value.clone()),
                ..group
            },
        ))
    }

    fn describe(remote: &Component, _snapshot: &Snapshot) -> String {
        format!("{}{}", quoted(&remote.name), since(remote.created_at))
    }

    fn is_worth_declaring(_remote: &Component) -> bool {
        true
    }

    fn observe(&self, context: &Context<'_>, remote: &Component, status: &mut Status) {
        if let Status::ComponentGroup(status) = status {
            let members = context.index.remote_members(&remote.id).len();
            status.members = i64::try_from(members).ok();
            status.uptime = context.uptime(self.observe.as_ref(), &remote.id, status.uptime.take());
        }
    }
}
