//! A certificate authority for one run, and TLS with it as DynamoDB's endpoints speak it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use benchmarks::error::{Context as _, Result};
use benchmarks::progress::progress;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, version::TLS13};
use tempfile::NamedTempFile;

/// The name that the certificate is for.
pub(crate) const HOST: &str = "localhost";

/// Where Linux distributions keep the certificates they trust: Debian's place, and that of Lambda's Amazon Linux.
const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Both sides' settings.
#[derive(Debug)]
pub(crate) struct Tls {
    /// For a server that is [`HOST`].
    pub(crate) server: Arc<ServerConfig>,
    /// For a client that trusts it.
    pub(crate) client: Arc<ClientConfig>,
    trusted: NamedTempFile,
}

impl Tls {
    /// Makes keys and certificates.
    ///
    /// # Errors
    /// The file of trusted certificates can't be written.
    pub(crate) fn new() -> Result<Self> {
        let authority = authority().context("could not make a certificate authority")?;
        let trusted = trusted(&authority.pem()).context("could not write the trusted certificates")?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([HOST.to_owned()])?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key)?;
        // DynamoDB has no HTTP/2.
        server.alpn_protocols = vec![b"http/1.1".to_vec()];

        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client),
            trusted,
        })
    }

    /// The file with the certificates that a program should trust, which is there as long as this is.
    pub(crate) fn trusted(&self) -> &Path {
        self.trusted.path()
    }
}

/// One cipher suite and one key exchange, common ones, so that each run has the same.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    })
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Benchmark CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// This machine's certificates and ours: a program that reads them all does so on Lambda too, and it takes time.
fn trusted(authority: &str) -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    match BUNDLES.into_iter().find(|path| Path::new(path).exists()) {
        Some(path) => file.write_all(&fs::read(path)?)?,
        None => progress("This machine has no bundle of certificates: starts seem faster than they are on Lambda."),
    }
    file.write_all(authority.as_bytes())?;
    file.flush()?;
    Ok(file)
}
