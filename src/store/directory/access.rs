//! How the page of a StatusPage is reached, if what is on record is of that page.

use super::entry::Entry;
use super::{DirectoryStore, missing_token, object};
use crate::api::{Kind, Reason, StatusPageSpec};
use crate::driver::Access;
use crate::statuspage::{BaseUrl, Token};

impl DirectoryStore {
    /// How to reach a page; not at all when what is on record is of another one.
    pub(super) fn access(&self, page: &StatusPageSpec, entry: Option<&Entry>) -> Result<Access, (Reason, String)> {
        if let Some(strange) = entry.and_then(|entry| self.strange(page, entry)) {
            return Err((Reason::Invalid, strange));
        }
        let base_url = match &self.options.base_url {
            Some(base_url) => base_url.clone(),
            None => BaseUrl::parse(&address(page), false).map_err(|error| (Reason::Invalid, error.to_string()))?,
        };
        let token = match &self.options.token {
            Some(token) => token.clone(),
            None => {
                let reference = &page.api.token_secret_ref;
                let value = object::secret(&reference.name, reference.key());
                let value = value.ok_or_else(|| (Reason::SecretNotFound, missing_token().to_owned()))?;
                Token::new(value).map_err(|error| {
                    let variable = object::secret_variable(&reference.name, reference.key());
                    (Reason::Invalid, format!("{variable}: {error}"))
                })?
            }
        };
        Ok(Access { base_url, token })
    }

    /// What is wrong when the ids on record are not of the page that the manifest names.
    fn strange(&self, page: &StatusPageSpec, entry: &Entry) -> Option<String> {
        let known = entry.status.of(Kind::StatusPage).object().id.clone();
        let (recorded, named) = match (&known, &page.page_id, &entry.address) {
            (Some(known), Some(named), _) if known != named => (format!("page {known}"), format!("page {named}")),
            (_, _, Some(recorded)) if self.options.base_url.is_none() && *recorded != address(page) => (
                format!("the page at {recorded}"),
                format!("the one at {}", address(page)),
            ),
            _ => return None,
        };
        Some(format!(
            "{} holds the ids of {recorded}, and this StatusPage names {named}: nothing is sent. Put the manifest back; \
             or, for the other page, work in a copy of the directory without its lock file: what is on record stays where it is",
            self.lock_path.display()
        ))
    }
}

/// The address that a StatusPage names, in the form in which addresses are compared.
pub(super) fn address(page: &StatusPageSpec) -> String {
    let named = page.api.url.as_deref().unwrap_or(BaseUrl::DEFAULT);
    BaseUrl::parse(named, false).map_or_else(|_| named.to_owned(), |address| address.to_string())
}
