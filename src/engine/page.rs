//! The page itself: whether anything can be done for its declarations, its settings, and its end.

use super::conditions;
use super::context::Context;
use super::converge::SUSPENDED;
use super::declaration::ObjectKey;
use super::deletion;
use super::failure::Failure;
use super::fields;
use super::identity::{Identity, elapsed};
use super::kinds;
use super::object::settle;
use super::observation::{status_embed, subscriber_counts};
use super::outcome::Outcome;
use super::plan::{Action, ReadWhat, State, Step};
use super::pursuit::pursue;
use super::report::Report;
use super::summary::Verb;
use super::world::World;
use crate::api::{Kind, ManagementPolicy, Reason, Spec};
use crate::statuspage::{CollectionKind, Priority};

/// For what a page is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    All,
    /// Nothing can be sent at the moment but what is tried all the same.
    Incidents,
    Nothing,
}

impl Open {
    /// True when something can be sent for a declaration.
    pub(super) fn passes(self, key: &ObjectKey) -> bool {
        match self {
            Open::All => true,
            Open::Incidents => key.kind == Kind::Incident,
            Open::Nothing => false,
        }
    }
}

/// What the page calls for, and what can be done for its declarations.
pub(super) fn plan(context: &Context<'_>) -> (Open, Report) {
    let world = context.world;
    let page = context.declaration;
    let mut report = Report::default();
    if let Some(circuit_breaker) = world.circuit_breaker {
        let state = match circuit_breaker.stalled {
            true => State::Stalled,
            false => State::Progressing,
        };
        let message = circuit_breaker.message.clone();
        report.outcome = Some(Outcome::new(page, state, circuit_breaker.reason, message));
        if let Some(until) = circuit_breaker.until {
            report.wake_at(until);
        }
        // A namespace is often deleted with its Secrets first.
        if page.deleting {
            release(world, &mut report);
        }
        // An incident is tried all the same, where it is known where to.
        let tried = circuit_breaker.lets_incidents_pass && world.page_id.is_some();
        return (if tried { Open::Incidents } else { Open::Nothing }, report);
    }
    let Spec::StatusPage(spec) = &*page.spec else {
        if page.finalizer {
            let summary = Verb::Release.of("");
            let release = Step::new(page, Action::RemoveFinalizer, Priority::Write, summary);
            report.steps.push(release);
        }
        return (Open::Nothing, report);
    };
    if spec.suspend {
        if page.deleting && world.around.ending.contains_key(&page.key.namespace) {
            release(world, &mut report);
        }
        let message = "suspend is true: this page and its declarations are left alone";
        return (Open::Nothing, report.with(Outcome::suspended(page, message)));
    }
    let read_page = ReadWhat::Collection(CollectionKind::Page);
    let Some(remote) = &world.snapshot.page else {
        if page.deleting && release(world, &mut report) {
            return (Open::Nothing, report);
        }
        let pursuit = pursue(world, read_page);
        let failing = pursuit.says.clone();
        report.follow(pursuit, Priority::Incident);
        let Some(blocked) = failing else {
            return (Open::Nothing, report);
        };
        // The settings cannot be read; all else is another matter, where the id of the page is known.
        let open = match world.page_id {
            Some(_) => Open::All,
            None => Open::Nothing,
        };
        return (open, report.with(Outcome::blocked(page, blocked)));
    };
    if !page.deleting && !page.finalizer && held_declarations(world) > 0 {
        // Its declarations need it to the end: they cannot be deleted on a page whose token nobody knows.
        let summary = Verb::Add.of("the finalizer");
        let hold = Step::new(page, Action::AddFinalizer, Priority::Incident, summary);
        report.steps.push(hold);
    }
    let read_at = world.page_read_at.unwrap_or(world.now);
    if read_at == jiff::Timestamp::MIN {
        // Something said that it is not there.
        report.pursue(world, read_page, Priority::Incident);
    } else if elapsed(read_at, world.now) >= world.resync_interval() || read_at < page.seen {
        report.pursue(world, read_page, Priority::Read);
    } else {
        report.wake_at(world.due(read_at));
    }
    let as_declared = "the page and its settings are as declared";
    let mut outcome = Outcome::new(page, State::InSync, Reason::Synced, as_declared);
    let status = outcome.status_mut().object_mut();
    status.id = Some(remote.id.clone());
    status.page_id = Some(remote.id.clone());
    status.url = public_address(remote);
    if page.deleting {
        release(world, &mut report);
        let left = held_declarations(world);
        let message = format!("waiting until its {left} declarations are gone; the page itself stays");
        outcome.stop(State::Progressing, Reason::Deleting, message);
        return (Open::All, report.with(outcome));
    }
    if let Some((what, failure)) = failing_list(world) {
        let message = format!("cannot read {what}, everything else continues: {}", failure.message);
        if failure.terminal {
            // A matter of whoever needs the list; the page itself is well.
            outcome.message = message;
        } else {
            outcome.stop(State::Progressing, failure.reason, message);
        }
    }
    if page.set_aside {
        "its settings were not checked".clone_into(&mut outcome.message);
        return (Open::All, report.with(outcome));
    }
    let fields = spec
        .settings
        .as_ref()
        .map(|settings| kinds::settings_fields(settings, remote))
        .unwrap_or_default();
    let policies = context.policies();
    subscriber_counts(context, spec, outcome.status_mut(), &mut report);
    let applied = &outcome.status.object().applied;
    let mut found = fields::compare(&fields, applied, policies.drift, context.seal());
    // Each has a request of its own: the settings first. The embed is read in any case, so that a preview knows it.
    let declared = spec.status_embed.as_ref();
    let embed = declared.map(|embed| status_embed(context, embed, policies.drift, &mut report));
    if found.body.is_empty() || policies.management == ManagementPolicy::ObserveOnly {
        match embed {
            None => {}
            Some(Ok(compared)) => found.extend(compared),
            Some(Err(blocked)) => {
                outcome.block(blocked);
                return (Open::All, report.with(outcome));
            }
        }
    }
    settle(
        context,
        &mut outcome,
        found,
        Priority::Write,
        kinds::settings_request,
        || "the page".to_owned(),
        &mut report,
    );
    (Open::All, report.with(outcome))
}

/// What a declaration calls for to whose page nothing can be sent: what was in sync stays as it was seen, what waits says
/// why, deletions that leave the remote object alone go on.
pub(super) fn closed(context: &Context<'_>, identity: Option<&Identity>) -> Report {
    let declaration = context.declaration;
    if declaration.set_aside {
        return Report::default();
    }
    if declaration.deleting {
        return deletion::plan_closed(context, identity);
    }
    let status = declaration.status.object();
    let settled = conditions::find(status, conditions::READY)
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(declaration.generation));
    let suspended = context.policies().suspend;
    if settled && !suspended {
        return Report::default();
    }
    if suspended {
        return Report::of(Outcome::suspended(declaration, SUSPENDED));
    }
    if context.world.circuit_breaker.is_none() {
        return Report::default();
    }
    let page = &context.world.page.key.name;
    let message = format!("waiting for StatusPage {page}: see its conditions");
    Report::of(Outcome::new(
        declaration,
        State::Progressing,
        Reason::PageNotReady,
        message,
    ))
}

/// A list that fails, with the word for it.
fn failing_list<'w>(world: &World<'w>) -> Option<(&'static str, &'w Failure)> {
    world.read_failures.iter().find_map(|(what, failure)| match what {
        ReadWhat::Collection(kind) => Some((list_name(*kind), failure)),
        _ => None,
    })
}

fn held_declarations(world: &World<'_>) -> usize {
    let declarations = world.declarations.iter();
    declarations.filter(|declaration| declaration.finalizer).count()
}

/// Lets a deleted page go once none of its declarations needs it any more. True when that is so.
fn release(world: &World<'_>, report: &mut Report) -> bool {
    if held_declarations(world) > 0 {
        return false;
    }
    if world.page.finalizer {
        let summary = Verb::Release.of("the page; it is never deleted on Statuspage");
        let release = Step::new(world.page, Action::RemoveFinalizer, Priority::Write, summary);
        report.steps.push(release);
    }
    true
}

/// The word for a list.
pub(super) fn list_name(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Page => "the settings of the page",
        CollectionKind::Components => "the list of components",
        CollectionKind::Incidents => "the list of incidents",
        CollectionKind::MetricsProviders => "the list of metrics providers",
        CollectionKind::Metrics => "the list of metrics",
        CollectionKind::Subscribers => "the list of subscribers",
        CollectionKind::Unsubscribed => "the list of those who have unsubscribed",
        CollectionKind::SubscriberCounts => "the number of subscribers",
        CollectionKind::IncidentTemplates => "the list of incident templates",
        CollectionKind::PageAccessUsers => "the list of page access users",
        CollectionKind::PageAccessGroups => "the list of page access groups",
        CollectionKind::StatusEmbed => "the status embed",
        CollectionKind::OrganizationUsers => "the list of members of the organization",
    }
}

fn public_address(page: &crate::statuspage::Page) -> Option<String> {
    let domain = page.domain.as_deref().filter(|domain| !domain.is_empty());
    let subdomain = page.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty());
    match (domain, subdomain) {
        (Some(domain), _) => Some(format!("https://{domain}")),
        (None, Some(label)) => Some(format!(
            "https://{}.statuspage.io",
            label.trim_end_matches(".statuspage.io")
        )),
        (None, None) => None,
    }
}
