//! A back-up in one file: the state of one moment and every event since, and what is made of it again.
//!
//! Guarantees: the state is copied before the journal, so its cursor never points behind an event that
//! the file lacks; the file is there whole or not at all; each part of it carries a checksum and the
//! end a count, so a restore believes nothing that is not as it was written. A restored state gets an
//! epoch that was never used.
//!
//! What it does not hold: credentials, the configuration, certificates.

use crate::{
    clock,
    journal::{
        self, Event, Journal, JournalError, Loss, Seq,
        copy::{Builder as JournalBuilder, Copying},
        inspect::AtRest,
    },
    state::{State, StateError, copy::Builder as StateBuilder},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use thiserror::Error;

const TITLE: &[u8; 18] = b"causeway backup 1\n";
/// The longest part: a value or a record with its frame.
const PART_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Where a state folder is built before it gets its name.
const RESTORING: &str = "restoring";

/// Why a back-up was not made or not restored. The text continues "could not …: ".
#[derive(Debug, Error)]
pub enum BackupError {
    /// The journal refused.
    #[error("the journal refused")]
    Journal(#[from] JournalError),
    /// The state refused.
    #[error("the state refused")]
    State(#[from] StateError),
    /// The system refused.
    #[error("could not {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a back-up that this version can read.
    #[error("{0}; nothing was restored")]
    NotABackup(&'static str),
    /// There is something already.
    #[error("{} has a journal or a state already; a restore needs an empty folder", .0.display())]
    NotEmpty(PathBuf),
}

fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::Io { doing, source }
}

/// What a back-up holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The file.
    pub file: PathBuf,
    /// Values of the state.
    pub values: u64,
    /// Events of the journal.
    pub events: u64,
    /// The number of the next event.
    pub next: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// A part of the file.
#[derive(Debug, Serialize, Deserialize)]
enum Part {
    Begin { program: String, made_ms: u64, epoch: u64 },
    Value { key: Vec<u8>, value: Vec<u8> },
    Record { seq: u64, record: Vec<u8> },
    Loss(Loss),
    End { values: u64, events: u64, next: u64 },
}

/// Writes a back-up of stores that are in use to `target`: a new file, or a folder to put one in.
pub fn write(state: &State, journal: &Journal, target: &Path) -> Result<Contents, BackupError> {
    let made_ms = clock::now().unix_ms();
    let file = if target.is_dir() {
        target.join(format!("causeway-{}.backup", made_ms / 1_000))
    } else {
        target.to_path_buf()
    };
    if file.exists() {
        let exists = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(io_error("write the file")(exists));
    }
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let unfinished = file.with_file_name(name);
    let written = write_parts(state, journal, &unfinished, made_ms);
    let (values, events, next) = match written {
        Ok(written) => written,
        Err(error) => {
            // Half a back-up is none.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
    };
    let bytes = fs::metadata(&unfinished).map_err(io_error("write the file"))?.len();
    fs::rename(&unfinished, &file).map_err(io_error("name the file"))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    journal::durable::sync_folder(folder).map_err(io_error("sync the folder"))?;
    Ok(Contents { file, values, events, next, bytes })
}

fn write_parts(
    state: &State,
    journal: &Journal,
    path: &Path,
    made_ms: u64,
) -> Result<(u64, u64, u64), BackupError> {
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path);
    let mut out = BufWriter::new(file.map_err(io_error("create the file"))?);
    out.write_all(TITLE).map_err(io_error("write the file"))?;
    // Nothing that the state's cursor still needs may go before it is copied.
    let copying = Copying::begin(journal);
    let program = env!("CARGO_PKG_VERSION").to_owned();
    put(&mut out, &Part::Begin { program, made_ms, epoch: state.epoch().0 })?;
    let (mut values, mut events) = (0_u64, 0_u64);
    state.copy_out::<BackupError>(|key, value| {
        values = values.saturating_add(1);
        put(&mut out, &Part::Value { key: key.to_vec(), value: value.to_vec() })
    })?;
    let (next, losses) = copying.records::<BackupError>(|seq, record| {
        events = events.saturating_add(1);
        put(&mut out, &Part::Record { seq: seq.0, record: record.to_vec() })
    })?;
    for loss in losses {
        put(&mut out, &Part::Loss(loss))?;
    }
    put(&mut out, &Part::End { values, events, next: next.0 })?;
    let file = out.into_inner().map_err(|error| io_error("write the file")(error.into_error()))?;
    file.sync_all().map_err(io_error("sync the file"))?;
    Ok((values, events, next.0))
}

fn put(out: &mut impl Write, part: &Part) -> Result<(), BackupError> {
    let bytes =
        postcard::to_stdvec(part).map_err(|_| BackupError::NotABackup("it cannot be written"))?;
    let length =
        u32::try_from(bytes.len()).map_err(|_| BackupError::NotABackup("a part is too long"))?;
    let mut write = || {
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&crc32fast::hash(&bytes).to_le_bytes())?;
        out.write_all(&bytes)
    };
    write().map_err(io_error("write the file"))
}

/// The parts of a file, each checked.
struct Parts<R>(R);

impl Parts<BufReader<File>> {
    fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(io_error("open the file"))?;
        let mut reader = BufReader::new(file);
        let mut title = [0; TITLE.len()];
        let read = reader.read_exact(&mut title);
        if read.is_err() || &title != TITLE {
            return Err(BackupError::NotABackup(
                "the file is no back-up of this or an older version",
            ));
        }
        Ok(Self(reader))
    }
}

impl<R: Read> Parts<R> {
    fn next(&mut self) -> Result<Part, BackupError> {
        let cut = |_| BackupError::NotABackup("the file is cut short");
        let (mut length, mut checksum) = ([0; 4], [0; 4]);
        self.0.read_exact(&mut length).map_err(cut)?;
        self.0.read_exact(&mut checksum).map_err(cut)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > PART_BYTES_MAX {
            return Err(BackupError::NotABackup("the file is damaged"));
        }
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).map_err(cut)?;
        if crc32fast::hash(&bytes) != u32::from_le_bytes(checksum) {
            return Err(BackupError::NotABackup("the file is damaged"));
        }
        postcard::from_bytes(&bytes).map_err(|_| BackupError::NotABackup("a part cannot be read"))
    }
}

/// Reads a back-up whole and says what it holds; nothing is restored.
pub fn check(path: &Path) -> Result<Contents, BackupError> {
    let mut parts = Parts::open(path)?;
    let bytes = fs::metadata(path).map_err(io_error("open the file"))?.len();
    let (mut counted_values, mut counted_events) = (0_u64, 0_u64);
    loop {
        match parts.next()? {
            Part::Begin { .. } | Part::Loss(_) => {}
            Part::Value { .. } => counted_values = counted_values.saturating_add(1),
            Part::Record { seq, record } => {
                let _: Event = journal::decode(Seq(seq), &record)?;
                counted_events = counted_events.saturating_add(1);
            }
            Part::End { values, events, next } => {
                if (values, events) != (counted_values, counted_events) {
                    return Err(BackupError::NotABackup("parts of the file are missing"));
                }
                return Ok(Contents { file: path.to_path_buf(), values, events, next, bytes });
            }
        }
    }
}

/// Builds journal and state in an empty state folder from a back-up, after checking all of it.
pub fn restore(
    path: &Path,
    state_dir: &Path,
    segment_bytes_max: u64,
) -> Result<Contents, BackupError> {
    let is_there = |name: &str| state_dir.join(name).exists();
    if is_there("journal") || is_there("state") {
        return Err(BackupError::NotEmpty(state_dir.to_path_buf()));
    }
    let contents = check(path)?;
    let building = state_dir.join(RESTORING);
    if building.exists() {
        fs::remove_dir_all(&building).map_err(io_error("remove an unfinished restore"))?;
    }
    fs::create_dir_all(&building).map_err(io_error("create the folder"))?;
    build(path, &building, segment_bytes_max)?;
    let found = AtRest::open(&building.join("journal"))?.verify()?;
    let kept: u64 = found.segments.iter().map(|segment| segment.count).sum();
    let is_damaged = found.segments.iter().any(|segment| segment.damage.is_some());
    if is_damaged || kept != contents.events {
        return Err(BackupError::NotABackup("what was written cannot be read back"));
    }
    // The state last: a gateway that finds a state without its journal would not know what is due.
    for name in ["journal", "state"] {
        fs::rename(building.join(name), state_dir.join(name)).map_err(io_error("name a folder"))?;
        journal::durable::sync_folder(state_dir).map_err(io_error("sync the folder"))?;
    }
    fs::remove_dir(&building).map_err(io_error("remove a folder"))?;
    Ok(contents)
}

fn build(path: &Path, building: &Path, segment_bytes_max: u64) -> Result<(), BackupError> {
    let mut parts = Parts::open(path)?;
    let mut state = StateBuilder::new(&building.join("state"))?;
    let mut journal = JournalBuilder::new(&building.join("journal"), segment_bytes_max)?;
    let mut losses = Vec::new();
    let mut last_epoch = 0;
    loop {
        match parts.next()? {
            Part::Begin { epoch, .. } => last_epoch = epoch,
            Part::Value { key, value } => state.add(&key, &value)?,
            Part::Record { seq, record } => journal.add(Seq(seq), &record)?,
            Part::Loss(loss) => losses.push(loss),
            Part::End { next, .. } => {
                journal.finish(Seq(next), &losses)?;
                return Ok(state.finish(last_epoch)?);
            }
        }
    }
}
