//! What each StatusPage needs: a Secret that the operator may read, a token that is accepted, a page, and room for requests.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::Arguments;
use super::finding::Finding;
use super::installation::{ClockDifference, Installed, clock_finding};
use crate::api::{SecretReference, StatusPage};
use crate::cli::Failure;
use crate::driver::{Access, Clock, pages_seen};
use crate::engine::{READY, find_condition};
use crate::operator::requests_recorded;
use crate::statuspage::{BaseUrl, BudgetRegistry, DEFAULT_LIMIT, Error, ErrorClass, Moment, Page, Token, Trace};

/// What is looked at together.
struct Examination<'a> {
    client: &'a Client,
    arguments: &'a Arguments,
    installed: &'a [Installed],
    clock: ClockDifference,
    base_url: Option<BaseUrl>,
    budgets: BudgetRegistry,
}

/// Every StatusPage of the wanted namespaces.
pub(super) async fn examine(
    client: &Client,
    arguments: &Arguments,
    installed: &[Installed],
    clock: ClockDifference,
) -> Result<Vec<Finding>, Failure> {
    let base_url = match &arguments.api_url {
        Some(url) => Some(BaseUrl::parse(url, true).map_err(Failure::Statuspage)?),
        None => None,
    };
    let apis: Vec<Api<StatusPage>> = match arguments.namespaces.is_empty() {
        true => vec![Api::all(client.clone())],
        false => {
            let namespaces = arguments.namespaces.iter();
            namespaces
                .map(|namespace| Api::namespaced(client.clone(), namespace))
                .collect()
        }
    };
    let (mut findings, mut pages) = (Vec::new(), Vec::new());
    for api in apis {
        match api.list(&ListParams::default()).await {
            Ok(list) => pages.extend(list.items),
            Err(error) => findings.push(Finding::unread("StatusPages", &error)),
        }
    }
    if pages.is_empty() && findings.is_empty() {
        let place = match arguments.namespaces.as_slice() {
            [] => "in the cluster".to_owned(),
            namespaces => format!("in {}", namespaces.join(", ")),
        };
        findings.push(Finding::warning(
            "StatusPages",
            format!("there is none {place}: nothing is done"),
        ));
    }
    let examination = Examination {
        client,
        arguments,
        installed,
        clock,
        base_url,
        budgets: BudgetRegistry::new(DEFAULT_LIMIT),
    };
    for page in &pages {
        examination.page(page, &mut findings).await;
    }
    Ok(findings)
}

impl Examination<'_> {
    async fn page(&self, page: &StatusPage, findings: &mut Vec<Finding>) {
        let name = format!("{}/{}", page.namespace().unwrap_or_default(), page.name_any());
        findings.push(condition(&name, page));
        match self.access(page, &name).await {
            Ok(access) => {
                findings.push(Finding::ok(
                    format!("Secret of {name}"),
                    "has a token, which the operator may read",
                ));
                findings.extend(self.requests(&access, &name).await);
                if !self.arguments.offline {
                    findings.extend(self.token(page, &access, &name).await);
                }
            }
            Err(finding) => findings.push(finding),
        }
    }

    /// The token, if the Secret is there and the operator may read it.
    async fn access(&self, page: &StatusPage, name: &str) -> Result<Access, Finding> {
        let subject = format!("Secret of {name}");
        let namespace = page.namespace().unwrap_or_default();
        let reference = &page.spec.api.token_secret_ref;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &namespace);
        let secret = match secrets.get_opt(&reference.name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                let message = format!("Secret {namespace}/{} does not exist", reference.name);
                return Err(Finding::wrong(subject, message).remedy(creation(&namespace, reference)));
            }
            Err(error) => return Err(Finding::unread(subject, &error)),
        };
        for operator in self.installed {
            match operator.may_read_secret(self.client, &namespace, &reference.name).await {
                Ok(true) => {}
                Ok(false) => {
                    let message = format!(
                        "the operator {}/{} may not read Secret {namespace}/{}",
                        operator.namespace, operator.name, reference.name
                    );
                    let remedy =
                        "name it in secrets.names of the chart, or bind a Role that lets it list and watch the Secret";
                    return Err(Finding::wrong(subject, message).remedy(remedy));
                }
                Err(error) => return Err(Finding::unread(subject, &error)),
            }
        }
        let value = secret.data.as_ref().and_then(|data| data.get(reference.key()));
        let text = value.and_then(|value| String::from_utf8(value.0.clone()).ok());
        let Some(text) = text else {
            let message = format!(
                "Secret {namespace}/{} has no text under key {}",
                reference.name,
                reference.key()
            );
            return Err(Finding::wrong(subject, message).remedy(creation(&namespace, reference)));
        };
        let token = Token::new(text).map_err(|error| {
            let message = format!(
                "key {} of Secret {namespace}/{}: {error}",
                reference.key(),
                reference.name
            );
            Finding::wrong(subject.clone(), message).remedy(creation(&namespace, reference))
        })?;
        let base_url = match &self.base_url {
            Some(base_url) => base_url.clone(),
            None => {
                let address = page.spec.api.url.as_deref().unwrap_or(BaseUrl::DEFAULT);
                BaseUrl::parse(address, false).map_err(|error| Finding::wrong(subject, format!("api.url: {error}")))?
            }
        };
        Ok(Access { base_url, token })
    }

    /// Whether Statuspage accepts the token and shows the page, and its clock. One request.
    async fn token(&self, page: &StatusPage, access: &Access, name: &str) -> Vec<Finding> {
        let subject = format!("page of {name}");
        let trace = Trace::default();
        let client = match access.client(&self.budgets).build() {
            Ok(client) => client.with_trace(&trace),
            Err(error) => return vec![Finding::wrong(subject, error.to_string())],
        };
        let pages = client.pages().list().await.map(|listing| listing.items);
        let found = match pages {
            Ok(pages) => seen(page, &pages, &subject),
            Err(error) => unanswered(subject, &error),
        };
        let date = trace.lock().ok().and_then(|ids| ids.date);
        let now = Timestamp::now();
        // By the API server's clock, as the operator's Lease is.
        let here = now.saturating_add(self.clock.unwrap_or_default()).unwrap_or(now);
        let clock = date.map(|date| clock_finding(&format!("Statuspage (for {name})"), date.duration_since(here)));
        let clock = clock.filter(|finding| finding.verdict != super::Verdict::Ok);
        std::iter::once(found).chain(clock).collect()
    }

    /// How many requests the token has sent in the last minute, as the operator has written down.
    async fn requests(&self, access: &Access, name: &str) -> Option<Finding> {
        let subject = format!("requests of {name}");
        let operator = self.installed.first()?;
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &operator.namespace);
        let lease = leases.get_opt(&format!("{}-requests", operator.lease)).await.ok()??;
        let now = Moment::of(&Clock::System);
        let (requests, paused_until) = requests_recorded(&lease, &access.token, &access.base_url)?.counted(&now);
        if let Some(until) = paused_until {
            let seconds = until.duration_since(now.wall).as_secs();
            let message = format!("Statuspage refuses more requests: paused for another {seconds} s");
            return Some(
                Finding::warning(subject, message)
                    .remedy("does something else use this token? give each user one of their own"),
            );
        }
        let message = format!("{requests} in the last 60 s, of {DEFAULT_LIMIT} that a token may send by default");
        Some(match requests >= DEFAULT_LIMIT {
            false => Finding::ok(subject, message),
            true => Finding::warning(subject, message).remedy("changes wait for their turn, incidents go first"),
        })
    }
}

/// What the operator says of a StatusPage.
fn condition(name: &str, page: &StatusPage) -> Finding {
    let subject = format!("StatusPage {name}");
    let status = page.status.as_ref().map(|status| &status.object);
    let ready = status.and_then(|status| find_condition(status, READY));
    match ready {
        None => Finding::wrong(subject, "the operator has said nothing about it yet")
            .remedy("does an operator run, and does it watch this namespace (--watch-namespace, watchNamespaces)?"),
        Some(ready) if ready.status == "True" => Finding::ok(subject, format!("{}: {}", ready.reason, ready.message)),
        Some(ready) => Finding::wrong(subject, format!("{}: {}", ready.reason, ready.message)),
    }
}

/// Whether the page is among those that the token sees.
fn seen(page: &StatusPage, pages: &[Page], subject: &str) -> Finding {
    let wanted_id = page.spec.page_id.as_deref();
    let wanted = wanted_id.or(page.spec.subdomain.as_deref()).unwrap_or_default();
    let is_wanted = |page: &&Page| match wanted_id {
        Some(id) => page.id == id,
        None => page
            .subdomain
            .as_deref()
            .is_some_and(|label| wanted.split('.').next() == Some(label)),
    };
    match pages.iter().find(is_wanted) {
        Some(found) => Finding::ok(
            subject,
            format!(
                "the token is accepted and sees {} ({})",
                found.id,
                found.name.as_deref().unwrap_or_default()
            ),
        ),
        None => Finding::wrong(
            subject,
            format!("the token sees no page {wanted}, {}", pages_seen(pages)),
        )
        .remedy("correct pageId or subdomain, or use a token of a user who may see the page"),
    }
}

fn unanswered(subject: String, error: &Error) -> Finding {
    let finding = Finding::wrong(subject, error.to_string());
    match error.class() {
        ErrorClass::Unauthorized => finding.remedy("make a new API key in Statuspage and put it into the Secret"),
        ErrorClass::Throttled { .. } => {
            finding.remedy("something else uses this token: wait a minute, and find out what")
        }
        _ => finding.remedy("check the network from here and from the cluster: proxy, firewall, DNS, api.url"),
    }
}

/// How a Secret with a token is made.
fn creation(namespace: &str, reference: &SecretReference) -> String {
    format!(
        "kubectl -n {namespace} create secret generic {} --from-literal={}=TOKEN",
        reference.name,
        reference.key()
    )
}
