//! Looks at a database in another process before this one opens it.
//!
//! Guarantees: whatever the database does when it is opened (panics, aborts, takes all memory, never
//! ends), this process is not harmed and learns within a limit that it is not fit.

use super::store::{Store, StoreError};
use std::{
    io::{self, Read as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

/// The command that looks; hidden from the help.
pub const COMMAND: &str = "verify-store";
/// Exit status: the database is damaged.
pub const DAMAGED: u8 = 65;
/// Exit status: the system refused.
pub const REFUSED: u8 = 74;
/// Exit status: the volume has no room.
pub const FULL: u8 = 73;
/// Exit status: another process has the database.
pub const LOCKED: u8 = 75;

/// The name of the gateway's program.
const PROGRAM: &str = "causeway";
/// How long a look may take.
const LOOK_TIME_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(1);
/// Rows that are read from each end.
const ROWS_MAX: usize = 32;
/// Bytes of what it says that are kept.
const SAID_BYTES_MAX: u64 = 2_000;

/// How a database is looked at before it is opened.
#[derive(Clone, Debug, Default)]
pub enum Guard {
    /// In this process: a panic is caught, nothing worse.
    #[default]
    Here,
    /// In a child that runs this program.
    Child(PathBuf),
}

impl Guard {
    /// Looks in a child that runs the program of this process, if that is the gateway's and not one
    /// that has the gateway in it.
    pub fn own() -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        // The file may have been replaced by a newer one since; the kernel still has the old one.
        if name.trim_end_matches(" (deleted)") == PROGRAM {
            Self::Child(PathBuf::from("/proc/self/exe"))
        } else {
            Self::Here
        }
    }

    /// Looks at the database in `folder`.
    pub(crate) fn look(&self, folder: &Path) -> Result<(), StoreError> {
        match self {
            Self::Here => Ok(()),
            Self::Child(program) => ask(program, folder),
        }
    }
}

fn ask(program: &Path, folder: &Path) -> Result<(), StoreError> {
    let doing = "look at a database in another process";
    let child = Command::new(program)
        .arg(COMMAND)
        .arg(folder)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            // A system that lets us start no process is no reason to stay shut.
            tracing::warn!(%error, "a database is opened without a look in a child first");
            return Ok(());
        }
    };
    let Some(status) = wait(&mut child).map_err(StoreError::io(doing))? else {
        return Err(StoreError::Unfit(format!("it took longer than {LOOK_TIME_MAX:?}")));
    };
    let said = said(&mut child);
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match code {
        Some(0) => Ok(()),
        Some(LOCKED) => Err(StoreError::Locked),
        Some(FULL) => {
            let number = rustix::io::Errno::NOSPC.raw_os_error();
            Err(StoreError::io(doing)(io::Error::from_raw_os_error(number)))
        }
        Some(REFUSED) => Err(StoreError::io(doing)(io::Error::other(said))),
        Some(_) | None => Err(StoreError::Unfit(format!("{status}: {said}"))),
    }
}

/// Waits for the end; `None` if it would not come.
fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let pauses = LOOK_TIME_MAX.as_millis() / PAUSE.as_millis();
    for _ in 0..pauses {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(PAUSE);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn said(child: &mut Child) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = child.stderr.take() {
        // What cannot be read was not said.
        let _ = pipe.take(SAID_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).trim().replace('\n', ", ")
}

/// What the child does: opens the database and reads from both ends of it.
pub fn look(folder: &Path) -> Result<(), StoreError> {
    let store = Store::open(folder)?;
    let mut rows: usize = 0;
    store.scan(Vec::new()..vec![u8::MAX; 16], |_, _| {
        rows = rows.saturating_add(1);
        if rows < ROWS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    store.last_where(Vec::new()..vec![u8::MAX; 16], |_, _| true)?;
    Ok(())
}

/// Returns the exit status that tells the parent what `look` found.
pub fn status(found: &StoreError) -> u8 {
    match found {
        StoreError::Locked => LOCKED,
        full if full.is_full() => FULL,
        damaged if damaged.is_damage() => DAMAGED,
        StoreError::Io { .. } | StoreError::Refused { .. } | StoreError::RowTooLong => REFUSED,
        StoreError::Fell { .. } | StoreError::Gone | StoreError::Unfit(_) => DAMAGED,
    }
}
