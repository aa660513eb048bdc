//! The folders a journal consists of: their names, their order, and which of them look whole.
//!
//! Guarantees: what it calls sealed follows each other without overlapping; every folder that does not
//! fit is named, with a reason.

use super::{
    JournalError, Seq, durable, finder,
    joiner::{Item, Joiner},
    manifest::{Manifest, Tally, Unsealed},
    record::{self, RecordError},
    rescue::Order,
    rows,
    store::{Store, StoreError},
};
use std::{
    collections::BTreeMap,
    fs, io,
    ops::{ControlFlow, RangeInclusive},
    path::Path,
};

/// The file that seals a segment.
pub(crate) const SEAL: &str = "sealed";

/// What lies in a journal's folder.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) sealed: BTreeMap<u64, Manifest>,
    /// Where the one unsealed segment begins.
    pub(crate) newest: Option<u64>,
    /// What does not fit.
    pub(crate) unfit: Vec<Order>,
}

/// Returns the folder's name of the segment that begins with `first`.
pub(crate) fn name(first: u64) -> String {
    format!("{first:020}")
}

/// Lists the segments and names those whose seal is missing, damaged or contradicts its neighbours.
pub(crate) fn list(folder: &Path) -> Result<Found, JournalError> {
    let mut found = Found { sealed: BTreeMap::new(), newest: None, unfit: Vec::new() };
    let mut firsts = firsts(folder).map_err(StoreError::io("list the segments"))?;
    firsts.sort_unstable();
    let nexts = firsts.iter().copied().skip(1).map(Some).chain([None]);
    for (first, next) in firsts.iter().copied().zip(nexts) {
        let mut unfit = |why: &str| {
            let acknowledged = next.unwrap_or(first);
            found.unfit.push(Order { first, end: next, acknowledged, why: why.to_owned() });
        };
        match read_seal(&folder.join(name(first)))? {
            None if next.is_none() => found.newest = Some(first),
            None => unfit("its seal is missing"),
            Some(Err(Unsealed::Newer)) => {
                let path = folder.join(name(first));
                let what = "was written by a newer version of the program; install that one";
                return Err(JournalError::Unreadable { path, what });
            }
            Some(Err(Unsealed::Damaged)) => unfit("its seal is damaged"),
            Some(Ok(manifest)) if manifest.first != first => unfit("it has another one's seal"),
            Some(Ok(manifest)) if next.is_some_and(|next| manifest.last >= next) => {
                unfit("its seal names events of the next one");
            }
            Some(Ok(manifest)) => {
                found.sealed.insert(first, manifest);
            }
        }
    }
    Ok(found)
}

/// Seals a segment durably.
pub(crate) fn seal(folder: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    seal_at(&folder.join(name(manifest.first)), manifest)
}

/// Seals the segment in a folder of any name.
pub(crate) fn seal_at(segment: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let bytes = manifest.encode().ok_or(StoreError::RowTooLong)?;
    durable::replace(segment, SEAL, &bytes).map_err(StoreError::io("seal a segment"))
}

/// Reads what an open segment holds behind what was counted already.
pub(crate) fn audit(
    mut store: Store,
    counted: Tally,
    handle_bytes_max: u64,
) -> Result<(Store, Tally), JournalError> {
    let place = store.folder().to_path_buf();
    let mut from = counted.next();
    let mut audit = Audit { tally: counted, missing: Vec::new(), newer: None };
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
        store.scan(finder::begin(store, from)?..finder::end_key(), |key, value| {
            let Some(row) = rows::read(key, value) else { return ControlFlow::Continue(()) };
            end = row.end();
            joiner.push(row, |item| self.take(item));
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

/// Reads a segment's seal, if it has one.
pub(crate) fn read_seal(segment: &Path) -> Result<Option<Result<Manifest, Unsealed>>, StoreError> {
    match fs::read(segment.join(SEAL)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
            Ok(Some(Err(Unsealed::Damaged)))
        }
        Err(error) => Err(StoreError::io("read a seal")(error)),
        Ok(bytes) => Ok(Some(Manifest::decode(&bytes))),
    }
}
