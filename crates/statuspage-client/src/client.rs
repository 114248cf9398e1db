//! The client: where it sends, as whom, and with what right.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};

use super::paging::Bookmark;
use super::redaction::Credentials;
use super::transport::HttpTransport;
use super::{BaseUrl, Budget, EndedRequest, Error, Permit, Priority, RequestIds, RequestObserver, Token, Transport};
use statuspage_clock::Clock;

/// Who asks, unless the program that uses this library says its own name.
const DEFAULT_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("statuspage-client/", env!("CARGO_PKG_VERSION")));

/// Makes this library's choice of cryptography that of the process, unless the process has already chosen.
pub fn install_crypto() {
    // An error says that a provider is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Settings of a [`Client`] before it is made.
#[derive(Clone)]
pub struct ClientBuilder {
    /// None for what everybody may read.
    token: Option<Token>,
    base_url: BaseUrl,
    budget: Option<Budget>,
    transport: Option<Arc<dyn Transport>>,
    connect_timeout: Duration,
    timeout: Duration,
    clock: Clock,
    user_agent: HeaderValue,
    observer: Option<Arc<dyn RequestObserver>>,
}

impl ClientBuilder {
    /// Says in each request who asks, such as `my-tool/1.0`. Without this call it is this library.
    #[must_use]
    pub fn user_agent(mut self, user_agent: HeaderValue) -> Self {
        self.user_agent = user_agent;
        self
    }

    /// Limits its requests by a shared budget. Without this call the client has a budget of its own.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// How long a connection may take (5 s) and how long a whole call may (30 s), whatever the transport.
    #[must_use]
    pub fn timeouts(mut self, connect: Duration, total: Duration) -> Self {
        self.connect_timeout = connect;
        self.timeout = total;
        self
    }

    /// Sends requests in another way than by HTTP over the network.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Takes the time from a clock other than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Tells somebody of every request that has ended.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn RequestObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// The TLS stack or the proxy settings of the system cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        let mut headers = HeaderMap::from_iter([(USER_AGENT, self.user_agent)]);
        if let Some(token) = &self.token {
            let authorization = HeaderValue::try_from(format!("OAuth {}", token.expose()));
            let mut authorization = authorization.map_err(|_| Error::InvalidToken {
                reason: "it holds characters that no header may hold",
            })?;
            authorization.set_sensitive(true);
            headers.insert(AUTHORIZATION, authorization);
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                let http = HttpTransport::new(&self.base_url, self.connect_timeout);
                Arc::new(http.map_err(|source| Error::Setup { source })?)
            }
        };
        Ok(Client {
            connection: Arc::new(Connection {
                transport,
                headers,
                credentials: Arc::new(Credentials::new(self.token.iter().map(Token::expose))),
                timeout: self.timeout,
                clock: self.clock,
                observer: self.observer,
                base_url: self.base_url,
                fingerprint: self.token.as_ref().map(Token::fingerprint).unwrap_or_default(),
            }),
            budget: self.budget.unwrap_or_default(),
            priority: Priority::default(),
            fairness_key: None,
            permit: None,
            sent: Arc::default(),
            traced: None,
            bookmark: None,
        })
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ClientBuilder")
            .field("token", &self.token)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

pub(super) struct Connection {
    pub(super) transport: Arc<dyn Transport>,
    /// What every request carries.
    pub(super) headers: HeaderMap,
    /// What no reply may repeat.
    pub(super) credentials: Arc<Credentials>,
    /// How long a whole call may take.
    pub(super) timeout: Duration,
    pub(super) clock: Clock,
    observer: Option<Arc<dyn RequestObserver>>,
    pub(super) base_url: BaseUrl,
    pub(super) fingerprint: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("base_url", &self.base_url)
            .field("token", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// A client of the Statuspage API. Clones are cheap and share connections and budget.
///
/// Every request takes a permit from the budget first; a reply that says "too many requests" pauses the budget.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) connection: Arc<Connection>,
    pub(super) budget: Budget,
    priority: Priority,
    fairness_key: Option<Arc<str>>,
    permit: Option<Arc<Mutex<Option<Permit>>>>,
    sent: Arc<AtomicU64>,
    traced: Option<Trace>,
    bookmark: Option<Bookmark>,
}

/// Where the last reply leaves what it says about itself.
pub type Trace = Arc<Mutex<RequestIds>>;

impl Client {
    /// Begins a client for a service and a token.
    #[must_use]
    pub fn builder(base_url: BaseUrl, token: Token) -> ClientBuilder {
        ClientBuilder {
            token: Some(token),
            ..Self::anonymous(base_url)
        }
    }

    /// Begins a client without a token, for what everybody may read.
    #[must_use]
    pub fn anonymous(base_url: BaseUrl) -> ClientBuilder {
        ClientBuilder {
            token: None,
            base_url,
            budget: None,
            transport: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            clock: Clock::default(),
            user_agent: DEFAULT_USER_AGENT,
            observer: None,
        }
    }

    /// The same client for requests of another urgency; without this call they are [`Priority::Read`].
    #[must_use]
    pub fn with_priority(&self, priority: Priority) -> Self {
        Self {
            priority,
            ..self.clone()
        }
    }

    /// The same client on behalf of a page, for the fair sharing of the budget. Without this call the page that is
    /// named in the path counts.
    #[must_use]
    pub fn for_page(&self, page: &str) -> Self {
        Self {
            fairness_key: Some(page.into()),
            ..self.clone()
        }
    }

    /// The same client, whose next request uses a permit that the caller already holds. Further requests take theirs
    /// from the budget as usual.
    #[must_use]
    pub fn with_permit(&self, permit: Permit) -> Self {
        Self {
            permit: Some(Arc::new(Mutex::new(Some(permit)))),
            ..self.clone()
        }
    }

    /// The same client, which leaves what every reply says about itself in `trace`, also that of an error. A request
    /// without a reply leaves nothing there, not even what was there before.
    #[must_use]
    pub fn with_trace(&self, trace: &Trace) -> Self {
        Self {
            traced: Some(Arc::clone(trace)),
            ..self.clone()
        }
    }

    /// The same client, whose lists go on where the bookmark was left, and leave it where they are put aside.
    #[must_use]
    pub fn with_bookmark(&self, bookmark: &Bookmark) -> Self {
        Self {
            bookmark: Some(bookmark.clone()),
            ..self.clone()
        }
    }

    pub(super) fn bookmark(&self) -> Option<&Bookmark> {
        self.bookmark.as_ref()
    }

    /// Notes what a reply says about itself.
    pub(super) fn trace(&self, ids: &RequestIds) {
        if let Some(trace) = &self.traced {
            trace.lock().unwrap_or_else(PoisonError::into_inner).clone_from(ids);
        }
    }

    /// The budget that its requests use.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The address of the service.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.connection.base_url
    }

    /// A short name of the token that does not give it away.
    #[must_use]
    pub fn token_fingerprint(&self) -> &str {
        &self.connection.fingerprint
    }

    /// Requests that this client and its clones have sent, failed ones included.
    #[must_use]
    pub fn requests_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Tells whoever wants to know that a request has ended.
    pub(super) fn observe(&self, request: &EndedRequest) {
        if let Some(observer) = &self.connection.observer {
            observer.request_ended(request);
        }
    }

    pub(super) fn count_request(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// The right to send one request.
    pub(super) async fn permit(&self, page: &str) -> Permit {
        let held = self
            .permit
            .as_ref()
            .and_then(|held| held.lock().unwrap_or_else(PoisonError::into_inner).take());
        match held {
            Some(permit) => permit,
            None => {
                let page = self.fairness_key.as_deref().unwrap_or(page);
                self.budget.acquire(self.priority, page).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_the_token() {
        let base_url = BaseUrl::parse(BaseUrl::DEFAULT, false).unwrap();
        let token = Token::new("correct-horse".to_owned()).unwrap();
        let builder = Client::builder(base_url, token);
        assert!(!format!("{builder:?}").contains("horse"));
        let client = builder.build().unwrap();
        assert!(!format!("{client:?}").contains("horse"));
    }
}
