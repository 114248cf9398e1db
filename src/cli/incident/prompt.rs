//! `incident open` on a terminal, where something is missing: asks for it.

use std::collections::BTreeMap;
use std::io::Write;

use super::OpenArguments;
use super::declared::DeclaredComponent;
use super::desk::Desk;
use crate::cli::Failure;
use crate::cli::question::{self, Line};
use crate::driver::Store;
use crate::engine::ObjectKey;

/// How asking ended.
pub(super) enum Filled {
    Whole(Box<OpenArguments>),
    /// The input ended, or a needed answer was empty.
    Ended,
    Interrupted,
}

/// Takes an answer, or ends as the input did.
macro_rules! answer {
    ($question:expr) => {
        match question::line($question).await {
            Line::Text(text) => text,
            Line::Ended => return Ok(Filled::Ended),
            Line::Interrupted => return Ok(Filled::Interrupted),
        }
    };
}

/// Asks for title, text, components and whether subscribers are told, as far as they are not given.
pub(super) async fn fill(desk: &Desk, arguments: &OpenArguments, out: &mut dyn Write) -> Result<Filled, Failure> {
    let mut filled = arguments.clone();
    if filled.title.is_none() {
        let title = answer!("Title: ");
        if title.is_empty() {
            return Ok(Filled::Ended);
        }
        filled.title = Some(title);
    }
    if filled.message.is_none() {
        filled.message = Some(answer!("Text that customers read: "));
    }
    let asked_for_all = arguments.title.is_none();
    if asked_for_all && filled.components.is_empty() && !desk.declared.components.is_empty() {
        let page = match desk.declared.pages.as_slice() {
            [page] => page.clone(),
            _ if filled.sending.place.page.is_some() => {
                desk.declared.page(filled.sending.place.page.as_deref(), &[])?
            }
            several => {
                let names: Vec<&str> = several.iter().map(|page| page.name.as_str()).collect();
                let name = answer!(&format!("Page ({}): ", names.join(", ")));
                let page = desk.declared.page(Some(&name), &[])?;
                filled.sending.place.page = Some(name);
                page
            }
        };
        let all: Vec<&DeclaredComponent> = desk.declared.components.iter().filter(|one| one.page == page).collect();
        let shown = statuses(desk, &page).await;
        for (number, component) in all.iter().enumerate() {
            let status = shown
                .get(&component.key.name)
                .map_or("not on the page yet", String::as_str);
            say!(out, "{:>4}  {}  {status}", number + 1, component.title)?;
        }
        out.flush().map_err(Failure::Output)?;
        loop {
            let text = answer!("Affected (numbers or names, such as 1=major, web=degraded; Enter for none): ");
            match chosen(&text, &all) {
                Ok(words) => match desk.declared.affected(&words, Some(&page)) {
                    Ok(_) => {
                        filled.components = words;
                        break;
                    }
                    Err(failure) => say!(out, "{failure}")?,
                },
                Err(message) => say!(out, "{message}")?,
            }
            out.flush().map_err(Failure::Output)?;
        }
    }
    if asked_for_all && !filled.sending.notify && !filled.sending.no_notify {
        let told = answer!("Tell the subscribers? [Y/n] ");
        filled.sending.no_notify = told.to_lowercase().starts_with('n');
    }
    Ok(Filled::Whole(Box::new(filled)))
}

/// Puts names in the place of numbers. A component without a status has a major outage.
fn chosen(text: &str, all: &[&DeclaredComponent]) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let single = !text.contains([',', '=']) && text.split_whitespace().all(|word| word.parse::<usize>().is_ok());
    let parts: Vec<&str> = match single {
        true => text.split_whitespace().collect(),
        false => text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect(),
    };
    for part in parts {
        let (name, status) = part.rsplit_once('=').unwrap_or((part, "major_outage"));
        let name = match name.trim().parse::<usize>() {
            Err(_) => name.trim().to_owned(),
            Ok(number) => match number.checked_sub(1).and_then(|index| all.get(index)) {
                Some(component) => component.key.name.clone(),
                None => {
                    return Err(format!(
                        "there is no component {number}: the numbers go from 1 to {}",
                        all.len()
                    ));
                }
            },
        };
        words.push(format!("{name}={}", status.trim()));
    }
    Ok(words)
}

/// The present statuses of the declared components by metadata.name. An outage is told without them, too.
async fn statuses(desk: &Desk, page: &ObjectKey) -> BTreeMap<String, String> {
    let read = async {
        let listing = desk.page(page).await.ok()?.components().list().await.ok()?;
        let view = desk.session.store.view(page)?;
        let shown = view.declarations.iter().filter_map(|one| {
            let row = listing
                .items
                .iter()
                .find(|row| Some(row.id.as_str()) == one.recorded_id())?;
            Some((one.key.name.clone(), row.status.as_ref()?.as_str().to_owned()))
        });
        Some(shown.collect())
    };
    read.await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    #[test]
    fn components_are_chosen_by_number_or_name() {
        let component = |name: &str| DeclaredComponent {
            key: ObjectKey::new(Kind::Component, "default", name),
            page: ObjectKey::new(Kind::StatusPage, "default", "acme"),
            title: name.to_uppercase(),
        };
        let (api, web) = (component("api"), component("web"));
        let all = [&api, &web];
        assert_eq!(chosen("1 2", &all).unwrap(), ["api=major_outage", "web=major_outage"]);
        assert_eq!(
            chosen("2=degraded, API = partial", &all).unwrap(),
            ["web=degraded", "API=partial"]
        );
        assert!(chosen("", &all).unwrap().is_empty());
        assert!(chosen("3", &all).unwrap_err().contains("from 1 to 2"));
        assert!(chosen("0", &all).is_err());
    }
}
