//! The SDK's HTTP client, with the system's root certificates read only where they are needed.
//!
//! The SDK reads and parses them when a client is made, once for each service, and a run of ours has ten. That is half
//! the time of one that finds nothing to do.

use aws_config::SdkConfig;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// The default client, which connects with TLS, and is as any other once it is used.
pub(super) fn client() -> SharedHttpClient {
    on_demand(TlsContext::default())
}

/// The same configuration for an endpoint without TLS, where nobody's certificate is to be trusted. Where credentials come
/// from isn't the endpoint: that goes on with the client it has.
pub(super) fn without_certificates(config: SdkConfig) -> SdkConfig {
    match TlsContext::builder().with_trust_store(TrustStore::empty()).build() {
        Ok(nobody) => config.into_builder().http_client(on_demand(nobody)).build(),
        Err(_) => config,
    }
}

fn on_demand(trusted: TlsContext) -> SharedHttpClient {
    let client = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(trusted)
        .build_https();
    SharedHttpClient::new(OnDemand(client))
}

/// Leaves out the validation of a new service client's configuration, which for this client is nothing but making a first
/// connector, and so reading certificates.
#[derive(Debug)]
struct OnDemand(SharedHttpClient);

impl HttpClient for OnDemand {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}
