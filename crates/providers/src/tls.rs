//! The TLS stack: rustls with ring.
//!
//! reqwest is built without a crypto provider, so the process must install one before it creates the first client.

use std::sync::Once;

static INSTALLED: Once = Once::new();

/// Installs ring as the process's crypto provider. Does nothing if a provider is installed already.
pub fn install() {
    INSTALLED.call_once(|| {
        // An error means that another provider is installed already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
