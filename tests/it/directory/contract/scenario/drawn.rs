//! How scenarios are drawn.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use super::*;

pub(in super::super) fn scenario() -> impl Strategy<Value = Scenario> {
    (vec(making(), 0..5), sketch(), vec(deed(), 0..4), 0..400_u64)
        .prop_flat_map(|(before, first, meanwhile, pause)| {
            let second = successor(first.clone());
            (Just(before), Just(first), Just(meanwhile), Just(pause), second)
        })
        .prop_map(|(before, first, meanwhile, pause, second)| Scenario {
            before,
            first,
            meanwhile,
            pause,
            second,
        })
}

fn page() -> impl Strategy<Value = Page> {
    (
        weighted(0.3, 0..2_u8),
        weighted(0.3, any::<bool>()),
        weighted(0.5, 0..3_u8),
        weighted(0.3, 0..3_u8),
        prop::bool::weighted(0.05),
        weighted(0.15, 0..3_u8),
    )
        .prop_map(|(name, deletion, adoption, drift, observe, cap)| Page {
            name,
            deletion,
            adoption,
            drift,
            observe,
            cap,
        })
}

fn common() -> impl Strategy<Value = Common> {
    (
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.15),
        weighted(0.2, any::<bool>()),
        weighted(0.2, 0..3_u8),
        weighted(0.1, 0..3_u8),
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.05),
    )
        .prop_map(
            |(renamed, annotated, deletion, adoption, drift, observe, suspend)| Common {
                renamed,
                annotated,
                deletion,
                adoption,
                drift,
                observe,
                suspend,
            },
        )
}

fn group() -> impl Strategy<Value = Group> {
    (common(), 0..2_u8, weighted(0.3, 0..2_u8)).prop_map(|(common, name, description)| Group {
        common,
        name,
        description,
    })
}

fn component() -> impl Strategy<Value = Component> {
    let group = weighted(0.5, 0..GROUPS as u8);
    (common(), 0..6_u8, weighted(0.3, 0..2_u8), weighted(0.4, 0..4_u8), group).prop_map(
        |(common, name, description, status, group)| Component {
            common,
            name,
            description,
            status,
            group,
        },
    )
}

fn update() -> impl Strategy<Value = (u8, u8, bool)> {
    (0..4_u8, 0..3_u8, prop::bool::weighted(0.7))
}

fn affected() -> impl Strategy<Value = BTreeMap<u8, u8>> {
    prop::collection::btree_map(0..COMPONENTS as u8, 0..4_u8, 0..3)
}

fn incident() -> impl Strategy<Value = Incident> {
    (
        common(),
        prop::bool::weighted(0.2),
        0..2_u8,
        vec(update(), 1..4),
        affected(),
        weighted(0.2, 0..3_u8),
        weighted(0.1, (0..2_u8, any::<bool>())),
        weighted(0.4, 0..3_u8),
        (
            weighted(0.1, 0..2_u8),
            prop::bool::weighted(0.1),
            prop::bool::weighted(0.3),
        ),
    )
        .prop_map(
            |(
                common,
                maintenance,
                name,
                updates,
                components,
                impact,
                postmortem,
                deletion,
                (subscriber, ended, templated),
            )| {
                Incident {
                    common,
                    maintenance,
                    name,
                    updates,
                    components,
                    impact,
                    postmortem,
                    deletion,
                    subscriber,
                    ended,
                    templated,
                }
            },
        )
}

fn template() -> impl Strategy<Value = Template> {
    (common(), 0..2_u8, 0..2_u8, vec(0..COMPONENTS as u8, 0..2)).prop_map(|(common, name, body, components)| Template {
        common,
        name,
        body,
        components,
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    let decimals = weighted(0.3, 0..3_u8);
    (common(), 0..2_u8, 0..2_u8, 0..3_u8, any::<bool>(), decimals).prop_map(
        |(common, name, suffix, points, replace, decimals)| Metric {
            common,
            name,
            suffix,
            points,
            replace,
            decimals,
        },
    )
}

fn subscriber() -> impl Strategy<Value = Subscriber> {
    let again = weighted(0.2, 0..2_u8);
    (common(), 0..2_u8, vec(0..COMPONENTS as u8, 0..2), again).prop_map(|(common, address, components, again)| {
        Subscriber {
            common,
            address,
            components,
            again,
        }
    })
}

fn sketch() -> impl Strategy<Value = Sketch> {
    (
        page(),
        vec(weighted(0.5, group()), GROUPS),
        vec(weighted(0.6, component()), COMPONENTS),
        vec(weighted(0.5, incident()), INCIDENTS),
        weighted(0.2, template()),
        weighted(0.3, metric()),
        weighted(0.3, subscriber()),
        weighted(0.2, 0..2_u8),
    )
        .prop_map(sketched)
}

type Drawn = (
    Page,
    Vec<Option<Group>>,
    Vec<Option<Component>>,
    Vec<Option<Incident>>,
    Option<Template>,
    Option<Metric>,
    Option<Subscriber>,
    Option<u8>,
);

fn sketched((page, groups, components, incidents, template, metric, subscriber, user): Drawn) -> Sketch {
    Sketch {
        page,
        groups,
        components,
        incidents,
        template,
        metric,
        subscriber,
        user,
    }
}

/// How one declaration goes on: most stay, some get a new name or an id annotation, some go, some are written anew.
fn slot<T: Clone + std::fmt::Debug + 'static>(
    known: Option<T>,
    anew: impl Strategy<Value = T> + 'static,
    common: fn(&mut T) -> &mut Common,
) -> BoxedStrategy<Option<T>> {
    let with = |change: fn(&mut Common)| {
        let mut changed = known.clone();
        if let Some(changed) = &mut changed {
            change(common(changed));
        }
        Just(changed)
    };
    prop_oneof![
        8 => Just(known.clone()),
        1 => with(|common| common.renamed ^= true),
        1 => with(|common| {
            common.renamed ^= true;
            common.annotated = true;
        }),
        1 => with(|common| common.annotated ^= true),
        1 => with(|common| common.deletion = common.deletion.map_or(Some(false), |_| None)),
        1 => Just(None),
        3 => anew.prop_map(Some),
    ]
    .boxed()
}

/// An incident goes on: updates are appended and corrected, the rest is edited.
fn goes_on(known: Incident) -> BoxedStrategy<Incident> {
    let before = known.clone();
    prop_oneof![
        4 => vec(update(), 1..3).prop_map(move |more| {
            let mut after = before.clone();
            after.updates.extend(more);
            after
        }),
        2 => (0..4_usize, 0..3_u8).prop_map({
            let known = known.clone();
            move |(index, body)| {
                let mut after = known.clone();
                let count = after.updates.len();
                after.updates[index % count].1 = body;
                after
            }
        }),
        2 => affected().prop_map({
            let known = known.clone();
            move |components| Incident { components, ..known.clone() }
        }),
        1 => (0..2_u8, weighted(0.3, 0..3_u8)).prop_map({
            let known = known.clone();
            move |(name, impact)| Incident { name, impact, ..known.clone() }
        }),
        1 => (weighted(0.5, (0..2_u8, any::<bool>())), weighted(0.5, 0..2_u8)).prop_map({
            let known = known.clone();
            move |(postmortem, subscriber)| Incident { postmortem, subscriber, ..known.clone() }
        }),
        1 => (vec(update(), 1..2), affected()).prop_map(move |(more, components)| {
            let mut after = Incident { components, ..known.clone() };
            after.updates.extend(more);
            after
        }),
    ]
    .boxed()
}

fn incident_slot(known: Option<Incident>) -> BoxedStrategy<Option<Incident>> {
    let otherwise = slot(known.clone(), incident(), |incident| &mut incident.common);
    match known {
        Some(known) => prop_oneof![1 => otherwise, 1 => goes_on(known).prop_map(Some)].boxed(),
        None => otherwise,
    }
}

fn each<T: Clone + std::fmt::Debug + 'static>(
    known: Vec<T>,
    next: impl Fn(T) -> BoxedStrategy<T>,
) -> Vec<BoxedStrategy<T>> {
    known.into_iter().map(next).collect()
}

fn successor(first: Sketch) -> impl Strategy<Value = Sketch> {
    (
        prop_oneof![3 => Just(first.page.clone()).boxed(), 1 => page().boxed()],
        each(first.groups, |known| slot(known, group(), |group| &mut group.common)),
        each(first.components, |known| {
            slot(known, component(), |component| &mut component.common)
        }),
        each(first.incidents, incident_slot),
        slot(first.template, template(), |template| &mut template.common),
        slot(first.metric, metric(), |metric| &mut metric.common),
        slot(first.subscriber, subscriber(), |subscriber| &mut subscriber.common),
        prop_oneof![3 => Just(first.user).boxed(), 1 => weighted(0.5, 0..2_u8).boxed()],
    )
        .prop_map(sketched)
}

fn made(list: &'static str, body: Value) -> Deed {
    Deed {
        list: "",
        which: 0,
        method: "POST",
        path: list,
        body,
    }
}

/// What somebody made by hand, partly as it is declared.
fn making() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0..6_u8, 0..4_u8).prop_map(|(name, status)| {
            let body = json!({"component": {"name": component_name(name), "status": STATUSES[usize::from(status)]}});
            made("components", body)
        }),
        (0..2_u8, 0..9_usize).prop_map(|(name, which)| Deed {
            list: "components",
            which,
            method: "GROUP",
            path: "component-groups",
            body: json!({"component_group": {"name": group_name(name)}}),
        }),
        (0..2_u8, 0..3_u8).prop_map(|(name, body)| {
            let incident =
                json!({"incident": {"name": incident_name(name), "status": "investigating", "body": text(body)}});
            made("incidents", incident)
        }),
        (0..2_u8).prop_map(|address| {
            made(
                "subscribers",
                json!({"subscriber": {"email": email(address), "skip_confirmation_notification": true}}),
            )
        }),
        (0..2_u8, 0..2_u8).prop_map(|(name, body)| {
            let template = json!({"template": {"name": format!("Template {name}"), "title": "T", "body": text(body)}});
            made("incident_templates", template)
        }),
    ]
}

fn on(list: &'static str, which: usize, method: &'static str, path: &'static str, body: Value) -> Deed {
    Deed {
        list,
        which,
        method,
        path,
        body,
    }
}

/// What somebody does to what is there.
fn deed() -> impl Strategy<Value = Deed> {
    let which = || 0..9_usize;
    prop_oneof![
        2 => making().boxed(),
        2 => (which(), 0..4_u8).prop_map(|(which, status)| {
            let body = json!({"component": {"status": STATUSES[usize::from(status)]}});
            on("components", which, "PATCH", "components/{}", body)
        }).boxed(),
        2 => (which(), 0..6_u8).prop_map(|(which, name)| {
            on("components", which, "PATCH", "components/{}", json!({"component": {"name": component_name(name)}}))
        }).boxed(),
        2 => which().prop_map(|which| on("components", which, "DELETE", "components/{}", Value::Null)).boxed(),
        1 => which().prop_map(|which| on("component-groups", which, "DELETE", "component-groups/{}", Value::Null)).boxed(),
        1 => which().prop_map(|which| on("incidents", which, "DELETE", "incidents/{}", Value::Null)).boxed(),
        2 => (which(), 0..4_u8, 0..3_u8).prop_map(|(which, status, body)| {
            let incident = json!({"incident": {"status": PROGRESS[usize::from(status)], "body": text(body)}});
            on("incidents", which, "PATCH", "incidents/{}", incident)
        }).boxed(),
        1 => (which(), 0..2_u8).prop_map(|(which, name)| {
            on("incidents", which, "PATCH", "incidents/{}", json!({"incident": {"name": incident_name(name)}}))
        }).boxed(),
        1 => which().prop_map(|which| on("metrics", which, "DELETE", "metrics/{}", Value::Null)).boxed(),
        1 => which().prop_map(|which| on("subscribers", which, "DELETE", "subscribers/{}", Value::Null)).boxed(),
        1 => (0..2_u8).prop_map(|name| {
            on("", 0, "PATCH", "", json!({"page": {"name": format!("Acme {name}")}}))
        }).boxed(),
    ]
}
