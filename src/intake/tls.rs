//! The certificate the intake shows.
//!
//! Guarantees: TLS 1.3 or 1.2 with AEAD suites only; without configured files a
//! certificate of our own is made at the first start, valid for ten years, and
//! its key is readable by nobody else; a key that others may read is refused.

use crate::{clock, config::Problems};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
};
use serde::Deserialize;
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use time::{Duration, OffsetDateTime, macros::datetime};

/// How long a certificate of our own is valid.
const OWN_VALID: Duration = Duration::days(3_653);

/// A box whose clock was never set must still make a certificate that is valid later.
const CLOCK_FLOOR: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

/// The file with the certificate of our own.
const OWN_CERT: &str = "own.crt";

/// The certificate to show.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Config {
    /// One from files.
    Files(Files),
    /// One of our own, made at the first start.
    Own(Own),
}

/// A certificate from files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// PEM: the certificate, then its issuers.
    pub cert_file: PathBuf,
    /// PEM: the key.
    pub key_file: PathBuf,
}

/// A certificate of our own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Own {
    /// The names and addresses it is for.
    pub names: Vec<String>,
}

impl Config {
    /// What an absent table means: a certificate of our own for `localhost`.
    pub fn house() -> Self {
        Self::Own(Own { names: vec!["localhost".to_owned()] })
    }

    /// Adds what is wrong beyond the grammar; `key` is where this table stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        match self {
            Self::Files(Files { cert_file, key_file }) => {
                let read = read(cert_file, key_file);
                if let Err(error) = read {
                    problems.add(format!("{key}.files"), error.told(), error.advice());
                }
            }
            Self::Own(Own { names }) => {
                if names.is_empty() || CertificateParams::new(names.clone()).is_err() {
                    problems.add(
                        format!("{key}.own.names"),
                        format!("{names:?} cannot stand in a certificate"),
                        "list host names and IP addresses, at least one",
                    );
                }
            }
        }
    }

    /// Returns the file with the certificate; `folder` is where an own certificate is kept.
    pub fn cert_file(&self, folder: &Path) -> PathBuf {
        match self {
            Self::Files(files) => files.cert_file.clone(),
            Self::Own(_) => folder.join(OWN_CERT),
        }
    }

    /// Makes the server's side of TLS; `folder` is where an own certificate is kept.
    pub fn server(&self, folder: &Path) -> Result<Arc<ServerConfig>, TlsError> {
        let (chain, key) = match self {
            Self::Files(Files { cert_file, key_file }) => read(cert_file, key_file)?,
            Self::Own(own) => own.read_or_make(folder)?,
        };
        let provider = Arc::new(ring::default_provider());
        // The provider's suites for 1.2 are all AEAD with forward secrecy.
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(TlsError::Unusable)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(server))
    }
}

/// Why there is no certificate to show.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("cannot read PEM from {}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: pem::Error,
    },
    /// Others may read the key.
    #[error("the key {} has mode {mode:o}: others may read it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Our own certificate could not be made.
    #[error("cannot make a certificate")]
    NotMade(#[source] rcgen::Error),
    /// Certificate and key do not work together.
    #[error("certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
}

impl TlsError {
    fn told(&self) -> String {
        let cause = std::error::Error::source(self);
        cause.map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"))
    }

    /// Returns what to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::File { .. } => "make it a file this user may read".to_owned(),
            Self::NotPem { .. } => "it must hold -----BEGIN …----- blocks".to_owned(),
            Self::Exposed { path, .. } => format!("run chmod 600 {}", path.display()),
            Self::NotMade(_) => "look at intake.tls.own.names".to_owned(),
            Self::Unusable(_) => "check that the key belongs to the certificate".to_owned(),
        }
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(cert_file: &Path, key_file: &Path) -> Result<Identity, TlsError> {
    let not_pem = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::NotPem { path, source }
    };
    let chain = pem_text(cert_file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.map_err(not_pem(cert_file))?;
    if chain.is_empty() {
        return Err(not_pem(cert_file)(pem::Error::NoItemsFound));
    }
    let key = pem_text(key_file)?;
    let mode = fs::metadata(key_file).map_err(file(key_file))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TlsError::Exposed { path: key_file.to_owned(), mode });
    }
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(not_pem(key_file))?;
    Ok((chain, key))
}

fn pem_text(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(file(path))
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::File { path, source }
}

impl Own {
    fn read_or_make(&self, folder: &Path) -> Result<Identity, TlsError> {
        let (cert_file, key_file) = (folder.join(OWN_CERT), folder.join("own.key"));
        if !cert_file.exists() {
            self.make(folder, &cert_file, &key_file)?;
        }
        read(&cert_file, &key_file)
    }

    /// The certificate is written last: where it exists, its key does too.
    fn make(&self, folder: &Path, cert_file: &Path, key_file: &Path) -> Result<(), TlsError> {
        let mut params = CertificateParams::new(self.names.clone()).map_err(TlsError::NotMade)?;
        let now = OffsetDateTime::from(clock::now().wall).max(CLOCK_FLOOR);
        params.not_before = CLOCK_FLOOR - Duration::days(1);
        params.not_after = now + OWN_VALID;
        params.distinguished_name.push(DnType::CommonName, "causeway");
        let key = KeyPair::generate().map_err(TlsError::NotMade)?;
        let cert = params.self_signed(&key).map_err(TlsError::NotMade)?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(file(folder))?;
        write(key_file, key.serialize_pem().as_bytes(), 0o600).map_err(file(key_file))?;
        write(cert_file, cert.pem().as_bytes(), 0o644).map_err(file(cert_file))?;
        tracing::info!(file = %cert_file.display(), "made a certificate of our own");
        Ok(())
    }
}

/// Writes a whole file or none, durably, never readable by more than `mode` says.
fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let partial = path.with_extension("partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_our_own_is_made_once_and_its_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("tls");
        let config = Config::Own(Own { names: vec!["localhost".into(), "127.0.0.1".into()] });
        config.server(&place).unwrap();
        let first = fs::read(place.join("own.crt")).unwrap();
        config.server(&place).unwrap();
        assert_eq!(fs::read(place.join("own.crt")).unwrap(), first);
        let mode = fs::metadata(place.join("own.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn files_that_cannot_work_are_refused_with_key_and_reason() {
        let folder = tempfile::tempdir().unwrap();
        Config::house().server(folder.path()).unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("text"), "hello").unwrap();
        fs::copy(at("own.key"), at("open.key")).unwrap();
        fs::set_permissions(at("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
        let table = [
            ("own.crt", "own.key", None),
            ("none.crt", "own.key", Some("cannot use")),
            ("text", "own.key", Some("cannot read PEM")),
            ("own.crt", "open.key", Some("has mode 644")),
        ];
        for (cert, key, reason) in table {
            let files = Files { cert_file: at(cert), key_file: at(key) };
            let mut problems = Problems::default();
            Config::Files(files).check("intake.tls", &mut problems);
            let told = problems.to_string();
            match reason {
                None => assert_eq!(told, "", "{cert} {key}"),
                Some(reason) => assert!(
                    told.contains("intake.tls.files") && told.contains(reason),
                    "{cert} {key}: {told}"
                ),
            }
        }
    }
}
