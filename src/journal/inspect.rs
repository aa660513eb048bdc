//! A journal that nobody has open, looked at without changing anything.
//!
//! Guarantees: no file is written and no database opened, so damage stays as it is; whatever is there
//! and whole is found, and every acknowledged number that is not is named.

use super::{
    Event, JournalError, Seq, durable,
    joiner::{Item, Joiner},
    logfile::{LogFile, Rows, opens_whole},
    lossbook::Lossbook,
    losses::{Fate, Loss, Losses},
    manifest::{self, Manifest, Tally},
    numbers::Numbers,
    record, rescue,
    rows::Content,
    segments,
    store::StoreError,
};
use std::{
    fs::{self, File},
    io,
    ops::{ControlFlow, RangeInclusive},
    path::{Path, PathBuf},
};

/// A journal at rest.
#[derive(Debug)]
pub struct AtRest {
    folder: PathBuf,
    losses: Losses,
    head: u64,
    found: segments::Found,
    /// Keeps a gateway from starting while it is looked at.
    _lock: File,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number it begins with.
    pub first: u64,
    /// Its last number, if it has any.
    pub last: Option<u64>,
    /// How many events its seal names, or how many were found in it.
    pub count: u64,
    /// Its bytes on the disk.
    pub bytes: u64,
    /// Whether it is finished.
    pub is_sealed: bool,
    /// What is wrong with it, if anything.
    pub damage: Option<String>,
    /// Acknowledged numbers that cannot be read and are not recorded as lost.
    pub missing: Vec<RangeInclusive<u64>>,
}

/// What a look at all events found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Every segment.
    pub segments: Vec<Segment>,
    /// Acknowledged numbers that lie in no segment and are not recorded.
    pub between: Vec<RangeInclusive<u64>>,
    /// Acknowledged events that cannot be read, recorded or not, from the oldest segment on.
    pub missing: u64,
    /// Everything that is recorded.
    pub recorded: Vec<Loss>,
    /// Segments in quarantine.
    pub aside: usize,
    /// The next number.
    pub next: u64,
}

impl Findings {
    /// Returns whether every acknowledged event is there and nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.missing == 0 && self.segments.iter().all(|segment| segment.damage.is_none())
    }
}

impl AtRest {
    /// Takes the journal in `folder`; [`StoreError::Locked`] while a gateway runs on it.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        if !folder.is_dir() {
            let error = io::Error::new(io::ErrorKind::NotFound, format!("{}", folder.display()));
            return Err(StoreError::io("find the journal's folder")(error).into());
        }
        let lock = durable::lock(folder).map_err(StoreError::io("take the lock"))?;
        let lock = lock.ok_or(StoreError::Locked)?;
        let losses = Lossbook::look(folder).map_err(StoreError::io("read what is lost"))?;
        let numbers = Numbers::read(folder).map_err(StoreError::io("read the numbers"))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            losses: losses.unwrap_or_default(),
            head: numbers.head.unwrap_or(0),
            found: segments::list(folder)?,
            _lock: lock,
        })
    }

    /// Lists the segments as their seals describe them; only the one without a seal is read.
    pub fn list(&self) -> Result<Vec<Segment>, JournalError> {
        self.firsts()
            .into_iter()
            .map(|first| match self.found.sealed.get(&first) {
                Some(manifest) => Ok(self.as_sealed(manifest)),
                None => self.look(first),
            })
            .collect()
    }

    /// Returns everything that is recorded as missing.
    pub fn losses(&self) -> Vec<Loss> {
        self.losses.all().cloned().collect()
    }

    /// Reads everything.
    pub fn verify(&self) -> Result<Findings, JournalError> {
        let firsts = self.firsts();
        let segments: Vec<Segment> =
            firsts.iter().map(|first| self.look(*first)).collect::<Result<_, _>>()?;
        let oldest = firsts.first().copied().unwrap_or(0);
        let ends = segments.iter().map(|segment| segment.last.map_or(segment.first, after));
        let next = ends.max().unwrap_or(1).max(self.head);
        let newest = self.found.newest.or_else(|| self.found.unfit.last().map(|order| order.first));
        let mut between: Vec<_> = manifest::gaps(&self.found.sealed, newest)
            .into_iter()
            .filter(|_| self.found.unfit.is_empty())
            .flat_map(|gap| self.losses.uncovered(gap))
            .collect();
        if self.found.newest.is_none() && self.found.unfit.is_empty() {
            let last = self.found.sealed.values().next_back();
            let end = last.map_or(1, |manifest| after(manifest.last));
            between.extend(self.losses.uncovered(end..=self.head.saturating_sub(1)));
        }
        let unrecorded = segments.iter().flat_map(|segment| &segment.missing).chain(&between);
        let unrecorded: u64 = unrecorded.map(length).sum();
        let recorded = self.losses.all().filter(|loss| loss.fate == Fate::Lost);
        let recorded = recorded.filter(|loss| loss.last >= oldest);
        let recorded: u64 = recorded.map(|loss| length(&(loss.first..=loss.last))).sum();
        Ok(Findings {
            segments,
            between,
            missing: unrecorded.saturating_add(recorded),
            recorded: self.losses(),
            aside: rescue::aside(&self.folder),
            next,
        })
    }

    /// Shows every event of a range that can be read, in order, until `visit` breaks.
    pub fn read(
        &self,
        range: RangeInclusive<u64>,
        mut visit: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let firsts = self.firsts();
        let nexts = firsts.iter().copied().skip(1).chain([u64::MAX]);
        for (first, next) in firsts.iter().copied().zip(nexts) {
            if next <= *range.start() || first > *range.end() {
                continue;
            }
            let end = self.found.sealed.get(&first).map_or(next, |manifest| after(manifest.last));
            let mut flow = ControlFlow::Continue(());
            self.records(first, |seq, record| {
                if flow.is_continue() && range.contains(&seq.0) && seq.0 < end {
                    match record::decode(seq, record) {
                        Ok(event) => flow = visit(event),
                        Err(error) => tracing::warn!(seq = seq.0, %error, "an event is damaged"),
                    }
                }
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn firsts(&self) -> Vec<u64> {
        let unfit = self.found.unfit.iter().map(|order| order.first);
        let firsts = self.found.sealed.keys().copied().chain(unfit).chain(self.found.newest);
        let mut firsts: Vec<u64> = firsts.collect();
        firsts.sort_unstable();
        firsts
    }

    fn as_sealed(&self, manifest: &Manifest) -> Segment {
        Segment {
            first: manifest.first,
            last: Some(manifest.last),
            count: manifest.count,
            bytes: self.bytes(manifest.first),
            is_sealed: true,
            damage: None,
            missing: Vec::new(),
        }
    }

    /// Reads a segment whole.
    fn look(&self, first: u64) -> Result<Segment, JournalError> {
        let mut tally = Tally::new(first);
        let mut absent: Vec<RangeInclusive<u64>> = Vec::new();
        let mut next = first;
        let mut last = None;
        let manifest = self.found.sealed.get(&first);
        let end = manifest.map_or(u64::MAX, |manifest| after(manifest.last));
        let acknowledged = self.records(first, |seq, record| {
            if let Some(checksum) = record::check_sum(record).ok().filter(|_| seq.0 < end) {
                tally.add(checksum);
                last = Some(seq.0);
                if seq.0 > next {
                    absent.push(next..=seq.0.saturating_sub(1));
                }
                next = after(seq.0);
            }
        })?;
        let unfit = self.found.unfit.iter().find(|order| order.first == first);
        let end = match (manifest, unfit.and_then(|order| order.end)) {
            (Some(manifest), _) => after(manifest.last),
            (None, Some(end)) => end,
            (None, None) => self.head.max(acknowledged),
        };
        if next < end {
            absent.push(next..=end.saturating_sub(1));
        }
        let missing: Vec<_> =
            absent.into_iter().flat_map(|range| self.losses.uncovered(range)).collect();
        let place = self.folder.join(segments::name(first));
        let opens = opens_whole(&place, first, end).unwrap_or(false) && place.join("conf").exists();
        let differs = manifest.is_some_and(|manifest| {
            (manifest.count, manifest.checksum) != (tally.count(), tally.checksum())
        });
        let damage = match unfit {
            Some(order) => Some(order.why.clone()),
            None if !opens => Some("its log is broken".to_owned()),
            None if !missing.is_empty() => Some("events are missing".to_owned()),
            None if differs => Some("its events are not those it was sealed with".to_owned()),
            None => None,
        };
        let (count, bytes, is_sealed) = (tally.count(), self.bytes(first), manifest.is_some());
        Ok(Segment { first, last, count, bytes, is_sealed, damage, missing })
    }

    /// Shows the whole records of a segment; returns up to where they were acknowledged, as it says.
    fn records(&self, first: u64, mut visit: impl FnMut(Seq, &[u8])) -> Result<u64, JournalError> {
        let place = self.folder.join(segments::name(first));
        let log = match LogFile::open(&place) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(StoreError::io("read a segment")(error).into()),
        };
        let Rows { places, acknowledged } =
            log.rows(first).map_err(StoreError::io("read a segment"))?;
        let mut joiner = Joiner::new(first);
        for ((seq, piece), at) in places {
            let value = log.value(at).map_err(StoreError::io("read a segment"))?;
            joiner.push(Content { seq: Seq(seq), piece, bytes: &value }, |item| match item {
                Item::Whole(seq, record) => visit(seq, &record),
                Item::Lost(_) => {}
            });
        }
        Ok(acknowledged)
    }

    fn bytes(&self, first: u64) -> u64 {
        let file = self.folder.join(segments::name(first)).join("db");
        fs::metadata(file).map_or(0, |metadata| metadata.len())
    }
}

fn after(last: u64) -> u64 {
    last.saturating_add(1)
}

fn length(range: &RangeInclusive<u64>) -> u64 {
    range.end().saturating_sub(*range.start()).saturating_add(1)
}
