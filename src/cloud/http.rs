//! The SDK's HTTP client: through a proxy where there is one, and with certificates read only where they are needed.
//!
//! The SDK reads and parses them when a client is made, once for each service, and a run of ours has ten. That is half
//! the time of one that finds nothing to do.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::network::{Network, Proxy};

/// A client that goes as the network says.
pub(super) fn client(network: &Network) -> SharedHttpClient {
    SharedHttpClient::new(ByScheme {
        plain: one(
            network,
            network.http.as_ref(),
            network.http.as_ref().is_some_and(Proxy::has_tls),
        ),
        with_tls: one(network, network.https.as_ref(), true),
    })
}

/// A client of one scheme's proxy. Without TLS nobody's certificate is to be trusted, and none is read.
fn one(network: &Network, proxy: Option<&Proxy>, has_tls: bool) -> SharedHttpClient {
    let trusted = match &network.bundle {
        _ if !has_tls => TrustStore::empty(),
        Some(bundle) => TrustStore::empty().with_pem_certificate(bundle.pem.to_vec()),
        None => TrustStore::default(),
    };
    // Only more than trust may be refused here.
    let trusted = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .unwrap_or_default();
    // A URL that is none was refused where it was read.
    let proxy = proxy.and_then(|proxy| ProxyConfig::all(proxy.secret_url()).ok());
    let proxy = proxy.map_or_else(ProxyConfig::disabled, |proxy| proxy.no_proxy(&network.direct));
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(trusted.clone())
            .proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    })
}

/// Sends a request by the client of its scheme.
///
/// Leaves out the validation of a new service client's configuration, which for these is nothing but making a first
/// connector, and so reading certificates.
#[derive(Debug)]
struct ByScheme {
    plain: SharedHttpClient,
    with_tls: SharedHttpClient,
}

impl HttpClient for ByScheme {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let later = |client: &SharedHttpClient| Later {
            client: client.clone(),
            settings: settings.clone(),
            components: components.clone(),
            made: Arc::default(),
        };
        SharedHttpConnector::new(Connectors {
            plain: later(&self.plain),
            with_tls: later(&self.with_tls),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.with_tls.connector_metadata()
    }
}

#[derive(Debug)]
struct Connectors {
    plain: Later,
    with_tls: Later,
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_plain = request.uri().starts_with("http://");
        let later = if is_plain { &self.plain } else { &self.with_tls };
        later.connector().call(request)
    }
}

/// A connector that is made when it is used first. The client keeps those that it has made.
struct Later {
    client: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
    made: Arc<OnceLock<SharedHttpConnector>>,
}

impl Later {
    fn connector(&self) -> &SharedHttpConnector {
        self.made
            .get_or_init(|| self.client.http_connector(&self.settings, &self.components))
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}
