//! How long the gateway takes to be ready after a kill, with a large backlog waiting.

use crate::{
    bodies::Bodies,
    gauge::{self, Fault},
    ingest::{self, journal_config},
    report,
};
use causeway::journal::{Journal, record::Packing};
use std::{
    fs, io,
    os::unix::{fs::DirBuilderExt as _, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    task::JoinSet,
};

/// Senders that fill a backlog.
const SENDERS: u64 = 256;
/// Longer than any start should take.
const START_TIME_MAX: Duration = Duration::from_mins(2);
/// How often it is looked whether a gateway that says nothing still runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A gateway that only keeps events, since there is nobody to carry them to.
const CONFIG: &str = r#"
[intake]
listen = "127.0.0.1:0"

[[intake.sources]]
name = "xcart"
path = "/hooks/xcart"
event = { pointer = "/event" }
order_number = "/order_number"
signature = "none"

[journal]
free_bytes_min = 0
"#;

/// A running gateway.
pub(crate) struct Gateway(Child);

impl Gateway {
    /// Starts it and waits until it says that it is ready; returns how long that took.
    pub(crate) fn start(program: &Path, folder: &Path) -> Result<(Self, Duration), Fault> {
        let socket = folder.join("notify");
        let _ = fs::remove_file(&socket);
        let told = UnixDatagram::bind(&socket)?;
        told.set_read_timeout(Some(LOOK_EVERY))?;
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
        let begun = gauge::now();
        let child = Command::new(program)
            .args(["gateway", "--config"])
            .arg(folder.join("causeway.toml"))
            .env("NOTIFY_SOCKET", &socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut gateway = Self(child);
        let mut word = [0; 64];
        let length = loop {
            match told.recv(&mut word) {
                Ok(length) => break length,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error.into()),
                Err(_) if begun.elapsed() > START_TIME_MAX => {
                    return Err("the gateway was not ready in time".into());
                }
                Err(_) => gateway.must_run(folder)?,
            }
        };
        let taken = begun.elapsed();
        match word.get(..length) {
            Some(word) if word.starts_with(b"READY=1") => Ok((gateway, taken)),
            _ => Err("the gateway said something else than that it is ready".into()),
        }
    }

    fn must_run(&mut self, folder: &Path) -> Result<(), Fault> {
        let Some(status) = self.0.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        Err(format!("the gateway ended with {status}:\n{log}").into())
    }

    /// Returns a line of its `/proc/<id>/status`, in KiB.
    pub(crate) fn status_kib(&self, name: &str) -> Result<u64, Fault> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find(|line| line.starts_with(name));
        Ok(line.and_then(|line| line.split_whitespace().nth(1)).ok_or("no such line")?.parse()?)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // SIGKILL: what it did not sync it may lose.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Fills the journal below `folder` and goes on writing until it is killed.
pub(crate) async fn fill(folder: &Path, bytes: u64) -> Result<(), Fault> {
    let (journal, _committer) =
        Journal::open(&folder.join("journal"), &journal_config(Packing::Zstd))?;
    let bodies = std::sync::Arc::new(Bodies::new(3));
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (journal, bodies) = (journal.clone(), std::sync::Arc::clone(&bodies));
        senders.spawn(async move {
            for number in (sender..).step_by(256) {
                let event = ingest::event(number, bodies.with_number(number));
                let _receipt = journal.append(event).await?;
            }
            Ok::<_, Fault>(())
        });
    }
    while journal.stats().bytes < bytes {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    report::line(&journal.stats().next.0.to_string());
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    Ok(())
}

/// What a start with a backlog takes.
#[derive(Clone, Debug)]
pub(crate) struct Starts {
    pub(crate) events: u64,
    pub(crate) ready_ms: Vec<f64>,
    pub(crate) empty_ms: Vec<f64>,
    pub(crate) peak_kib: u64,
}

/// Fills, kills, starts, kills, starts; beside it the same gateway with an empty journal.
pub(crate) async fn measure(
    program: &Path,
    folder: &Path,
    bytes: u64,
    rounds: usize,
) -> Result<Starts, Fault> {
    let (full, empty) = (folder.join("full"), folder.join("empty"));
    for folder in [&full, &empty] {
        prepare(folder)?;
    }
    let events = backlog(&full.join("state"), bytes).await?;
    drop(Gateway::start(program, &empty)?);
    let mut starts = Starts { events, ready_ms: Vec::new(), empty_ms: Vec::new(), peak_kib: 0 };
    for _ in 0..rounds {
        let (gateway, taken) = Gateway::start(program, &full)?;
        starts.ready_ms.push(taken.as_secs_f64() * 1e3);
        starts.peak_kib = starts.peak_kib.max(gateway.status_kib("VmHWM:")?);
        drop(gateway);
        let (gateway, taken) = Gateway::start(program, &empty)?;
        starts.empty_ms.push(taken.as_secs_f64() * 1e3);
        drop(gateway);
    }
    Ok(starts)
}

fn prepare(folder: &Path) -> Result<PathBuf, Fault> {
    let state = folder.join("state");
    fs::create_dir_all(folder)?;
    fs::DirBuilder::new().mode(0o700).create(&state)?;
    let config = format!("state_dir = \"{}\"\n{CONFIG}", state.display());
    fs::write(folder.join("causeway.toml"), config)?;
    Ok(state)
}

/// Lets a process of its own fill the journal, and kills it while it writes.
async fn backlog(state: &Path, bytes: u64) -> Result<u64, Fault> {
    let mut filler = tokio::process::Command::new(std::env::current_exe()?)
        .args(["backlog", "--bytes", &bytes.to_string(), "--folder"])
        .arg(state)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = filler.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await?;
    filler.kill().await?;
    Ok(line.trim().parse()?)
}
