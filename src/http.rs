//! The HTTP client of what isn't the SDK's: requests as visitors make them.

use reqwest::{Client, ClientBuilder};

/// A client's builder, with the cryptography that the SDK's clients have.
pub(crate) fn client() -> ClientBuilder {
    // Fails when it was done before, and that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}
