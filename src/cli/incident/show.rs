//! `incident show`: the timeline as customers see it, newest first.

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use super::ShowArguments;
use super::declared::DeclaredIncident;
use super::desk::Desk;
use super::list::Row;
use super::words::minute;
use crate::cli::output::Format;
use crate::cli::{Failure, Outcome};
use crate::statuspage::Incident;

/// An incident with its timeline.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) row: Row,
    /// Newest first.
    pub(super) updates: Vec<Post>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) postmortem: Option<String>,
}

/// One post.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Post {
    pub(super) at: Option<Timestamp>,
    pub(super) status: String,
    pub(super) body: String,
    /// What it did to components, a sentence each.
    pub(super) components: Vec<String>,
    /// False for one that is declared and not on the page.
    pub(super) published: bool,
}

impl Shown {
    fn of(page: &str, remote: &Incident, declared: Option<&DeclaredIncident>) -> Shown {
        let moved = |one: &crate::statuspage::AffectedComponent| {
            let word = |status: &Option<crate::statuspage::ComponentStatus>| status.as_ref().map(ToString::to_string);
            let name = one.name.clone().unwrap_or_else(|| one.code.clone());
            match (word(&one.old_status), word(&one.new_status)) {
                (Some(old), Some(new)) if old != new => Some(format!("{name}: {old} → {new}")),
                _ => None,
            }
        };
        let posts = remote.incident_updates.iter().map(|update| Post {
            at: update.display_at,
            status: update.status.as_ref().map(ToString::to_string).unwrap_or_default(),
            body: update.body.clone().unwrap_or_default(),
            components: update.affected_components.iter().filter_map(moved).collect(),
            published: true,
        });
        let mut updates: Vec<Post> = posts.collect();
        for update in declared.iter().flat_map(|one| one.unsent(Some(remote))) {
            updates.insert(0, declared_post(update, false));
        }
        let published = remote.postmortem_published_at.is_some();
        Shown {
            row: Row::of(page, remote, declared),
            updates,
            postmortem: remote
                .postmortem_body
                .clone()
                .filter(|body| published && !body.is_empty()),
        }
    }

    /// As it is declared, with what is recorded of it.
    pub(super) fn declared(one: &DeclaredIncident, since: Option<Timestamp>) -> Shown {
        let told = one.spec.updates.len() - one.unsent(None).count();
        let posts = one.spec.updates.iter().enumerate();
        let mut updates: Vec<Post> = posts
            .map(|(index, update)| declared_post(update, index < told))
            .collect();
        updates.reverse();
        let postmortem = one.spec.postmortem.as_ref().filter(|postmortem| postmortem.publish);
        Shown {
            row: Row::declared(one, since),
            updates,
            postmortem: postmortem.map(|postmortem| postmortem.body.clone()),
        }
    }
}

fn declared_post(update: &crate::api::IncidentUpdate, published: bool) -> Post {
    Post {
        at: update.at.as_ref().map(|at| at.0),
        status: update.status.as_str().to_owned(),
        body: update.body.clone(),
        components: Vec::new(),
        published,
    }
}

pub(super) async fn directory(arguments: &ShowArguments, out: &mut dyn Write) -> Result<Outcome, Failure> {
    let desk = Desk::open(&arguments.place, true)?;
    let declared = desk
        .declared
        .incident(Some(&arguments.incident), arguments.place.page.as_deref());
    let shown = match declared {
        Ok(one) => match &one.id {
            Some(id) => {
                let remote = desk.page(&one.page).await?.incidents().get(id).await?;
                Shown::of(&one.page.name, &remote, Some(one))
            }
            None => Shown::declared(one, None),
        },
        Err(failure) => {
            let mut found = None;
            for page in &desk.declared.pages {
                let read = desk.page(page).await?.incidents().get(&arguments.incident).await;
                match read {
                    Ok(remote) => found = Some(Shown::of(&page.name, &remote, None)),
                    Err(error) if error.class() == crate::statuspage::ErrorClass::NotFound => {}
                    Err(error) => return Err(error.into()),
                }
            }
            found.ok_or(failure)?
        }
    };
    desk.session.close_record().await;
    print(&shown, arguments.output, out)
}

pub(super) fn print(shown: &Shown, output: Format, out: &mut dyn Write) -> Result<Outcome, Failure> {
    output.print(shown, out, |out| text(shown, out))?;
    Ok(Outcome::Success)
}

fn text(shown: &Shown, out: &mut dyn Write) -> std::io::Result<()> {
    let bold = anstyle::Style::new().bold();
    writeln!(out, "{bold}{}{bold:#}", shown.row.title)?;
    let (impact, url) = (shown.row.impact_words(), shown.row.url.as_deref().unwrap_or_default());
    writeln!(out, "{}{impact}  {url}", shown.row.status)?;
    for one in &shown.row.components {
        writeln!(out, "{}: {}", one.name, one.status)?;
    }
    if let Some(postmortem) = &shown.postmortem {
        writeln!(out, "\n{bold}Postmortem{bold:#}")?;
        postmortem.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    for post in &shown.updates {
        let at = post.at.map(|at| format!("  {}", minute(at))).unwrap_or_default();
        let note = if post.published {
            ""
        } else {
            "  (declared, not on the page)"
        };
        writeln!(out, "\n{bold}{}{bold:#}{at}{note}", post.status)?;
        for line in post.body.lines().chain(post.components.iter().map(String::as_str)) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}
