//! Bearer tokens of Kubernetes: the API server says who it is (TokenReview) and what they may (SubjectAccessReview).
//!
//! Whoever may list StatusPages in a namespace sees what we tell about that namespace. Whoever may list them in all is an
//! admin. Answers are kept for a short while, so a revoked right ends within [`KEPT`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use sha2::{Digest, Sha256};

use super::{Refusal, TokenAuthority, TokenError};
use crate::admin::caller::{Caller, Scope};
use crate::api::GROUP;

/// How long an answer of the API server is believed.
pub const KEPT: Duration = Duration::from_secs(30);
/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Questions to the API server at a time, of all callers together.
const AT_ONCE: usize = 8;
/// Answers that are kept at a time.
const ANSWERS: usize = 1024;
/// No token is longer; larger ones would only cost the API server.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Finds the namespaces that there is something to tell about.
pub type Namespaces = Arc<dyn Fn() -> BoxFuture<'static, BTreeSet<String>> + Send + Sync>;

/// Asks an API server.
pub struct KubernetesTokens {
    client: Client,
    namespaces: Namespaces,
    questions: tokio::sync::Semaphore,
    users: Mutex<Answers<[u8; 32], Option<UserInfo>>>,
    /// By the user as the API server named it, and the namespace; none is all of them.
    rights: Mutex<Answers<(String, Option<String>), bool>>,
}

struct Answers<K, V>(HashMap<K, (Instant, V)>);

impl<K: std::hash::Hash + Eq, V: Clone> Answers<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.0
            .get(key)
            .filter(|(since, _)| since.elapsed() < KEPT)
            .map(|(_, value)| value.clone())
    }

    fn put(&mut self, key: K, value: V) {
        if self.0.len() >= ANSWERS {
            self.0.retain(|_, (since, _)| since.elapsed() < KEPT);
            if self.0.len() >= ANSWERS {
                self.0.clear();
            }
        }
        self.0.insert(key, (Instant::now(), value));
    }
}

impl std::fmt::Debug for KubernetesTokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KubernetesTokens").finish_non_exhaustive()
    }
}

impl KubernetesTokens {
    /// Asks through `client`. Where that may not create tokenreviews and subjectaccessreviews, no token is taken.
    pub fn new(client: Client, namespaces: Namespaces) -> Self {
        KubernetesTokens {
            client,
            namespaces,
            questions: tokio::sync::Semaphore::new(AT_ONCE),
            users: Mutex::new(Answers(HashMap::new())),
            rights: Mutex::new(Answers(HashMap::new())),
        }
    }

    async fn ask(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Refused(Refusal::Malformed));
        }
        let user = self.user(token).await?;
        let user = user.ok_or(TokenError::Refused(Refusal::Unknown))?;
        let name = user.username.clone().unwrap_or_default();
        let everywhere = self.may_list(&user, None).await?;
        let namespaces = if everywhere {
            Scope::All
        } else {
            Scope::Only(self.allowed(&user).await?)
        };
        Ok(Caller {
            user: name,
            admin: everywhere,
            namespaces,
        })
    }

    async fn allowed(&self, user: &UserInfo) -> Result<BTreeSet<String>, TokenError> {
        let mut answers = futures::stream::iter((self.namespaces)().await)
            .map(|namespace| async move {
                let may = self.may_list(user, Some(namespace.clone())).await;
                may.map(|may| may.then_some(namespace))
            })
            .buffer_unordered(AT_ONCE);
        let mut allowed = BTreeSet::new();
        while let Some(answer) = answers.next().await {
            allowed.extend(answer?);
        }
        Ok(allowed)
    }

    async fn user(&self, token: &str) -> Result<Option<UserInfo>, TokenError> {
        let key: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.users.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known);
        }
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                ..TokenReviewSpec::default()
            },
            ..TokenReview::default()
        };
        let review = self.question(review).await?;
        let user = review
            .status
            .filter(|status| status.authenticated.unwrap_or(false))
            .and_then(|status| status.user)
            .filter(|user| user.username.as_ref().is_some_and(|name| !name.is_empty()));
        self.users
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(key, user.clone());
        Ok(user)
    }

    async fn may_list(&self, user: &UserInfo, namespace: Option<String>) -> Result<bool, TokenError> {
        let key = (identity_of(user), namespace.clone());
        if let Some(known) = self.rights.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known);
        }
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username.clone(),
                uid: user.uid.clone(),
                groups: user.groups.clone(),
                extra: user.extra.clone(),
                resource_attributes: Some(ResourceAttributes {
                    group: Some(GROUP.to_owned()),
                    resource: Some("statuspages".to_owned()),
                    verb: Some("list".to_owned()),
                    namespace,
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let review = self.question(review).await?;
        let may = review.status.is_some_and(|status| status.allowed);
        self.rights.lock().unwrap_or_else(PoisonError::into_inner).put(key, may);
        Ok(may)
    }

    async fn question<K>(&self, review: K) -> Result<K, TokenError>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let unavailable = |reason: &dyn std::fmt::Display| TokenError::Unavailable(reason.to_string());
        let ask = async {
            let _turn = self.questions.acquire().await.map_err(|error| unavailable(&error))?;
            Api::<K>::all(self.client.clone())
                .create(&PostParams::default(), &review)
                .await
                .map_err(|error| match error {
                    // Not a trouble that passes: nobody has said that such tokens are to be taken here.
                    kube::Error::Api(status) if status.code == 403 => {
                        tracing::warn!(
                            reason = status.message,
                            "tokens of the cluster are not taken: this account may not create tokenreviews and \
                             subjectaccessreviews"
                        );
                        TokenError::Refused(Refusal::Malformed)
                    }
                    error => unavailable(&error),
                })
        };
        tokio::time::timeout(LIMIT, ask)
            .await
            .unwrap_or_else(|_| Err(TokenError::Unavailable("the API server does not answer in time".into())))
    }
}

/// All that rights depend on, so that two tokens of one name with different groups stay apart.
fn identity_of(user: &UserInfo) -> String {
    let empty = BTreeMap::new();
    format!(
        "{:?}",
        (
            &user.username,
            &user.uid,
            &user.groups,
            user.extra.as_ref().unwrap_or(&empty)
        )
    )
}

impl TokenAuthority for KubernetesTokens {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, TokenError>> {
        Box::pin(self.ask(token))
    }
}
