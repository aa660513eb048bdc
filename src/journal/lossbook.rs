//! The file that names what is lost, and the alarm about it.
//!
//! Guarantees: what is passed over was on the disk in this file before; each range is told at ERROR
//! once, when it is recorded.

use super::{
    durable,
    losses::{Fate, Loss, Losses},
    store::StoreError,
};
use crate::clock;
use std::{
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

const FILE: &str = "losses";

/// What is lost, on the disk and in memory.
#[derive(Debug)]
pub(crate) struct Lossbook {
    folder: PathBuf,
    losses: Losses,
}

impl Lossbook {
    /// Reads the file. One that is damaged is put aside: what it said is found out again.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let losses = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Losses::default(),
            Err(error) => return Err(error),
            Ok(bytes) => {
                if let Some(losses) = Losses::decode(&String::from_utf8_lossy(&bytes)) {
                    losses
                } else {
                    let aside = format!("{FILE}.damaged-{}", clock::now().unix_ms());
                    fs::rename(&path, folder.join(&aside))?;
                    durable::sync_folder(folder)?;
                    tracing::error!(file = aside, "the list of lost events is damaged; kept aside");
                    Losses::default()
                }
            }
        };
        Ok(Self { folder: folder.to_path_buf(), losses })
    }

    /// Reads the file without changing anything; `None` if it is damaged.
    pub(crate) fn look(folder: &Path) -> io::Result<Option<Losses>> {
        match fs::read(folder.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(Losses::default())),
            Err(error) => Err(error),
            Ok(bytes) => Ok(Losses::decode(&String::from_utf8_lossy(&bytes))),
        }
    }

    /// What is recorded.
    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Records ranges, durably, and tells of those that are new.
    pub(crate) fn record(
        &mut self,
        ranges: &[RangeInclusive<u64>],
        fate: Fate,
        why: &str,
    ) -> Result<(), StoreError> {
        let mut losses = self.losses.clone();
        let mut fresh = Vec::new();
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            let (first, last) = (*range.start(), *range.end());
            let at_ms = clock::now().unix_ms();
            fresh.extend(losses.record(&Loss { first, last, fate, at_ms, why: why.to_owned() }));
        }
        if fresh.is_empty() {
            return Ok(());
        }
        self.write(losses)?;
        for Loss { first, last, .. } in fresh {
            match fate {
                Fate::Lost => tracing::error!(first, last, why, "events are lost"),
                Fate::Unused => tracing::warn!(first, last, why, "numbers are passed over"),
            }
        }
        Ok(())
    }

    /// Forgets very old ranges below what is kept.
    pub(crate) fn prune(&mut self, first: u64) -> Result<(), StoreError> {
        let mut losses = self.losses.clone();
        losses.prune(first);
        if losses == self.losses { Ok(()) } else { self.write(losses) }
    }

    fn write(&mut self, losses: Losses) -> Result<(), StoreError> {
        durable::replace(&self.folder, FILE, losses.encode().as_bytes())
            .map_err(StoreError::io("record what is lost"))?;
        self.losses = losses;
        Ok(())
    }
}
