//! The folders a journal consists of: their names, their order, and whether they are whole.
//!
//! Guarantees: what it returns follows each other without a gap; damage is an error that names what
//! is missing.

use super::{
    JournalError, Seq, durable,
    joiner::{Item, Joiner},
    manifest::{self, Manifest, Tally},
    record::{self, RecordError},
    store::{Store, StoreError},
};
use std::{
    collections::BTreeMap,
    fs, io,
    ops::{ControlFlow, RangeInclusive},
    path::Path,
};

/// The file that seals a segment.
const SEAL: &str = "sealed";

/// What lies in a journal's folder.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) sealed: BTreeMap<u64, Manifest>,
    /// Where the one unsealed segment begins.
    pub(crate) newest: Option<u64>,
}

/// Returns the folder's name of the segment that begins with `first`.
pub(crate) fn name(first: u64) -> String {
    format!("{first:020}")
}

/// Lists the segments and checks that they follow each other.
pub(crate) fn list(folder: &Path) -> Result<Found, JournalError> {
    let mut found = Found { sealed: BTreeMap::new(), newest: None };
    let mut firsts = firsts(folder).map_err(StoreError::io("list the segments"))?;
    firsts.sort_unstable();
    for first in firsts {
        let path = folder.join(name(first));
        if found.newest.is_some() {
            let what = "follows a segment that was never sealed";
            return Err(JournalError::Unreadable { path, what });
        }
        match read_seal(&path)? {
            Some(manifest) if manifest.first == first => {
                found.sealed.insert(first, manifest);
            }
            Some(_) => {
                return Err(JournalError::Unreadable { path, what: "has another segment's seal" });
            }
            None => found.newest = Some(first),
        }
    }
    let missing = manifest::gaps(&found.sealed, found.newest);
    if missing.is_empty() { Ok(found) } else { Err(JournalError::Damaged { missing }) }
}

/// Seals a segment durably.
pub(crate) fn seal(folder: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let bytes = manifest.encode().ok_or(StoreError::RowTooLong)?;
    let segment = folder.join(name(manifest.first));
    durable::replace(&segment, SEAL, &bytes).map_err(StoreError::io("seal a segment"))
}

/// Opens the segment that begins with `first` and reads it whole.
pub(crate) fn audit(
    folder: &Path,
    first: u64,
    handle_bytes_max: u64,
) -> Result<(Store, Tally), JournalError> {
    let place = folder.join(name(first));
    let mut store = Store::open(&place)?;
    let mut audit = Audit { tally: Tally::new(first), missing: Vec::new(), newer: None };
    let mut from = first;
    loop {
        let (next, ended) = audit.pass(&store, from, handle_bytes_max)?;
        if ended {
            break;
        }
        from = next;
        drop(store);
        store = Store::open(&place)?;
    }
    if let Some((seq, version)) = audit.newer {
        return Err(JournalError::Newer(seq, version));
    }
    if audit.missing.is_empty() {
        Ok((store, audit.tally))
    } else {
        Err(JournalError::Damaged { missing: audit.missing })
    }
}

struct Audit {
    tally: Tally,
    missing: Vec<RangeInclusive<u64>>,
    newer: Option<(Seq, u8)>,
}

impl Audit {
    /// Reads until the end or until the handle is worn; tells which, and where to go on.
    fn pass(
        &mut self,
        store: &Store,
        from: u64,
        handle_bytes_max: u64,
    ) -> Result<(u64, bool), StoreError> {
        let mut joiner = Joiner::new(from);
        let mut end = from;
        let mut ended = true;
        let all = record::key(Seq(from), 0)..record::key(Seq(u64::MAX), 0);
        store.scan(all, |key, value| {
            end = record::place(key).map_or(end, |(seq, _)| seq.0.saturating_add(1));
            joiner.push(key, value, |item| self.take(item));
            if joiner.next() == end && store.touched_bytes() > handle_bytes_max {
                ended = false;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(lost) = joiner.finish(end) {
            self.take(Item::Lost(lost));
        }
        Ok((end, ended))
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Lost(lost) => self.lose(lost),
            Item::Whole(seq, record) => match record::check_sum(&record) {
                Ok(checksum) => self.tally.add(checksum),
                Err(RecordError::Newer(version)) => self.newer = Some((seq, version)),
                Err(RecordError::Short | RecordError::Checksum | RecordError::Malformed) => {
                    self.lose(seq.0..=seq.0);
                }
            },
        }
    }

    /// Notes what is missing; what follows what is noted already becomes one range.
    fn lose(&mut self, lost: RangeInclusive<u64>) {
        match self.missing.last_mut() {
            Some(range) if range.end().saturating_add(1) == *lost.start() => {
                *range = *range.start()..=*lost.end();
            }
            Some(_) | None => self.missing.push(lost),
        }
    }
}

fn firsts(folder: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file_name = entry?.file_name();
        let parsed = file_name.to_str().and_then(|text| text.parse().ok());
        firsts.extend(parsed.filter(|first| *name(*first) == *file_name));
    }
    Ok(firsts)
}

fn read_seal(segment: &Path) -> Result<Option<Manifest>, JournalError> {
    match fs::read(segment.join(SEAL)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("read a seal")(error).into()),
        Ok(bytes) => {
            let path = segment.to_path_buf();
            let unreadable = JournalError::Unreadable { path, what: "has a damaged seal" };
            Manifest::decode(&bytes).map(Some).ok_or(unreadable)
        }
    }
}
