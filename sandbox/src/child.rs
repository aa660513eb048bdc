//! The gateway as a process of its own: started, measured, killed, started again.

use crate::{AS_GATEWAY, args::Args, setting::Folder};
use causeway::{
    control,
    delivery::desk::{Ask, LISTED_MAX, Listed, Reply},
};
use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::{Child, Command};

/// How often it is asked whether the gateway is up.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long a start may take; a journal is checked before anything is taken in.
const START_TIME_MAX: Duration = Duration::from_mins(1);
/// How long a clean stop may take.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);

/// The gateway's process.
pub(crate) struct Gateway {
    program: PathBuf,
    first: Vec<OsString>,
    config: PathBuf,
    state: PathBuf,
    log: PathBuf,
    child: Child,
    /// Highest memory of the processes that are gone.
    peak_kib: u64,
}

impl Gateway {
    /// Starts it and waits until it answers.
    pub(crate) async fn start(args: &Args, folder: &Folder) -> io::Result<Self> {
        let (program, first) = match &args.gateway {
            Some(path) => (path.clone(), Vec::new()),
            None => (std::env::current_exe()?, vec![OsString::from(AS_GATEWAY)]),
        };
        let (config, state, log) = (folder.config(), folder.state(), folder.log());
        let child = spawn(&program, &first, &config, &log)?;
        let mut gateway = Self { program, first, config, state, log, child, peak_kib: 0 };
        gateway.wait_until_up().await?;
        Ok(gateway)
    }

    async fn wait_until_up(&mut self) -> io::Result<()> {
        let deadline = tokio::time::sleep(START_TIME_MAX);
        tokio::pin!(deadline);
        loop {
            if control::ask(&self.state, &Ask::List { after: None }).await.is_ok() {
                return Ok(());
            }
            tokio::select! {
                status = self.child.wait() => {
                    let log = fs::read_to_string(&self.log).unwrap_or_default();
                    return Err(io::Error::other(format!("the gateway ended: {}\n{log}", status?)));
                }
                () = &mut deadline => return Err(ErrorKind::TimedOut.into()),
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }

    /// SIGKILL, and a new start on the same state.
    pub(crate) async fn kill_and_restart(&mut self) -> io::Result<()> {
        self.peak_kib = self.peak_kib();
        self.child.kill().await?;
        self.child = spawn(&self.program, &self.first, &self.config, &self.log)?;
        self.wait_until_up().await
    }

    /// SIGTERM; says whether it stopped by itself and well.
    pub(crate) async fn stop(mut self) -> io::Result<bool> {
        if let Some(id) = self.child.id() {
            let kill = Command::new("kill").arg(id.to_string()).status().await?;
            if kill.success()
                && let Ok(status) = tokio::time::timeout(STOP_TIME_MAX, self.child.wait()).await
            {
                return Ok(status?.success());
            }
        }
        self.child.kill().await?;
        Ok(false)
    }

    /// Memory in RAM now.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// Highest memory in RAM so far, over all starts.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:").max(self.peak_kib)
    }

    fn status_kib(&self, field: &str) -> u64 {
        let Some(id) = self.child.id() else { return 0 };
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
    }

    /// What the gateway has set aside for a person.
    pub(crate) async fn parked(&self) -> io::Result<Vec<Listed>> {
        let mut all: Vec<Listed> = Vec::new();
        loop {
            let after = all.last().map(|row| row.key.clone());
            let reply = control::ask(&self.state, &Ask::List { after }).await;
            match reply.map_err(io::Error::other)? {
                Reply::Listed(page) => {
                    let last = page.len() < LISTED_MAX;
                    all.extend(page);
                    if last {
                        return Ok(all);
                    }
                }
                Reply::Shown(_) | Reply::Done => return Ok(all),
            }
        }
    }
}

fn spawn(program: &Path, first: &[OsString], config: &Path, log: &Path) -> io::Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
    Command::new(program)
        .args(first)
        .arg("gateway")
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
}
