//! Describes the machine, since a figure means nothing without it.

use crate::gauge::{self, Fault};
use serde::Serialize;
use std::{fs, io::Write as _, path::Path, process::Command};

/// Syncs that are timed.
const SYNCS: usize = 60;

/// The machine of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) model: String,
    pub(crate) kernel: String,
    pub(crate) filesystem: String,
    /// Median of 4 KB appended and synced, before and after the run.
    pub(crate) sync_us: Vec<u32>,
    /// Runnable tasks on average over a minute, at the start and at the end.
    pub(crate) load: Vec<String>,
}

impl Machine {
    /// Looks at it; `folder` is where the stores will lie.
    pub(crate) fn look(folder: &Path) -> Result<Self, Fault> {
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.unwrap_or(": unknown").trim_start_matches(['\t', ' ', ':']);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let stat = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output()?;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            model: model.trim().to_owned(),
            kernel: kernel.trim().to_owned(),
            filesystem: String::from_utf8_lossy(&stat.stdout).trim().to_owned(),
            sync_us: vec![sync_us(folder)?],
            load: vec![load()?],
        })
    }

    /// Looks again at what changes.
    pub(crate) fn look_again(&mut self, folder: &Path) -> Result<(), Fault> {
        self.sync_us.push(sync_us(folder)?);
        self.load.push(load()?);
        Ok(())
    }
}

fn load() -> Result<String, Fault> {
    let load = fs::read_to_string("/proc/loadavg")?;
    Ok(load.split_whitespace().next().unwrap_or_default().to_owned())
}

fn sync_us(folder: &Path) -> Result<u32, Fault> {
    let path = folder.join("sync");
    let mut file = fs::File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[7; 4096])?;
        let begun = gauge::now();
        file.sync_data()?;
        times.push(gauge::micros(begun));
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times.get(SYNCS / 2).copied().unwrap_or(0))
}
