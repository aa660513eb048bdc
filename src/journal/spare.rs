//! The next segment's database, made while the newest is still written.
//!
//! Guarantees: whoever takes one gets one that is durably there under the name asked for; when none is
//! ready, or making it failed, it is made on the spot. At most one thread is at work.

use super::{
    finder::Front,
    store::{Store, StoreError},
};
use std::{
    path::Path,
    thread::{self, JoinHandle},
};

/// Its name until it gets one; what bears it at a start is swept away.
const DRAFT: &str = "spare";

/// A database in waiting, laid out for rows in slots.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    making: Option<JoinHandle<Result<(Store, Front), StoreError>>>,
    letting_go: Option<JoinHandle<()>>,
}

impl Spare {
    /// Makes a database unless one is waiting, beside the caller's own work.
    pub(crate) fn make(&mut self, folder: &Path) {
        if self.making.is_some() {
            return;
        }
        let folder = folder.to_owned();
        let make = move || prepare(&folder, DRAFT);
        // Without a thread the next database is made when it is due.
        self.making = thread::Builder::new().name("spare".to_owned()).spawn(make).ok();
    }

    /// Closes a database that is not written any more, beside the caller's own work.
    pub(crate) fn let_go(&mut self, old: Store) {
        self.join_letting_go();
        // Without a thread it is closed here.
        let close = move || drop(old);
        self.letting_go = thread::Builder::new().name("let-go".to_owned()).spawn(close).ok();
    }

    /// Returns a database with this name, the waiting one if there is one.
    pub(crate) fn take(&mut self, folder: &Path, name: &str) -> Result<(Store, Front), StoreError> {
        let (store, front) = match self.making.take().map(JoinHandle::join) {
            Some(Ok(Ok(made))) => made,
            Some(Ok(Err(_)) | Err(_)) | None => prepare(folder, name)?,
        };
        Ok((store.publish(name)?, front))
    }

    fn join_letting_go(&mut self) {
        if let Some(letting_go) = self.letting_go.take() {
            // A close that fell has told the panic hook already.
            let _ = letting_go.join();
        }
    }
}

fn prepare(folder: &Path, draft: &str) -> Result<(Store, Front), StoreError> {
    let store = Store::prepare(folder, draft)?;
    let front = Front::lay_first(&store)?;
    Ok((store, front))
}

impl Drop for Spare {
    fn drop(&mut self) {
        // Whoever opens the folder next must not meet a thread that is still in it.
        self.join_letting_go();
        if let Some(making) = self.making.take() {
            let _ = making.join();
        }
    }
}
