//! Reads clocks and the counters that the system keeps about this process.

use std::{
    collections::BTreeMap,
    error::Error,
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

/// Whatever went wrong; a measurement that fails is told and ends.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// What was measured, by name.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Returns the time.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns a count as a figure; exact up to 2^53.
pub(crate) fn figure(count: u64) -> f64 {
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// What this process had used at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    at: Instant,
    cpu: Duration,
    written: u64,
}

impl Used {
    /// Reads the counters.
    pub(crate) fn now() -> Result<Self, Fault> {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::new(u64::try_from(cpu.tv_sec)?, u32::try_from(cpu.tv_nsec)?);
        Ok(Self { at: now(), cpu, written: counter("/proc/self/io", "write_bytes:")? })
    }

    /// Puts into `figures` what `events` with so many bytes of payload have cost since.
    pub(crate) fn tell(
        &self,
        figures: &mut Figures,
        events: u64,
        payload: u64,
    ) -> Result<(), Fault> {
        let end = Self::now()?;
        let events = figure(events);
        let seconds = (end.at - self.at).as_secs_f64();
        figures.insert("rate".to_owned(), events / seconds);
        let cpu = end.cpu.saturating_sub(self.cpu).as_secs_f64();
        figures.insert("cpu_us".to_owned(), cpu * 1e6 / events);
        let written = figure(end.written.saturating_sub(self.written));
        figures.insert("written".to_owned(), written / figure(payload));
        Ok(())
    }
}

/// Returns the most memory this process ever had, in KiB.
pub(crate) fn peak_kib() -> Result<u64, Fault> {
    counter("/proc/self/status", "VmHWM:")
}

/// Puts the median and the 99th percentile of some times into `figures`.
pub(crate) fn tell_times(figures: &mut Figures, times: &mut [u32]) {
    times.sort_unstable();
    for (name, permille) in [("p50_us", 500), ("p99_us", 990)] {
        let at = times.len().saturating_mul(permille) / 1_000;
        figures.insert(name.to_owned(), times.get(at).copied().map_or(f64::NAN, f64::from));
    }
}

/// Returns how long something took, in microseconds.
pub(crate) fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// Returns the bytes that the files of a folder take on the disk.
pub(crate) fn disk_bytes(folder: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes: u64 = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes = bytes.saturating_add(if metadata.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            metadata.blocks().saturating_mul(512)
        });
    }
    Ok(bytes)
}

fn counter(file: &str, name: &str) -> Result<u64, Fault> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find(|line| line.starts_with(name)).ok_or("a counter is missing")?;
    Ok(line.split_whitespace().nth(1).ok_or("a counter is empty")?.parse()?)
}
