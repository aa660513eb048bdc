//! The folder in which ION's file connection point lays documents down.
//!
//! What this module guarantees:
//! 1. A file is read when it has not changed between two looks, and is moved away only after
//!    the journal has its document; one that is read twice is known again.
//! 2. A file that can never be taken lies in `bad/` with its reason beside it; one that was
//!    taken lies in `done/`. Nothing is deleted or overwritten.
//! 3. Only regular files that end in `.xml` are touched, and none that begins with a dot.

use super::{Ion, Told};
use crate::{
    config::Problems,
    connector::ion::{
        large::Form,
        message::{Head, Message},
    },
    log,
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;

/// Files that are looked at in one go.
const FILES_MAX: usize = 256;

/// Where ION's file connection point and we meet.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where ION lays documents down for us; `done` and `bad` are made in it.
    pub folder_in: Option<PathBuf>,
    /// Where we lay documents down for ION.
    pub folder_out: Option<PathBuf>,
    /// Milliseconds between two looks; a file that is the same in both is complete.
    #[serde(default = "look_ms")]
    pub look_ms: u64,
}

const fn look_ms() -> u64 {
    2_000
}

impl Config {
    /// Adds what is wrong beyond the grammar; `key` is where this table stands.
    pub fn check(&self, key: &str, problems: &mut Problems) {
        let folders = [("folder_in", &self.folder_in), ("folder_out", &self.folder_out)];
        for (name, folder) in folders {
            if let Some(folder) = folder
                && !folder.is_absolute()
            {
                problems.add(
                    format!("{key}.{name}"),
                    format!("{} is not an absolute path", folder.display()),
                    "begin with a slash: the working directory of a service is not yours",
                );
            }
        }
        if self.folder_in.is_some() && self.folder_in == self.folder_out {
            let told = "is the folder from which documents are read";
            problems.add(format!("{key}.folder_out"), told, "take another folder");
        }
        if !(100..=3_600_000).contains(&self.look_ms) {
            problems.add(
                format!("{key}.look_ms"),
                format!("{} is not between 100 and 3600000", self.look_ms),
                "leave the key out to look every two seconds",
            );
        }
    }
}

/// How a file looked.
type Look = (u64, Option<SystemTime>);

/// Reads the folder.
#[derive(Debug)]
pub struct Files {
    ion: Arc<Ion>,
    folder: PathBuf,
    every: Duration,
}

impl Files {
    /// Reads `folder` for these end points.
    pub fn new(ion: Arc<Ion>, folder: PathBuf, every: Duration) -> Self {
        Self { ion, folder, every }
    }

    /// Reads until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let mut before: BTreeMap<PathBuf, Look> = BTreeMap::new();
        let mut fails = false;
        while !stop.is_cancelled() {
            match self.turn(&mut before).await {
                Ok(()) => fails = false,
                Err(fault) => {
                    // Once, not at every look.
                    if !fails {
                        let (folder, why) = (self.folder.display(), log::chain(&fault));
                        tracing::error!(%folder, why, "the folder of ION's files cannot be read");
                    }
                    fails = true;
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    async fn turn(&self, before: &mut BTreeMap<PathBuf, Look>) -> io::Result<()> {
        let folder = self.folder.clone();
        let now = blocking(move || look(&folder)).await?;
        let complete = now.iter().filter(|(path, look)| before.get(*path) == Some(*look));
        for (path, (bytes, _)) in complete {
            self.read(path, *bytes).await?;
        }
        *before = now;
        Ok(())
    }

    async fn read(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let limits = self.ion.config().limits;
        let is_over = |most: usize| bytes > u64::try_from(most).unwrap_or(u64::MAX);
        let most = limits.large_bytes_max.max(limits.document_bytes_max);
        if is_over(most) {
            let why = format!("the file is larger than {most} bytes");
            return self.put_away(path, "bad", Some(why)).await;
        }
        let from = path.to_owned();
        let told = if is_over(limits.document_bytes_max) {
            let file = blocking(move || fs::File::open(from)).await?;
            self.ion.take_at_once(Form::Bare(Vec::new()), file).await
        } else {
            let document = blocking(move || fs::read(from)).await?;
            self.ion
                .take_message(Message { head: Head::default(), document, extract_of: None })
                .await
        };
        match told {
            Told::Accepted(_receipt) => self.put_away(path, "done", None).await,
            Told::Repeated | Told::Stale => self.put_away(path, "done", None).await,
            Told::Refused(refusal) => self.put_away(path, "bad", Some(refusal.to_string())).await,
            Told::TooLarge => {
                let why = "the document is larger than one event of the journal may be";
                self.put_away(path, "bad", Some(why.to_owned())).await
            }
            // It is tried again at the next look.
            Told::Busy => Ok(()),
        }
    }

    async fn put_away(&self, path: &Path, to: &str, why: Option<String>) -> io::Result<()> {
        if let Some(why) = &why {
            let file = path.display();
            tracing::error!(%file, why, "a file of ION cannot be taken; it is put into bad");
        }
        let (path, folder) = (path.to_owned(), self.folder.join(to));
        blocking(move || moved(&path, &folder, why.as_deref())).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn look(folder: &Path) -> io::Result<BTreeMap<PathBuf, Look>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_xml = name.len() > 4 && name.to_ascii_lowercase().ends_with(".xml");
        if !is_xml || name.starts_with('.') {
            continue;
        }
        // It may have been taken away meanwhile.
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if about.is_file() {
            found.insert(path, (about.len(), about.modified().ok()));
        }
        if found.len() >= FILES_MAX {
            break;
        }
    }
    Ok(found)
}

/// Moves a file without overwriting another one; the reason is written first.
fn moved(path: &Path, folder: &Path, why: Option<&str>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("unnamed.xml");
    let mut target = folder.join(name);
    let mut count = 1_u32;
    while target.symlink_metadata().is_ok() {
        count = count.saturating_add(1);
        target = folder.join(format!("{count}-{name}"));
    }
    if let Some(why) = why {
        let mut reason = target.clone().into_os_string();
        reason.push(".reason.txt");
        fs::write(reason, format!("{why}\n"))?;
    }
    fs::rename(path, target)
}
