//! Operations on incident templates.

use super::super::call::Call;
use super::super::paging::{ListReader, Paging};
use super::super::types::{IncidentTemplate, IncidentTemplateWrite};
use super::super::{Client, Error};

/// The incident templates of a page. The API can neither change nor remove them.
#[derive(Clone, Debug)]
pub struct IncidentTemplates {
    client: Client,
    page: String,
}

impl IncidentTemplates {
    pub(super) fn new(client: Client, page: &str) -> Self {
        Self {
            client,
            page: page.to_owned(),
        }
    }

    /// All templates of the page.
    pub fn list(&self) -> ListReader<IncidentTemplate> {
        let call = Call::get("list incident templates", &["pages", &self.page, "incident_templates"]);
        self.client.list(Paging::USUAL, call)
    }

    /// Creates a template, for good.
    pub async fn create(&self, template: &IncidentTemplateWrite) -> Result<IncidentTemplate, Error> {
        let call = Call::post("create incident template", &["pages", &self.page, "incident_templates"])
            .enveloped("template", template);
        self.client.fetch_one(call).await
    }
}
