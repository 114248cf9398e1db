//! The address of the remote service.

use std::net::IpAddr;

use reqwest::Url;

use super::Error;

/// The address below which the API lives, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The address of Atlassian's service.
    pub const DEFAULT: &'static str = "https://api.statuspage.io/v1";

    /// Reads an address, with or without a slash at the end. Plain HTTP would send the token in the clear, so it is
    /// accepted for this machine only, unless `allow_plain_http` says that the network is trusted.
    ///
    /// # Errors
    /// The address cannot be used; the error says why.
    pub fn parse(address: &str, allow_plain_http: bool) -> Result<Self, Error> {
        let address = address.trim();
        // What has credentials in it is not repeated.
        let shown = match address.contains(['@', '?', '#']) {
            true => "(not shown: it may hold a password)",
            false => address,
        };
        if !address.contains("://") {
            let reason = match shown == address {
                true => without_scheme(address),
                false => without_scheme(""),
            };
            return Err(refused(shown, reason));
        }
        let mut url = match Url::parse(address) {
            Ok(url) => url,
            Err(error) => return Err(refused(shown, format!("it is not a URL ({error})"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            // These two fail for addresses without a host, which have no credentials.
            let _ = url.set_password(None);
            let _ = url.set_username("");
            url.set_query(None);
            url.set_fragment(None);
            return Err(refused(
                url.as_str(),
                "credentials do not belong in it: leave out what stands before the @",
            ));
        }
        let problem = match url.scheme() {
            _ if url.query().is_some() || url.fragment().is_some() => Some("it must end with the path, such as /v1"),
            "https" => None,
            "http" if allow_plain_http || is_loopback(&url) => None,
            "http" => Some("plain http would send the token in the clear; begin it with https://"),
            _ => Some("it must begin with https://"),
        };
        if let Some(reason) = problem {
            url.set_query(None);
            url.set_fragment(None);
            return Err(refused(url.as_str(), reason));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if url.host_str() == Some("api.statuspage.io") && path != "/v1" {
            return Err(refused(shown, format!("the API of Statuspage is at {}", Self::DEFAULT)));
        }
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Whether it names this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// What stands behind this address in another one, from the slash on; none when that is not below it.
    pub(super) fn below(&self, address: &str) -> Option<String> {
        let url = Url::parse(address).ok()?;
        let bare = url.username().is_empty() && url.password().is_none();
        let rest = url.path().strip_prefix(self.0.path().trim_end_matches('/'))?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let below = bare && url.origin() == self.0.origin() && rest.starts_with('/');
        below.then(|| format!("{rest}{query}"))
    }

    /// The address of a resource, from path segments that need no escaping.
    pub(super) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let joined = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
        url
    }
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn refused(url: &str, reason: impl Into<String>) -> Error {
    Error::InvalidBaseUrl {
        url: url.to_owned(),
        reason: reason.into(),
    }
}

fn without_scheme(address: &str) -> String {
    if address.is_empty() {
        return "it is not a URL; write it like https://api.statuspage.io/v1".to_owned();
    }
    // The scheme that it can have: see `BaseUrl::parse`.
    let scheme = match Url::parse(&format!("http://{address}")) {
        Ok(url) if is_loopback(&url) => "http",
        _ => "https",
    };
    format!("it has no scheme; write {scheme}://{address}")
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        for address in ["http://127.0.0.1:8080/v1", " http://127.0.0.1:8080/v1/ "] {
            let base = BaseUrl::parse(address, false).unwrap();
            assert_eq!(base.to_string(), "http://127.0.0.1:8080/v1");
            assert_eq!(base.join("/pages").as_str(), "http://127.0.0.1:8080/v1/pages");
        }
        let root = BaseUrl::parse("https://host", false).unwrap();
        assert_eq!(
            (root.to_string().as_str(), root.join("/pages").as_str()),
            ("https://host", "https://host/pages")
        );
    }

    #[test]
    fn tokens_do_not_travel_in_the_clear() {
        for address in [
            "http://localhost:1/v1",
            "http://[::1]/v1",
            "http://127.9.9.9",
            "http://a.localhost",
        ] {
            assert!(BaseUrl::parse(address, false).is_ok(), "{address}");
        }
        for address in [
            "http://status.internal/v1",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
        ] {
            assert!(BaseUrl::parse(address, false).is_err(), "{address}");
            assert!(BaseUrl::parse(address, true).is_ok(), "{address}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for (address, said) in [
            ("api.statuspage.io/v1", "write https://api.statuspage.io/v1"),
            ("localhost:8080/v1", "write http://localhost:8080/v1"),
            ("127.0.0.1:8080/v1", "write http://127.0.0.1:8080/v1"),
            ("", "write it like https://api.statuspage.io/v1"),
            ("https://api.statuspage.io", "is at https://api.statuspage.io/v1"),
            (
                "https://api.statuspage.io/v1/pages",
                "is at https://api.statuspage.io/v1",
            ),
            ("http://status.internal/v1", "begin it with https://"),
            ("ftp://host/v1", "begin with https://"),
            ("https://", "not a URL (empty host)"),
        ] {
            let error = BaseUrl::parse(address, false).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(address), "{error}");
        }
        let error = BaseUrl::parse("http://me:hunter2@host:1/v1?key=x", false).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("\"http://host:1/v1\" cannot be used: credentials"),
            "{error}"
        );
    }

    #[test]
    fn other_addresses_are_refused_without_repeating_credentials() {
        for address in [
            "",
            "api.statuspage.io",
            "ftp://host/v1",
            "file:///etc",
            "https://host/v1?api_key=x",
            "me:hunter2@host/v1",
        ] {
            assert!(BaseUrl::parse(address, true).is_err(), "{address}");
        }
        let error = BaseUrl::parse("https://me:hunter2@host/v1", true).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let error = BaseUrl::parse("me:hunter2@host/v1", true).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let error = BaseUrl::parse("https://host/v1?api_key=hunter2", true).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
