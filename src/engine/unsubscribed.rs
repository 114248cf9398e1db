//! Who has unsubscribed is not subscribed again behind their back.
//!
//! Nobody can tell who asked for the end of a subscription, so that one that a deleted declaration ended counts too.

use super::context::Context;
use super::identity::elapsed;
use super::observation::unreadable;
use super::one_shot;
use super::outcome::Blocked;
use super::plan::ReadWhat;
use super::report::Report;
use super::rules::Rules;
use crate::api::{REACTIVATE, Reason, SubscriberSpec};
use crate::statuspage::{CollectionKind, Priority};

/// Why a subscriber must not be created: its address has unsubscribed, or that was not looked up yet. The list is
/// read only for this, once for all that are to be created.
pub(super) fn may_subscribe(context: &Context<'_>, spec: &SubscriberSpec, report: &mut Report) -> Result<(), Blocked> {
    let (world, declaration) = (context.world, context.declaration);
    // A webhook is nobody who could have said no.
    if spec.webhook.is_some() || one_shot::is_asked(declaration, REACTIVATE) {
        return Ok(());
    }
    if let Some(blocked) = unreadable(world, CollectionKind::Unsubscribed, report) {
        return Err(blocked);
    }
    let known = world.snapshot.unsubscribed.as_ref();
    let known = known.filter(|list| list.read_at >= declaration.seen);
    if known.is_some_and(|list| list.items.iter().any(|gone| spec.same_identity(context, gone))) {
        let message = format!(
            "its address has unsubscribed from the page: delete this declaration, or, if the owner of the address agrees, give the annotation {REACTIVATE} a new value to subscribe it again"
        );
        return Err(Blocked::stalled(Reason::Unsubscribed, message));
    }
    if known.is_some_and(|list| elapsed(list.read_at, world.now) < world.resync_interval()) {
        return Ok(());
    }
    let what = ReadWhat::Collection(CollectionKind::Unsubscribed);
    report.pursue(world, what, Priority::Subscriber);
    Err(Blocked::unread("those who have unsubscribed"))
}
