//! The one TLS stack: rustls with ring.
//!
//! reqwest is built without a crypto provider of its own, so the process chooses one, once, before its first client.

use std::sync::Once;

static INSTALLED: Once = Once::new();

/// Makes ring the process's crypto provider. Calling it again, or after somebody else chose one, changes nothing.
pub fn install() {
    INSTALLED.call_once(|| {
        // An error means that a provider stands already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
