//! Why a database did not do what it was asked, and what follows from it.

use std::{io, sync::Arc};
use thiserror::Error;

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// Another handle or process has the database.
    #[error("another process uses it")]
    Locked,
    /// The system refused.
    #[error("could not {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The database refused.
    #[error("could not {doing}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The database fell over; its files are damaged or its promises broken.
    #[error("the database fell while asked to {doing}")]
    Fell {
        /// What was being done.
        doing: &'static str,
    },
    /// A key or value is longer than a row may be.
    #[error("a row is too long")]
    RowTooLong,
    /// The folder has no database in it.
    #[error("the database's files are not there")]
    Gone,
    /// A look at it in another process found it damaged.
    #[error("the database does not open: {0}")]
    Unfit(String),
}

impl StoreError {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source: Arc::new(source) }
    }

    /// Returns whether the files are damaged, as far as an error while opening or reading tells; a
    /// full or locked disk is no damage.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Fell { .. } | Self::Gone | Self::Unfit(_) => true,
            Self::Locked | Self::RowTooLong => false,
            Self::Io { source, .. } => is_bad_block(source),
            Self::Refused { source, .. } => match source.downcast_ref::<sled::Error>() {
                // An end that comes too early has no number of the system.
                Some(sled::Error::Io(error)) => {
                    error.raw_os_error().is_none() || is_bad_block(error)
                }
                Some(_) | None => true,
            },
        }
    }

    /// Returns whether the volume has no room.
    pub(crate) fn is_full(&self) -> bool {
        let number = match self {
            Self::Io { source, .. } => source.raw_os_error(),
            Self::Refused { source, .. } => match source.downcast_ref::<sled::Error>() {
                Some(sled::Error::Io(error)) => error.raw_os_error(),
                Some(_) | None => None,
            },
            Self::Locked | Self::Fell { .. } | Self::RowTooLong | Self::Gone | Self::Unfit(_) => {
                None
            }
        };
        let full = [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT];
        number.is_some_and(|number| full.iter().any(|full| full.raw_os_error() == number))
    }
}

fn is_bad_block(error: &io::Error) -> bool {
    let bad = [rustix::io::Errno::IO, rustix::io::Errno::from_raw_os_error(EUCLEAN)];
    error.raw_os_error().is_some_and(|number| bad.iter().any(|bad| bad.raw_os_error() == number))
}

/// What a file system says of its own damaged structure.
const EUCLEAN: i32 = 117;
