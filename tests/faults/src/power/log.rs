//! Reads a log of block writes (the format of dm-log-writes) and says what is on the disk at a cut.
//!
//! Guarantees: a write is durable once a flush was logged after it, or if it was forced (FUA); what
//! came after the last flush is there, in part or not at all, as the caller chooses. Pure.

use std::ops::Range;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const SECTOR: usize = 512;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// What happened to the disk, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// These bytes of the log were written at this place of the disk.
    Write {
        /// Where on the disk, in bytes.
        at: usize,
        /// Where in the log.
        data: Range<usize>,
        /// Whether it was durable at once.
        forced: bool,
    },
    /// A range of the disk was given up; it reads as zeros.
    Discard {
        /// Which.
        range: Range<usize>,
    },
    /// All before is durable.
    Flush,
}

/// A log and where each entry of it ends, in bytes of the log.
#[derive(Debug)]
pub(crate) struct Log {
    bytes: Vec<u8>,
    entries: Vec<(Entry, usize)>,
}

impl Log {
    /// Reads a log. An entry that was not finished when the log was taken is left out.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, String> {
        let word = |at: usize| -> Option<u64> {
            let slice = bytes.get(at..at + 8)?;
            slice.try_into().ok().map(u64::from_le_bytes)
        };
        if word(0) != Some(MAGIC) {
            return Err("is not a log of writes".to_owned());
        }
        let size = bytes.get(24..28).and_then(|slice| slice.try_into().ok());
        let sector = usize::try_from(u32::from_le_bytes(size.unwrap_or_default())).unwrap_or(0);
        if sector < SECTOR {
            return Err(format!("has sectors of {sector} bytes"));
        }
        let mut entries = Vec::new();
        let mut at = sector;
        while let (Some(place), Some(sectors), Some(flags)) =
            (word(at), word(at + 8), word(at + 16))
        {
            let (place, length) = (bytes_of(place, sector)?, bytes_of(sectors, sector)?);
            let begin = at + sector;
            let is_discard = flags & DISCARD != 0;
            let end = if is_discard { begin } else { begin + length };
            if end > bytes.len() {
                break;
            }
            if flags & FLUSH != 0 {
                entries.push((Entry::Flush, end));
            }
            if is_discard {
                entries.push((Entry::Discard { range: place..place + length }, end));
            } else if length > 0 {
                let forced = flags & FUA != 0;
                entries.push((Entry::Write { at: place, data: begin..end, forced }, end));
            }
            at = end;
        }
        Ok(Self { bytes, entries })
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many of them are flushes.
    pub(crate) fn flushes(&self) -> usize {
        self.entries.iter().filter(|(entry, _)| *entry == Entry::Flush).count()
    }

    /// How long the log was when `cut` entries were in it.
    pub(crate) fn position(&self, cut: usize) -> usize {
        cut.checked_sub(1).and_then(|last| self.entries.get(last)).map_or(0, |(_, end)| *end)
    }
}

fn bytes_of(sectors: u64, sector: usize) -> Result<usize, String> {
    let sectors = usize::try_from(sectors).ok();
    sectors.and_then(|count| count.checked_mul(sector)).ok_or_else(|| "is too large".to_owned())
}

/// A disk that is rebuilt from a log, cut after cut, forwards only.
#[derive(Debug)]
pub(crate) struct Disk<'log> {
    log: &'log Log,
    durable: Vec<u8>,
    /// Entries that are on the durable disk or in the cache.
    next: usize,
    /// Entries since the last flush that are not durable.
    cached: Vec<usize>,
}

impl<'log> Disk<'log> {
    /// Starts with what the disk was before the log began.
    pub(crate) fn new(start: Vec<u8>, log: &'log Log) -> Self {
        Self { log, durable: start, next: 0, cached: Vec::new() }
    }

    /// Takes in the entries before `cut`.
    pub(crate) fn advance(&mut self, cut: usize) {
        while self.next < cut {
            let Some((entry, _)) = self.log.entries.get(self.next) else { break };
            match entry {
                Entry::Flush => {
                    for index in std::mem::take(&mut self.cached) {
                        put(&mut self.durable, self.log, index);
                    }
                }
                // Forced does not mean ordered: older writes to other places stay in the cache.
                Entry::Write { forced: true, .. } => put(&mut self.durable, self.log, self.next),
                Entry::Write { .. } | Entry::Discard { .. } => self.cached.push(self.next),
            }
            self.next += 1;
        }
    }

    /// How many writes the cache has.
    pub(crate) fn cached(&self) -> usize {
        self.cached.len()
    }

    /// The disk when power fails now: of each write in the cache `keep` says whether it got there.
    pub(crate) fn image(&self, mut keep: impl FnMut() -> bool) -> Vec<u8> {
        let mut image = self.durable.clone();
        for index in &self.cached {
            if keep() {
                put(&mut image, self.log, *index);
            }
        }
        image
    }
}

fn put(image: &mut [u8], log: &Log, index: usize) {
    let Some((entry, _)) = log.entries.get(index) else { return };
    match entry {
        Entry::Write { at, data, .. } => {
            let target = image.get_mut(*at..*at + data.len());
            if let (Some(target), Some(data)) = (target, log.bytes.get(data.clone())) {
                target.copy_from_slice(data);
            }
        }
        Entry::Discard { range } => {
            if let Some(target) = image.get_mut(range.clone()) {
                target.fill(0);
            }
        }
        Entry::Flush => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(words: &[u64]) -> Vec<u8> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(SECTOR, 0);
        bytes
    }

    /// One sector written; `fill` is what.
    fn write(place: u64, fill: u8, flags: u64) -> Vec<u8> {
        [sector(&[place, 1, flags, 0]), vec![fill; SECTOR]].concat()
    }

    fn log(entries: &[Vec<u8>]) -> Log {
        let head = sector(&[MAGIC, 1, u64::try_from(entries.len()).unwrap(), 512]);
        Log::parse([vec![head], entries.to_vec()].concat().concat()).unwrap()
    }

    fn seen(image: &[u8]) -> Vec<u8> {
        image.chunks(SECTOR).map(|sector| sector[0]).collect()
    }

    #[test]
    fn what_was_flushed_or_forced_is_there_and_the_rest_as_the_caller_says() {
        let flush = sector(&[0, 0, FLUSH, 0]);
        let log = log(&[
            write(0, 1, 0),
            write(1, 2, 0),
            flush,
            write(0, 3, 0),
            write(2, 4, FUA),
            write(1, 5, FLUSH),
        ]);
        assert_eq!((log.len(), log.flushes()), (7, 2));
        let table = [
            // cut, kept of the cache, what is on the disk
            (0, true, [9, 9, 9]),
            (2, true, [1, 2, 9]),
            (2, false, [9, 9, 9]),
            (3, false, [1, 2, 9]),
            (4, false, [1, 2, 9]),
            (4, true, [3, 2, 9]),
            (5, false, [1, 2, 4]),
            (6, false, [3, 2, 4]),
            (7, false, [3, 2, 4]),
            (7, true, [3, 5, 4]),
        ];
        for (cut, kept, want) in table {
            let mut disk = Disk::new(vec![9; 3 * SECTOR], &log);
            disk.advance(cut);
            assert_eq!(seen(&disk.image(|| kept)), want, "cut {cut}, kept {kept}");
        }
    }

    #[test]
    fn a_log_that_is_none_is_refused_and_a_torn_end_is_left_out() {
        assert!(Log::parse(vec![0; 4096]).is_err());
        let whole = log(&[write(0, 1, 0), write(1, 2, 0)]);
        let mut torn = whole.bytes.clone();
        torn.truncate(torn.len() - 1);
        assert_eq!((whole.len(), Log::parse(torn).unwrap().len()), (2, 1));
        assert_eq!((whole.position(0), whole.position(1)), (0, 3 * SECTOR));
    }
}
