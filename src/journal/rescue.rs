//! Puts a damaged segment aside and brings what can still be read of it into a new one.
//!
//! Guarantees: the damaged files are kept as they are, for a person; the new segment holds the same
//! events under the same numbers; what is missing is recorded before it is passed over. When it is
//! interrupted it is done again from the beginning.

use super::{
    JournalError, Seq, durable,
    joiner::{Item, Joiner},
    logfile::{self, LogFile},
    lossbook::Lossbook,
    losses::Fate,
    manifest::{Manifest, Tally},
    record::{self, RecordError},
    rows::{Content, Rows},
    segments,
    store::{Store, StoreError},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// The folder for what was put aside.
pub(crate) const QUARANTINE: &str = "quarantine";

/// The file that says what is to be done with a segment that was put aside.
const ORDER: &str = "rescue";

/// The file that says what came of it.
const REPORT: &str = "report";

/// Rows are written in portions of about this size.
const PORTION_BYTES_MAX: usize = 512 * 1024;

/// A handle is reopened after so much, which bounds its memory.
const HANDLE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// What is to be rescued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The number the segment begins with.
    pub(crate) first: u64,
    /// The number after its last, if that is known.
    pub(crate) end: Option<u64>,
    /// The number after the last one that is known to have been acknowledged.
    pub(crate) acknowledged: u64,
    /// Why it is put aside.
    pub(crate) why: String,
}

/// Puts a segment aside, with an order what to do. Durable.
pub(crate) fn set_aside(folder: &Path, order: &Order) -> Result<(), StoreError> {
    let name = segments::name(order.first);
    tracing::error!(segment = name, why = order.why, "a segment is damaged; it is put aside");
    let put = || {
        let text = serde_json::to_vec(order).map_err(io::Error::other)?;
        durable::replace(&folder.join(&name), ORDER, &text)?;
        let quarantine = folder.join(QUARANTINE);
        fs::create_dir_all(&quarantine)?;
        durable::sync_folder(folder)?;
        let free = |serial: &u16| !quarantine.join(format!("{name}-{serial}")).exists();
        let serial = (1..=u16::MAX).find(free).ok_or(io::ErrorKind::StorageFull)?;
        fs::rename(folder.join(&name), quarantine.join(format!("{name}-{serial}")))?;
        durable::sync_folder(&quarantine)?;
        durable::sync_folder(folder)
    };
    put().map_err(StoreError::io("put a damaged segment aside"))
}

/// Returns how many segments lie aside.
pub(crate) fn aside(folder: &Path) -> usize {
    fs::read_dir(folder.join(QUARANTINE)).map_or(0, Iterator::count)
}

/// Finishes every rescue that was ordered; does nothing when all are done.
pub(crate) fn finish(folder: &Path, lossbook: &mut Lossbook) -> Result<(), JournalError> {
    for quarantined in pending(folder).map_err(StoreError::io("look for damaged segments"))? {
        let order = fs::read(quarantined.join(ORDER)).map_err(StoreError::io("read an order"))?;
        let order = serde_json::from_slice::<Order>(&order)
            .map_err(|error| StoreError::io("read an order")(error.into()))?;
        let rescued = rescue(folder, &quarantined, &order, lossbook)?;
        let report = rescued.report(&order);
        durable::replace(&quarantined, REPORT, report.as_bytes())
            .map_err(StoreError::io("write a report"))?;
        tracing::warn!(
            segment = segments::name(order.first),
            kept = rescued.kept,
            aside = %quarantined.display(),
            "a damaged segment was rescued as far as it can be read"
        );
    }
    Ok(())
}

fn pending(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder.join(QUARANTINE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.join(ORDER).exists() && !path.join(REPORT).exists() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What came of a rescue.
struct Rescued {
    kept: u64,
    missing: Vec<RangeInclusive<u64>>,
}

impl Rescued {
    fn report(&self, order: &Order) -> String {
        let Order { first, why, .. } = order;
        let Self { kept, missing } = self;
        format!("segment {first}\nwhy     {why}\nkept    {kept}\nmissing {missing:?}\n")
    }
}

fn rescue(
    folder: &Path,
    quarantined: &Path,
    order: &Order,
    lossbook: &mut Lossbook,
) -> Result<Rescued, JournalError> {
    let unfinished = format!("{}{}", durable::UNFINISHED, segments::name(order.first));
    let found = match LogFile::open(quarantined) {
        Ok(log) => {
            let rows = log.rows(order.first).map_err(StoreError::io("read a damaged segment"))?;
            Some((log, rows))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(StoreError::io("read a damaged segment")(error).into()),
    };
    let place = folder.join(&unfinished);
    if place.exists() {
        fs::remove_dir_all(&place).map_err(StoreError::io("remove an unfinished database"))?;
    }
    let mut rebuild = Rebuild::new(order, found.as_ref().map_or(0, |(_, rows)| rows.acknowledged));
    if let Some((log, rows)) = &found {
        rebuild.run(log, rows, &place)?;
    }
    let (manifest, missing) = rebuild.finish();
    lossbook.record(&missing, Fate::Lost, &order.why)?;
    let kept = manifest.map_or(0, |manifest| manifest.count);
    let name = segments::name(order.first);
    if let Some(manifest) = manifest.filter(|_| !folder.join(&name).exists()) {
        segments::seal_at(&place, &manifest)?;
        Store::settle(&place)?;
        durable::publish(folder, &unfinished, &name)
            .map_err(StoreError::io("name a rescued segment"))?;
    } else if place.exists() {
        fs::remove_dir_all(&place).map_err(StoreError::io("remove an unfinished database"))?;
    }
    Ok(Rescued { kept, missing })
}

/// Takes what is whole, in order, and notes what is not there.
struct Rebuild {
    first: u64,
    end: Option<u64>,
    acknowledged: u64,
    next: u64,
    tally: Tally,
    missing: Vec<RangeInclusive<u64>>,
    portion: Rows,
    newer: Option<(Seq, u8)>,
    ended: bool,
}

impl Rebuild {
    fn new(order: &Order, acknowledged: u64) -> Self {
        Self {
            first: order.first,
            end: order.end,
            acknowledged: order.acknowledged.max(acknowledged),
            next: order.first,
            tally: Tally::new(order.first),
            missing: Vec::new(),
            portion: Rows::default(),
            newer: None,
            ended: false,
        }
    }

    fn run(
        &mut self,
        log: &LogFile,
        rows: &logfile::Rows,
        place: &Path,
    ) -> Result<(), JournalError> {
        let mut store = Store::open_new(place)?;
        let mut joiner = Joiner::new(self.first);
        let mut bytes: usize = 0;
        for (&(seq, piece), &at) in &rows.places {
            let value = log.value(at).map_err(StoreError::io("read a damaged segment"))?;
            bytes = bytes.saturating_add(value.len());
            joiner.push(Content { seq: Seq(seq), piece, bytes: &value }, |item| self.take(item));
            if let Some((seq, version)) = self.newer {
                return Err(JournalError::Newer(seq, version));
            }
            if self.ended {
                break;
            }
            if bytes > PORTION_BYTES_MAX {
                bytes = 0;
                self.write(&store)?;
            }
            if store.touched_bytes() > HANDLE_BYTES_MAX {
                drop(store);
                store = Store::open(place)?;
            }
        }
        Ok(self.write(&store)?)
    }

    fn write(&mut self, store: &Store) -> Result<(), StoreError> {
        store.apply(std::mem::take(&mut self.portion).finish())?;
        store.sync()
    }

    fn take(&mut self, item: Item) {
        if self.ended {
            return;
        }
        match item {
            // What is not there shows when the next whole one comes.
            Item::Lost(_) => {}
            Item::Whole(seq, record) => match record::check_sum(&record) {
                Ok(checksum) => self.keep(seq, &record, checksum),
                Err(RecordError::Newer(version)) => self.newer = Some((seq, version)),
                Err(RecordError::Short | RecordError::Checksum | RecordError::Malformed) => {}
            },
        }
    }

    fn keep(&mut self, seq: Seq, record: &[u8], checksum: u32) {
        let beyond = match self.end {
            Some(end) => seq.0 >= end,
            // Behind what was acknowledged only what follows without a gap is taken.
            None => seq.0 >= self.acknowledged && seq.0 != self.next,
        };
        if beyond {
            self.ended = true;
            return;
        }
        self.lose_until(seq.0);
        self.next = seq.0.saturating_add(1);
        self.tally.add(checksum);
        self.portion.push(seq, record);
    }

    fn lose_until(&mut self, seq: u64) {
        if self.next < seq {
            self.missing.push(self.next..=seq.saturating_sub(1));
            self.next = seq;
        }
    }

    fn finish(mut self) -> (Option<Manifest>, Vec<RangeInclusive<u64>>) {
        self.lose_until(self.end.unwrap_or(self.acknowledged));
        let (count, checksum) = (self.tally.count(), self.tally.checksum());
        let last = self.next.saturating_sub(1);
        let manifest = Manifest { first: self.first, last, count, checksum };
        ((count > 0).then_some(manifest), self.missing)
    }
}
