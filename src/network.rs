//! How requests leave this machine: through a proxy or not, and whose certificates are trusted. From the environment, as the
//! AWS CLI takes it, for the SDK's requests and for those that are made as a visitor.
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-proxy.html>

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::{ClientBuilder, NoProxy, Url};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::error::{Error, ErrorKind, OrFail, Result};

/// What no proxy has a say in: this machine, and where Amazon's own give credentials.
const DIRECT: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::254,fd00:ec2::23";

/// The variable that names a file of certificates.
pub(crate) const BUNDLE_VARIABLE: &str = "AWS_CA_BUNDLE";

/// How requests go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    /// For URLs with `http`.
    pub http: Option<Proxy>,
    /// For URLs with `https`.
    pub https: Option<Proxy>,
    /// Hosts that no proxy is asked for, as `NO_PROXY` has them.
    pub direct: String,
    /// Certificates that are trusted instead of the system's.
    pub bundle: Option<Bundle>,
}

/// A proxy. It is shown without who signs in at it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    url: Url,
}

impl Proxy {
    /// Its whole URL, with who signs in at it: for clients, and for nobody's eyes.
    pub(crate) fn secret_url(&self) -> &str {
        self.url.as_str()
    }

    /// Whether it is spoken to by TLS itself.
    pub(crate) fn has_tls(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        write!(f, "{}://{host}", self.url.scheme())?;
        self.url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A file of certificates.
#[derive(Clone)]
pub(crate) struct Bundle {
    /// What is in it: PEM, at least one certificate, each of which can be read.
    pub pem: Arc<[u8]>,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bundle of {} bytes", self.pem.len())
    }
}

impl Network {
    /// As the environment says.
    ///
    /// # Errors
    /// A proxy's variable has none, or `AWS_CA_BUNDLE` names no file of certificates.
    pub(crate) fn from_env() -> Result<Self> {
        let mut network = Self::of(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))?;
        if let Some(file) = std::env::var_os(BUNDLE_VARIABLE).filter(|file| !file.is_empty()) {
            network.bundle = Some(Bundle::read(&PathBuf::from(file), BUNDLE_VARIABLE)?);
        }
        Ok(network)
    }

    /// Without any proxy, and for servers that have no certificates.
    pub(crate) fn of_this_machine() -> Self {
        Self::default()
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        // As Python has it, in which the AWS CLI is written: the one in lower case goes first, even empty.
        let said = |name: &str| {
            let lower = name.to_lowercase();
            let (name, value) = match variable(&lower) {
                Some(value) => (lower, value),
                None => (name.to_owned(), variable(name)?),
            };
            (!value.trim().is_empty()).then_some((name, value))
        };
        let proxy = |name| {
            said(name)
                .map(|(name, value)| parse_proxy(&name, value.trim()))
                .transpose()
        };
        let direct = said("NO_PROXY").map_or_else(|| DIRECT.to_owned(), |(_, hosts)| format!("{hosts},{DIRECT}"));
        Ok(Self {
            http: proxy("HTTP_PROXY")?,
            https: proxy("HTTPS_PROXY")?,
            direct,
            bundle: None,
        })
    }

    /// A builder of clients that go the same ways.
    ///
    /// # Errors
    /// None that [`Self::from_env`] hasn't told.
    pub(crate) fn visiting(&self, builder: ClientBuilder) -> Result<ClientBuilder> {
        let cannot = || "could not make an HTTP client".to_owned();
        // Else it looks at the environment itself, and at more of it than the AWS CLI.
        let mut builder = builder.no_proxy();
        let direct = || NoProxy::from_string(&self.direct);
        if let Some(proxy) = &self.http {
            let proxy = reqwest::Proxy::http(proxy.secret_url()).or_fail(cannot)?;
            builder = builder.proxy(proxy.no_proxy(direct()));
        }
        if let Some(proxy) = &self.https {
            let proxy = reqwest::Proxy::https(proxy.secret_url()).or_fail(cannot)?;
            builder = builder.proxy(proxy.no_proxy(direct()));
        }
        if let Some(bundle) = &self.bundle {
            let certificates = reqwest::Certificate::from_pem_bundle(&bundle.pem).or_fail(cannot)?;
            // Beside the system's own: a page needn't be where the proxy is that the certificates are of.
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(builder)
    }

    /// The proxy that a URL is asked for through, as far as names tell: ranges of addresses count as other hosts do.
    pub(crate) fn proxy_of(&self, url: &str) -> Option<&Proxy> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_lowercase();
        let is_local = host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
        let is_direct = self.direct.split(',').map(str::trim).any(|entry| {
            let name = entry.trim_start_matches('.').to_lowercase();
            entry == "*" || !name.is_empty() && (host == name || host.ends_with(&format!(".{name}")))
        });
        let proxy = if url.scheme() == "http" {
            &self.http
        } else {
            &self.https
        };
        proxy.as_ref().filter(|_| !is_local && !is_direct)
    }
}

/// What stands in a proxy's variable, which is never shown: there may be a password in it.
fn parse_proxy(variable: &str, value: &str) -> Result<Proxy> {
    let wrong = |why: &str| {
        Error::new(
            ErrorKind::InvalidSetup,
            format!("{variable} names no proxy that can be used: {why}"),
        )
        .hint(format!(
            "Set it to a URL like http://proxy.example:3128, or unset it; hosts that need no proxy stand in NO_PROXY. \
             What is in it isn't shown, as there may be a password: `printenv {variable}` does."
        ))
    };
    // Without a scheme it is one of HTTP, for the AWS CLI and others.
    let url = match value.split_once("://") {
        Some(_) => value.to_owned(),
        None => format!("http://{}", value.trim_start_matches("//")),
    };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wrong("there is a blank or a line's end in it"));
    }
    let url = Url::parse(&url).map_err(|error| wrong(&error.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(wrong(&format!(
            "it speaks `{}`, and only HTTP proxies are spoken to",
            url.scheme()
        )));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("there is no host in it"));
    }
    Ok(Proxy { url })
}

impl Bundle {
    /// What is in a file that `from` names.
    ///
    /// # Errors
    /// It can't be read, or has no certificates; it and who names it are told.
    pub(crate) fn read(file: &Path, from: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::new(
                ErrorKind::InvalidSetup,
                format!("{what} {}, which {from} names for certificates", file.display()),
            )
            .hint(format!(
                "Let {from} name a file of certificates in PEM (`-----BEGIN CERTIFICATE-----`), or take it away: then the system's \
                 own are trusted."
            ))
        };
        let pem = std::fs::read(file).map_err(|error| wrong("could not read").cause(error))?;
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| wrong("there is a broken certificate in").cause(error))?;
            store
                .add(certificate)
                .map_err(|error| wrong("there is a broken certificate in").cause(error))?;
        }
        if store.is_empty() {
            return Err(wrong("there is no certificate in"));
        }
        Ok(Self { pem: pem.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Network> {
        let find = |name: &str| variables.iter().find(|(other, _)| *other == name);
        Network::of(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn proxies_are_those_of_the_aws_cli() {
        let shown = |variables: &[(&str, &str)]| {
            let network = of(variables).expect("valid");
            let shown = |proxy: Option<Proxy>| proxy.map_or(String::new(), |proxy| proxy.to_string());
            (shown(network.http), shown(network.https))
        };
        let both = |http: &str, https: &str| (http.to_owned(), https.to_owned());
        assert_eq!(shown(&[]), both("", ""));
        assert_eq!(
            shown(&[("HTTP_PROXY", "http://a:1"), ("https_proxy", "b:2")]),
            both("http://a:1", "http://b:2")
        );
        assert_eq!(
            shown(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "http://b:2")]),
            both("", "http://b:2")
        );
        // An empty one in lower case takes the other away; one in upper case means nothing.
        assert_eq!(
            shown(&[("HTTPS_PROXY", "http://a:1"), ("https_proxy", "")]),
            both("", "")
        );
        assert_eq!(shown(&[("HTTPS_PROXY", " ")]), both("", ""));
        assert_eq!(shown(&[("ALL_PROXY", "http://a:1")]), both("", ""));
        // Who signs in is nobody's business.
        let secret = of(&[("HTTPS_PROXY", "http://me:s3cret@a:1/")]).expect("valid");
        assert_eq!(
            secret.https.as_ref().map(ToString::to_string).as_deref(),
            Some("http://a:1")
        );
        assert!(!format!("{secret:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_no_proxy_is_named_and_not_shown() {
        for value in [
            "socks5://me:s3cret@a:1",
            "http://me:s3cret@a :1",
            "http://",
            "http://me:s3cret@a:99999",
        ] {
            let error = of(&[("HTTPS_PROXY", value)]).expect_err(value);
            let text = format!("{error} {:?}", error.next_steps());
            assert!(text.contains("HTTPS_PROXY") && !text.contains("s3cret"), "{text}");
            assert_eq!(error.kind(), ErrorKind::InvalidSetup);
        }
    }

    #[test]
    fn this_machine_is_never_asked_for_through_a_proxy() {
        let direct = |variables: &[(&str, &str)]| of(variables).expect("valid").direct;
        assert!(direct(&[]).contains("127.0.0.0/8"));
        let more = direct(&[("no_proxy", "internal.example")]);
        assert!(
            more.starts_with("internal.example,") && more.contains("localhost"),
            "{more}"
        );
    }

    #[test]
    fn which_proxy_a_request_goes_through_is_known() {
        let network = of(&[
            ("HTTP_PROXY", "http://a:1"),
            ("HTTPS_PROXY", "http://b:2"),
            ("NO_PROXY", "internal.example, .corp"),
        ])
        .expect("valid");
        let proxy = |url: &str| network.proxy_of(url).map(ToString::to_string);
        assert_eq!(proxy("http://x.example/").as_deref(), Some("http://a:1"));
        assert_eq!(proxy("https://sts.amazonaws.com/").as_deref(), Some("http://b:2"));
        for direct in [
            "http://127.0.0.1:4566/",
            "http://[::1]:4566/",
            "http://d1.cloudfront.localhost:4566/",
            "https://s3.internal.example/",
            "https://a.corp/",
        ] {
            assert_eq!(proxy(direct), None, "{direct}");
        }
    }

    /// What `verify` asks as a visitor goes the same way.
    #[tokio::test]
    async fn a_visitor_goes_through_the_proxy() {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let mut asked = [0; 2048];
            let length = client.read(&mut asked).expect("a request");
            client
                .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                .expect("answered");
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let network = of(&[("HTTP_PROXY", &format!("http://me:pw@127.0.0.1:{port}"))]).expect("valid");
        let client = network
            .visiting(crate::http::client())
            .expect("valid")
            .build()
            .expect("a client");
        let answer = client.get("http://app.example/x").send().await.expect("an answer");
        assert_eq!(answer.status(), 204);
        let seen = seen.join().expect("seen").to_lowercase();
        assert!(seen.starts_with("get http://app.example/x http/1.1"), "{seen}");
        assert!(seen.contains("proxy-authorization: basic bwu6chc="), "{seen}");
    }

    #[test]
    fn a_bundle_without_certificates_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        for (text, expected) in [
            (None, "could not read"),
            (Some("nothing"), "there is no certificate in"),
            (
                Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                "there is a broken certificate in",
            ),
        ] {
            if let Some(text) = text {
                std::fs::write(&file, text).expect("written");
            }
            let error = Bundle::read(&file, BUNDLE_VARIABLE).expect_err(expected);
            let message = error.to_string();
            assert!(message.contains(expected) && message.contains("ca.pem"), "{message}");
        }
    }
}
