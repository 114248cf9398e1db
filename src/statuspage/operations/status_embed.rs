//! Operations on the status embed configuration.

use super::super::Error;
use super::super::request::Call;
use super::super::types::{StatusEmbedConfig, StatusEmbedConfigWrite};
use super::PageHandle;

impl PageHandle {
    /// How the status looks inside other sites.
    pub async fn status_embed_config(&self) -> Result<StatusEmbedConfig, Error> {
        let call = Call::get("read status embed", &["pages", &self.page, "status_embed_config"]);
        self.client.fetch(call).await
    }

    /// Changes how the status looks inside other sites; what is absent stays.
    pub async fn update_status_embed_config(
        &self,
        config: &StatusEmbedConfigWrite,
    ) -> Result<StatusEmbedConfig, Error> {
        let call = Call::patch("update status embed", &["pages", &self.page, "status_embed_config"])
            .enveloped("status_embed_config", config);
        self.client.fetch(call).await
    }
}
