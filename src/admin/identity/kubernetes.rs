//! Bearer tokens of Kubernetes: the API server says who it is (TokenReview) and what they may (SubjectAccessReview).
//!
//! Whoever may list a kind in a namespace sees what we tell about the objects of that kind there: declarations and
//! events. Whoever may list StatusPages in all namespaces is an administrator, of the kinds that it may list. Answers are
//! kept for a short while, so a revoked right ends within [`KEPT`].

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
use crate::admin::caller::{Caller, Grant, Scope};
use crate::api::{GROUP, Kind};

/// How long an answer of the API server is believed.
pub const KEPT: Duration = Duration::from_secs(30);
/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Questions to the API server at a time, of all callers together.
const AT_ONCE: usize = 8;
/// Answers that are kept at a time.
const ANSWERS: usize = 16 * 1024;
/// The resource that stands for all of them in a rule.
const EVERYTHING: &str = "*";
/// No token is longer; larger ones would only cost the API server.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Finds the namespaces and kinds that there is something to tell about.
pub type Namespaces = Arc<dyn Fn() -> BoxFuture<'static, BTreeMap<String, BTreeSet<Kind>>> + Send + Sync>;

/// Asks an API server.
pub struct KubernetesTokens {
    client: Client,
    namespaces: Namespaces,
    questions: tokio::sync::Semaphore,
    users: Answers<[u8; 32], Option<UserInfo>>,
    /// By the user as the API server named it, the resource, and the namespace; none is all of them.
    rights: Answers<Right, bool>,
}

type Right = ([u8; 32], String, Option<String>);

/// What the API server said, for as long as that is believed.
struct Answers<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K: std::hash::Hash + Eq, V: Clone> Answers<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = answers.get(key).filter(|(since, _)| since.elapsed() < KEPT);
        known.map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS {
            answers.retain(|_, (since, _)| since.elapsed() < KEPT);
            if answers.len() >= ANSWERS {
                answers.clear();
            }
        }
        answers.insert(key, (Instant::now(), value));
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
            users: Answers(Mutex::default()),
            rights: Answers(Mutex::default()),
        }
    }

    async fn ask(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Refused(Refusal::Malformed));
        }
        let user = self.user(token).await?;
        let user = user.ok_or(TokenError::Refused(Refusal::Unknown))?;
        let name = user.username.clone().unwrap_or_default();
        let (grants, admin) = self.grants(&user).await?;
        Ok(Caller {
            credential: format!("user {name}"),
            user: name,
            email: None,
            admin,
            grants,
        })
    }

    /// What a user may read, and whether it is an administrator.
    async fn grants(&self, user: &UserInfo) -> Result<(Vec<Grant>, bool), TokenError> {
        if self.may_list(user, EVERYTHING.to_owned(), None).await? {
            return Ok((vec![Grant::reading(Scope::All)], true));
        }
        let everywhere = self.answers(user, Kind::ALL.map(|kind| (kind, None))).await?;
        let everywhere: BTreeSet<Kind> = everywhere.into_iter().map(|(kind, _)| kind).collect();
        if everywhere.len() == Kind::ALL.len() {
            return Ok((vec![Grant::reading(Scope::All)], true));
        }
        // Somebody without rights is somebody, and sees nothing.
        let mut grants = vec![Grant::reading(Scope::Only(BTreeSet::new()))];
        if !everywhere.is_empty() {
            grants.push(Grant {
                kinds: Some(everywhere.clone()),
                ..Grant::reading(Scope::All)
            });
        }
        // Namespaces in which the same kinds may be listed are one grant.
        let mut by_kinds: BTreeMap<BTreeSet<Kind>, BTreeSet<String>> = BTreeMap::new();
        let namespaces = (self.namespaces)().await;
        let questions = namespaces.into_iter().flat_map(|(namespace, kinds)| {
            let asked: Vec<Kind> = kinds.difference(&everywhere).copied().collect();
            asked.into_iter().map(move |kind| (kind, Some(namespace.clone())))
        });
        let mut by_namespace: BTreeMap<String, BTreeSet<Kind>> = BTreeMap::new();
        for (kind, namespace) in self.answers(user, questions).await? {
            by_namespace
                .entry(namespace.unwrap_or_default())
                .or_default()
                .insert(kind);
        }
        for (namespace, kinds) in by_namespace {
            by_kinds.entry(kinds).or_default().insert(namespace);
        }
        grants.extend(by_kinds.into_iter().map(|(kinds, namespaces)| Grant {
            kinds: Some(kinds),
            ..Grant::reading(Scope::Only(namespaces))
        }));
        Ok((grants, everywhere.contains(&Kind::StatusPage)))
    }

    /// Those of these kinds, each in its namespace, that a user may list.
    async fn answers(
        &self,
        user: &UserInfo,
        questions: impl IntoIterator<Item = (Kind, Option<String>)>,
    ) -> Result<Vec<(Kind, Option<String>)>, TokenError> {
        let mut answers = futures::stream::iter(questions)
            .map(|(kind, namespace)| async move {
                let may = self.may_list(user, resource(kind), namespace.clone()).await;
                may.map(|may| may.then_some((kind, namespace)))
            })
            .buffer_unordered(AT_ONCE);
        let mut allowed = Vec::new();
        while let Some(answer) = answers.next().await {
            allowed.extend(answer?);
        }
        Ok(allowed)
    }

    async fn user(&self, token: &str) -> Result<Option<UserInfo>, TokenError> {
        let key: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.users.get(&key) {
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
        self.users.put(key, user.clone());
        Ok(user)
    }

    async fn may_list(&self, user: &UserInfo, resource: String, namespace: Option<String>) -> Result<bool, TokenError> {
        let key = (identity_of(user), resource.clone(), namespace.clone());
        if let Some(known) = self.rights.get(&key) {
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
                    resource: Some(resource),
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
        self.rights.put(key, may);
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
                            "tokens of the cluster are not accepted: this account may not create tokenreviews and subjectaccessreviews"
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
fn identity_of(user: &UserInfo) -> [u8; 32] {
    let empty = BTreeMap::new();
    let all = (
        &user.username,
        &user.uid,
        &user.groups,
        user.extra.as_ref().unwrap_or(&empty),
    );
    Sha256::digest(format!("{all:?}")).into()
}

/// The name of a kind in rules.
fn resource(kind: Kind) -> String {
    format!("{}s", kind.as_str().to_lowercase())
}

impl TokenAuthority for KubernetesTokens {
    fn caller<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, TokenError>> {
        Box::pin(self.ask(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_those_of_the_definitions() {
        for kind in Kind::ALL {
            assert_eq!(resource(kind), kind.definition().spec.names.plural);
        }
    }
}
