//! What everybody may read of a page, at its own address and without a token.

use reqwest::{Method, Url};

use super::raw::RawRequest;
use super::types::Summary;
use super::{BaseUrl, Client, Error};

/// Where a page tells how it stands.
const SUMMARY: &str = "api/v2/summary.json";
/// From an old address to a new one, from http to https.
const REDIRECTS: usize = 4;

/// The address of a page, such as `https://status.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicPage(BaseUrl);

impl PublicPage {
    /// The page at an address: that of any of its documents will do, and `https://` may be left out.
    ///
    /// # Errors
    /// It is no address.
    pub fn at(address: &str) -> Result<Self, Error> {
        let address = address.trim();
        let whole = match address.contains("://") {
            true => address.to_owned(),
            false => format!("https://{address}"),
        };
        let root = match Url::parse(&whole) {
            Ok(mut url) => {
                url.set_path("");
                url.set_query(None);
                url.set_fragment(None);
                url.to_string()
            }
            Err(_) => whole,
        };
        // Nothing secret is sent there.
        BaseUrl::parse(&root, true).map(Self)
    }

    /// The page at a glance: one request, and one more for each address that it has moved to.
    ///
    /// # Errors
    /// It cannot be read. A page that is for some people only answers 401 or 403, and what is no page 404.
    pub async fn summary(&self) -> Result<Summary, Error> {
        let mut base = self.0.clone();
        for _ in 0..REDIRECTS {
            let client = Client::anonymous(base.clone()).build()?;
            let request = RawRequest::new(Method::GET, SUMMARY, &base);
            let request = request.map_err(|error| Error::InvalidRequest {
                operation: "read page",
                reason: error.to_string(),
            })?;
            let received = client.exchange(request.call("read page")).await?;
            match received.moved_to() {
                Some(address) => {
                    let here = Url::parse(&base.to_string()).and_then(|here| here.join(&address));
                    base = Self::at(&here.map_or(address, |there| there.to_string()))?.0;
                }
                None => {
                    let reply = received.judged()?;
                    let summary: Summary = reply.part()?;
                    return match summary.page.id.is_empty() {
                        true => Err(reply.refused("it does not say of which page it is")),
                        false => Ok(summary),
                    };
                }
            }
        }
        Err(Error::InvalidRequest {
            operation: "read page",
            reason: format!("{} leads from one address to the next", self.0),
        })
    }
}

impl std::fmt::Display for PublicPage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_page_may_be_written_in_many_ways() {
        for address in [
            "status.example.com",
            " https://status.example.com/ ",
            "https://status.example.com/api/v2/summary.json",
            "https://status.example.com/incidents/abc?x=y#z",
        ] {
            let page = PublicPage::at(address).unwrap();
            assert_eq!(page.to_string(), "https://status.example.com", "{address}");
        }
        let page = PublicPage::at("http://127.0.0.1:8080").unwrap();
        assert_eq!(page.to_string(), "http://127.0.0.1:8080");
        for address in ["", "ftp://example.com", "https://me:hunter2@example.com"] {
            let error = PublicPage::at(address).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
