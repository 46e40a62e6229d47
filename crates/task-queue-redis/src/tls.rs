//! TLS, by rustls: whom we trust, and who we are.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use task_core::QueueError;

/// The files that a URL names: of an authority that the system does not know, and of a certificate of our own.
pub(crate) struct Files {
    pub(crate) ca: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
}

impl Files {
    pub(crate) fn any(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.key.is_some()
    }
}

/// How TLS is spoken to the server of a URL, which is `shown` in errors.
pub(crate) fn config(files: &Files, shown: &str) -> Result<Arc<ClientConfig>, QueueError> {
    let wrong = |path: &str, what: String| QueueError::invalid(format!("`{path}` of `{shown}`: {what}"));
    let read = |path: &str| std::fs::read(path).map_err(|error| wrong(path, error.to_string()));
    let certificates = |path: &str| {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => Err(wrong(path, "it has no certificate in PEM".into())),
        }
    };
    let mut roots = RootCertStore::empty();
    match &files.ca {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| wrong(path, error.to_string()))?;
            }
        }
        // those that can't be read are not trusted; without any, each connection says that its server is unknown
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    // a program that has chosen its cryptography keeps it
    let cryptography = CryptoProvider::get_default().cloned();
    let cryptography = cryptography.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let config = ClientConfig::builder_with_provider(cryptography)
        .with_safe_default_protocol_versions()
        .map_err(|error| QueueError::invalid(format!("`{shown}`: {error}")))?
        .with_root_certificates(roots);
    let config = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let own = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|error| wrong(key, format!("it has no private key in PEM: {error}")))?;
            let config = config.with_client_auth_cert(certificates(cert)?, own);
            config.map_err(|error| wrong(cert, error.to_string()))?
        }
        (None, None) => config.with_no_client_auth(),
        _ => {
            let wrong = format!(
                "`{shown}`: `cert=` and `key=` go together: the files of our certificate and its key"
            );
            return Err(QueueError::invalid(wrong));
        }
    };
    Ok(Arc::new(config))
}
