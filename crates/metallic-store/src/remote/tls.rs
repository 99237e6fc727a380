use std::sync::Arc;

use ureq::tls::{RootCerts, TlsConfig};

/// Certificates are verified by the system's roots; on Linux those of `SSL_CERT_FILE`, if it is set.
pub(super) fn config() -> TlsConfig {
    TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls_graviola::default_provider()))
        .root_certs(RootCerts::PlatformVerifier)
        .build()
}

/// Returns `true` if this processor has the instructions that the cryptography is written in, which panics without them.
pub(super) fn is_supported() -> bool {
    graviola::util::is_cpu_supported()
}
