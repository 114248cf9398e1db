//! Operations on the status embed configuration.

use serde::{Deserialize, Deserializer};

use super::super::Error;
use super::super::call::Call;
use super::super::types::{StatusEmbedConfig, StatusEmbedConfigWrite};
use super::PageHandle;

/// The configuration in a reply. Something without page and position is none: it may be a message of a proxy.
struct Entity(StatusEmbedConfig);

impl<'de> Deserialize<'de> for Entity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = StatusEmbedConfig::deserialize(deserializer)?;
        if config.page_id.is_none() && config.position.is_none() {
            return Err(serde::de::Error::custom("it has neither page_id nor position"));
        }
        Ok(Self(config))
    }
}

impl PageHandle {
    /// How the status looks inside other sites.
    pub async fn status_embed_config(&self) -> Result<StatusEmbedConfig, Error> {
        let call = Call::get("read status embed", &["pages", &self.page, "status_embed_config"]);
        self.client.fetch_part(call).await.map(|Entity(config)| config)
    }

    /// Changes how the status looks inside other sites; what is absent stays.
    pub async fn update_status_embed_config(
        &self,
        config: &StatusEmbedConfigWrite,
    ) -> Result<StatusEmbedConfig, Error> {
        let call = Call::patch("update status embed", &["pages", &self.page, "status_embed_config"])
            .enveloped("status_embed_config", config);
        self.client.fetch_part(call).await.map(|Entity(config)| config)
    }
}
