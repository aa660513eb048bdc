//! Whom connections trust.
//!
//! Guarantees: a private CA replaces all other roots; TLS is 1.3 or 1.2. Where one certificate alone
//! is good, the other side must have its key; who issued it, for which name and until when does
//! not count, since the file with it is ours.

use super::http::HttpError;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    version,
};
use std::{path::Path, sync::Arc};

/// Trusts these roots.
pub(super) fn these(roots: RootCertStore) -> Result<ClientConfig, HttpError> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Trusts this certificate alone, given as DER.
pub(super) fn only(certificate: Vec<u8>) -> Result<ClientConfig, HttpError> {
    let mut config = these(RootCertStore::empty())?;
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let pinned = Arc::new(Pinned { certificate, algorithms });
    config.dangerous().set_certificate_verifier(pinned);
    Ok(config)
}

/// Reads roots from a PEM file.
pub(super) fn of_file(path: &Path) -> Result<RootCertStore, HttpError> {
    let unreadable = |source| HttpError::CaUnreadable { path: path.into(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let added = roots.add(certificate.map_err(unreadable)?);
        added.map_err(|source| HttpError::CaUnusable { path: path.into(), source })?;
    }
    if roots.is_empty() { Err(HttpError::NoRoots("in the CA file")) } else { Ok(roots) }
}

/// Reads the roots of the system.
pub(super) fn of_system() -> Result<RootCertStore, HttpError> {
    let mut roots = RootCertStore::empty();
    // A system carries a few that cannot be parsed; the others do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(HttpError::NoRoots("on this system")) } else { Ok(roots) }
}

/// Trusts one certificate and no other.
#[derive(Debug)]
struct Pinned {
    certificate: Vec<u8>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if shown.as_ref() == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
