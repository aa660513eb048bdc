//! The folder of secrets: one file each, named in the configuration.
//!
//! Guarantees: a name cannot lead out of the folder; a file that others may read
//! is refused, because a secret that leaked once must not go on working unseen;
//! no secret appears in an error.

use crate::secret::Secret;
use serde::Deserialize;
use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Size in bytes above which a file is not taken for a secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The name of a credential: a file name, never a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct CredentialName(String);

impl CredentialName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CredentialName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=64).contains(&name.len()) && name.chars().all(good) && !name.starts_with('.') {
            Ok(Self(name))
        } else {
            Err(format!(
                "`{name}` is not the name of a credential: up to 64 letters, digits, - _ ."
            ))
        }
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a credential cannot be used.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// The name is none.
    #[error("{0}")]
    NotAName(String),
    /// There is no such file.
    #[error("there is no credential `{name}` in {}", folder.display())]
    Missing {
        /// Its name.
        name: CredentialName,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The file cannot be read, or is no secret.
    #[error("cannot read the credential {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the credential {} has mode {mode:o}: others may read it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is nothing in it.
    #[error("the credential {} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl CredentialError {
    /// Returns what to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::NotAName(_) => "name a file in the folder of credentials".to_owned(),
            Self::Missing { name, folder } => {
                format!("write it to {} with mode 600", folder.join(&name.0).display())
            }
            Self::Unreadable { .. } => "make it a text file this user may read".to_owned(),
            Self::Exposed { path, .. } => {
                format!("run chmod 600 {}, and change the secret if others could", path.display())
            }
            Self::Empty { .. } => "write the secret into it".to_owned(),
        }
    }
}

/// The folder of secrets.
#[derive(Clone, Debug)]
pub struct Credentials {
    folder: PathBuf,
    forbidden_mode: u32,
}

impl Credentials {
    /// Uses `folder`, whose files only their owner may read.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), forbidden_mode: 0o077 }
    }

    /// Chooses the folder: the configured one, else systemd's, else `credentials`
    /// beside the configuration.
    pub(super) fn locate(configured: Option<&Path>, config: &Path) -> Self {
        if let Some(folder) = configured {
            return Self::in_folder(folder);
        }
        if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") {
            // systemd may grant the service access with an ACL, which shows as group bits.
            return Self { folder: folder.into(), forbidden_mode: 0o007 };
        }
        Self::in_folder(&config.parent().unwrap_or(Path::new(".")).join("credentials"))
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads one credential.
    pub fn get(&self, name: &str) -> Result<Secret, CredentialError> {
        let name = CredentialName::try_from(name.to_owned()).map_err(CredentialError::NotAName)?;
        let path = self.folder.join(&name.0);
        let unreadable = |source| CredentialError::Unreadable { path: path.clone(), source };
        let meta = match fs::metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = self.folder.clone();
                return Err(CredentialError::Missing { name, folder });
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mode = meta.permissions().mode() & 0o777;
        if mode & self.forbidden_mode != 0 {
            return Err(CredentialError::Exposed { path, mode });
        }
        if meta.len() > SECRET_BYTES_MAX {
            return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "over 64 KiB")));
        }
        let secret = Secret::new(&fs::read_to_string(&path).map_err(unreadable)?);
        if secret.reveal().is_empty() {
            return Err(CredentialError::Empty { path });
        }
        Ok(secret)
    }
}
