//! Access keys in a Secret, for an operator that has it mounted.

use std::path::PathBuf;
use std::str::FromStr;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};

use super::Failure;
use crate::admin::identity::access_keys::AccessKeyError;
use crate::admin::identity::key_ring::{KeyRing, KeyRingError};
use crate::operator;

/// Under this key, which is the name of the file where the Secret is mounted.
const KEY: &str = "keys.json";
/// So often a change is tried anew because somebody else changed the Secret meanwhile.
const ATTEMPTS: usize = 5;

/// Namespace and name of a Secret.
#[derive(Clone, Debug)]
pub struct SecretName {
    namespace: String,
    name: String,
}

impl FromStr for SecretName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let (namespace, name) = parts
            .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty() && !name.contains('/'))
            .ok_or("a Secret is given as NAMESPACE/NAME")?;
        Ok(SecretName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl std::fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// A Secret of access keys.
pub(super) struct KeySecret {
    pub(super) name: SecretName,
    pub(super) kubeconfig: Option<PathBuf>,
    pub(super) context: Option<String>,
}

impl KeySecret {
    /// The keys; none when there is no such Secret yet.
    pub(super) async fn read(&self) -> Result<KeyRing, Failure> {
        let found = self.api().await?.get_opt(&self.name.name).await;
        match found.map_err(|source| self.failed(source))? {
            Some(secret) => self.ring(&secret),
            None => Ok(KeyRing::default()),
        }
    }

    /// Changes the keys. Two changes at a time never lose one another: each names the version that it read.
    pub(super) async fn change<T>(
        &self,
        mut change: impl FnMut(&mut KeyRing) -> Result<T, KeyRingError>,
    ) -> Result<T, Failure> {
        let api = self.api().await?;
        let mut attempt = 1;
        loop {
            let found = api
                .get_opt(&self.name.name)
                .await
                .map_err(|source| self.failed(source))?;
            let mut ring = match &found {
                Some(secret) => self.ring(secret)?,
                None => KeyRing::default(),
            };
            let result = change(&mut ring).map_err(AccessKeyError::Keys)?;
            let exists = found.is_some();
            let mut secret = found.unwrap_or_default();
            secret.metadata.name = Some(self.name.name.clone());
            let json = ring.to_json().map_err(|source| self.unreadable(source))?;
            secret
                .data
                .get_or_insert_default()
                .insert(KEY.to_owned(), ByteString(json));
            let written = if exists {
                api.replace(&self.name.name, &PostParams::default(), &secret).await
            } else {
                api.create(&PostParams::default(), &secret).await
            };
            match written {
                Ok(_) => return Ok(result),
                Err(kube::Error::Api(status)) if status.code == 409 && attempt < ATTEMPTS => attempt += 1,
                Err(source) => return Err(self.failed(source)),
            }
        }
    }

    async fn api(&self) -> Result<Api<Secret>, Failure> {
        let config = operator::configuration(self.kubeconfig.as_deref(), self.context.as_deref()).await?;
        let client = Client::try_from(config).map_err(|source| self.failed(source))?;
        Ok(Api::namespaced(client, &self.name.namespace))
    }

    fn ring(&self, secret: &Secret) -> Result<KeyRing, Failure> {
        match secret.data.as_ref().and_then(|data| data.get(KEY)) {
            Some(json) => KeyRing::from_json(&json.0).map_err(|source| self.unreadable(source)),
            None => Ok(KeyRing::default()),
        }
    }

    fn failed(&self, source: kube::Error) -> Failure {
        Failure::Secret {
            secret: self.name.to_string(),
            source: Box::new(source),
        }
    }

    fn unreadable(&self, source: serde_json::Error) -> Failure {
        Failure::NoKeysInSecret {
            secret: self.name.to_string(),
            source,
        }
    }
}
